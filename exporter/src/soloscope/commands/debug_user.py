"""`soloscope debug-user`: all that is known about one user.

What the app keeps in Redis (`apps.<name>.user`), and the user's last log lines. A
user is named by the opaque id that the log has, or by phone number.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from soloscope.commands.options import (
    add_redis_password_file,
    add_since,
    invoker,
    one_app,
    with_password,
)
from soloscope.config import App, Config, duration
from soloscope.errors import BackendUnavailable, SoloscopeError
from soloscope.masking import masked
from soloscope.terminal import console, in_ascii, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from soloscope.backends.loki import LokiApi
    from soloscope.redis.client import RedisClient
    from soloscope.timeline.lines import Moment
    from soloscope.users.records import Field, Section

__all__ = ["add_arguments", "run"]

PAUSE = 2.0
"""Seconds between two looks with --follow."""

LAG = 30.0
"""Seconds by which a line may reach Loki late; --follow looks back so far."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Show what is known about one user: records in Redis, and the last log lines. "
        "Exit code 1 when nothing is known, or something could not be read."
    )
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--id", type=_filled, help="the user's id, as in the log")
    who.add_argument("--phone", type=_phone, metavar="NUMBER", help="as +4912345678")
    parser.add_argument("--app", metavar="NAME", help="needed if there are several")
    add_since(parser, "7d")
    parser.add_argument(
        "--lines",
        type=_lines,
        default=20,
        metavar="N",
        help="how many log lines (default: %(default)s)",
    )
    parser.add_argument("--follow", action="store_true", help="go on with new lines")
    parser.add_argument(
        "--unmask",
        action="store_true",
        help="show phone numbers of Redis in full; the journal notes who did",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_redis_password_file(parser)


def _filled(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _phone(text: str) -> str:
    from soloscope.users.people import phone_number

    try:
        return phone_number(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _lines(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError("must be from 1 to 1000")
    return number


def run(config: Config, args: argparse.Namespace) -> int:
    """0 when something was found and every source answered."""
    from soloscope.backends.loki import LokiApi
    from soloscope.redis.client import RedisClient

    config = with_password(config, args.redis_password_file)
    app = one_app(config, args.app)
    loki = LokiApi.of(config)
    client = RedisClient(app.redis) if app.redis is not None else None
    try:
        user = args.id or _id_of(args.phone, app, args.since, client, loki)
        if args.unmask:
            _note(user, app)
        return _show(config, args, app, user, client, loki)
    finally:
        if client is not None:
            client.close()


def _id_of(
    phone: str, app: App, since: str, client: RedisClient | None, loki: LokiApi
) -> str:
    """The id of a phone number. Raises SoloscopeError when it is not one user's."""
    from soloscope.users.people import by_digits, by_phone

    if client is not None and (found := by_phone(app, phone, client)) is not None:
        return found
    digits = phone[-4:]
    people = by_digits(app, digits, since, loki)
    if len(people) == 1:
        return people[0].id
    if not people:
        raise SoloscopeError(
            f"nobody with ***{digits} in {app.name}'s log of the last {since}"
        )
    listed = ", ".join(f"--id {p.id} ({p.lines} lines)" for p in people)
    raise SoloscopeError(f"***{digits} fits {len(people)} users: {listed}")


def _note(user: str, app: App) -> None:
    """Write to the journal who shows a user's data in full."""
    from soloscope.backends.journal import send

    send(
        "soloscope-audit",
        {
            "event": "user_unmasked",
            "target": app.name,
            "user": user,
            "by": invoker(),
        },
    )


@dataclass
class _Known:
    """What is known about a user. `alerts` is None where there is no Alertmanager.

    `unseen` says which sources did not answer.
    """

    app: App
    user: str
    sections: Sequence[Section] = ()
    lines: Sequence[Moment] = ()
    alerts: Sequence[str] | None = None
    unseen: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether anything is."""
        return bool(self.lines) or any(section.entries for section in self.sections)


def _ask(
    config: Config,
    known: _Known,
    client: RedisClient | None,
    loki: LokiApi,
    start: float,
    end: float,
    most: int,
) -> None:
    """Fill `known` from every source that answers."""
    from soloscope.timeline.lines import moment
    from soloscope.timeline.story import events
    from soloscope.users.records import records

    app = known.app
    if client is not None:
        try:
            known.sections = records(app, known.user, client)
        except BackendUnavailable as error:
            known.unseen.append(f"Redis {error}")
    try:
        lines = events(loki, [app.name], known.user, start, end, most)
        known.lines = [moment(line) for line in lines]
    except BackendUnavailable as error:
        known.unseen.append(str(error))
    if config.alertmanager.enable:
        try:
            known.alerts = _alerts(config, app)
        except BackendUnavailable as error:
            known.unseen.append(f"Alertmanager {error}")


def _show(
    config: Config,
    args: argparse.Namespace,
    app: App,
    user: str,
    client: RedisClient | None,
    loki: LokiApi,
) -> int:
    now = time.time()
    known = _Known(app, user)
    start = now - (duration(args.since) or 0.0)
    _ask(config, known, client, loki, start, now, args.lines)
    if not known and not known.unseen:
        raise SoloscopeError(
            f"nothing is known about the user `{user}` of {app.name}: no record in "
            f"Redis and no line of the last {args.since}"
        )
    hide: Callable[[str], str] = str if args.unmask else masked
    if args.json:
        _json(known, hide)
    else:
        _print(config, known, hide, args.since)
    if args.follow:
        _follow(config, app, user, loki, now, as_json=args.json)
    return 1 if known.unseen or not known else 0


def _alerts(config: Config, app: App) -> list[str]:
    """The alerts about the app that fire now, silenced ones left out."""
    from soloscope.backends.alertmanager import AlertmanagerApi
    from soloscope.commands.alerts import moment

    return [
        f"{alert.name} since {moment(alert.start, config.zone)}: "
        f"{masked(alert.annotations.get('summary', ''))}"
        for alert in AlertmanagerApi.of(config).about(app.name)
    ]


def _json(known: _Known, hide: Callable[[str], str]) -> None:
    def entry(fields: Any) -> dict[str, str]:
        return {one.name: hide(one.text) for one in fields}

    value = {
        "app": known.app.name,
        "user": known.user,
        "records": [
            {
                "title": section.title,
                "entries": [entry(fields) for fields in section.entries],
                "note": section.note,
            }
            for section in known.sections
        ],
        "events": [asdict(m) for m in known.lines],
        "alerts": known.alerts,
        "unseen": known.unseen,
    }
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _print(
    config: Config, known: _Known, hide: Callable[[str], str], since: str
) -> None:
    from rich.table import Table
    from rich.text import Text

    from soloscope.commands.moments import row

    app, out = known.app, console()
    out.print(Text(f"{printable(known.user)}, user of {printable(app.title)}", "bold"))
    for section in known.sections:
        out.print()
        out.print(Text(printable(section.title), "bold"))
        if section.note:
            out.print(Text(f"  {printable(hide(section.note))}", "dim"))
        table = Table.grid(padding=(0, 2))
        for number, fields in enumerate(section.entries):
            if number and len(fields) > 1:
                table.add_row("", "", "")
            for one in fields:
                table.add_row("", printable(one.name), _value(one, config, hide))
        if section.entries:
            out.print(table)
    if not app.user.records:
        out.print()
        out.print(
            Text(
                f"Redis: nothing is declared. With apps.{app.name}.user.records the "
                "user's profile and more would be here.",
                "dim",
            )
        )
    out.print()
    out.print(Text(f"Log, last {since}", "bold"))
    table = Table.grid(padding=(0, 2))
    for moment in known.lines:
        table.add_row("", *row(moment, config.zone, ascii_only=in_ascii(out)))
    out.print(table if known.lines else Text("  no lines", "dim"))
    if known.alerts is not None:
        out.print()
        out.print(Text("Alerts of the app that fire now", "bold"))
        for text in known.alerts or ["none"]:
            out.print(Text(f"  {printable(text)}", "red" if known.alerts else "dim"))
    for why in known.unseen:
        out.print(Text(f"not read: {printable(why)}", "red"))


def _value(value: Field, config: Config, hide: Callable[[str], str]) -> str:
    if value.at is None:
        return printable(hide(value.text))
    at = value.at.astimezone(config.zone)
    return f"{at:%d %b %Y %H:%M} ({_distance(value.at)})"


def _distance(at: datetime) -> str:
    """`in 3 days`, `2 hours ago`."""
    seconds = (at - datetime.now(UTC)).total_seconds()
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        # Rounded down, as trial days are counted.
        if (number := int(abs(seconds) / size)) >= 1:
            words = f"{number} {name}{'s' if number > 1 else ''}"
            return f"in {words}" if seconds > 0 else f"{words} ago"
    return "now"


def _follow(
    config: Config, app: App, user: str, loki: LokiApi, now: float, *, as_json: bool
) -> None:
    """Print new lines until Ctrl-C."""
    from rich.text import Text

    from soloscope.commands.moments import row
    from soloscope.timeline.lines import moment
    from soloscope.timeline.story import events

    out = console()
    start = now
    seen: set[tuple[float, str]] = set()
    while True:
        time.sleep(PAUSE)
        end = time.time()
        for line in events(loki, [app.name], user, max(start, end - LAG), end, 1000):
            key = (line.at, line.text)
            if key in seen:
                continue
            seen.add(key)
            new = moment(line)
            if as_json:
                print(json.dumps(asdict(new), ensure_ascii=False), flush=True)
            else:
                cells = row(new, config.zone, ascii_only=in_ascii(out))
                out.print(Text("  ").join([Text(""), *cells]), soft_wrap=True)
        seen = {key for key in seen if key[0] > end - 2 * LAG}
