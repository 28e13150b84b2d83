"""A store read, a page at a time, while it may be written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.alert import Alert
from schemas.errors import StoreFailed, StoreFull, WrongUse
from streams.embedded.entries import Entry, Position, Taken, read_alert, read_events
from streams.embedded.schema import FORMAT

FILE: Final = "pxhub.db"
_PAGE: Final = 2_000  # rows read at a time


class Reading:
    """What is read of a store, by who writes it and by others."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder: Path = folder
        self._db: sqlite3.Connection = connection

    def meta(self, name: str, default: Any = None) -> Any:
        """A value by its name."""
        rows = self.rows("SELECT value FROM meta WHERE name = ?", name)
        return rows[0][0] if rows else default

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of one statement, at once: for pages and sums."""
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as wrong:
            raise failure(self.folder, wrong) from wrong

    def entries(
        self, *, after: int = 0, upto: int | None = None, where: str = "1", values: tuple[Any, ...] = ()
    ) -> Iterator[Entry]:
        """Rows of the log in order, read in pages."""
        last = after
        while True:
            page = self.rows(
                f"SELECT * FROM log WHERE seq > ? AND seq <= ? AND ({where}) ORDER BY seq LIMIT {_PAGE}",  # noqa: S608 - our own words
                last, 2**62 if upto is None else upto, *values,
            )  # fmt: skip
            for row in page:
                seq, recorded, clock, kind, outcome, reason, source, id_, raw, blob = row
                yield Entry(seq, recorded, clock, kind, outcome, reason, source, id_, raw, blob)
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def accepted(self, *, after: int = 0, upto: int | None = None, others: bool = False) -> Iterator[Taken]:
        """What the engine took, in order, without the bytes that it came as; `others`: also whose messages came and
        were not taken."""
        if others:
            yield from self._heard(after, upto)
            return
        last, end = after, 2**62 if upto is None else upto
        while True:
            page = self.rows(
                "SELECT seq, recorded, clock, events FROM log WHERE seq > ? AND seq <= ? AND outcome = 'accepted' "
                "ORDER BY seq LIMIT ?",
                last, end, _PAGE,
            )  # fmt: skip
            for seq, recorded, clock, events in page:
                yield Taken(seq, recorded, clock, read_events(events))
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def _heard(self, after: int, upto: int | None) -> Iterator[Taken]:
        last, end = after, 2**62 if upto is None else upto
        while True:
            page = self.rows(
                "SELECT seq, recorded, clock, source, outcome = 'accepted', events FROM log WHERE seq > ? AND seq <= ? "
                "ORDER BY seq LIMIT ?",
                last, end, _PAGE,
            )  # fmt: skip
            for seq, recorded, clock, source, is_taken, events in page:
                if is_taken:
                    yield Taken(seq, recorded, clock, read_events(events))
                elif source:
                    yield Taken(seq, recorded, clock, (), source)
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def last_seq(self) -> int:
        """The place of the last row of the log; 0 where it is empty."""
        return int(self.rows("SELECT coalesce(max(seq), 0) FROM log")[0][0])

    def last_recorded(self) -> int:
        """When the last row of the log was recorded, microseconds; 0 where it is empty."""
        rows = self.rows("SELECT recorded FROM log ORDER BY seq DESC LIMIT 1")
        return int(rows[0][0]) if rows else 0

    def last_cursor(self) -> int:
        """The cursor of the last transition; 0 where there is none."""
        return int(self.rows("SELECT coalesce(max(cursor), 0) FROM transition")[0][0])

    def transitions(self, *, after: int, limit: int) -> list[tuple[int, int, Alert]]:
        """A page of transitions: cursor, log time (microseconds), the alert as it then stood."""
        rows = self.rows(
            "SELECT cursor, at, body FROM transition WHERE cursor > ? ORDER BY cursor LIMIT ?", after, limit
        )
        return [(cursor, at, read_alert(body)) for cursor, at, body in rows]

    def alert(self, id_: str) -> Alert | None:
        """An alert in its last state."""
        rows = self.rows("SELECT body FROM alert WHERE id = ?", id_)
        return read_alert(rows[0][0]) if rows else None

    def alerts(self) -> list[Alert]:
        """All alerts in their last state, by start and id."""
        rows = self.rows("SELECT body FROM alert ORDER BY started_at, id")
        return [read_alert(body) for (body,) in rows]

    def tallies(self) -> dict[tuple[str, str, str], int]:
        """(kind, outcome, reason) -> how many messages."""
        return {(kind, outcome, reason): count for kind, outcome, reason, count in self.rows("SELECT * FROM tally")}

    def position(self) -> Position:
        """How far the file is."""
        packed = self.meta("position")
        return Position() if packed is None else msgspec.msgpack.decode(packed, type=Position)


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that reads alone. Where nothing can be written (a read-only mount) and no log of writes stands
    beside the file, it is read as it stands, for SQLite cannot make there what it would share with a writer."""
    beside = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    still = not os.access(path.parent, os.W_OK) and not any(file.exists() for file in beside)
    uri = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if still else ''}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


