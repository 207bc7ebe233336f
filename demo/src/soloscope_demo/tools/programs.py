"""The real programs: found on PATH, else in the cache, else put into the cache.

As a command it gets the named programs (without a name, all) and prints
the path of each:

    python -m soloscope_demo.tools.programs [NAME …]

The folder `bin` of the cache has a link to each program of the cache, so
`PATH="$PATH:$(python -m soloscope_demo.tools.programs --bin)"` is enough for tests.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DemoError, run_main, say
from .cache import atomic_folder, cache_home, lock, remove
from .debian import Apt, forget_lists, link_libraries, write_script
from .golang import BINARIES, LOKI, check_go, install_loki, loki_version

_LOKI, _NEWER, _RELEASE = "Go modules", "Debian, newer", "Debian"

#: Folders of programs that are not meant for PATH.
_FOLDERS_BEYOND_PATH = ("/usr/sbin", "/sbin", "/usr/lib/systemd", "/lib/systemd")


@dataclass(frozen=True)
class Program:
    """One program and where it comes from.

    `packages` are unpacked into one folder, named after the first of them;
    `path` is the program in it. `names` are further names it has on PATH.
    """

    name: str
    origin: str
    packages: tuple[str, ...] = ()
    path: str = ""
    names: tuple[str, ...] = ()


def _newer(name: str, package: str, path: str, *names: str) -> Program:
    return Program(name, _NEWER, (package,), path, names)


_REDIS = ("redis-server", "redis-tools")
_JOURNAL = ("systemd-journal-remote", "systemd")

PROGRAMS: dict[str, Program] = {
    program.name: program
    for program in (
        *(Program(name, _LOKI) for name in LOKI),
        Program("alertmanager", _LOKI, names=("prometheus-alertmanager",)),
        _newer("prometheus", "prometheus", "usr/bin/prometheus"),
        _newer("promtool", "promtool", "usr/bin/promtool"),
        _newer("amtool", "prometheus-alertmanager", "usr/bin/amtool"),
        *(
            _newer(
                f"{name}_exporter",
                f"prometheus-{name}-exporter",
                f"usr/bin/prometheus-{name}-exporter",
                f"prometheus-{name}-exporter",
            )
            for name in ("node", "redis", "postgres", "blackbox")
        ),
        Program("redis-server", _RELEASE, _REDIS, "usr/bin/redis-server"),
        Program("redis-cli", _RELEASE, _REDIS, "usr/bin/redis-cli"),
        Program("nginx", _RELEASE, ("nginx",), "usr/sbin/nginx"),
        Program("nix-instantiate", _RELEASE, ("nix-bin",), "usr/bin/nix-instantiate"),
        Program(
            "systemd-journal-remote",
            _RELEASE,
            _JOURNAL,
            "lib/systemd/systemd-journal-remote",
        ),
        Program("journalctl", _RELEASE, _JOURNAL, "bin/journalctl"),
        Program("shellcheck", _RELEASE, ("shellcheck",), "usr/bin/shellcheck"),
        # The modules' scripts need it; hosts have it.
        Program("curl", _RELEASE, ("curl",), "usr/bin/curl"),
    )
}


def bin_folder() -> Path:
    """The folder of links to the programs of the cache."""
    return cache_home() / "bin"


def find(name: str) -> Path | None:
    """Where the program is on this machine: PATH first, then the cache."""
    program = PROGRAMS.get(name, Program(name, ""))
    cached = str(bin_folder())
    for known in (program.name, *program.names):
        for folder in (*os.get_exec_path(), *_FOLDERS_BEYOND_PATH, cached):
            path = shutil.which(known, path=folder or ".")
            if path is not None:
                return Path(path)
    return None


def ensure(names: Iterable[str] | None = None) -> dict[str, Path]:
    """Where each of `names` is (all by default), after getting what is missing.

    Two runs at once are fine: the second waits. Raises `DemoError` when a
    program cannot be had.
    """
    wanted = list(PROGRAMS if names is None else names)
    unknown = [name for name in wanted if name not in PROGRAMS]
    if unknown:
        raise DemoError(f"no such program: {', '.join(unknown)}")
    if any(find(name) is None for name in wanted):
        with lock("programs"):
            missing = [PROGRAMS[name] for name in wanted if find(name) is None]
            if missing:
                _install(missing)
    places = {name: find(name) for name in wanted}
    lost = [name for name, place in places.items() if place is None]
    if lost:
        raise DemoError(f"still missing after the installation: {', '.join(lost)}")
    return {name: place for name, place in places.items() if place is not None}


def _install(missing: Sequence[Program]) -> None:
    by_origin = {
        origin: [program for program in missing if program.origin == origin]
        for origin in (_RELEASE, _NEWER, _LOKI)
    }
    if by_origin[_LOKI]:
        check_go()  # before any download, so that the error comes at once
    say(f"installing into {cache_home()}, once: {', '.join(p.name for p in missing)}")
    for origin in (_RELEASE, _NEWER):
        if by_origin[origin]:
            _install_packages(by_origin[origin], newer=origin == _NEWER)
    if by_origin[_LOKI]:
        target = cache_home() / f"loki-{loki_version()}"
        if not all((target / "bin" / name).exists() for name in BINARIES):
            remove(target)
            install_loki(target)
        for name in BINARIES:
            _link(name, target / "bin" / name)
    forget_lists()


def _install_packages(programs: Sequence[Program], *, newer: bool) -> None:
    apt = Apt(newer=newer)
    for packages in dict.fromkeys(program.packages for program in programs):
        version = apt.candidate(packages[0])
        target = cache_home() / f"{packages[0]}-{version.replace(':', '%')}"
        wanted_here = [p.name for p in programs if p.packages == packages]
        if not all((target / "bin" / name).exists() for name in wanted_here):
            # The Go programs of the newer suite need libc only, and take the
            # system's; the release's own come with the libraries missing here.
            wanted = (
                {name: apt.candidate(name) for name in packages}
                if newer
                else apt.closure(packages)
            )
            plural = "package" if len(wanted) == 1 else "packages"
            say(f"{packages[0]} {version} ({len(wanted)} {plural}, about 5 s)")
            with atomic_folder(target) as temporary:
                apt.unpack(wanted, temporary / "root")
                _write_scripts(temporary, target, packages, bare=newer)
        for path in (target / "bin").iterdir():
            _link(path.name, path)


def _write_scripts(
    temporary: Path, target: Path, packages: tuple[str, ...], *, bare: bool
) -> None:
    """`bin` of an unpacked folder: links, or scripts that add its libraries."""
    (temporary / "bin").mkdir()
    libraries = link_libraries(temporary / "root", temporary / "lib")
    for link in libraries.iterdir():
        inside = link.readlink().relative_to(temporary)
        link.unlink()
        link.symlink_to(Path("..") / inside)
    for program in PROGRAMS.values():
        if program.packages != packages:
            continue
        path = temporary / "bin" / program.name
        if not (temporary / "root" / program.path).exists():
            continue  # of a package that is installed here already
        if bare or not any(libraries.iterdir()):
            path.symlink_to(Path("../root") / program.path)
        else:
            variables = {"LD_LIBRARY_PATH": str(target / "lib")}
            write_script(path, variables, [str(target / "root" / program.path)])


def _link(name: str, program: Path) -> None:
    """Point the cache's `bin` at `program`, in one step."""
    bin_folder().mkdir(exist_ok=True)
    temporary = bin_folder() / f".{name}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(program)
    temporary.rename(bin_folder() / name)


def main() -> int:
    """The command: see the module's docstring."""
    arguments = sys.argv[1:]
    if arguments == ["--bin"]:
        print(bin_folder())
        return 0
    for name, place in ensure(arguments or None).items():
        print(f"{name} {place}")
    return 0


if __name__ == "__main__":
    run_main(main)
