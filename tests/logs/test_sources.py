"""Text logs of other programs: their time, level, labels and masks."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from harness import Entry, Factory, LogPath, evaluate

ZONE = dt.UTC
#: Where programs write the local time: a zone whose clock never changes.
LOCAL = ZoneInfo("Asia/Kolkata")
FORMATS = {
    "web": "nginx-access",
    "api": "nginx-json",
    "web-error": "nginx-error",
    "db": "postgresql",
    "cache": "redis",
    "job": "text",
}


@pytest.fixture(scope="module")
def files(engine: str, paths: Factory) -> LogPath:
    """A started log path with one file of each format."""
    folder = paths.folder("files")
    sources: dict[str, Any] = {
        name: {"format": form, "paths": [str(folder / f"{name}.log")]}
        for name, form in FORMATS.items()
    }
    sources["job"] |= {
        "app": "languagebuddy",
        "unit": "nightly.service",
        "labels": {"tier": "batch"},
        "redact": {"customer": {"expression": "customer=(\\w+)"}},
        "retention": "48h",
    }
    path = paths(
        {"logs": {"sources": sources, "host": "web1"}},
        shipper=engine,
        environment={"TZ": LOCAL.key},
    )
    for name in FORMATS:
        (folder / f"{name}.log").touch()
    path.start()
    return path


def write(path: LogPath, name: str, *lines: str) -> list[Entry]:
    """Append lines to a source's file; gives what arrives of them."""
    (file,) = path.overrides["logs"]["sources"][name]["paths"]
    before = len(path.everything(f'{{job="{name}"}}'))
    with Path(file).open("a") as handle:
        handle.writelines(f"{line}\n" for line in lines)
    path.wait_for(f'{{job="{name}"}}', before + 1)
    time.sleep(2)
    return path.everything(f'{{job="{name}"}}')[before:]


def test_labels_of_a_file(files: LogPath) -> None:
    """The agreed labels, the declared ones, and no path of a file."""
    (entry,) = write(files, "job", "ERROR: nothing to do for customer=kim")
    assert entry.labels == {
        "app": "languagebuddy",
        "unit": "nightly.service",
        "job": "job",
        "service_name": "job",
        "host": "web1",
        "level": "error",
        "tier": "batch",
    }
    assert entry.line == "ERROR: nothing to do for customer=***"


def test_a_source_may_be_kept_for_less(files: LogPath) -> None:
    """Its retention is a rule of Loki's."""
    streams = files.files["loki.yaml"]["limits_config"]["retention_stream"]
    assert {"selector": '{job="job"}', "period": "48h"}.items() <= streams[-1].items()


def test_nginx_access(files: LogPath) -> None:
    """The request's own second, its status as level, its address masked."""
    then = dt.datetime.now(ZONE).replace(microsecond=0) - dt.timedelta(minutes=5)
    stamp = then.strftime("%d/%b/%Y:%H:%M:%S +0000")
    line = (
        f'203.0.113.7 - - [{stamp}] "GET /u?email=kim@example.com HTTP/1.1" '
        '502 12 "-" "curl/8"'
    )
    (entry,) = write(files, "web", line)
    assert entry.time // 10**9 == then.timestamp()
    assert entry.labels["level"] == "error"
    assert entry.line == line.replace("kim@example.com", "***@***")


def test_equal_requests_of_one_second_stay_two(files: LogPath) -> None:
    """A time without fractions does not make two requests one."""
    stamp = dt.datetime.now(ZONE).strftime("%d/%b/%Y:%H:%M:%S +0000")
    line = f'203.0.113.8 - - [{stamp}] "GET /health HTTP/1.1" 200 2 "-" "probe"'
    assert len(write(files, "web", line, line, line)) == 3


def test_an_old_time_is_not_taken(files: LogPath) -> None:
    """A line of another day is dated by when it was read."""
    line = '203.0.113.9 - - [22/Nov/2020:08:00:00 +0000] "GET / HTTP/1.1" 200 2 "-" "x"'
    (entry,) = write(files, "web", line)
    assert abs(entry.time / 1e9 - time.time()) < 30


