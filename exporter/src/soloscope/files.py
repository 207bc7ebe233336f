"""Files that other processes read while they are written."""

from __future__ import annotations

import os
from pathlib import Path

from soloscope.errors import SoloscopeError

__all__ = ["replace_file"]


def replace_file(path: Path, text: str) -> None:
    """Replace the file in one step, so that no reader sees half of it.

    Anybody may read it. Raises SoloscopeError.
    """
    # `serve` only reads, and starts faster without it.
    import tempfile

    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        Path(temporary).replace(path)
    except BaseException as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise SoloscopeError(
                f"cannot write {path}: {error.strerror}; the folder must exist and be "
                "writable for this process"
            ) from None
        raise
