"""The cache folder: downloads and builds, kept outside the checkout."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DemoError, say


def cache_home() -> Path:
    """`$XDG_CACHE_HOME/soloscope`, else `~/.cache/soloscope`; made when missing."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    home = Path(base).absolute() / "soloscope"
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoError(
            f"cannot make the cache folder {home}: {error.strerror}; "
            "set XDG_CACHE_HOME to a folder that you can write to"
        ) from error
    return home


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold the lock `name` of this cache; a second run prints a line and waits.

    The kernel releases it when the process ends in any way.
    """
    folder = cache_home() / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another run is installing {name}: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """A temporary folder that becomes `target` when the block ends well.

    `target` is complete as soon as it exists. After an error nothing is left.
    """
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        if target.exists():
            remove(target)
        temporary.rename(target)
    except BaseException:
        remove(temporary)
        raise


def remove(folder: Path) -> None:
    """Remove a folder, also Go's module cache, which is read-only."""
    if not folder.exists():
        return
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o755)
    shutil.rmtree(folder)


if __name__ == "__main__":
    remove(cache_home())
