r"""What is printed for a person: safe, whole, and in ASCII where there is no more.

`printable` is the one way for text from outside (names of keys, answers of servers,
what a file says) to a terminal. `prepare_output` lets any text be printed anywhere:
what an encoding lacks becomes an ASCII form or an escape such as `\u2026`.
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
    r"""One line that a terminal only shows, of `most` characters at most.

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
    """The error handler of the output: an ASCII form of what cannot be encoded."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    shown = "".join(
        _ASCII.get(c) or c.encode("ascii", "backslashreplace").decode() for c in bad
    )
    return shown, error.end


def prepare_output() -> None:
    """Let standard output and standard error take any text, even when they are closed.

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
    # Python would try again at its end, and complain
    # (docs: library/signal, "Note on SIGPIPE").
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        # Whoever read our output, such as `head`, has enough.
        return 141  # as the shell reports SIGPIPE
    print(f"soloscope: cannot write: {error.strerror}", file=sys.stderr)  # noqa: T201
    return os.EX_IOERR


def console(*, stderr: bool = False) -> Console:
    """rich's console for plain text, with whole lines into files and pipes."""
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
