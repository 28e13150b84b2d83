"""One SQLite file that holds all there is: the log, the ids met, the dead letters, and what came of it.

Theory. There is one writer, which holds a lock on the folder for as long as it lives. A commit takes the messages of
all senders that wait, and with them what came of the messages before: alerts, their transitions, and the position up to
which the engine has applied the log. So the file is never behind an acknowledgement, and memory is never behind the
file: whatever a crash takes from memory is made again from the log, from the committed position on.

Readers, in this process or another, open the file read-only and read a page at a time, each page in a transaction of
its own, for a long reader would keep the write-ahead log from being cut.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from schemas.alert import Alert
from schemas.errors import StoreFailed, TryAgain, WrongUse
from streams.core.alerts import Transition
from streams.embedded.entries import Batch, Entry, Taken, read_alert, read_events
from streams.embedded.schema import FORMAT, TABLES

FILE: Final = "pxhub.db"
_LOCK: Final = "lock"
_PAGE: Final = 2_000  # rows read at a time
_DAYS: Final = """WITH RECURSIVE days(day) AS (
    SELECT max(day) FROM seen UNION ALL SELECT (SELECT max(day) FROM seen WHERE day < days.day) FROM days
    WHERE days.day IS NOT NULL
) SELECT day FROM days WHERE day IS NOT NULL"""  # one step a day: DISTINCT would read every row

_json: Final = msgspec.json.Encoder().encode


class Store:
    """The writer's side. `reader` opens another side for reading."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: IO[bytes]) -> None:
        self.folder: Path = folder
        self._db: sqlite3.Connection = connection
        self._lock: IO[bytes] = lock
        self._joined: bool = False  # within `together`

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open a store for writing, made where there is none. Raises TryAgain where another process writes it, and
        WrongUse where it cannot be one."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.fdopen(os.open(folder / _LOCK, os.O_CREAT | os.O_WRONLY, 0o600), "wb")
        except OSError as wrong:
            raise WrongUse(f"{folder}: the store cannot be opened for writing ({wrong.strerror})") from wrong
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise TryAgain(f"{folder}: another pxhub writes this store; stop it, or ask it over HTTP") from None
        path = folder / FILE
        fresh = not path.exists() or path.stat().st_size == 0
        try:
            old = os.umask(0o077)
            try:
                db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
            finally:
                os.umask(old)
            if fresh:
                db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA busy_timeout = 5000")
            db.execute("PRAGMA cache_size = -65536")
            db.execute("PRAGMA wal_autocheckpoint = 4000")
            if fresh:
                db.executescript("BEGIN;" + TABLES + f"PRAGMA user_version = {FORMAT}; COMMIT;")
            check_format(db, folder)
            db.execute("INSERT OR IGNORE INTO meta VALUES ('id', lower(hex(randomblob(8))))")  # a restore keeps it
        except sqlite3.Error as wrong:
            lock.close()
            raise WrongUse(f"{folder}: {_told(wrong)}") from wrong
        except WrongUse:
            lock.close()
            raise
        return cls(folder, db, lock)

    def close(self) -> None:
        """Let go of the file and of the lock."""
        self._db.close()
        self._lock.close()

    def commit(self, batch: Batch) -> None:
        """Write a batch, whole or not at all; it is on the disk when this returns. Raises StoreFailed."""
        db = self._db
        try:
            self._begin()
            if batch.entries:
                db.executemany(
                    "INSERT INTO log VALUES (?,?,?,?,?,?,?,?,?,?)",
                    [
                        (e.seq, e.recorded, e.clock, e.kind, e.outcome, e.reason, e.source, e.id, e.raw, e.blob)
                        for e in batch.entries
                    ],
                )  # fmt: skip
            if batch.seen:
                db.executemany("INSERT OR REPLACE INTO seen VALUES (?,?,?,?)", batch.seen)
            if batch.dead:
                db.executemany("INSERT INTO dead_letter (seq, reason, place, mend) VALUES (?,?,?,?)", batch.dead)
            if batch.tallies:
                db.executemany(
                    "INSERT INTO tally VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
                    [(*name, count) for name, count in batch.tallies.items()],
                )
            self._write_transitions(batch.transitions)
            db.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?,?)", [("applied", batch.applied), ("clock", batch.clock)]
            )
            self._end()
        except sqlite3.Error as wrong:
            raise StoreFailed(f"{self.folder}: {_told(wrong)}") from wrong
        finally:
            if db.in_transaction and not self._joined:
                db.execute("ROLLBACK")

    def _write_transitions(self, transitions: list[tuple[int, Transition]]) -> None:
        rows, last = [], {}
        for cursor, change in transitions:
            alert = change.alert
            body = _json(alert)
            rows.append((cursor, change.at, alert.id, alert.threshold, alert.state.value, alert.facility, body))
            last[alert.id] = (
                alert.id, alert.threshold, alert.state.value, alert.facility, alert.person, alert.started_at, cursor,
                body,
            )  # fmt: skip
        if rows:
            self._db.executemany("INSERT INTO transition VALUES (?,?,?,?,?,?,?)", rows)
            self._db.executemany("INSERT OR REPLACE INTO alert VALUES (?,?,?,?,?,?,?,?)", last.values())

    def set_apart(self, seq: int, reason: str, place: str, mend: str) -> None:
        """Make a dead letter of an accepted message, in the log and in the counts."""
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE log SET outcome = 'dead', reason = ? WHERE seq = ?", (reason, seq))
            db.execute("INSERT OR REPLACE INTO dead_letter (seq, reason, place, mend) VALUES (?,?,?,?)",
                       (seq, reason, place, mend))  # fmt: skip
            db.executemany(
                "INSERT INTO tally SELECT kind, ?, ?, ? FROM log WHERE seq = ? "
                "ON CONFLICT DO UPDATE SET count = count + excluded.count",
                [("accepted", "", -1, seq), ("dead", reason, 1, seq)],
            )
            db.execute("COMMIT")
        except sqlite3.Error as wrong:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise StoreFailed(f"{self.folder}: {_told(wrong)}") from wrong

    def write(self, statement: str, values: Iterable[tuple[Any, ...]]) -> int:
        """One statement over some rows, in a transaction of its own; returns how many rows changed."""
        try:
            self._begin()
            changed = self._db.executemany(statement, values).rowcount
            self._end()
        except sqlite3.Error as wrong:
            if self._db.in_transaction and not self._joined:
                self._db.execute("ROLLBACK")
            raise StoreFailed(f"{self.folder}: {_told(wrong)}") from wrong
        return changed

    @contextmanager
    def together(self) -> Iterator[None]:
        """All commits and writes within are one, whole or not at all, and durable at its end. Raises StoreFailed."""
        try:
            self._begin()
            self._joined = True
            yield
            self._joined = False
            self._end()
        except sqlite3.Error as wrong:
            raise StoreFailed(f"{self.folder}: {_told(wrong)}") from wrong
        finally:
            self._joined = False
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _begin(self) -> None:
        if not self._joined:
            self._db.execute("BEGIN IMMEDIATE")

    def _end(self) -> None:
        if not self._joined:
            self._db.execute("COMMIT")

    def reader(self) -> Reader:
        """A reader of the same file."""
        return Reader.open(self.folder)

    def find_seen(self, hash_: bytes) -> tuple[bytes, int] | None:
        """Digest and place of the first message with this id; None where it was not met."""
        for (day,) in self._rows(_DAYS):
            for digest, seq in self._rows("SELECT digest, seq FROM seen WHERE day = ? AND hash = ?", day, hash_):
                return digest, seq
        return None

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as wrong:
            raise StoreFailed(f"{self.folder}: {_told(wrong)}") from wrong

    def raw(self, seq: int) -> bytes:
        """The bytes of a message of the log, as they came."""
        return bytes(self._rows("SELECT raw FROM log WHERE seq = ?", seq)[0][0])

    def hashes(self) -> Iterator[bytes]:
        """All id hashes that are remembered."""
        try:
            for (hash_,) in self._db.execute("SELECT hash FROM seen"):
                yield hash_
        except sqlite3.Error as wrong:
            raise StoreFailed(f"{self.folder}: {_told(wrong)}") from wrong


