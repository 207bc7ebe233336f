r"""Output for people: safe, complete, and in ASCII where nothing else is possible.

All text from outside (names of keys, answers of servers, content of files) passes
`printable` before it is shown. `prepare_output` makes any text printable: characters
that the encoding lacks become an ASCII form or an escape such as `\u2026`.
"""

from __future__ import annotations

import codecs
import errno
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "in_ascii", "not_written", "prepare_output", "printable"]

MOST = 500
"""Characters of one text from outside."""

_ASCII = {"…": "...", "→": "->", "✓": "ok", "✗": "FAILED", "•": "note", "≈": "~"}
_WIDE = 100_000
_OUTPUT = {errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF, errno.EDQUOT, errno.EFBIG}


def printable(text: str, most: int = MOST) -> str:
    r"""One line without control sequences, of at most `most` characters.

    Control characters, line breaks and invisible ones are escaped: `\x1b`, `\n`,
    `\u202e`. An end that is left out is an ellipsis.
    """
    if len(text) > most:
        text = text[: most - 1] + "…"
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


def _spelt(error: UnicodeError) -> tuple[str, int]:
    """The error handler of the output: an ASCII form of unencodable characters."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    shown = "".join(
        _ASCII.get(c) or c.encode("ascii", "backslashreplace").decode() for c in bad
    )
    return shown, error.end


def prepare_output() -> None:
    """Make standard output and standard error accept any text, even when closed.

    Without the latter the next file or socket would be number 1, and get the output.
    """
    codecs.register_error("soloscope", _spelt)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="soloscope")


def not_written(error: OSError) -> int:
    """The exit code when standard output takes no more; raises any other error."""
    if error.errno not in _OUTPUT:
        raise error
    # Python would try again at exit, and print an error
    # (docs: library/signal, "Note on SIGPIPE").
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        # The reader of our output, such as `head`, has closed it.
        return 141  # as the shell reports SIGPIPE
    print(f"soloscope: cannot write: {error.strerror}", file=sys.stderr)  # noqa: T201
    return os.EX_IOERR


def console(*, stderr: bool = False) -> Console:
    """rich's console for plain text, without wrapping in files and pipes."""
    from rich.console import Console

    class Whole(Console):
        def on_broken_pipe(self) -> None:
            # rich would exit with 1, which means that something is wrong.
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    made = Whole(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not made.file.isatty():
        made.width = _WIDE
    return made


def in_ascii(out: Console) -> bool:
    """Whether `out` cannot show more than ASCII."""
    return not (out.encoding or "").lower().startswith("utf")
