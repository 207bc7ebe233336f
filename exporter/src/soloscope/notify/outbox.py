"""The notices on disk, and what has become of each: one SQLite file.

A notice has a delivery for each channel. Its states:

    waiting ─▶ sending ─▶ sent ─▶ delivered
       ▲          │         └──▶ failed, or waiting again
       └──────────┴──▶ failed         canary: it passed, and is never sent

`accept` returns once the notice is on disk (https://sqlite.org/pragma.html,
synchronous=FULL). What is `sending` when the file is opened may have been sent: it
waits again, marked as a possible repeat.
"""

from __future__ import annotations

import fcntl
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

from soloscope.errors import SoloscopeError
from soloscope.log import event
from soloscope.notify.notices import SEVERITIES, Notice, from_json, to_json

__all__ = ["Batch", "Delivery", "Outbox", "OutboxUnavailable"]

KEEP = 30 * 86400.0
"""Seconds that a finished notice is kept, to recognise repeats and late states."""

KEEP_CANARIES = 3600.0

RESERVE = 1 << 20
"""Bytes that stay free in the files: on a full disk there is still room to say so."""

FAR = 2 * 3600.0
"""No delivery is put off so long: what is due later was set by another clock."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    grp TEXT NOT NULL,
    mark TEXT NOT NULL,
    received REAL NOT NULL,
    resolved INTEGER NOT NULL,
    content TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS notices_key ON notices (key);
CREATE INDEX IF NOT EXISTS notices_grp ON notices (grp);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    notice INTEGER NOT NULL REFERENCES notices ON DELETE CASCADE,
    channel TEXT NOT NULL,
    rank INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0,
    repeated INTEGER NOT NULL DEFAULT 0,
    changed REAL NOT NULL,
    provider_id TEXT,
    error TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_state ON deliveries (state, channel);
CREATE INDEX IF NOT EXISTS deliveries_notice ON deliveries (notice);
CREATE INDEX IF NOT EXISTS deliveries_provider ON deliveries (provider_id);
CREATE TABLE IF NOT EXISTS channels (
    channel TEXT PRIMARY KEY,
    tokens REAL,
    tokens_at REAL,
    replied REAL
);
CREATE TABLE IF NOT EXISTS reserve (bytes BLOB);
"""


_SHAPE = """
SELECT notice, channel, rank, state, attempts, due, repeated, changed, provider_id,
    error, key, grp, mark, received, resolved, content
FROM deliveries JOIN notices ON notices.id = notice LIMIT 0
"""
"""Fails on tables that something else made."""


class OutboxUnavailable(SoloscopeError):  # noqa: N818 (reads as a state)
    """Nothing was written: the disk is full, or the file is damaged."""


class Delivery(NamedTuple):
    """What a channel is to do about a notice."""

    id: int
    notice_id: int
    received: float
    notice: Notice
    attempts: int
    repeated: bool


class Batch(NamedTuple):
    """The waiting deliveries of a channel's group, in order."""

    deliveries: Sequence[Delivery]

    @property
    def ids(self) -> list[int]:
        """The deliveries' ids."""
        return [delivery.id for delivery in self.deliveries]

    @property
    def attempts(self) -> int:
        """How often the first was tried."""
        return self.deliveries[0].attempts

    @property
    def repeated(self) -> bool:
        """Whether one of them may have been sent already."""
        return any(delivery.repeated for delivery in self.deliveries)


