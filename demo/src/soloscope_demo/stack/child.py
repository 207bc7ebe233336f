"""One program of the stack: started, watched and stopped by mirakuru."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from mirakuru.base import SimpleExecutor, cleanup_subprocesses
from mirakuru.exceptions import ExecutorError

#: How long a program may take to stop before it is killed (seconds).
STOP_TIMEOUT = 10.0

_LAST_LINES = 12

# At exit mirakuru kills every process on the machine whose marker contains the
# digits of its own pid, anywhere in it: also another demo's programs, most likely
# where pids are small. The stack stops what it started itself.
atexit.unregister(cleanup_subprocesses)

#: Markers without digits are safe from other processes that do the same.
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


class Child(SimpleExecutor):
    """A started program: its name, its output file, and when it is ready."""

    def __init__(
        self,
        name: str,
        argv: list[str],
        output: Path,
        ready: Callable[[], bool],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        append: bool = False,
    ) -> None:
        """`ready` is called repeatedly; it may raise until the program is ready."""
        self.name = name
        self.output_file = output
        #: The same program, not started; its output goes on in the same file.
        self.again = partial(
            Child,
            name=name,
            argv=argv,
            output=output,
            ready=ready,
            cwd=cwd,
            environment=environment,
            append=True,
        )
        self._ready = ready
        self._output = output.open("ab" if append else "wb")
        #: Seconds from the stack's start until it was ready.
        self.ready_after: float | None = None
        super().__init__(
            argv,
            cwd=None if cwd is None else str(cwd),
            timeout=STOP_TIMEOUT,
            sleep=0.05,
            envvars=dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        self._uuid = self._uuid.translate(_LETTERS)

    def is_ready(self) -> bool:
        """Whether the program is ready."""
        try:
            return self._ready()
        except OSError:  # requests' errors are among them
            return False

    def last_lines(self) -> str:
        """The program's last output, indented, and the path of its output file."""
        lines = self.output_file.read_text(errors="replace").splitlines()
        shown = [line[:1000] for line in lines[-_LAST_LINES:]] or ["(nothing)"]
        return "\n  ".join((f"its last lines ({self.output_file}):", *shown))

    def ended(self) -> str | None:
        """How the program ended by itself, None while it runs."""
        code = None if self.process is None else self.process.poll()
        if code is None:
            return None
        if code < 0:
            return f"{self.name} was killed by {signal.Signals(-code).name}"
        return f"{self.name} ended with exit code {code}"

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the program and all that it started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def end(self) -> None:
        """Stop it, or kill it when it does not stop in time."""
        try:
            # The exit code after a signal is irrelevant.
            self.stop()
        except ExecutorError:
            pass
        finally:
            with contextlib.suppress(ExecutorError):
                self.kill()
            self._output.close()

    def memory(self) -> int:
        """Resident bytes of the program with all that it started."""
        if self.process is None:
            return 0
        own = psutil.Process(self.process.pid)
        return sum(
            one.memory_info().rss for one in (own, *own.children(recursive=True))
        )
