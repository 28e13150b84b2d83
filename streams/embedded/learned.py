"""What a commit writes of the directory, and the tables that it stands in."""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from streams.core.directory import Known, Placed

DIRECTORY: Final = """
-- who can be reached how: what is known under an identifier, which points lead there (hashed), which identifiers are
-- one person's, whose a contact is
CREATE TABLE IF NOT EXISTS known (key INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS reach (point INTEGER, key INTEGER, PRIMARY KEY (point, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tie (one INTEGER, other INTEGER, PRIMARY KEY (one, other)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS placed (key INTEGER PRIMARY KEY, time INTEGER NOT NULL, body BLOB NOT NULL);
"""
LEARNED: Final = "directory"
"""The line of `meta` that says that the log was learned from."""
_pack: Final = msgspec.msgpack.Encoder().encode


class Learned:
    """What one commit writes of the directory."""

    __slots__ = ("contacts", "holders", "known", "ties")

    def __init__(self) -> None:
        self.known: dict[int, Known] = {}
        self.holders: dict[int, dict[int, bool]] = {}  # point -> key -> whether it leads there now
        self.contacts: dict[int, Placed] = {}
        self.ties: dict[int, dict[int, bool]] = {}  # both ways, and whether they are one person's

    def __bool__(self) -> bool:
        return bool(self.known or self.holders or self.contacts or self.ties)


def write_learned(db: sqlite3.Connection, learned: Learned) -> None:
    """Write what was learned, in the caller's transaction."""
    if learned.known:
        rows = [(key, _pack(known)) for key, known in learned.known.items()]
        db.executemany("INSERT OR REPLACE INTO known VALUES (?,?)", rows)
    if learned.holders:
        pairs = [(point, key, leads) for point, keys in learned.holders.items() for key, leads in keys.items()]
        gone = [(point, key) for point, key, leads in pairs if not leads]
        new = [(point, key) for point, key, leads in pairs if leads]
        db.executemany("DELETE FROM reach WHERE point = ? AND key = ?", gone)
        db.executemany("INSERT OR IGNORE INTO reach VALUES (?,?)", new)
    if learned.ties:
        told = [(one, other, are) for one, others in learned.ties.items() for other, are in others.items()]
        db.executemany("DELETE FROM tie WHERE one = ? AND other = ?", [row[:2] for row in told if not row[2]])
        db.executemany("INSERT OR IGNORE INTO tie VALUES (?,?)", [row[:2] for row in told if row[2]])
    if learned.contacts:
        placed = [(key, one.time, _pack(one)) for key, one in learned.contacts.items()]
        db.executemany("INSERT OR REPLACE INTO placed VALUES (?,?,?)", placed)
