"""Write the dashboards' JSON files, or check that they are what is written."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .registry import FOLDER, dashboards


def outdated(folder: Path) -> list[str]:
    """Names of the files in `folder` that are missing or differ."""
    return [
        listed.file
        for listed in dashboards()
        if not (folder / listed.file).is_file()
        or (folder / listed.file).read_text() != listed.text()
    ]


def main() -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(prog="soloscope_dashboards", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, exit 1 when one differs"
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=FOLDER, help="default: %(default)s"
    )
    arguments = parser.parse_args()
    if arguments.check:
        differing = outdated(arguments.folder)
        for name in differing:
            sys.stderr.write(f"{name} is not what the source writes\n")
        return 1 if differing else 0
    for listed in dashboards():
        path = arguments.folder / listed.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(listed.text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
