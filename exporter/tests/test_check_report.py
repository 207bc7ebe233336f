"""The bodies of the health paths (one shape), the metric lines, and the database."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from running import answers, free_port, listens, program, running, standin, until
from soloscope.checks.database import figures, p95, postgres
from soloscope.checks.model import CheckFailed, Kind, Result
from soloscope.checks.report import PATHS, answer, document, families
from soloscope.exporter.exposition import OPENMETRICS, TEXT
from soloscope.exporter.families import encode

NOW = datetime(2025, 11, 18, 10, 30, tzinfo=UTC)

FIGURES = {
    "size": 10.0,
    "active": 3.0,
    "idle": 7.0,
    "efficiency": 30.0,
    "slow": 2.0,
    "seconds": 0.015,
    "p95": 0.0451,
}


def result(
    name: str,
    kind: Kind,
    *,
    ok: bool = True,
    app: str = "shop",
    seconds: float | None = 0.015,
) -> Result:
    return Result(
        app=app,
        name=name,
        kind=kind,
        ok=ok,
        detail="fine" if ok else "refused",
        interval=30.0,
        age=2.25,
        seconds=seconds,
        figures=FIGURES if kind == "postgres" and ok else {},
    )


WELL = (
    result("loki", "loki", app=""),
    result("postgres", "postgres"),
    result("redis", "redis"),
    result("openai", "api"),
)


def test_overall_is_the_shape_of_the_origin_documents() -> None:
    assert answer("/health/overall", WELL, NOW) == (
        200,
        {
            "status": "healthy",
            "timestamp": "2025-11-18T10:30:00Z",
            "services": {
                "database": "healthy",
                "redis": "healthy",
                "external_apis": "healthy",
                "loki": "healthy",
            },
        },
    )


def test_database_and_its_performance() -> None:
    assert answer("/health/database", WELL, NOW) == (
        200,
        {
            "status": "healthy",
            "connection_pool": {"size": 10, "active": 3, "idle": 7},
            "response_time_ms": 15.0,
        },
    )
    assert answer("/health/database/performance", WELL, NOW) == (
        200,
        {
            "status": "healthy",
            "metrics": {
                "response_time_p95_ms": 45.1,
                "slow_query_count": 2,
                "connection_efficiency": 30,
            },
        },
    )


def test_the_parts_are_parts_of_the_whole() -> None:
    whole = document(WELL, NOW)
    assert answer("/api/health", WELL, NOW) == (200, whole)
    assert answer("/api/status", WELL, NOW) == (200, whole)
    _, overall = answer("/health/overall", WELL, NOW)
    assert overall.items() <= whole.items()
    _, database = answer("/health/database", WELL, NOW)
    assert database.items() <= whole["database"].items()
    _, performance = answer("/health/database/performance", WELL, NOW)
    assert performance == whole["database"]["performance"]
    assert whole["checks"][1] == {
        "app": "shop",
        "name": "postgres",
        "kind": "postgres",
        "status": "healthy",
        "detail": "fine",
        "age_seconds": 2.2,
        "duration_ms": 15.0,
        "interval_seconds": 30,
    }


@pytest.mark.parametrize("failing", range(len(WELL)))
def test_any_failing_check_is_503(failing: int) -> None:
    one = WELL[failing]
    bad = result(one.name, one.kind, ok=False, app=one.app)
    results = (*WELL[:failing], bad, *WELL[failing + 1 :])
    for path in ("/api/health", "/api/status", "/health/overall"):
        code, body = answer(path, results, NOW)
        assert (code, body["status"]) == (503, "unhealthy")
    services = answer("/health/overall", results, NOW)[1]["services"]
    assert [s for s, state in services.items() if state == "unhealthy"] == [
        {"loki": "loki", "postgres": "database", "redis": "redis"}.get(
            one.name, "external_apis"
        )
    ]
    for path in ("/health/database", "/health/database/performance"):
        code, body = answer(path, results, NOW)
        expected = 503 if one.kind == "postgres" else 200
        assert code == expected
        if expected == 503:
            assert body["detail"] == "refused"


def test_without_a_database_the_answer_says_what_to_declare() -> None:
    for path in ("/health/database", "/health/database/performance"):
        code, body = answer(path, WELL[:1], NOW)
        assert code == 404
        assert "services.soloscope.apps.<name>.postgres.socket" in body["detail"]
    code, body = answer("/health/overall", WELL[:1], NOW)
    assert code == 200
    assert body["services"] == {
        "database": "not_declared",
        "redis": "not_declared",
        "external_apis": "not_declared",
        "loki": "healthy",
    }


def test_every_path_answers_without_any_check() -> None:
    codes = {path: answer(path, (), NOW)[0] for path in PATHS}
    assert codes == {
        "/api/health": 200,
        "/api/status": 200,
        "/health/overall": 200,
        "/health/database": 404,
        "/health/database/performance": 404,
    }


def test_metrics_byte_for_byte() -> None:
    results = (
        result("loki", "loki", app="", seconds=0.5),
        result("openai", "api", ok=False, seconds=None),
    )
    text = encode(families(results), TEXT).decode()
    assert text == (
        "# HELP soloscope_check_up Whether the last answer of a health check is good "
        "and not too old\n"
        "# TYPE soloscope_check_up gauge\n"
        'soloscope_check_up{app="",name="loki"} 1.0\n'
        'soloscope_check_up{app="shop",name="openai"} 0.0\n'
        "# HELP soloscope_check_duration_seconds How long the last answer of a health "
        "check took\n"
        "# TYPE soloscope_check_duration_seconds gauge\n"
        'soloscope_check_duration_seconds{app="",name="loki"} 0.5\n'
    )
    assert len(list(text_string_to_metric_families(text))) == 2
    assert encode(families(results), OPENMETRICS).decode() == text + "# EOF\n", (
        "gauges read the same in both"
    )
    assert encode(families(()), TEXT) == b""


# --- the database -------------------------------------------------------------------

EXPOSITION = """\
# HELP pg_up Whether the last scrape of metrics was able to connect to the server.
# TYPE pg_up gauge
pg_up 1
pg_settings_max_connections{server="s:5432"} 100
pg_settings_work_mem_bytes{server="s:5432"} 4e+06
pg_stat_activity_count{datname="a",server="s",state="active",usename="u"} 3
pg_stat_activity_count{datname="a",server="s",state="idle",usename="u"} 5
pg_stat_activity_count{datname="a",server="s",state="idle in transaction"} 2
pg_stat_activity_count{datname="a",server="s",state="disabled"} 9
pg_stat_activity_max_tx_duration{datname="a",state="active",usename="u"} 2.5
pg_stat_activity_max_tx_duration{datname="a",state="active",usename="v"} 0.5
pg_stat_activity_max_tx_duration{datname="a",state="idle in transaction"} 99
pg_exporter_last_scrape_duration_seconds 0.02
"""

STATEMENTS = """\
pg_stat_statements_calls_total{datname="a",queryid="1",user="u"} 10
pg_stat_statements_seconds_total{datname="a",queryid="1",user="u"} 11
pg_stat_statements_calls_total{datname="a",queryid="2",user="u"} 1000
pg_stat_statements_seconds_total{datname="a",queryid="2",user="u"} 20
pg_stat_statements_calls_total{datname="a",queryid="3",user="u"} 0
pg_stat_statements_seconds_total{datname="a",queryid="3",user="u"} 0
pg_stat_statements_calls_total{datname="a",queryid="4",user="u"} 1
pg_stat_statements_seconds_total{datname="a",queryid="4",user="u"} 9
"""


def test_figures_of_an_exposition() -> None:
    assert figures(EXPOSITION) == {
        "up": 1.0,
        "size": 100.0,
        "active": 3.0,
        "idle": 7.0,
        "efficiency": 30.0,
        "slow": 1.0,
        "seconds": 0.02,
    }
    assert figures(EXPOSITION + STATEMENTS)["slow"] == 2.0
    empty = figures("pg_up 0\n")
    assert (empty["up"], empty["efficiency"], empty["size"]) == (0.0, None, None)


def test_p95_is_the_nearest_rank() -> None:
    assert p95([]) is None
    assert p95([3.0]) == 3.0
    assert p95(range(1, 101)) == 95
    assert p95(range(1, 21)) == 19


def check_of(exposition: str, expected: str) -> None:
    with (
        standin(lambda _: (200, {}, f"{exposition}\n".encode())) as server,
        pytest.raises(CheckFailed, match=expected),
    ):
        postgres(server.url)(2)


def test_an_exporter_that_cannot_reach_its_database() -> None:
    check_of("pg_up 0", "cannot reach the database")
    check_of("go_goroutines 8", "no postgres exporter")
    check_of("pg_up one", "not with metrics")


def postgres_bin() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return found[0] if found else Path(program("postgres")).resolve().parent


@contextmanager
def database(folder: Path) -> Iterator[Path]:
    """A real PostgreSQL on a unix socket in `folder`; not as root, which it refuses."""
    binaries = postgres_bin()
    user = {}
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid}
        for parent in folder.parents:
            # tmp_path is 0700 up to pytest's own folder.
            if parent.stat().st_uid == 0 and parent != Path("/tmp"):
                parent.chmod(parent.stat().st_mode | 0o011)
            if parent == Path("/tmp"):
                break
    data = folder / "data"
    argv = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N"]
    subprocess.run(argv, check=True, capture_output=True, cwd="/", **user)  # type: ignore[call-overload]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(  # type: ignore[call-overload]
            [
                binaries / "postgres",
                "-D",
                data,
                "-k",
                folder,
                "-c",
                "listen_addresses=",
            ],
            stdout=log,
            stderr=log,
            cwd="/",
            **user,
        )
    try:
        until("postgres listens", lambda: listens(folder / ".s.PGSQL.5432"))
        yield folder
    finally:
        # SIGTERM would wait for the exporter's connection to end.
        server.send_signal(signal.SIGINT)
        server.wait(20)


def test_the_real_exporter_and_the_real_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = program("postgres_exporter", "prometheus-postgres-exporter")
    folder = tmp_path / "pg"
    folder.mkdir()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    monkeypatch.setenv(
        "DATA_SOURCE_NAME", f"host={folder} user=postgres dbname=postgres"
    )
    argv = [exporter, f"--web.listen-address=127.0.0.1:{port}"]
    with running(argv, tmp_path / "exporter.log"):
        with database(folder):
            until("the exporter answers", lambda: answers(f"{url}/metrics"))
            psql = str(postgres_bin() / "psql")
            argv = [psql, "-h", str(folder), "-U", "postgres", "-qc"]
            check = postgres(url)
            with subprocess.Popen([*argv, "select pg_sleep(60)"]) as sleeping:
                try:
                    until(
                        "the sleeping transaction is called slow",
                        lambda: check(5).figures["slow"] == 1,
                    )
                    figures = check(5).figures
                finally:
                    sleeping.terminate()
            assert figures["size"] == 100
            assert (figures["active"] or 0) >= 1, "psql"
            assert 0 < (figures["p95"] or 0) < 5
        with pytest.raises(CheckFailed, match="cannot reach the database"):
            postgres(url)(5)