class Reader:
    """Reads a store that may be written meanwhile."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder: Path = folder
        self._db: sqlite3.Connection = connection

    @classmethod
    def open(cls, folder: Path) -> Reader:
        """Open a store for reading. Raises WrongUse where there is none, or one that this version does not know."""
        path = folder / FILE
        if not path.exists():
            raise WrongUse(f"{folder}: there is no store here; pxhub serve or replay --store makes one")
        try:
            db = connect_to_read(path)
            db.execute("PRAGMA busy_timeout = 5000")
            check_format(db, folder)
        except sqlite3.Error as wrong:
            raise WrongUse(f"{folder}: {_told(wrong)}") from wrong
        return cls(folder, db)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def meta(self, name: str, default: Any = None) -> Any:
        """A value by its name."""
        rows = self.rows("SELECT value FROM meta WHERE name = ?", name)
        return rows[0][0] if rows else default

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of one statement, at once: for pages and sums."""
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as wrong:
            raise StoreFailed(f"{self.folder}: {_told(wrong)}") from wrong

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

    def accepted(self, *, after: int = 0, upto: int | None = None) -> Iterator[Taken]:
        """What the engine took, in order, without the bytes that it came as."""
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

    def last_seq(self) -> int:
        """The place of the last row of the log; 0 where it is empty."""
        return int(self.rows("SELECT coalesce(max(seq), 0) FROM log")[0][0])

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


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that reads alone. Where nothing can be written (a read-only mount) and no log of writes stands
    beside the file, it is read as it stands, for SQLite cannot make there what it would share with a writer."""
    beside = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    still = not os.access(path.parent, os.W_OK) and not any(file.exists() for file in beside)
    uri = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if still else ''}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def check_format(db: sqlite3.Connection, folder: Path) -> None:
    """Raises WrongUse for a store of a later version, or a file that is none."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > FORMAT:
        raise WrongUse(f"{folder}: the store is of a later version (format {version}, this is {FORMAT}): update pxhub")
    if version < 1:
        raise WrongUse(f"{folder}: {FILE} is a database, but no store of pxhub")


def _told(wrong: sqlite3.Error) -> str:
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