class Outbox:
    """The outbox of a folder. Every method but `close` may raise OutboxUnavailable.

    Raises SoloscopeError when another process has it, or the folder is not writable.
    """

    def __init__(self, folder: Path, now: Callable[[], float]) -> None:
        self._now = now
        self._path = folder / "outbox.db"
        self._mutex = threading.RLock()
        self._lock = _locked(folder)
        self.damaged = threading.Event()
        """Set when the file turned out damaged: the process must start again."""
        self.set_aside: Path | None = None
        """The damaged file of before, when this start found one."""
        rescued: list[tuple[float, Notice, str]] = []
        try:
            self._db = _opened(self._path)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                self._lock.close()
                raise SoloscopeError(
                    f"cannot open {self._path}: {error}; is the disk full, or the "
                    "folder not writable?"
                ) from None
            rescued = list(_rescued(self._path))
            self.set_aside = _moved(self._path, now())
            self._db = _opened(self._path)
        self._make_room()
        with self._change() as db:
            db.execute(
                "UPDATE deliveries SET state = 'waiting', repeated = 1 "
                "WHERE state = 'sending'"
            )
            # A start is a reason to try again: the configuration may be another.
            db.execute("UPDATE deliveries SET due = 0 WHERE state = 'waiting'")
        for received, notice, channel in rescued:
            self.accept(notice, [channel], received=received, repeated=True)

    def _make_room(self) -> None:
        """Let both files grow to what a full disk must still hold."""
        with suppress(OutboxUnavailable):
            with self._change() as db:
                db.execute("INSERT INTO reserve VALUES (zeroblob(?))", (RESERVE,))
                db.execute("DELETE FROM reserve")
            # Their pages are in the main file from now on, and the log, which keeps its
            # size, is written from its start.
            self._rows("PRAGMA wal_checkpoint(RESTART)")

    def close(self) -> None:
        """Close the file and leave it to others."""
        with self._mutex:
            self._db.close()
            self._lock.close()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """A transaction, on disk when the block ends."""
        with self._mutex:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                # SQLite may have rolled back by itself (disk full).
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.DatabaseError):
                    raise self._unavailable(error) from None
                raise

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._mutex:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.DatabaseError as error:
                raise self._unavailable(error) from None

    def _unavailable(self, error: sqlite3.DatabaseError) -> OutboxUnavailable:
        if _is_damage(error):
            self.damaged.set()
        return OutboxUnavailable(f"{self._path}: {error}")

    # Notices

    def accept(
        self,
        notice: Notice,
        channels: Sequence[str],
        within: float = KEEP,
        *,
        received: float | None = None,
        repeated: bool = False,
    ) -> tuple[int, bool]:
        """Put a notice on disk for these channels; its id, and whether it is a repeat.

        A repeat has the key of a notice of the last `within` seconds and is not stored,
        unless the group's newest says "resolved" and this one does not: then what was
        told last is no longer so.
        """
        now = self._now()
        with self._change() as db:
            if notice.key:
                known = db.execute(
                    "SELECT id FROM notices WHERE key = ? AND abs(? - received) < ? "
                    "ORDER BY id DESC LIMIT 1",
                    (notice.key, now, within),
                ).fetchone()
                if known and not (notice.alerts and self._is_over(notice)):
                    return int(known[0]), True
            row = db.execute(
                "INSERT INTO notices (key, grp, mark, received, resolved, content) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    notice.key,
                    notice.group,
                    notice.mark,
                    now if received is None else received,
                    notice.resolved,
                    to_json(notice),
                ),
            )
            id_ = int(row.lastrowid or 0)
            rank = SEVERITIES.index(notice.severity)
            db.executemany(
                "INSERT INTO deliveries (notice, channel, rank, changed, repeated) "
                "VALUES (?, ?, ?, ?, ?)",
                [(id_, channel, rank, now, repeated) for channel in channels],
            )
            return id_, False

    def _is_over(self, notice: Notice) -> bool:
        newest = self._db.execute(
            "SELECT resolved FROM notices WHERE grp = ? ORDER BY id DESC LIMIT 1",
            (notice.group,),
        ).fetchone()
        return bool(newest and newest[0]) and not notice.resolved

    def find(self, column: str, value: str) -> Mapping[str, Any] | None:
        """The newest notice whose `id`, `key` or `mark` is `value`, as plain data."""
        column = {"id": "id", "key": "key", "mark": "mark"}[column]
        query = (
            "SELECT id, mark, received FROM notices "  # noqa: S608
            f"WHERE {column} = ? ORDER BY id DESC LIMIT 1"
        )
        for id_, mark, received in self._rows(query, value):
            fields = ("channel", "state", "attempts", "changed", "error")
            rows = self._rows(
                f"SELECT {', '.join(fields)} FROM deliveries "  # noqa: S608
                "WHERE notice = ? ORDER BY id",
                id_,
            )
            deliveries = [dict(zip(fields, row, strict=True)) for row in rows]
            states = [str(delivery["state"]) for delivery in deliveries]
            ranks = ("sending", "waiting", "canary", "delivered", "sent", "failed")
            return {
                "id": id_,
                "mark": mark,
                "received": received,
                # What is still to do comes first; one that arrived is enough.
                "state": min(states, key=ranks.index, default="failed"),
                "deliveries": deliveries,
            }
        return None

    def clean_up(self) -> None:
        """Remove what is finished and old."""
        now = self._now()
        with self._change() as db:
            for age, marks in ((KEEP, "%"), (KEEP_CANARIES, "canary:%")):
                db.execute(
                    "DELETE FROM notices WHERE received < ? AND mark LIKE ? "
                    "AND NOT EXISTS (SELECT 1 FROM deliveries "
                    "WHERE notice = notices.id AND state IN ('waiting', 'sending'))",
                    (now - age, marks),
                )

    # Deliveries

    def next(
        self, channel: str, *, canaries: bool = False
    ) -> tuple[Batch | None, float | None]:
        """The deliveries of the group whose turn it is, or when there will be one.

        The worst first, then the oldest; the time is Unix time. Either canaries or the
        rest.
        """
        now = self._now()
        rows = self._rows(
            "SELECT grp, min(rank), min(deliveries.id), "
            "min(CASE WHEN due > ? THEN 0 ELSE due END) AS earliest "
            "FROM deliveries JOIN notices ON notices.id = notice "
            "WHERE state = 'waiting' AND channel = ? AND mark LIKE 'canary:%' = ? "
            "GROUP BY grp ORDER BY 2, 3",
            now + FAR,
            channel,
            canaries,
        )
        group = next((row[0] for row in rows if row[3] <= now), None)
        if group is None:
            return None, min((row[3] for row in rows), default=None)
        deliveries = [
            Delivery(
                id_, notice, received, from_json(content), attempts, bool(repeated)
            )
            for id_, notice, received, content, attempts, repeated in self._rows(
                "SELECT deliveries.id, notice, received, content, attempts, repeated "
                "FROM deliveries JOIN notices ON notices.id = notice "
                "WHERE state = 'waiting' AND channel = ? AND grp = ? "
                "ORDER BY deliveries.id LIMIT 1000",
                channel,
                group,
            )
        ]
        return Batch(deliveries), None

    def _set(self, batch: Sequence[int], assignments: str, *values: object) -> None:
        places = ", ".join("?" * len(batch))
        with self._change() as db:
            db.execute(
                f"UPDATE deliveries SET {assignments}, changed = ? "  # noqa: S608
                f"WHERE id IN ({places})",
                (*values, self._now(), *batch),
            )

    def sending(self, ids: Sequence[int]) -> None:
        """They are being sent from now on."""
        self._set(ids, "state = 'sending', attempts = attempts + 1")

    def sent(self, ids: Sequence[int], provider_id: str) -> None:
        """The provider has accepted them."""
        self._set(ids, "state = 'sent', provider_id = ?, error = NULL", provider_id)

    def passed(self, ids: Sequence[int]) -> None:
        """Canaries have passed the loop."""
        self._set(ids, "state = 'canary'")

    def delivered(self, ids: Sequence[int]) -> None:
        """They are on the phone."""
        self._set(ids, "state = 'delivered'")

    def put_off(
        self, ids: Sequence[int], due: float, error: str, *, repeated: bool = False
    ) -> None:
        """They wait until `due`; `repeated` when they may have been sent."""
        self._set(
            ids,
            "state = 'waiting', due = ?, error = ?, repeated = max(repeated, ?), "
            "provider_id = NULL",
            *(due, error, repeated),
        )

    def failed(self, ids: Sequence[int], error: str) -> None:
        """They will not be sent by their channel."""
        self._set(ids, "state = 'failed', error = ?", error)

    def hand_over(
        self, ids: Sequence[int], channels: Sequence[str], error: str
    ) -> bool:
        """Give failed deliveries to the first channel that has not had their notice.

        False when there is none for the first of them; then nothing changes.
        """
        places = ", ".join("?" * len(ids))
        rows = self._rows(
            f"SELECT notice, rank FROM deliveries WHERE id IN ({places})",  # noqa: S608
            *ids,
        )
        added = []
        for notice, rank in rows:
            had = {
                row[0]
                for row in self._rows(
                    "SELECT channel FROM deliveries WHERE notice = ?", notice
                )
            }
            channel = next((name for name in channels if name not in had), None)
            if channel is not None:
                added.append((notice, channel, rank, self._now()))
        if not added:
            return False
        with self._change() as db:
            db.executemany(
                "INSERT INTO deliveries (notice, channel, rank, changed) "
                "VALUES (?, ?, ?, ?)",
                added,
            )
            db.execute(
                "UPDATE deliveries SET state = 'failed', error = ?, changed = ? "  # noqa: S608
                f"WHERE id IN ({places})",
                (error, self._now(), *ids),
            )
        return True

    def by_provider_id(self, provider_id: str) -> list[tuple[int, str, str, int]]:
        """Deliveries of a message that was sent: id, channel, state, attempts."""
        return [
            (int(id_), str(channel), str(state), int(attempts))
            for id_, channel, state, attempts in self._rows(
                "SELECT id, channel, state, attempts FROM deliveries "
                "WHERE provider_id = ?",
                provider_id,
            )
        ]

    # Channels

    def tokens(self, channel: str) -> tuple[float, float] | None:
        """How many messages the channel might send at once at a time (pace.py)."""
        for tokens, at in self._rows(
            "SELECT tokens, tokens_at FROM channels "
            "WHERE channel = ? AND tokens IS NOT NULL",
            channel,
        ):
            return float(tokens), float(at)
        return None

    def set_tokens(self, channel: str, tokens: float, at: float) -> None:
        """Remember it over a restart."""
        with self._change() as db:
            db.execute(
                "INSERT INTO channels (channel, tokens, tokens_at) VALUES (?, ?, ?) "
                "ON CONFLICT (channel) DO UPDATE SET tokens = ?, tokens_at = ?",
                (channel, tokens, at, tokens, at),
            )

    def replied(self, channel: str) -> float | None:
        """When the user last wrote; None when that is not known."""
        for (at,) in self._rows(
            "SELECT replied FROM channels WHERE channel = ?", channel
        ):
            return None if at is None else float(at)
        return None

    def set_replied(self, channel: str, at: float | None) -> None:
        """The user wrote; or, with None, the window turned out closed."""
        with self._change() as db:
            db.execute(
                "INSERT INTO channels (channel, replied) VALUES (?, ?) "
                "ON CONFLICT (channel) DO UPDATE SET replied = ?",
                (channel, at, at),
            )

    def waiting(self) -> Mapping[str, tuple[int, float]]:
        """Channel -> how many deliveries wait, and since when the oldest does."""
        return {
            str(channel): (int(count), float(oldest))
            for channel, count, oldest in self._rows(
                "SELECT channel, count(*), min(received) FROM deliveries "
                "JOIN notices ON notices.id = notice "
                "WHERE state IN ('waiting', 'sending') GROUP BY channel"
            )
        }

    def damaged_files(self) -> int:
        """How many files were set aside as damaged, and are still there."""
        pattern = f"{self._path.name}.damaged-*[0-9Z]"
        return len(list(self._path.parent.glob(pattern)))


