"""Write the dashboards' JSON files, or check that they are what is written."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .overview import overview
from .queries import Full, Light

#: The folder `dashboards/` of the repository.
FOLDER = Path(__file__).resolve().parents[2]


def written() -> dict[str, str]:
    """File name below `dashboards/` -> its text."""
    files = {
        "soloscope-overview.json": overview(Full()),
        "light/soloscope-overview.json": overview(Light()),
    }
    return {
        name: json.dumps(dashboard.as_json(), indent=2, ensure_ascii=False) + "\n"
        for name, dashboard in files.items()
    }


def outdated(folder: Path) -> list[str]:
    """Names of the files in `folder` that are missing or differ."""
    return [
        name
        for name, text in written().items()
        if not (folder / name).is_file() or (folder / name).read_text() != text
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
    for name, text in written().items():
        path = arguments.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
