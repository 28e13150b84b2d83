"""The tables of a store, and its format number."""

from __future__ import annotations

from typing import Final

FORMAT: Final = 4
"""Raised when an older pxhub would read or write a store wrongly. Stores of the formats before are read as they stand,
with what was `ADDED` since; 3: ids stand in `run`; 4: `comment` stands apart, sources and their rhythm in `silence`,
things and subscriptions in tables of theirs, and FHIR resources with what was kept of their bundle."""

TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
-- what came, in the order in which the engine takes it; raw bytes too, so that a mended mapping can be run over it
CREATE TABLE log (
    seq INTEGER PRIMARY KEY, recorded INTEGER NOT NULL, clock INTEGER NOT NULL, kind TEXT NOT NULL,
    outcome TEXT NOT NULL, reason TEXT, source TEXT NOT NULL, id TEXT NOT NULL, raw BLOB NOT NULL, events BLOB
);
-- ids met, by the run in which older stores wrote them, or the day (ids.py); 0: written one by one
CREATE TABLE seen (day INTEGER, hash BLOB, digest BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (day, hash))
WITHOUT ROWID;
CREATE TABLE dead_letter (
    seq INTEGER PRIMARY KEY, reason TEXT NOT NULL, place TEXT NOT NULL, mend TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open', settled INTEGER
);
CREATE TABLE tally (kind TEXT, outcome TEXT, reason TEXT, count INTEGER NOT NULL, PRIMARY KEY (kind, outcome, reason))
WITHOUT ROWID;
-- every change of every alert, in order; the cursor of the stream is its number
CREATE TABLE transition (
    cursor INTEGER PRIMARY KEY, at INTEGER NOT NULL, alert TEXT NOT NULL, threshold TEXT NOT NULL, state TEXT NOT NULL,
    facility TEXT, body BLOB NOT NULL
);
CREATE INDEX transition_of_alert ON transition (alert, cursor);
CREATE TABLE alert (
    id TEXT PRIMARY KEY, threshold TEXT NOT NULL, state TEXT NOT NULL, facility TEXT, person TEXT,
    started_at INTEGER NOT NULL, cursor INTEGER NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
-- persons that identity connects, as they stood when the log was applied up to a place; when their next timer rings
CREATE TABLE circle (number INTEGER PRIMARY KEY, upto INTEGER NOT NULL, due INTEGER, body BLOB NOT NULL);
CREATE TABLE name (key INTEGER, circle INTEGER, PRIMARY KEY (key, circle)) WITHOUT ROWID;
CREATE TABLE due (at INTEGER, circle INTEGER, PRIMARY KEY (at, circle)) WITHOUT ROWID;
-- rates and averages, as they stood at the applied position
CREATE TABLE rate (threshold TEXT, value TEXT, body BLOB NOT NULL, PRIMARY KEY (threshold, value)) WITHOUT ROWID;
CREATE TABLE bucket (
    threshold TEXT, value TEXT, step INTEGER, above INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (threshold, value, step, above)
) WITHOUT ROWID;
-- what must still go out: one row a webhook and transition
CREATE TABLE outbox (
    webhook TEXT NOT NULL, cursor INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'open', told TEXT, PRIMARY KEY (webhook, cursor)
) WITHOUT ROWID;
"""

ADDED: Final = """
-- ids met, led by the run in which they were written: some at a time, in order of their hashes, from `first` on; `last`
-- is the last place of the log among them
CREATE TABLE IF NOT EXISTS run (
    number INTEGER, first BLOB, last INTEGER NOT NULL, ids BLOB NOT NULL, PRIMARY KEY (number, first)
) WITHOUT ROWID;
-- what somebody said in their own words, by the id that stands in its place; `seq` is the message's place in the log
CREATE TABLE IF NOT EXISTS comment (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, text TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS comment_of_message ON comment (seq);
-- sources under a threshold of silence, as they stood at the applied position, and what each hour of the week taught
CREATE TABLE IF NOT EXISTS silence (threshold TEXT, source TEXT, body BLOB NOT NULL, PRIMARY KEY (threshold, source))
WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rhythm (
    threshold TEXT, source TEXT, hour INTEGER, body BLOB NOT NULL, PRIMARY KEY (threshold, source, hour)
) WITHOUT ROWID;
-- when the hub did not listen: nobody was silent then
CREATE TABLE IF NOT EXISTS away (since INTEGER, until INTEGER, PRIMARY KEY (since, until)) WITHOUT ROWID;
-- which version of a thing a source sent last, at that place of the log; and by which numbers it is found
CREATE TABLE IF NOT EXISTS thing (
    system TEXT, type TEXT, id TEXT, version TEXT NOT NULL, count INTEGER NOT NULL, digest BLOB NOT NULL,
    numbers BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (system, type, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS thing_by_place ON thing (seq);
CREATE TABLE IF NOT EXISTS thing_number (
    system TEXT, type TEXT, number BLOB, id TEXT, PRIMARY KEY (system, type, number, id)
) WITHOUT ROWID;
-- up to which number a subscription was heard, and which numbers before it were not
CREATE TABLE IF NOT EXISTS subscription (
    system TEXT, id TEXT, last INTEGER NOT NULL, missing TEXT NOT NULL, heard INTEGER NOT NULL,
    PRIMARY KEY (system, id)
) WITHOUT ROWID;
"""