def test_nginx_json(files: LogPath) -> None:
    """Milliseconds, status and event of the format that our nginx writes."""
    seconds = f"{time.time() - 60:.3f}"
    line = f'{{"event":"http_request","msec":{seconds},"request_id":"a1","status":200}}'
    (entry,) = write(files, "api", line)
    assert entry.time == int(seconds.replace(".", "")) * 10**6
    assert entry.labels["level"] == "info"
    assert entry.metadata == {"event": "http_request"}
    assert entry.line == line


def test_nginx_error(files: LogPath) -> None:
    """nginx writes the local time, and its own word for the level."""
    then = dt.datetime.now(LOCAL).replace(microsecond=0) - dt.timedelta(minutes=2)
    stamp = then.strftime("%Y/%m/%d %H:%M:%S")
    (entry,) = write(files, "web-error", f"{stamp} [warn] 12#12: *1 buffered")
    assert entry.time // 10**9 == int(then.timestamp())
    assert entry.labels["level"] == "warn"


def test_postgresql(files: LogPath) -> None:
    """A statement of several lines is one entry, at PostgreSQL's milliseconds."""
    then = dt.datetime.now(ZONE) - dt.timedelta(seconds=30)
    stamp = then.strftime("%Y-%m-%d %H:%M:%S.") + f"{then.microsecond // 1000:03d} UTC"
    found = write(
        files,
        "db",
        f"{stamp} [9] ERROR:  duplicate key value",
        f"{stamp} [9] STATEMENT:  INSERT INTO users",
        "\tVALUES ('+4915123456789')",
    )
    assert [entry.line.partition("] ")[2] for entry in found] == [
        "ERROR:  duplicate key value",
        "STATEMENT:  INSERT INTO users\n\tVALUES ('***6789')",
    ]
    assert {entry.time // 10**6 for entry in found} == {int(then.timestamp() * 1000)}
    assert [entry.labels["level"] for entry in found] == ["error", "info"]


def test_redis(files: LogPath) -> None:
    """Redis' time, and its sign for a warning."""
    then = dt.datetime.now(LOCAL) - dt.timedelta(seconds=20)
    stamp = then.strftime("%d %b %Y %H:%M:%S.") + f"{then.microsecond // 1000:03d}"
    (entry,) = write(files, "cache", f"812:M {stamp} # Memory is low")
    assert entry.time // 10**6 == int(then.timestamp() * 1000)
    assert entry.labels["level"] == "warn"


@pytest.mark.parametrize(
    "label", ["user", "user_id", "phone", "phoneNumber", "request_id", "reqId", "token"]
)
def test_a_label_for_a_person_or_a_request_is_refused(
    label: str, tmp_path: Path
) -> None:
    """The error names the option, the label, and what to do instead."""
    over = {"logs": {"sources": {"x": {"paths": ["/x"], "labels": {label: "1"}}}}}
    with pytest.raises(ValueError, match="cannot be a label") as raised:
        evaluate(tmp_path, over)
    assert f"services.soloscope.logs.sources.x.labels: `{label}`" in str(raised.value)


def test_other_labels_are_taken(tmp_path: Path) -> None:
    """A harmless label is none of these."""
    over = {"logs": {"sources": {"x": {"paths": ["/x"], "labels": {"tier": "web"}}}}}
    assert "promtail.yaml" in evaluate(tmp_path, over)


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    """So are the known ones."""
    over = {"logs": {"sources": {"x": {"paths": ["/x"], "format": "apache"}}}}
    with pytest.raises(ValueError, match="nginx-access, nginx-error"):
        evaluate(tmp_path, over)


def test_a_line_beyond_the_limit_is_cut_with_a_mark(files: LogPath) -> None:
    """Not refused, not cut in silence, and cut after masking and parsing."""
    tail = '","event":"digest_failed","msg":"x"}'
    line = '{"level":50,"mail":"kim@example.com","blob":"' + "ä" * 150_000 + tail
    files.journal.say("long.service", line)
    (entry,) = files.wait_for('{unit="long.service"}', 1)
    masked = line.replace("kim@example.com", "***@***")
    size = len(masked.encode())
    assert entry.line.endswith(f"ä …[cut: {size} bytes]")
    assert entry.line.startswith('{"level":50,"mail":"***@***","blob":"ää')
    assert len(entry.line.encode()) < 256 * 1024
    assert entry.labels["level"] == "error"
    assert entry.metadata == {"event": "digest_failed"}
