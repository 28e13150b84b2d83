"""A store looked after: dead letters settled, raw messages read again, copies made and compared."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path

from schemas.alert import Alert, State
from schemas.errors import WrongUse
from schemas.event import Event
from schemas.message import Message, Outcome, Verdict
from streams.core.linking import keep_decided
from streams.embedded.entries import written
from streams.embedded.ids import id_hash
from streams.embedded.purged import read_purged
from streams.embedded.reader import FILE, Reader, check_format, connect_to_read
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store

_OPEN = "SELECT seq FROM dead_letter WHERE state = 'open'"
_COMPARED = ("state", "level", "started_at", "due_at", "ended_at", "delay_seconds", "key")
_COMPARED_TAKEN_BACK = tuple(name for name in _COMPARED if name != "ended_at")
Reread = Callable[[str, bytes], Message]
"""Reads the bytes of a message of a kind."""


def replay_letters(runtime: Runtime, read: Reread, wanted: list[int], now: int) -> dict[int, Verdict]:
    """Read dead letters again, and take those that are well now; each moves from one count to the other. Letters that
    are still dead stay as they are. All of it is one transaction."""
    with runtime.store.together():
        verdicts = _take_letters(runtime, read, wanted, now)
    runtime.apply()
    if runtime.by_event:
        runtime.finish()
    runtime.flush()
    return verdicts


def _take_letters(runtime: Runtime, read: Reread, wanted: list[int], now: int) -> dict[int, Verdict]:
    reader = runtime.store.reader()
    verdicts: dict[int, Verdict] = {}
    for seq in dict.fromkeys(wanted):
        row = reader.rows(
            "SELECT log.kind, log.raw FROM log JOIN dead_letter USING (seq) WHERE seq = ? AND state = 'open'", seq
        )
        if not row:
            continue
        kind, raw = row[0]
        message = read(kind, raw)
        if message.dead is not None:
            letter = message.dead
            verdicts[seq] = Verdict(Outcome.DEAD, seq, letter.reason.value, letter.place, letter.mend)
            continue
        [verdict] = runtime.take([message], now)
        if verdict.outcome is Outcome.DUPLICATE and verdict.reason is not None:
            verdicts[seq] = Verdict(Outcome.DEAD, seq, verdict.reason, verdict.place, verdict.mend)
            _count(runtime.store, {(kind, Outcome.DUPLICATE.value, verdict.reason): -1})  # nobody sent it again
            continue
        verdicts[seq] = verdict
        settle(runtime.store, seq, "replayed", now)
    reader.close()
    return verdicts


def _count(store: Store, by: Mapping[tuple[str, str, str], int]) -> None:
    store.write(
        "INSERT INTO tally VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
        [(*name, count) for name, count in by.items()],
    )


def remap(runtime: Runtime, read: Reread, since: int, until: int) -> dict[str, int]:
    """Read the raw messages recorded in a period (microseconds) again, and judge all anew. Returns how many were read,
    and how many give other events than before. What cannot be read any more keeps the events that it has."""
    store = runtime.store
    counts = {"messages": 0, "changed": 0, "kept": 0}
    changed: list[tuple[str, str | None, bytes | None, int]] = []
    moved: dict[tuple[str, str, str], int] = {}
    met: dict[bytes, tuple[bytes, int]] = {}
    told: list[tuple[Event, ...]] = []
    with closing(store.reader()) as reader:
        where = "recorded >= ? AND recorded <= ? AND outcome IN ('accepted', 'ignored')"
        for entry in reader.entries(where=where, values=(since, until)):
            counts["messages"] += 1
            message = read(entry.kind, entry.raw)
            message.events = keep_decided(message.events, entry.events or ())
            blob = written(message.events) if message.events else None
            is_other = message.id and (message.source, message.id) != (entry.source, entry.id)
            if message.dead is not None or is_other or (message.events and blob is None):
                counts["kept"] += 1
                continue
            outcome = Outcome.ACCEPTED if message.events else Outcome.IGNORED
            if (entry.events or ()) == message.events:
                continue
            counts["changed"] += 1
            told.append(message.events)
            changed.append((outcome.value, message.ignored, blob, entry.seq))
            if outcome.value != entry.outcome:
                if outcome is Outcome.ACCEPTED:
                    met.setdefault(id_hash(entry.source, entry.id), (message.digest, entry.seq))
                for name, by in (
                    ((entry.kind, entry.outcome, entry.reason or ""), -1),
                    ((entry.kind, outcome.value, message.ignored or ""), 1),
                ):
                    moved[name] = moved.get(name, 0) + by
    with store.together():
        store.write("UPDATE log SET outcome = ?, reason = ?, events = ? WHERE seq = ?", changed)
        _count(store, moved)
        runtime.remember(met)
        runtime.linking.take_again(told)
    runtime.judge_anew()
    runtime.flush()
    return counts


def date_beginning(store: Store) -> None:
    """Let what came before the first event be recorded with it: by event time nothing else tells when it came, and a
    dead letter of 1970 would be the first to be purged. What was told of no time itself stays so."""
    first = "SELECT seq, recorded FROM log WHERE outcome = 'accepted' ORDER BY seq LIMIT 1"
    for seq, recorded in store.rows(first):
        if recorded > 0:
            store.write("UPDATE log SET recorded = ? WHERE seq < ? AND recorded <= 0", [(recorded, seq)])


def settle(store: Store, seq: int, state: str, now: int) -> bool:
    """Mark a dead letter as replayed or dropped; False where it was settled before. A replayed one leaves its count,
    for its message is counted anew; a dropped one stays counted as what it was."""
    changed = store.write(
        "UPDATE dead_letter SET state = ?, settled = ? WHERE seq = ? AND state = 'open'", [(state, now, seq)]
    )
    if changed and state == "replayed":
        store.write(
            "UPDATE tally SET count = count - 1 WHERE (kind, outcome, reason) IN "
            "(SELECT kind, outcome, reason FROM log WHERE seq = ?)",
            [(seq,)],
        )
        store.write("UPDATE log SET outcome = 'replayed' WHERE seq = ?", [(seq,)])
    return bool(changed)


def open_letters(reader: Reader) -> list[int]:
    """The places of the letters that nobody settled yet."""
    return [seq for (seq,) in reader.rows(f"{_OPEN} ORDER BY seq")]


def back_up(folder: Path, to: Path) -> int:
    """Copy a store, live or not, to a new file; returns its bytes. Raises WrongUse where the file is there already."""
    if to.exists():
        raise WrongUse(f"{to}: it is there already; name a new file")
    Reader.open(folder).close()
    half = to.with_name(to.name + ".part")
    source = connect_to_read(folder / FILE)
    try:
        old = os.umask(0o077)
        try:
            copy = sqlite3.connect(half)
        finally:
            os.umask(old)
        with copy:
            source.backup(copy)
        well = copy.execute("PRAGMA quick_check").fetchone()[0] == "ok"
        copy.close()
        if not well:
            raise WrongUse(f"{folder}: the store is damaged, and so would be the copy; restore an earlier one")
        half.replace(to)
    except (sqlite3.Error, OSError) as wrong:
        raise WrongUse(f"{to}: the copy cannot be written ({wrong})") from wrong
    finally:
        source.close()
        half.unlink(missing_ok=True)
    return to.stat().st_size


def restore(backup: Path, folder: Path) -> None:
    """Make a store of a backup, in a folder where there is none. Raises WrongUse."""
    if (folder / FILE).exists():
        raise WrongUse(f"{folder}: there is a store here; restore into a new folder")
    if not backup.is_file():
        raise WrongUse(f"{backup}: there is no such file")
    source = connect_to_read(backup)
    try:
        check_format(source, backup)
        if source.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise WrongUse(f"{backup}: the backup is damaged")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        half = folder / f"{FILE}.part"
        half.unlink(missing_ok=True)
        copy = sqlite3.connect(half)
        with copy:
            source.backup(copy)
        copy.close()
        half.chmod(0o600)
        half.replace(folder / FILE)
    except sqlite3.Error as wrong:
        raise WrongUse(f"{backup}: it is no backup of a store ({wrong})") from wrong
    finally:
        source.close()


def find_faults(reader: Reader) -> list[str]:
    """What is wrong with the file itself: its pages, and the sums that must hold."""
    faults = [f"the file: {told}" for (told,) in reader.rows("PRAGMA quick_check") if told != "ok"]
    logged = dict(reader.rows("SELECT outcome, count(*) FROM log GROUP BY outcome"))
    counted: dict[str, int] = {}
    for (_, outcome, _), count in reader.tallies().items():
        counted[outcome] = counted.get(outcome, 0) + count
    purged = read_purged(reader)
    for outcome, count in purged.messages.items():
        logged[outcome] = logged.get(outcome, 0) + count
    for outcome in (Outcome.ACCEPTED, Outcome.IGNORED, Outcome.DEAD):
        if logged.get(outcome.value, 0) != counted.get(outcome.value, 0):
            told = f"{logged.get(outcome.value, 0)} in the log, {counted.get(outcome.value, 0)} counted"
            faults.append(f"{outcome.value}: {told}")
    last = reader.last_seq()
    rows = reader.rows("SELECT count(*) FROM log")[0][0]
    if rows != last - purged.upto:
        faults.append(f"the log has {rows} rows behind number {purged.upto}, and its last is number {last}")
    return faults


def find_differences(reader: Reader, stored: Iterable[Alert], made: Mapping[str, Alert]) -> list[str]:
    """Where the alerts of a store are not those that were made again from its log, and from what it keeps of the part
    that was purged."""
    faults = []
    known = {alert.id: alert for alert in stored}
    purged = read_purged(reader)
    for id_ in sorted(known.keys() | made.keys()):
        one, other = known.get(id_), made.get(id_)
        if one is None or other is None:
            told = one or other
            if told is None or told.state is State.RETRACTED:
                continue  # raised and taken back within one judgement, or given by thresholds of before
            if purged.upto and (told.person is None or (told.ended_at or told.due_at) < purged.before):
                continue  # what followed from the purged part alone, or from a rate of it
            faults.append(f"alert {id_}: {'not stored' if one is None else 'not made again from the log'}")
            continue
        if purged.upto and one.person is None:
            continue  # a rate, of whose window a part was purged
        # what was taken back ends by whatever took its record first
        compared = _COMPARED if one.state is not State.RETRACTED else _COMPARED_TAKEN_BACK
        differ = [name for name in compared if getattr(one, name) != getattr(other, name)]
        if differ:
            faults.append(f"alert {id_}: {', '.join(differ)} differ")
    return faults
