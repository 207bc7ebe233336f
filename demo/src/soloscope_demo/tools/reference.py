"""docs/commands.md: every command and option of `soloscope`, from the commands."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib import import_module

from .venvs import checkout

PAGE = checkout() / "docs/commands.md"

HEAD = """# Commands

`soloscope [--config FILE] COMMAND …` on the host. FILE is by default
`/etc/soloscope/soloscope.json`,
which the module writes. This page is made from the commands by `./justw commands`; a
test says when it is old.

| exit code | means |
|---|---|
| 0 | well, or done |
| 1 | something is wrong, or a server did not answer |
| 2 | wrong arguments, or a wrong configuration file: all problems are listed |
| 74 | the output could not be written |
| 130, 141 | Ctrl-C; the reader of a pipe has left |

What only `root` may read (a Redis password, the tokens) needs `sudo`. Output for people
has no colours in a pipe, in a file, or with `NO_COLOR`, and an ASCII form where the
terminal has no UTF-8. `--json` is for programs.
"""


def page() -> str:
    """The whole page."""
    from soloscope.commands import COMMANDS

    return HEAD + "".join(_command(name, text) for name, text in COMMANDS.items())


def _command(name: str, text: str) -> str:
    parser = argparse.ArgumentParser(prog=f"soloscope {name}")
    import_module(f"soloscope.commands.{name.replace('-', '_')}").add_arguments(parser)
    about = parser.description or f"{text[:1].upper()}{text[1:]}."
    rows = "".join(_rows(parser))
    table = f"\n| argument | meaning |\n|---|---|\n{rows}" if rows else ""
    return f"\n## soloscope {name}\n\n{' '.join(about.split())}\n{table}"


def _rows(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if action.dest == "help" or action.help == argparse.SUPPRESS:
            continue
        shown = ", ".join(f"`{name}`" for name in action.option_strings)
        metavar = action.metavar or action.dest.upper()
        if not action.option_strings:
            shown = f"`{metavar}`"
        elif action.nargs != 0:
            shown = f"{shown[:-1]} {metavar}`"
        text = (action.help or "") % {**vars(action), "prog": parser.prog}
        yield f"| {shown} | {' '.join(text.split())} |\n"


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0
