"""`soloscope dashboards`: write Grafana's dashboards from the configuration.

`soloscope dashboards export UID` brings one that was edited in the browser into a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from soloscope.dashboards import own
from soloscope.dashboards.registry import files
from soloscope.errors import SoloscopeError
from soloscope.secret import Secret

if TYPE_CHECKING:
    import argparse

    from soloscope.config import Config

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Write the dashboards that the configuration gives, one JSON file each. "
        "On a host they are made when it is built. `export UID` writes instead what "
        "Grafana has under that uid, without what belongs to its database, and shows "
        "the difference to the file that was there."
    )
    parser.add_argument(
        "work", nargs="*", metavar="export UID", help="export one from Grafana"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="the folder, made when it is missing; other files in it stay",
    )
    parser.add_argument(
        "--extra",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a dashboard of your own to write beside them (may be repeated)",
    )
    parser.add_argument(
        "--user",
        default="admin",
        help="export: the Grafana user who asks (default: %(default)s)",
    )
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="export: their password"
    )


def run(config: Config, arguments: argparse.Namespace) -> int:
    """Write the files and print their names. Raises SoloscopeError."""
    folder: Path = arguments.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = (
            _exported(config, arguments) if arguments.work else _made(config, arguments)
        )
        for name, text in written.items():
            path = folder / name
            if arguments.work:
                print(own.difference(path, text), end="")
            path.write_text(text, encoding="utf-8")
            print(path)
    except OSError as error:
        raise SoloscopeError(f"--output: {folder}: {error.strerror}") from None
    return 0


def _made(config: Config, arguments: argparse.Namespace) -> dict[str, str]:
    written = files(config)
    for path in arguments.extra:
        taken = [name.removesuffix(".json") for name in written]
        dashboard = own.from_file(path, taken)
        written[f"{dashboard['uid']}.json"] = own.text_of(dashboard)
    return written


def _exported(config: Config, arguments: argparse.Namespace) -> dict[str, str]:
    verb, *uids = arguments.work
    if verb != "export" or len(uids) != 1:
        raise SoloscopeError("write `soloscope dashboards export UID -o DIR`")
    if arguments.password_file is None:
        raise SoloscopeError(
            "--password-file must be given: a host keeps the admin's in "
            "/var/lib/soloscope-secrets/grafana-admin-password"
        )
    password = Secret(file=str(arguments.password_file.absolute())).read()
    grafana = config.grafana
    # A Grafana below a path takes requests without it as well.
    url = f"http://{grafana.listen_address}:{grafana.port}"
    dashboard = own.exported(url, uids[0], arguments.user, password)
    return {f"{dashboard['uid']}.json": own.text_of(dashboard)}
