"""Virtual environments in the cache: one for `just`, one for development.

    python -m soloscope_demo.tools.venvs just     prints the path of `just`
    python -m soloscope_demo.tools.venvs dev      prints the folder of the environment

Debian's python3 comes without ensurepip (that is in python3-venv). There the
environment is made without pip, and pip itself is taken from Debian's package
python3-pip-whl, unpacked into the cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path

from ..errors import DemoError, run_main, say
from .cache import atomic_folder, cache_home, lock, remove
from .debian import Apt, certificates
from .process import run

#: An environment that was not requested for this long may be removed (seconds).
UNUSED_FOR = 24 * 3600


def checkout() -> Path:
    """The folder that holds modules/, dashboards/ and demo/.

    It is this checkout, unless SOLOSCOPE_TREE names another (a Nix package of
    the demo is installed away from them).
    """
    tree = os.environ.get("SOLOSCOPE_TREE")
    return Path(tree) if tree else Path(__file__).resolve().parents[4]


def _pip() -> list[str]:
    """Arguments with which a Python runs a pip of this machine."""
    if importlib.util.find_spec("ensurepip") is not None:
        return ["-m", "pip"]
    target = cache_home() / "pip-wheel"
    wheel = "root/usr/share/python-wheels/pip-*.whl"
    if not any(target.glob(wheel)):
        say("this python3 has no ensurepip: fetching Debian's pip (about 5 s)")
        with atomic_folder(target) as folder:
            Apt().unpack_newest("python3-pip-whl", folder / "root")
    return [f"{next(target.glob(wheel))}/pip"]


def make_venv(target: Path, arguments: Sequence[str]) -> None:
    """Make `target` with `pip install arguments` in it, or raise `DemoError`.

    Scripts hold the path of their environment, so it is made in its place; the
    file `complete` in it says that it is whole.
    """
    remove(target)
    with_pip = importlib.util.find_spec("ensurepip") is not None
    venv.create(target, with_pip=with_pip, symlinks=True)
    argv = [str(target / "bin/python"), *_pip(), "install", "--quiet", *arguments]
    environment = {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # The user's pip settings (`--user`) must not apply here.
        "PIP_USER": "0",
        "PIP_CACHE_DIR": str(cache_home() / "pip"),
        **certificates(),
    }
    done = run(argv, env=environment)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()[-8:]
        remove(target)
        raise DemoError("pip failed:\n  " + "\n  ".join(lines))
    (target / "complete").touch()


def just() -> Path:
    """The path of `just`, from PyPI's rust-just."""
    target = cache_home() / "just"
    program = target / "bin/just"
    if not (target / "complete").exists() or not program.exists():
        with lock("just"):
            if not (target / "complete").exists() or not program.exists():
                say(f"installing just into {target}, once (about 5 s)")
                make_venv(target, ["rust-just"])
    return program


def dev() -> Path:
    """The environment for this checkout: its packages, editable, and the tools.

    Its name holds a hash of what it was made from, so a changed pyproject.toml
    gets a new one. Old ones of the same checkout are removed when they were not
    requested for a day: something may still run in them.
    """
    top = checkout()
    packages = [top / name for name in ("exporter", "demo")]
    place = hashlib.sha256(str(top).encode()).hexdigest()[:8]
    content = hashlib.sha256(repr((sys.version_info[:3], sys.prefix)).encode())
    content.update(Path(__file__).read_bytes())
    for package in packages:
        content.update((package / "pyproject.toml").read_bytes())
    target = cache_home() / f"venv-{place}-{content.hexdigest()[:12]}"
    if not (target / "complete").exists():
        with lock(f"venv-{place}"):
            if not (target / "complete").exists():
                for old in cache_home().glob(f"venv-{place}-*/complete"):
                    if time.time() - old.stat().st_mtime > UNUSED_FOR:
                        remove(old.parent)
                say(f"making the Python environment {target} (about 40 s)")
                exporter, demo = packages
                make_venv(target, ["-e", f"{exporter}[dev]", "-e", str(demo)])
    (target / "complete").touch()
    return target


def main() -> int:
    """The command: see the module's docstring."""
    makers = {"just": just, "dev": dev}
    if len(sys.argv) != 2 or sys.argv[1] not in makers:
        raise DemoError("usage: python -m soloscope_demo.tools.venvs just|dev")
    print(makers[sys.argv[1]]())
    return 0


if __name__ == "__main__":
    run_main(main)