class Reader(Reading):
    """Reads a store that may be written meanwhile."""

    @classmethod
    def open(cls, folder: Path) -> Reader:
        """Open a store for reading. Raises WrongUse where there is none, or one that this version does not know."""
        path = folder / FILE
        if not path.exists():
            raise WrongUse(f"{folder}: there is no store here; pxhub serve or replay --store makes one")
        check_whole(folder)
        try:
            db = connect_to_read(path)
            db.execute("PRAGMA busy_timeout = 5000")
            check_format(db, folder)
        except sqlite3.Error as wrong:
            raise WrongUse(f"{folder}: {told(wrong)}") from wrong
        return cls(folder, db)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def check_format(db: sqlite3.Connection, folder: Path) -> int:
    """The format of a store. Raises WrongUse for a store of a later version, or a file that is none."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > FORMAT:
        raise WrongUse(f"{folder}: the store is of a later version (format {version}, this is {FORMAT}): update pxhub")
    if version < 1:
        raise WrongUse(f"{folder}: {FILE} is a database, but no store of pxhub")
    return int(version)


def failure(folder: Path, wrong: sqlite3.Error) -> StoreFailed:
    """What is raised for an error of the database."""
    name = getattr(wrong, "sqlite_errorname", "")
    return (StoreFull if name == "SQLITE_FULL" else StoreFailed)(f"{folder}: {told(wrong)}")


def check_whole(folder: Path) -> None:
    """Raises WrongUse for a file that is shorter than its header says (SQLite's format, offsets 16, 24, 28 and 92): its
    last pages would be read as empty. Where a log of writes stands beside it, they may be there."""
    path = folder / FILE
    beside = path.with_name(path.name + "-wal")
    if beside.exists() and beside.stat().st_size:
        return
    with path.open("rb") as file:
        head = file.read(100)
    if len(head) < 100 or head[24:28] != head[92:96]:
        return
    page = int.from_bytes(head[16:18], "big")
    wanted = int.from_bytes(head[28:32], "big") * (65_536 if page == 1 else page)
    if (found := path.stat().st_size) < wanted:
        raise WrongUse(f"{folder}: {FILE} is cut short, {found:,} of {wanted:,} bytes; restore a backup")


def told(wrong: sqlite3.Error) -> str:
    """What is wrong with the file, and the mend."""
    name = getattr(wrong, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        return "the disk is full; make room, it goes on by itself"
    if name == "SQLITE_CANTOPEN":
        return "the store cannot be opened here; check the rights of the folder, or copy it to where it can be written"
    if name in ("SQLITE_READONLY", "SQLITE_READONLY_DBMOVED", "SQLITE_PERM"):
        return "the store cannot be written; check the rights of the folder and its files"
    if name in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
        return f"the file is damaged or no store ({name}); restore a backup"
    if str(wrong).startswith("Could not decode"):  # and it goes on with what stands there, which is a patient's
        return "the file is damaged (what should be text is none); restore a backup"
    return f"the store cannot be used ({name or type(wrong).__name__})"
