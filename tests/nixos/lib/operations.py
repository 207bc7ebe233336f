# The commands of docs/operations.md, whose text is in PAGE.
# ruff: noqa: F821, INP001, S101
import textwrap

BACKUP = "/var/soloscope-backup.tar.gz"


def block(heading: str) -> str:
    """The commands under this heading, as a reader would run them."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return textwrap.dedent(section.split("```sh\n")[1].split("```")[0])
