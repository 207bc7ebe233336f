"""The journal bridge: what programs print becomes a real journal file.

On a host journald does this. Here the programs' output goes to files, and this
process follows them and hands each line, in the journal's export format, to
systemd-journal-remote, which writes the journal that the log shipper reads. So
the shipper's pipeline is the same as on a host.

Standard library only: the process stays small.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: A pino line that is older than this when it is read (seconds) belongs to the
#: generated history and keeps its own time. journald would use the time of arrival.
HISTORY_AFTER = 60.0

#: How often the followed files are looked at (seconds).
POLL = 0.1

_PREFIX = re.compile(rb"^<([0-7])>")
_TIME = re.compile(rb'"time":(\d{13})[,}]')


class Clock:
    """Times of a unit's entries: microseconds, each later than the one before."""

    def __init__(self) -> None:
        self._last = 0

    def stamp(self, line: bytes) -> int:
        """The entry's time: now, or the line's own when it is history."""
        now = time.time_ns() // 1000
        found = _TIME.search(line)
        if found is not None:
            own = int(found[1]) * 1000
            if now - own > HISTORY_AFTER * 1e6:
                now = own
        self._last = max(now, self._last + 1)
        return self._last


@dataclass
class Followed:
    """A file that a unit's output goes to, and how far it was read.

    Times are kept per unit: the history of one unit is not affected by new lines of
    another.
    """

    unit: str
    path: Path
    clock: Clock = field(default_factory=Clock)
    offset: int = 0
    rest: bytes = b""

    def lines(self) -> Iterator[bytes]:
        """The whole lines that were added since the last call."""
        try:
            with self.path.open("rb") as handle:
                handle.seek(self.offset)
                added = handle.read()
        except FileNotFoundError:
            return
        self.offset += len(added)
        *whole, self.rest = (self.rest + added).split(b"\n")
        yield from (line for line in whole if line)


def entry(fields: Mapping[str, str], message: bytes, microseconds: int) -> bytes:
    """One entry in the journal's export format.

    Source: systemd's "Journal Export Formats". The message is in the binary
    form, so it may contain any bytes.
    """
    head = {
        "__REALTIME_TIMESTAMP": str(microseconds),
        "__MONOTONIC_TIMESTAMP": str(microseconds),
        **fields,
    }
    text = "".join(f"{key}={value}\n" for key, value in head.items()).encode()
    size = len(message).to_bytes(8, "little")
    return text + b"MESSAGE\n" + size + message + b"\n\n"


class Bridge:
    """Follows files and writes their lines into a journal file."""

    def __init__(
        self, program: str, journal: Path, host: str, followed: list[Followed]
    ) -> None:
        """`program` is systemd-journal-remote, `journal` the folder it fills."""
        journal.mkdir(parents=True, exist_ok=True)
        self._followed = followed
        self._fields = {
            "_HOSTNAME": host,
            "_TRANSPORT": "stdout",
            "_MACHINE_ID": uuid.uuid5(uuid.NAMESPACE_DNS, host).hex,
            "_BOOT_ID": uuid.uuid4().hex,
        }
        # A file of its own for each start: the shipper reads the folder.
        name = f"demo-{time.time_ns()}.journal"
        self._writer = subprocess.Popen(
            [program, "--output", str(journal / name), "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            # It ends at the end of its input, after the last lines, not at a signal
            # to this process and its group.
            start_new_session=True,
        )

    def step(self) -> None:
        """Hand over what was printed since the last step."""
        entries = []
        for followed in self._followed:
            for line in followed.lines():
                priority, text = "6", line
                found = _PREFIX.match(line)
                if found is not None:
                    priority, text = found[1].decode(), line[found.end() :]
                fields = {
                    **self._fields,
                    "_SYSTEMD_UNIT": followed.unit,
                    "SYSLOG_IDENTIFIER": followed.unit.removesuffix(".service"),
                    "PRIORITY": priority,
                }
                entries.append(entry(fields, text, followed.clock.stamp(text)))
        if entries and self._writer.stdin is not None:
            self._writer.stdin.write(b"".join(entries))
            self._writer.stdin.flush()

    def run(self) -> int:
        """Follow until SIGTERM; the last lines are handed over as well."""
        stopping = False

        def stop(_signal: int, _frame: object) -> None:
            nonlocal stopping
            stopping = True

        signal.signal(signal.SIGTERM, stop)
        while not stopping and self._writer.poll() is None:
            self.step()
            time.sleep(POLL)
        if self._writer.poll() is None:
            self.step()
        code = self.close()
        return 0 if stopping else code or 1

    def close(self) -> int:
        """Close the journal; returns the exit code of its writer."""
        if self._writer.stdin is not None:
            self._writer.stdin.close()
        return self._writer.wait(timeout=10)


def main(
    program: str, journal: Path, host: str, followed: Sequence[tuple[str, Path]]
) -> int:
    """Run the bridge: `followed` has units and the files of their output."""
    return Bridge(program, journal, host, [Followed(*one) for one in followed]).run()
