"""`just test`: lint and test everything this machine can run, side by side.

Each part is a command. Its output is shown when it has ended; everything that was
skipped is repeated at the end, one line `not shown: …` each.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DemoError, say
from . import programs
from .cache import cache_home
from .process import stop_group
from .venvs import checkout


@dataclass(frozen=True)
class Part:
    """One command, run in `folder`."""

    name: str
    argv: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """How a part ended."""

    part: Part
    code: int
    output: str
    seconds: float


def _python(*argv: str) -> list[str]:
    return [sys.executable, "-m", *argv]


def sources(top: Path) -> Iterator[Path]:
    """The source files of the checkout. git may be missing."""
    made = re.compile(r"\.git$|\..*_cache$|__pycache__$|result")
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if not made.match(name))
        yield from (Path(folder, name) for name in sorted(names))


def _is_shell(path: Path) -> bool:
    if not path.is_file() or path.suffix in (".json", ".py", ".nix", ".md"):
        return False
    with path.open("rb") as handle:
        return re.match(rb"#!.*\b(sh|bash)\b", handle.readline()) is not None


def _mypy(name: str, top: Path, *folders: str) -> Part:
    """mypy --strict over some folders; modules beside tests are found by name."""
    bases = ("exporter/src", "demo/src", *folders)
    environment = {"MYPYPATH": os.pathsep.join(str(top / base) for base in bases)}
    argv = _python(
        *("mypy", "--strict", "--python-version", "3.11"),
        *("--explicit-package-bases", "--namespace-packages"),
        *("--cache-dir", str(cache_home() / "mypy" / name), *folders),
    )
    return Part(name, argv, top, environment)


def linters(top: Path) -> list[Part]:
    """The parts that do not run our programs."""
    # A folder with its own conftest.py is checked separately: two modules
    # cannot have one name.
    tests = sorted({path.parent for path in top.glob("tests/*/test_*.py")})
    apart = [path.name for path in tests if (path / "conftest.py").exists()]
    together = [f"tests/{path.name}" for path in tests if path.name not in apart]
    files = list(sources(top))
    nix = [str(path) for path in files if path.suffix == ".nix"]
    shell = [str(path) for path in files if _is_shell(path)]
    return [
        Part("ruff", _python("ruff", "check", "."), top),
        Part("format", _python("ruff", "format", "--check", "."), top),
        Part("mypy-exporter", _python("mypy"), top / "exporter"),
        _mypy("mypy", top, "demo/src", "demo/tests", "tests/conftest.py", *together),
        *(_mypy(f"mypy-{name}", top, f"tests/{name}") for name in apart),
        Part("shellcheck", ["shellcheck", *shell], top),
        Part("nixfmt", ["nixfmt", "--check", *nix], top),
        Part("deadnix", ["deadnix", "--fail", "."], top),
        Part("statix", ["statix", "check", "."], top),
    ]


def suites(top: Path) -> list[Part]:
    """The tests: the exporter's own, and all others."""
    cores = len(os.sched_getaffinity(0))
    argv = _python("pytest", "-q", "-rfEs", "-p", "no:cacheprovider", "-n")
    # The tests of a file share programs, and some depend on earlier ones.
    # (With pytest 9.2, xdist's `loadgroup` keeps no group together.)
    spread = (str(max(2, cores // 2)), "--dist", "loadfile", "--rootdir", ".")
    return [
        Part("exporter", [*argv, str(max(1, cores // 2))], top / "exporter"),
        Part("tests", [*argv, *spread, "tests", "demo/tests"], top),
    ]


def run_part(part: Part, environment: Mapping[str, str]) -> Result:
    """Run one part to its end."""
    started = time.monotonic()
    if shutil.which(part.argv[0], path=environment["PATH"]) is None:
        text = f"not shown: {part.name} (no `{part.argv[0]}` on PATH)\n"
        return Result(part, 0, text, 0.0)
    with _children_lock:
        process = subprocess.Popen(
            part.argv,
            cwd=part.folder,
            env={**environment, **part.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        _children.append(process)
    output, _ = process.communicate()
    return Result(part, process.returncode, output, time.monotonic() - started)


_children: list[subprocess.Popen[str]] = []
_children_lock = threading.Lock()


def skipped(outputs: Iterable[str]) -> list[str]:
    """The skips in the parts' outputs: one line for each reason."""
    tests: Counter[str] = Counter()
    whole: set[str] = set()
    for line in "\n".join(outputs).splitlines():
        found = re.match(r"SKIPPED \[(\d+)\] \S+: (.*)$", line.strip())
        if found is not None:
            reason = found[2].removeprefix("Skipped: ").removeprefix("not shown: ")
            tests[reason] += int(found[1])
        elif line.startswith("not shown: "):
            reason = line.removeprefix("not shown: ")
            # A suite's own summary of its skips, which are counted here as well.
            whole.add(re.sub(r" \(\d+ tests?\)$", "", reason))
    for reason, number in tests.items():
        whole.discard(reason)
        whole.add(f"{reason} [{number} test{'s' * (number != 1)}]")
    return [f"not shown: {reason}" for reason in sorted(whole)]


def main(only: Sequence[str], *, list: bool = False) -> int:  # noqa: A002
    """Run the parts named in `only`, or all; 0 when none failed."""
    quick = linters(checkout())
    known = [*quick, *suites(checkout())]
    names = [part.name for part in known]
    if list:
        print("\n".join(names))
        return 0
    groups = {"lint": [part.name for part in quick]}
    wanted = {name for word in only for name in groups.get(word, [word])}
    if wanted - set(names):
        unknown = ", ".join(sorted(wanted - set(names)))
        raise DemoError(f"no such part: {unknown}; there are {', '.join(names)}, lint")
    chosen = [part for part in known if not wanted or part.name in wanted]
    programs.ensure()
    own, cache = str(Path(sys.executable).parent), str(programs.bin_folder())
    path = (own, os.environ.get("PATH", os.defpath), cache, "/usr/sbin")
    environment = {**os.environ, "PATH": os.pathsep.join(path)}
    started = time.monotonic()
    say(
        f"running {', '.join(part.name for part in chosen)} (all takes about 5 minutes)"
    )
    results = []
    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(max_workers=max(2, cores // 2)) as pool:
        try:
            futures = [pool.submit(run_part, part, environment) for part in chosen]
            for future in as_completed(futures):
                result = future.result()
                results.append(result)
                _show(result)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            with _children_lock:
                for process in _children:
                    stop_group(process)
            raise
    print()
    for line in skipped(result.output for result in results):
        print(line)
    failed = [result.part.name for result in results if result.code]
    seconds = time.monotonic() - started
    if failed:
        print(f"FAILED: {', '.join(failed)} ({seconds:.0f} s)")
        return 1
    print(f"All {len(results)} parts passed ({seconds:.0f} s)")
    return 0


def _show(result: Result) -> None:
    absent = result.output.startswith("not shown: ")
    mark = "✗" if result.code else "-" if absent else "✓"
    print(f"{mark} {result.part.name} ({result.seconds:.1f} s)", flush=True)
    lines = result.output.rstrip().splitlines()
    shown = lines if result.code else lines[-1:]
    for line in shown:
        print(line, flush=True)