def _locked(folder: Path) -> IO[str]:
    """The folder's lock, held until the file is closed."""
    try:
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise SoloscopeError(
            f"cannot use {folder}: {error.strerror}; the folder must exist and be "
            "writable for this process"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise SoloscopeError(
            f"another `soloscope notify` uses {folder}; two would send everything "
            "twice: stop one of them"
        ) from None
    return lock


def _opened(path: Path) -> sqlite3.Connection:
    """The file, checked and with its tables. Raises sqlite3.DatabaseError."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        # Pages (4 kB), less than RESERVE: the log must not outgrow its room.
        db.execute("PRAGMA wal_autocheckpoint = 128")
        # A cache of 2 MB would be kept; the file is small.
        db.execute("PRAGMA cache_size = -256")
        (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise sqlite3.DatabaseError(f"malformed: {said}")
        db.executescript(_SCHEMA)
        db.execute(_SHAPE)
    except BaseException:
        db.close()
        raise
    return db


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file's content is wrong, as opposed to its disk."""
    # 3.11 names the code; our own finding has none.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or (
        # A table of another shape.
        code == sqlite3.SQLITE_ERROR and "no such column" in str(error)
    )


def _rescued(path: Path) -> Iterator[tuple[float, Notice, str]]:
    """What still waits in a damaged file, as far as it can be read."""
    with suppress(sqlite3.DatabaseError):
        db = sqlite3.connect(path)
        try:
            rows = db.execute(
                "SELECT received, content, channel FROM deliveries "
                "JOIN notices ON notices.id = notice "
                "WHERE state IN ('waiting', 'sending') ORDER BY deliveries.id"
            )
            while (row := rows.fetchone()) is not None:
                with suppress(ValueError, TypeError, KeyError):
                    yield float(row[0]), from_json(row[1]), str(row[2])
        finally:
            db.close()


def _moved(path: Path, now: float) -> Path:
    """Give a damaged file another name, with its companions."""
    moment = datetime.fromtimestamp(now, UTC)
    aside = path.with_name(f"{path.name}.damaged-{moment:%Y%m%dT%H%M%SZ}")
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").replace(f"{aside}{suffix}")
    event(
        "outbox_damaged",
        f"The outbox was damaged and is now {aside}; messages that waited in it may be "
        "lost. Remove the file when you do not need it",
        level=logging.ERROR,
        file=str(aside),
    )
    return aside
