"""Sources and their rhythms in the file, and when the hub did not listen."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from schemas.alert import Alert
from streams.core.engine import Engine
from streams.core.silence_rows import HourRow, SilenceRow, has_changed, note_written
from streams.core.silences import Silence

Rows = Callable[..., list[tuple[Any, ...]]]
"""Runs a statement with values and gives its rows."""
_write: Final = msgspec.msgpack.Encoder().encode
_read_silence: Final = msgspec.msgpack.Decoder(SilenceRow).decode
_read_hour: Final = msgspec.msgpack.Decoder(HourRow).decode


def choose_silences(engine: Engine) -> list[Silence]:
    """The sources that a commit writes: all that were heard of, or looked at, since the last one."""
    return [silence for silence in engine.silences.all() if has_changed(silence)]


def note_chosen(silences: Iterable[Silence]) -> None:
    """They are written."""
    for silence in silences:
        note_written(silence)


def write_silences(db: sqlite3.Connection, written: Iterable[tuple[SilenceRow, Sequence[HourRow], bool]]) -> None:
    """Write sources and the hours that taught something; those of a source that is known no more are gone first."""
    for row, hours, cleared in written:
        name = (row.threshold, row.source)
        if cleared:
            db.execute("DELETE FROM rhythm WHERE threshold = ? AND source = ?", name)
        db.execute("INSERT OR REPLACE INTO silence VALUES (?,?,?)", (*name, _write(row)))
        db.executemany("INSERT OR REPLACE INTO rhythm VALUES (?,?,?,?)", [(*name, h.hour, _write(h)) for h in hours])


def read_silences(rows: Rows, engine: Engine, alert: Callable[[str], Alert | None]) -> None:
    """Give an engine the sources of a file; they ring when they are woken."""
    if not (engine.silences and _has(rows, "silence")):
        return
    hours: dict[tuple[str, str], list[HourRow]] = {}
    for threshold, source, body in rows("SELECT threshold, source, body FROM rhythm ORDER BY threshold, source, hour"):
        hours.setdefault((threshold, source), []).append(_read_hour(body))
    for threshold, source, body in rows("SELECT threshold, source, body FROM silence ORDER BY threshold, source"):
        engine.read_silence(_read_silence(body), hours.get((threshold, source), ()), alert)


def write_away(db: sqlite3.Connection, spans: Iterable[tuple[int, int]]) -> None:
    """Note when the hub did not listen."""
    db.executemany("INSERT OR IGNORE INTO away VALUES (?,?)", spans)


def read_away(rows: Rows) -> list[tuple[int, int]]:
    """When the hub did not listen (microseconds)."""
    return [(since, until) for since, until in rows("SELECT since, until FROM away")] if _has(rows, "away") else []


def _has(rows: Rows, table: str) -> bool:
    """A store of an earlier format that is only read lacks these tables."""
    return bool(rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", table))
