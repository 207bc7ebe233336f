"""Writes the configuration of each program into a folder, from the modules' Nix.

`modules/render.nix` is evaluated without nixpkgs and without a store, so it works
with any Nix and for any user. `soloscope dashboards` makes the dashboards of it, as
the build of a host does.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import DemoError
from ..tools import programs
from ..tools.process import run
from ..tools.venvs import checkout
from . import clock
from .commands import own


def nix(file: str, **arguments: str) -> dict[str, Any]:
    """The value of a Nix file of this checkout, as JSON.

    Raises `DemoError` with Nix's own words when the evaluation fails.
    """
    program = programs.find("nix-instantiate")
    if program is None:
        raise DemoError("no nix-instantiate: run `./justw programs nix-instantiate`")
    argv = [str(program), "--store", "dummy://", "--eval", "--strict", "--json"]
    argv.append(str(checkout() / file))
    for name, value in arguments.items():
        argv.extend(("--argstr", name, value))
    done = run(argv)
    if done.returncode:
        raise DemoError(f"evaluating {file} failed:\n{done.stderr.strip()}")
    value_of: dict[str, Any] = json.loads(done.stdout)
    return value_of


def evaluate(root: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The files of render.nix for `root`: name -> content (text or JSON value)."""
    return nix("modules/render.nix", root=str(root), overrides=json.dumps(overrides))


def render(root: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Write each file below `root` and return what `evaluate` gave.

    A set becomes JSON, which YAML parsers accept; a text is written unchanged.
    """
    files = evaluate(root, overrides)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content, indent=2)
        path.write_text(text.rstrip("\n") + "\n")
    write_dashboards(root / "soloscope.json", root / "dashboards")
    return files


def write_dashboards(configuration: Path, folder: Path) -> None:
    """Write the dashboards that a soloscope.json gives. Raises `DemoError`."""
    argv = [str(own("soloscope")), "--config", str(configuration)]
    argv += ["dashboards", "--output", str(folder)]
    # The app's time zone may be that of a chosen time of day.
    done = run(argv, env=clock.variables(configuration.parent / "zoneinfo"))
    if done.returncode:
        raise DemoError(f"the dashboards were not written:\n{done.stderr.strip()}")


def main(folder: Path, overrides: Mapping[str, Any]) -> int:
    """`just render`: write the files and print where each is."""
    programs.ensure(["nix-instantiate"])
    folder = folder.absolute()
    for name in sorted(render(folder, overrides)):
        print(folder / name)
    return 0


#: A folder of the repository -> the options that give the dashboards in it.
FORMS: Mapping[str, Mapping[str, Any]] = {
    "dashboards": {},
    "dashboards/light": {"prometheus": {"enable": False}},
}


def committed() -> int:
    """`just dashboards`: write the files, and remove those that are none any more."""
    programs.ensure(["nix-instantiate"])
    for folder, overrides in FORMS.items():
        with tempfile.TemporaryDirectory() as name:
            render(Path(name), overrides)
            written = sorted((Path(name) / "dashboards").glob("*.json"))
            for path in (checkout() / folder).glob("*.json"):
                if path.name not in {new.name for new in written}:
                    path.unlink()
            for path in written:
                shutil.copyfile(path, checkout() / folder / path.name)
    return 0
