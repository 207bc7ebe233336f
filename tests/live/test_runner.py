"""How the runner ends: ports taken, a program killed or missing, signals."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from soloscope_demo.errors import DemoError
from soloscope_demo.stack import Options, Stack, free_ports, render, until
from soloscope_demo.stack import stack as stack_module
from soloscope_demo.stack.child import Child
from soloscope_demo.stack.options import check_free

#: How long a start or an end may take (seconds).
PATIENCE = 60.0


def processes_of(root: Path) -> dict[int, str]:
    """Running processes whose command line names the folder: pid -> command."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if str(root) in command:
                    found[int(entry.name)] = command
    return found


class Demo:
    """A demo started as a user starts it, and what it has printed."""

    def __init__(self, root: Path, *arguments: str) -> None:
        self.root = root
        self.output = root.with_name(f"{root.name}.output")
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "soloscope_demo", "run"),
                    *("--free-ports", "--state", str(root), "--history", "2"),
                    *("--metrics-history", "1", "--visit-every", "0", *arguments),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "COLUMNS": "200"},
            )

    def text(self) -> str:
        """All output until now."""
        return self.output.read_text()

    def wait_until(self, words: str) -> None:
        """Wait for `words` in the output."""

        def printed() -> bool:
            text = self.text()
            assert words in text or self.process.poll() is None, text
            return words in text

        until(f"{words!r} in {self.output}", printed, PATIENCE)

    def end(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(timeout=PATIENCE)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[type[Demo]]:
    """Starts demos; whatever they leave is an error and is ended."""
    started: list[Demo] = []

    class Started(Demo):
        def __init__(self, root: Path, *arguments: str) -> None:
            super().__init__(root, *arguments)
            started.append(self)

    yield Started
    left: dict[int, str] = {}
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            one.process.kill()
        one.process.wait()
        left |= processes_of(one.root)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left


def pid_of(root: Path, words: str) -> int:
    """The process whose command has `words`."""
    found = [pid for pid, command in processes_of(root).items() if words in command]
    assert len(found) == 1, processes_of(root)
    return found[0]


def test_a_killed_program_is_told_and_nothing_is_left(
    demo: type[Demo], tmp_path: Path
) -> None:
    running = demo(tmp_path / "state")
    running.wait_until("Running until Ctrl-C")
    os.kill(pid_of(running.root, "loki.yaml"), signal.SIGKILL)
    assert running.end() == 1
    assert "soloscope: loki was killed by SIGKILL" in running.text()
    assert "Traceback (most recent call last)" not in running.text()
    assert processes_of(running.root) == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_stops_everything(
    demo: type[Demo], tmp_path: Path, number: signal.Signals
) -> None:
    running = demo(tmp_path / "state")
    # In the middle of the start, and after it.
    words = "loki" if number == signal.SIGHUP else "Running until Ctrl-C"
    running.wait_until(words)
    running.process.send_signal(number)
    assert running.end() == 0
    assert "nothing is left running" in running.text()
    assert processes_of(running.root) == {}


def test_once_proves_and_stops_and_a_second_run_fills_nothing_twice(
    demo: type[Demo], tmp_path: Path
) -> None:
    first = demo(tmp_path / "state", "--once")
    assert first.end() == 0, first.text()
    # Three with Grafana.
    assert re.match(r"Proven: (\d) of \1", first.text().splitlines()[-1])
    assert "resident MB" in first.text()
    truth = (first.root / "truth.json").read_text()

    second = demo(tmp_path / "state", "--once")
    assert second.end() == 0, second.text()
    yesterday = sorted(json.loads(truth)["days"])[0]
    days = [
        json.loads(text)["days"][yesterday]
        for text in (truth, (second.root / "truth.json").read_text())
    ]
    assert days[0] == days[1]
    # What Loki and Prometheus show is the truth of both runs together, or the
    # second proof would not have come about.


def test_programs_bear_no_mark_that_another_process_may_take_for_its_own(
    tmp_path: Path,
) -> None:
    output = tmp_path / "output"
    child = Child("sleep", ["sleep", "60"], output, lambda: True)
    child.start()
    try:
        assert child.process is not None
        environment = Path(f"/proc/{child.process.pid}/environ").read_bytes()
        variables = dict(
            entry.split(b"=", 1) for entry in environment.split(b"\0")[:-1]
        )
        (mark,) = [
            value for key, value in variables.items() if b"mirakuru" in key.lower()
        ]
        assert not any(str(digit).encode() in mark for digit in range(10))
    finally:
        child.end()


def test_a_second_demo_in_the_same_folder_is_told(
    demo: type[Demo], tmp_path: Path
) -> None:
    first = demo(tmp_path / "state")
    first.wait_until("loki")
    second = Demo(tmp_path / "state")
    assert second.end() == 1
    assert "another demo uses the folder" in second.text()
    first.process.send_signal(signal.SIGTERM)
    assert first.end() == 0


def test_ports_in_use_are_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {"grafana": free_ports(1)[0], "loki": port}
        with pytest.raises(DemoError, match=rf"port in use .*: {port} \(loki\)"):
            check_free(ports)


def test_a_port_in_use_stops_the_demo_before_it_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        stack = Stack(Options(root=tmp_path / "state", free_ports=True))
        stack.ports["loki"] = port
        with pytest.raises(DemoError, match=rf"{port} \(loki\)"):
            stack.start()
        assert stack.children == []
        assert processes_of(tmp_path / "state") == {}


def test_a_missing_program_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = render.evaluate

    def with_another(root: Path, overrides: dict[str, object]) -> dict[str, object]:
        files = evaluate(root, overrides)
        files["programs.json"]["another"] = {"argv": ["no-such-program"]}
        return files

    monkeypatch.setattr(stack_module, "evaluate", with_another)
    with pytest.raises(DemoError, match="missing program: `no-such-program`"):
        Stack(Options(root=tmp_path / "state", free_ports=True))


def test_a_program_that_does_not_start_is_told_with_its_last_lines(
    tmp_path: Path,
) -> None:
    wrong = {"prometheus": {"scrapeInterval": "often"}}
    options = Options(root=tmp_path / "state", free_ports=True, overrides=wrong)
    stack = Stack(options)
    with pytest.raises(DemoError) as error:
        stack.start()
    assert "prometheus ended with exit code" in str(error.value)
    assert "often" in str(error.value)
    assert processes_of(options.root) == {}
