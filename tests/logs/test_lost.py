"""Nothing is lost and nothing is there twice, whatever is killed.

Numbered lines go into a real journal while Loki or the shipper is stopped or
killed; in the end each number is found exactly once, as a line and in a count.
"""

from __future__ import annotations

import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from harness import ENGINES, Factory, LogPath, need
from soloscope_demo.errors import DemoError
from soloscope_demo.stack import until

UNIT = "numbers.service"
QUERY = '{unit="numbers.service"}'


@pytest.fixture
def path(engine: str, paths: Factory) -> LogPath:
    """A started log path with a shipper."""
    made = paths(shipper=engine)
    made.start()
    return made


class Printer:
    """Prints numbered lines, half of them JSON."""

    def __init__(self, path: LogPath) -> None:
        """Nothing printed yet."""
        self._path = path
        self.printed = 0

    def burst(self, count: int) -> None:
        """Print so many lines at once."""
        first = self.printed
        self.printed += count
        self._path.journal.say(
            UNIT,
            *(
                f'{{"level":30,"msg":"line","n":{n}}}' if n % 2 else f"line n {n}."
                for n in range(first, self.printed)
            ),
        )

    @contextmanager
    def steadily(self, per_second: int) -> Iterator[None]:
        """Print at this rate while the body runs."""
        done = threading.Event()

        def run() -> None:
            while not done.wait(0.05):
                self.burst(per_second // 20)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def numbers(path: LogPath) -> Counter[int]:
    """How often Loki has each number."""
    found: Counter[int] = Counter()
    for remainder in range(10):
        # At most 5,000 entries come with one answer.
        part = path.everything(f'{QUERY} |~ "{remainder}[}}.]$"')
        for entry in part:
            match = re.search(r"(\d+)[}.]$", entry.line)
            assert match is not None
            found[int(match[1])] += 1
    return found


def exactly_once(path: LogPath, printed: int, within: float = 90) -> None:
    """Every number once: as a line and in a count."""

    def complete() -> bool:
        return len(numbers(path)) >= printed

    try:
        until("every line", complete, within, every=0.5)
    except DemoError:
        missing = sorted(set(range(printed)) - set(numbers(path)))
        pytest.fail(f"{len(missing)} of {printed} missing: {missing[:20]} …")
    time.sleep(1)
    found = numbers(path)
    assert [n for n, times in found.items() if times > 1] == []
    assert set(found) == set(range(printed))
    counted = path.number(f"sum(count_over_time({QUERY}[1h]))")
    assert counted[0][1] == printed


def test_it_never_gives_up(paths: Factory) -> None:
    """No number of failed attempts ends in a dropped batch."""
    client = paths().files["promtail.yaml"]["clients"][0]
    assert client["backoff_config"]["max_retries"] == 0


def test_loki_stopped(path: LogPath) -> None:
    """What is printed while Loki is away arrives afterwards."""
    printer = Printer(path)
    printer.burst(1000)
    exactly_once(path, 1000)
    path.stop_loki()
    with printer.steadily(400):
        time.sleep(8)
    path.start_loki()
    exactly_once(path, printer.printed)


def test_loki_killed_while_writing(path: LogPath) -> None:
    """Loki is killed twice in the middle of writing."""
    printer = Printer(path)
    with printer.steadily(800):
        for _ in range(2):
            time.sleep(2)
            path.stop_loki(signal.SIGKILL)
            time.sleep(1)
            path.start_loki()
        time.sleep(1)
    exactly_once(path, printer.printed)


def test_shipper_killed_while_reading(path: LogPath) -> None:
    """The shipper is killed in the middle of a busy time, and starts again."""
    printer = Printer(path)
    with printer.steadily(800):
        time.sleep(3)
        path.stop_shipper(signal.SIGKILL)
        time.sleep(1)
        path.rewind()
        path.start_shipper()
        time.sleep(2)
    exactly_once(path, printer.printed)


def test_shipper_killed_while_loki_is_away(path: LogPath) -> None:
    """The worst case: what the shipper holds has nowhere to go, and is killed."""
    printer = Printer(path)
    printer.burst(2000)
    exactly_once(path, 2000)
    path.stop_loki()
    with printer.steadily(400):
        time.sleep(6)
        path.stop_shipper(signal.SIGKILL)
        time.sleep(1)
    # The host starts again: Loki first, then the shipper.
    path.start_loki()
    path.rewind()
    path.start_shipper()
    exactly_once(path, printer.printed)


def test_what_is_on_disk_already_is_not_there_twice(path: LogPath) -> None:
    """What Loki wrote to disk a while ago is not read again, nor counted again."""
    printer = Printer(path)
    printer.burst(3000)
    exactly_once(path, 3000)
    path.flush()
    printer.burst(1)
    # Until the shipper has noted (Alloy every ten seconds) how far it has read.
    # It reads the line that it noted once more.
    time.sleep(11)
    printer.burst(499)
    exactly_once(path, 3500)
    path.stop_shipper(signal.SIGKILL)
    path.rewind()
    path.start_shipper()
    printer.burst(500)
    exactly_once(path, printer.printed)


def test_shut_down_does_not_hang(path: LogPath) -> None:
    """With Loki away, the shipper ends within the time the unit gives it."""
    printer = Printer(path)
    printer.burst(500)
    exactly_once(path, 500)
    path.stop_loki()
    printer.burst(500)
    time.sleep(1)
    seconds = path.stop_shipper()
    # TimeoutStopSec of the unit is 5; the harness kills after as long.
    assert seconds < 7
    path.start_loki()
    path.rewind()
    path.start_shipper()
    exactly_once(path, printer.printed)


@pytest.mark.parametrize("first", ENGINES)
def test_switching_the_engine(first: str, paths: Factory) -> None:
    """One shipper stops, the other goes on where it stopped."""
    need(*ENGINES)
    path = paths(shipper=first)
    path.start()
    printer = Printer(path)
    printer.burst(1000)
    exactly_once(path, 1000)
    # It is noted every ten seconds, and when it stops.
    path.stop_shipper()
    printer.burst(1000)
    before = path.positions
    path.shipper = ENGINES[1 - ENGINES.index(first)]
    path.carry(before)
    path.rewind()
    path.start_shipper()
    printer.burst(1000)
    exactly_once(path, 3000)
    # What was shipped by the first is not sent again by the second, but for the
    # last five seconds.
    assert path.read_lines() <= 3000


@pytest.mark.parametrize(
    "positions",
    [
        "",
        "positions: {}\n",
        "positions:\n  cursor-journal: s=gone;i=1;b=2;m=3;t=4;x=5\n",
        'positions:\n  /var/log/x.log: "12"\n',
    ],
)
def test_positions_that_say_nothing(positions: str, paths: Factory) -> None:
    """No position, one of another journal, or files only: left as it is."""
    path = paths()
    path.positions.write_text(positions)
    path.rewind()
    assert path.positions.read_text() == positions


def test_loki_does_not_answer(paths: Factory) -> None:
    """Then the shipper is set back by the declared number of lines."""
    path = paths({"logs": {"rewindLines": 10}})
    path.start()
    path.journal.say(UNIT, *(f"line n {n}." for n in range(100)))
    exactly_once(path, 100)
    until("the positions", lambda: "cursor" in path.positions.read_text(), within=20)
    time.sleep(2)
    path.stop_shipper()
    path.stop_loki()
    path.journal.say(UNIT, *(f"line n {n}." for n in range(100, 120)))
    path.rewind()
    path.start_shipper()
    # Ten lines back, the last of them the one that was noted.
    until("30 lines read", lambda: path.read_lines() >= 30, within=20)
    assert path.read_lines() == 30
    path.start_loki()
    exactly_once(path, 120)


def test_alloy_goes_on_in_files(paths: Factory) -> None:
    """Promtail's place in a file is taken over by Alloy."""
    need(*ENGINES)
    file = paths.folder("switch") / "job.log"
    file.write_text("".join(f"line n {n}.\n" for n in range(100)))
    sources = {"numbers": {"paths": [str(file)]}}
    path = paths({"logs": {"sources": sources}})
    path.start()
    exactly_once(path, 100)
    path.stop_shipper()
    with file.open("a") as handle:
        handle.writelines(f"line n {n}.\n" for n in range(100, 200))
    path.shipper = "alloy"
    path.start_shipper()
    exactly_once(path, 200)


def test_a_shipper_that_goes_on_is_not_set_back(paths: Factory) -> None:
    """The other engine's old position is none when the own one is newer."""
    path = paths()
    own, other = path.root / "own.yaml", path.root / "other.yml"
    other.write_text("positions:\n  cursor-journal: s=old;t=1;x=1\n")
    time.sleep(0.05)
    own.write_text('positions:\n  cursor-journal: s=new;t=2;x=1\n  /a.log: "7"\n')
    path.carry(other, own)
    assert "s=new" in own.read_text()
    time.sleep(0.05)
    other.touch()
    path.carry(other, own)
    assert own.read_text() == (
        'positions:\n  cursor-journal: s=old;t=1;x=1\n  /a.log: "7"\n'
    )


def test_burst(path: LogPath) -> None:
    """Ten thousand lines in one second arrive, all of them."""
    printer = Printer(path)
    began = time.monotonic()
    printer.burst(10_000)
    print(f"printed in {time.monotonic() - began:.1f} s")
    exactly_once(path, 10_000)
    print(f"all found after {time.monotonic() - began:.1f} s")
