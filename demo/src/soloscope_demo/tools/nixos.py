"""`just test-nixos`: the NixOS checks on a real systemd, without a virtual machine.

They run through the program that NSPAWN_TEST names, or that of ../shared/nspawn-test
beside the checkout. If it, its root or a nixpkgs tree is missing, that is reported
and nothing fails. Python packages that soloscope needs and the root lacks are added
to it with mkroot.sh, which is beside the program. The log programs come from PATH or
the cache; Grafana and Alloy only from PATH, in their own folder (`DIR/bin`,
`DIR/share`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

from ..errors import DemoError, say
from . import programs
from .cache import cache_home
from .golang import LOKI, loki_version
from .process import run
from .venvs import checkout


def harness() -> tuple[Path, str]:
    """The program nspawn-test, and why it cannot be used ("" when it can)."""
    beside = checkout().parent / "shared/nspawn-test/nspawn-test"
    program = Path(os.environ.get("NSPAWN_TEST") or beside)
    default = Path.home() / ".cache/nspawn-test"
    home = Path(os.environ.get("NSPAWN_TEST_HOME") or default)
    if not program.is_file():
        return program, f"no {program}"
    for name in ("root", "nixpkgs"):
        if not (home / name).is_dir():
            return program, f"nspawn-test has no {name}"
    if os.geteuid() != 0:
        return program, "nspawn-test needs root"
    missing = lacking(home / "root")
    if missing:
        say(f"adding {', '.join(missing)} to nspawn-test's root (about 20 s)")
        argv = [str(program.with_name("mkroot.sh")), str(home / "root")]
        done = run(argv, env={"PKGS": " ".join(missing)}, together=True)
        missing = lacking(home / "root")
        if missing:
            why = done.stdout.strip().splitlines()[-1:]
            return program, f"the root lacks {', '.join(missing)}: {' '.join(why)}"
    return program, ""


def lacking(root: Path) -> list[str]:
    """Debian's packages of the Python libraries of soloscope that `root` lacks."""
    text = (checkout() / "exporter/pyproject.toml").read_text()
    needed = [
        re.split(r"[^\w.-]", entry)[0]
        for entry in tomllib.loads(text)["project"]["dependencies"]
    ]
    folders = ("usr/lib/python3/dist-packages", "usr/local/lib/python3*/dist-packages")
    have = {
        path.name.split("-")[0]
        for folder in folders
        for path in root.glob(f"{folder}/*-info")
    }
    return [f"python3-{name}" for name in needed if name.replace("-", "_") not in have]


def checks() -> list[str]:
    """The names of the flake's NixOS checks (tests/nixos/default.nix)."""
    return [
        path.stem
        for path in sorted((checkout() / "tests/nixos").iterdir())
        if path.name not in ("default.nix", "lib")
        and (path.suffix == ".nix" or (path / "default.nix").exists())
    ]


def bin_dir(folder: Path) -> Path:
    """The log programs in the layout that nspawn-test expects.

    The nodes see only this folder, so symbolic links out of it would be broken.
    """
    (folder / "bin").mkdir(parents=True)
    for name, place in programs.ensure(LOKI).items():
        try:
            (folder / "bin" / name).hardlink_to(place.resolve())
        except OSError:  # another file system
            shutil.copy(place, folder / "bin" / name)
    versions = {name: loki_version() for name in ("loki", "promtail")}
    (folder / "versions.json").write_text(json.dumps(versions))
    return folder


def own_folders() -> list[str]:
    """The folders of Grafana and Alloy, where each is installed apart."""
    found = []
    for name in ("grafana", "alloy"):
        program = shutil.which(name)
        prefix = Path(program).resolve().parent.parent if program else Path("/usr")
        if prefix not in (Path("/"), Path("/usr"), Path("/usr/local")):
            found.append(str(prefix))
    return found


def main(only: Sequence[str]) -> int:
    """Run the checks named in `only`, or all; 0 when none failed."""
    known = checks()
    unknown = sorted(set(only) - set(known))
    if unknown:
        raise DemoError(
            f"no such check: {', '.join(unknown)}; there are {', '.join(known)}"
        )
    program, reason = harness()
    if reason:
        print(f"not shown: the NixOS checks ({reason})")
        return 0
    failed = []
    with tempfile.TemporaryDirectory(dir=cache_home()) as folder:
        folders = [str(bin_dir(Path(folder) / "programs")), *own_folders()]
        for name in only or known:
            started = time.monotonic()
            say(f"NixOS check {name} (about a minute)")
            argv = [str(program), "--flake", str(checkout()), "--check", name]
            for path in folders:
                argv += ["--bin-dir", path]
            done = run(argv, together=True)
            seconds = time.monotonic() - started
            lines = done.stdout.rstrip().splitlines()
            if done.returncode == 2:
                print(f"not shown: NixOS check {name} (a package is not mapped)")
            elif done.returncode:
                failed.append(name)
            mark = "✓" if done.returncode == 0 else "✗" if done.returncode == 1 else "-"
            print(f"{mark} {name} ({seconds:.1f} s)", flush=True)
            for line in lines if done.returncode else lines[-1:]:
                print(line, flush=True)
    if failed:
        print(f"FAILED: {', '.join(failed)}")
        return 1
    return 0
