"""The ids that were met: the latest in memory, all others in runs on the disk.

Theory. An id's hash is random, so an index ordered by it takes a page of its own for each message: with sixteen of
them that is most of what a commit writes. So the index is led by a run: the ids of the last `_RUN` messages stay in
memory, are then written together, sorted, `_TOGETHER` in a row, as one run behind all others, and the log's position
goes with them (`indexed`). The log holds what an id's hash follows from, so after a crash those of its tail are made
again; their digest alone is not there (`UNKNOWN`), and who meets such an id again compares the bytes. Older stores have
a row for each id (`seen`), under its run or its day; and what must not stay in memory is written there still.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Final

import msgspec

from schemas.errors import StoreFailed

INDEXED: Final = "indexed"
UNKNOWN: Final = b""
"""The digest of an id that was made again from the log."""
_RUN: Final = 16_384
_TOGETHER: Final = 20  # ids of a row: a row each costs most of what an id costs; more do not fit in a quarter page
_RUNS: Final = """WITH RECURSIVE runs(run) AS (
    SELECT max({run}) FROM {table} UNION ALL SELECT (SELECT max({run}) FROM {table} WHERE {run} < runs.run) FROM runs
    WHERE runs.run IS NOT NULL
) SELECT run FROM runs WHERE run IS NOT NULL"""  # one step a run: DISTINCT would read every row
_PACKED_RUNS: Final = _RUNS.format(table="run", run="number")
_SINGLE_RUNS: Final = _RUNS.format(table="seen", run="day")
_PLACE: Final = "SELECT ids FROM run WHERE number = ? AND first <= ? ORDER BY first DESC LIMIT 1"
_TAIL: Final = """SELECT seq, outcome, reason, source, id, kind, raw FROM log
    WHERE seq > (SELECT value FROM meta WHERE name = ?) AND outcome != 'ignored'"""
_ENGINE: Final = "engine"  # an accepted message that was set apart later

_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(list[tuple[bytes, bytes, int]]).decode

Met = tuple[bytes, int]
"""The digest of a message, and its place in the log."""
Content = Callable[[str, bytes], bytes]
"""What a message of a kind says, however it is written."""


def plain(_: str, raw: bytes) -> bytes:
    """The bytes as they are."""
    return raw


def id_hash(source: str, id_: str) -> bytes:
    """What an identity is looked up by."""
    return blake2b(f"{source}\x1f{id_}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def letter_hash(reason: str, source: str, id_: str, content: bytes) -> bytes:
    """What a dead letter is looked up by: the same from the same sender for the same reason is the same letter."""
    return letter_hash_of(reason, source, id_, blake2b(content, digest_size=16).digest())


def letter_hash_of(reason: str, source: str, id_: str, digest: bytes) -> bytes:
    """The same, of what it says by its digest of 16 bytes."""
    return id_hash(f"dead letter of {reason}\x1f{source}\x1f{id_}", digest.hex())


def _read(ids: bytes) -> list[tuple[bytes, bytes, int]]:
    try:
        return _unpack(ids)
    except msgspec.MsgspecError as wrong:
        raise StoreFailed("a row of the ids is damaged; restore a backup") from wrong


class Ids:
    """The ids of a store. All of it raises sqlite3.Error, and StoreFailed for what is damaged; what is written is in
    the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, content: Content = plain) -> None:
        self._db: sqlite3.Connection = db
        self._latest: dict[bytes, Met] = {}
        self._coming: dict[bytes, Met] = {}  # of the commit under way
        self._writes_run: bool = False  # whether that commit writes the latest
        db.execute("INSERT OR IGNORE INTO meta SELECT ?, coalesce(max(seq), 0) FROM log", (INDEXED,))
        for seq, outcome, reason, source, id_, kind, raw in db.execute(_TAIL, (INDEXED,)):
            was_dead = outcome != "accepted" and reason != _ENGINE
            hash_ = letter_hash(reason, source, id_, content(kind, raw)) if was_dead else id_hash(source, id_)
            self._latest[hash_] = (UNKNOWN, seq)

    def find(self, hash_: bytes) -> Met | None:
        """What was met with this hash."""
        met = self._latest.get(hash_)
        if met is not None:
            return met
        for (run,) in self._db.execute(_PACKED_RUNS).fetchall():
            row = self._db.execute(_PLACE, (run, hash_)).fetchone()
            for held, digest, seq in _read(row[0]) if row is not None else ():
                if held == hash_:
                    return digest, seq
        for (run,) in self._db.execute(_SINGLE_RUNS).fetchall():
            row = self._db.execute("SELECT digest, seq FROM seen WHERE day = ? AND hash = ?", (run, hash_)).fetchone()
            if row is not None:
                return row[0], row[1]
        return None

    def hashes(self) -> Iterator[bytes]:
        """All that were met until now, a run at a time, whatever is written meanwhile."""
        packed, single = self._db.execute(_PACKED_RUNS).fetchall(), self._db.execute(_SINGLE_RUNS).fetchall()
        yield from tuple(self._latest)
        for (run,) in packed:
            for (ids,) in self._db.execute("SELECT ids FROM run WHERE number = ?", (run,)).fetchall():
                yield from (hash_ for hash_, _, _ in _read(ids))
        for (run,) in single:
            for (hash_,) in self._db.execute("SELECT hash FROM seen WHERE day = ?", (run,)).fetchall():
                yield hash_

    def write(self, met: dict[bytes, Met]) -> None:
        """Ids of messages that are about to be committed: they stay in memory, and all before them are written when
        they are many."""
        self._coming = met
        self._writes_run = len(self._latest) >= _RUN
        if not self._writes_run:
            return
        latest, hashes = self._latest, sorted(self._latest)
        [(run,)] = self._db.execute("SELECT coalesce(max(number), 0) + 1 FROM run").fetchall()
        rows = []
        for at in range(0, len(hashes), _TOGETHER):
            ids = [(hash_, *latest[hash_]) for hash_ in hashes[at : at + _TOGETHER]]
            rows.append((run, ids[0][0], max(seq for _, _, seq in ids), _pack(ids)))
        self._db.executemany("INSERT INTO run VALUES (?,?,?,?)", rows)
        indexed = max(seq for _, seq in latest.values())
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (INDEXED, indexed))

    def write_at_once(self, met: dict[bytes, Met]) -> None:
        """The same where the commit may be undone by who asked for several to be one: nothing stays in memory."""
        self._coming, self._writes_run = {}, False
        rows = [(0, hash_, digest, seq) for hash_, (digest, seq) in met.items()]
        self._db.executemany("INSERT OR REPLACE INTO seen VALUES (?,?,?,?)", rows)

    def note_written(self) -> None:
        """They are committed."""
        if self._writes_run:
            self._latest.clear()
            self._writes_run = False
        self._latest.update(self._coming)
        self._coming = {}
