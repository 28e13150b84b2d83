"""One SQLite file that holds all there is: the log, the ids met, the dead letters, and what came of it.

Theory. There is one writer, which holds a lock on the folder for as long as it lives. A commit takes the messages of
all senders that wait, and with them what came of the messages before: alerts, their transitions, and the position up to
which the engine has applied the log. So the file is never behind an acknowledgement, and memory is never behind the
file: whatever a crash takes from memory is made again from the log, from the committed position on.

Readers, in this process or another, open the file read-only and read a page at a time, each page in a transaction of
its own, for a long reader would keep the write-ahead log from being cut.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import msgspec
from msgspec.structs import astuple

from schemas.errors import StoreFull, TryAgain, WrongUse
from streams.embedded.entries import Batch, Said
from streams.embedded.ids import Content, Ids, plain
from streams.embedded.learned import DIRECTORY, write_learned
from streams.embedded.lock import take_lock
from streams.embedded.reader import FILE, Reader, Reading, check_format, check_whole, failure
from streams.embedded.schema import ADDED, FORMAT, TABLES
from streams.embedded.shelf import write_circles, write_rates
from streams.embedded.sources import write_away, write_silences
from streams.embedded.things import write_things

_json: Final = msgspec.json.Encoder().encode
_pack: Final = msgspec.msgpack.Encoder().encode


class Store(Reading):
    """The writer's side. `reader` opens another side for reading."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: IO[bytes], ids: Ids) -> None:
        super().__init__(folder, connection)
        self._ids: Ids = ids
        self._lock: IO[bytes] = lock
        self._joined: bool = False  # within `together`

    @classmethod
    def open(cls, folder: Path, content: Content = plain) -> Store:
        """Open a store for writing, made where there is none. `content` as the runtime has it. Raises TryAgain where
        another process writes it, StoreFull where there is no room, and WrongUse where it cannot be one."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = take_lock(folder)
        except OSError as wrong:
            error = StoreFull if wrong.errno == errno.ENOSPC else WrongUse
            raise error(f"{folder}: the store cannot be opened for writing ({wrong.strerror})") from wrong
        if lock is None:
            raise TryAgain(f"{folder}: another pxhub writes this store; stop it, or ask it over HTTP")
        path = folder / FILE
        fresh = not path.exists() or path.stat().st_size == 0
        try:
            if not fresh:
                check_whole(folder)
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
                db.executescript("BEGIN;" + TABLES + ADDED + f"PRAGMA user_version = {FORMAT}; COMMIT;")
            elif check_format(db, folder) < FORMAT:
                db.executescript("BEGIN IMMEDIATE;" + ADDED + f"PRAGMA user_version = {FORMAT}; COMMIT;")
            db.executescript(DIRECTORY)
            db.execute("INSERT OR IGNORE INTO meta VALUES ('id', lower(hex(randomblob(8))))")  # a restore keeps it
            ids = Ids(db, content)
        except sqlite3.Error as wrong:
            lock.close()
            failed = failure(folder, wrong)
            raise failed if isinstance(failed, StoreFull) else WrongUse(str(failed)) from wrong
        except WrongUse:
            lock.close()
            raise
        return cls(folder, db, lock, ids)

    def close(self) -> None:
        """Let go of the file and of the lock."""
        self._db.close()
        self._lock.close()

    def commit(self, batch: Batch) -> None:
        """Write a batch, whole or not at all; it is on the disk when this returns. Raises StoreFailed."""
        db = self._db
        try:
            self._begin()
            self._write_messages(batch)
            self._write_transitions(batch.transitions)
            if batch.alerts:
                db.executemany(
                    "UPDATE alert SET person = ?, body = ? WHERE id = ?",
                    [(alert.person, _json(alert), alert.id) for alert in batch.alerts],
                )
            if batch.things:
                write_things(db, batch.things)
            if batch.circles:
                write_circles(db, batch.circles)
            if batch.rates:
                write_rates(db, batch.rates)
            if batch.silences:
                write_silences(db, batch.silences)
            if batch.away:
                write_away(db, batch.away)
            if batch.learned:
                write_learned(db, batch.learned)
            if batch.position is not None:
                db.execute("INSERT OR REPLACE INTO meta VALUES ('position', ?)", (_pack(batch.position),))
            self._end()
            self._ids.note_written()
        except sqlite3.Error as wrong:
            raise failure(self.folder, wrong) from wrong
        finally:
            if db.in_transaction and not self._joined:
                db.execute("ROLLBACK")

    def _write_messages(self, batch: Batch) -> None:
        """What came, and what became of it at the door."""
        db = self._db
        if batch.entries:
            db.executemany("INSERT INTO log VALUES (?,?,?,?,?,?,?,?,?,?)", map(astuple, batch.entries))
        (self._ids.write_at_once if self._joined else self._ids.write)(batch.seen)
        if batch.dead:
            db.executemany("INSERT INTO dead_letter (seq, reason, place, mend) VALUES (?,?,?,?)", batch.dead)
        if batch.comments:
            db.executemany("INSERT OR IGNORE INTO comment VALUES (?,?,?)", batch.comments)
        if batch.tallies:
            db.executemany(
                "INSERT INTO tally VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
                [(*name, count) for name, count in batch.tallies.items()],
            )

    def _write_transitions(self, transitions: list[Said]) -> None:
        rows, last = [], {}
        for cursor, change, seq in transitions:
            alert = change.alert
            body = _json(alert)
            rows.append((cursor, change.at, alert.id, alert.threshold, alert.state.value, alert.facility, body))
            last[alert.id] = (
                alert.id, alert.threshold, alert.state.value, alert.facility, alert.person, alert.started_at, cursor,
                seq, body,
            )  # fmt: skip
        if rows:
            self._db.executemany("INSERT INTO transition VALUES (?,?,?,?,?,?,?)", rows)
            self._db.executemany("INSERT OR REPLACE INTO alert VALUES (?,?,?,?,?,?,?,?,?)", last.values())

    def give_room_back(self, pages: int) -> None:
        """Give free pages back to the file system, so many at most."""
        try:
            self._db.execute(f"PRAGMA incremental_vacuum({pages:d})").fetchall()
        except sqlite3.Error as wrong:
            raise failure(self.folder, wrong) from wrong

    def forget_state(self, *, base: bool) -> None:
        """Let go of circles, rates, rhythms: all of the log is about to be judged again. With `base` circles stay."""
        with self.together():
            for table in ("due", "rate", "bucket", "silence", "rhythm", *(() if base else ("circle", "name"))):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
            position = self.position()
            position.judged_by = ""
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('position', ?)", (_pack(position),))

    def set_apart(self, seq: int, reason: str, place: str, mend: str) -> None:
        """Make a dead letter of an accepted message, in the log and in the counts; what is one stays as it is."""
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            apart = "UPDATE log SET outcome = 'dead', reason = ? WHERE seq = ? AND outcome = 'accepted'"
            if not db.execute(apart, (reason, seq)).rowcount:
                db.execute("ROLLBACK")
                return
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
            raise failure(self.folder, wrong) from wrong

    def write(self, statement: str, values: Iterable[tuple[Any, ...]]) -> int:
        """One statement over some rows, in a transaction of its own; returns how many rows changed."""
        try:
            self._begin()
            changed = self._db.executemany(statement, values).rowcount
            self._end()
        except sqlite3.Error as wrong:
            if self._db.in_transaction and not self._joined:
                self._db.execute("ROLLBACK")
            raise failure(self.folder, wrong) from wrong
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
            raise failure(self.folder, wrong) from wrong
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
        try:
            return self._ids.find(hash_)
        except sqlite3.Error as wrong:
            raise failure(self.folder, wrong) from wrong

    def raw(self, seq: int) -> bytes | None:
        """The bytes of a message of the log, as they came; None where it was purged."""
        rows = self.rows("SELECT raw FROM log WHERE seq = ?", seq)
        return bytes(rows[0][0]) if rows else None

    def hashes(self) -> Iterator[bytes]:
        """All id hashes that are remembered."""
        try:
            yield from self._ids.hashes()
        except sqlite3.Error as wrong:
            raise failure(self.folder, wrong) from wrong
