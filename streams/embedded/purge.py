"""What is older than it need be kept leaves the file, a piece at a time.

Theory. The log up to a place may go once no start needs it: the circles hold what followed from it, each event with the
time at which it was recorded. So what the log no longer tells is still told by the circles: who makes the state again
takes from them the evidence that was recorded before the log begins, and the rest from the log. A person with nothing
open whom nobody has heard of since loses the evidence too, but for who it is and what is true of it.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Any, Final

import msgspec

from schemas.alert import OPEN
from schemas.event import HOUR
from schemas.threshold import ThresholdSet
from streams.core.circle import Circle, Held, key_of, read_circle
from streams.core.engine import Engine
from streams.core.held import FACT_EVENTS
from streams.core.rate_rows import forget_before
from streams.core.rates import STEPS
from streams.embedded.forgotten import forget_known
from streams.embedded.purged import PURGED, read_purged
from streams.embedded.reader import Reading
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store
from streams.embedded.things import purge_things

_AT_ONCE: Final = 2_000  # rows of a transaction
_CIRCLES: Final = 200
_TIME: Final = 3  # the place of `time` in an event's row
_write: Final = msgspec.msgpack.Encoder().encode
_read: Final = msgspec.msgpack.Decoder(Circle).decode


class Gone(msgspec.Struct):
    """What a purge took: messages of the log, changes of alerts, alerts, and ids."""

    messages: int = 0
    changes: int = 0
    alerts: int = 0
    ids: int = 0

    def add(self, other: Gone) -> None:
        """Count this too."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def __bool__(self) -> bool:
        return bool(self.messages or self.changes or self.ids)


def find_bound(reading: Reading, before: int, needed: int | None = None) -> int:
    """The last place of the log that was recorded before an instant, and that no start needs, which `needed` is behind;
    0 for none. The last row stays, for the numbers go on from it."""
    last = reading.last_seq() - 1
    low, high = read_purged(reading).upto, last if needed is None else min(needed, last)
    while low < high:  # `recorded` never goes back
        middle = (low + high + 1) // 2
        rows = reading.rows("SELECT recorded FROM log WHERE seq >= ? ORDER BY seq LIMIT 1", middle)
        if rows and rows[0][0] < before:
            low = middle
        else:
            high = middle - 1
    return low


def purge_some(store: Store, bound: int, before: int) -> Gone:
    """One piece, in one transaction; nothing goes when nothing is left to do. Transitions recorded before `before` go
    with the log up to `bound`, and the alerts that ended with them; the last one stays, for cursors follow it."""
    with store.together():
        purged = read_purged(store)
        rows, stays = _find_piece(store, bound)
        for seq, outcome in rows:
            purged.messages[outcome] = purged.messages.get(outcome, 0) + 1
            purged.upto = seq
        if rows:
            store.write("DELETE FROM log WHERE seq <= ?", [(purged.upto,)])
            store.write("DELETE FROM dead_letter WHERE seq <= ?", [(purged.upto,)])
            store.write("DELETE FROM comment WHERE seq <= ?", [(purged.upto,)])
            purge_things(store, purged.upto)
            purged.before = max(purged.before, stays)
            store.write("INSERT OR REPLACE INTO meta VALUES (?,?)", [(PURGED, _write(purged))])
        oldest = store.rows(
            "SELECT cursor, alert, at FROM transition WHERE cursor < (SELECT max(cursor) FROM transition) "
            "ORDER BY cursor LIMIT ?",
            _AT_ONCE,
        )  # fmt: skip
        # of what the log still tells an alert that went would be said again; and one may end ahead of its log time
        told = min(before, purged.before - HOUR)
        said = list(takewhile(lambda row: row[2] < told, oldest))  # log time never goes back
        alerts = 0
        if said:
            last = said[-1][0]
            store.write("DELETE FROM transition WHERE cursor <= ?", [(last,)])
            store.write("DELETE FROM outbox WHERE cursor <= ?", [(last,)])
            alerts = store.write(
                "DELETE FROM alert WHERE id = ? AND cursor <= ? AND state NOT IN (?, ?)",
                [(id_, last, *(state.value for state in OPEN)) for id_ in {alert for _, alert, _ in said}],
            )
        ids = 0 if rows else _purge_ids(store, bound)
    store.give_room_back(_AT_ONCE)
    return Gone(len(rows), len(said), alerts, ids)


def _find_piece(store: Store, bound: int) -> tuple[list[tuple[int, str]], int]:
    """The rows of a piece, and when the first row that stays was recorded: a piece ends where that changes, for the
    circles tell by it what the log still tells."""
    size = _AT_ONCE
    while True:
        rows = store.rows("SELECT seq, outcome, recorded FROM log ORDER BY seq LIMIT ?", size + 1)
        stays = next((recorded for seq, _, recorded in rows if seq > bound), rows[-1][2] if rows else 0)
        piece = [(seq, outcome) for seq, outcome, recorded in rows if seq <= bound and recorded < stays]
        if piece or len(rows) <= size or rows[-1][0] > bound:
            return piece, stays
        size *= 2


def _purge_ids(store: Store, bound: int) -> int:
    """The ids of messages that went: a run of them at a time (ids.py)."""
    for oldest, latest, delete in (
        ("SELECT min(day) FROM seen WHERE day > 0", "SELECT max(seq) FROM seen WHERE day = ?",
         "DELETE FROM seen WHERE day = ?"),
        ("SELECT min(number) FROM run", "SELECT max(last) FROM run WHERE number = ?",
         "DELETE FROM run WHERE number = ?"),
    ):  # fmt: skip
        [(run,)] = store.rows(oldest)
        if run is not None and store.rows(latest, run)[0][0] <= bound:
            return store.write(delete, [(run,)])
    return 0


def purge_circles(
    store: Store, thresholds: ThresholdSet, after: int, resident: set[int], forgotten: list[int]
) -> int | None:
    """Take the evidence of circles with nothing open that were not told of anything since the log begins, some of them
    at a time, behind a number; returns the number to go on from, None at the end. Those in memory are left alone, and
    those whose evidence lies behind the begin of the log by its own time: their alerts may not be gone. The directory
    lets go of them too: their keys there are added to `forgotten`."""
    purged = read_purged(store)
    rows = store.rows(
        "SELECT number, upto, due, body FROM circle WHERE number > ? ORDER BY number LIMIT ?", after, _CIRCLES
    )
    engine = Engine(thresholds, keeps_all=False)
    changed: list[tuple[bytes, int]] = []
    gone: list[int] = []
    keys: list[tuple[int, int]] = []
    names: list[str] = []
    for number, upto, due, body in rows:
        if due is not None or upto > purged.upto or number in resident:
            continue
        circle = _read(body)
        times = [row[_TIME] for held in circle.persons for row in held.log]
        if not times:  # who somebody is, and nothing that was heard of them
            names += circle.names
            continue
        if max(times) >= purged.before or _has_open(engine, circle):
            continue
        names += circle.names
        for held in circle.persons:
            held.log, held.told = _lasting(held), []
        if len(circle.names) == 1 and not any(held.log for held in circle.persons) and not circle.moves:
            gone.append(number)
            keys.append((key_of(circle.names[0]), number))
        elif (lasting := _write(circle)) != body:  # what lasts is met again by each purge
            changed.append((lasting, number))
    with store.together():
        store.write("UPDATE circle SET body = ? WHERE number = ?", changed)
        store.write("DELETE FROM circle WHERE number = ?", [(number,) for number in gone])
        store.write("DELETE FROM name WHERE key = ? AND circle = ?", keys)
        went = forget_known(store, names)
    forgotten += went
    return rows[-1][0] if len(rows) == _CIRCLES else None


def _has_open(engine: Engine, circle: Circle) -> bool:
    """Whether anything of a circle may still change by itself or end."""
    read_circle(engine, circle)
    engine.forget_transitions()
    return any(
        person.open or person.counts for person in map(engine.identity.by_identifier.get, circle.names) if person
    )


def _lasting(held: Held) -> list[Any]:
    """What stays true of a person: the last telling of each fact."""
    told: dict[str, Any] = {}
    for row in sorted((row for row in held.log if row[2] in FACT_EVENTS), key=lambda row: row[3]):
        told.update(dict.fromkeys(row[4], row))
    return list({id(row): row for row in told.values()}.values())


class Purge:
    """A purge under way, a piece at a time: what was recorded before an instant goes. `gone` tells how much did."""

    def __init__(self, before: int) -> None:
        self.gone: Gone = Gone()
        self._before: int = before
        self._circle: int | None = 0
        self._bound: int | None = None

    def finish(self, runtime: Runtime) -> None:
        """All of it at once."""
        while self.go_on(runtime):
            pass

    def go_on(self, runtime: Runtime) -> bool:
        """One piece; False when all is done. Raises StoreFailed."""
        store = runtime.store
        if self._bound is None:
            if find_bound(store, self._before) > store.position().tail:
                runtime.flush(everything=True)  # of a store that takes little the tail may be years
            self._bound = find_bound(store, self._before, store.position().tail)
            store.write("DELETE FROM placed WHERE time < ?", [(self._before,)])  # whose a contact of then was
            for rate in runtime.engine.tallies.rates:
                step = self._before // rate.step - 1
                forget_before(rate, step)
                store.write(
                    "DELETE FROM bucket WHERE threshold = ? AND value = ? AND step < ?",
                    [(rate.plan.id, rate.value, step - STEPS)],
                )
        if piece := purge_some(store, self._bound, self._before):
            self.gone.add(piece)
            return True
        if self._circle is None:
            return False
        resident = runtime.judging.residence.numbers
        forgotten: list[int] = []
        self._circle = purge_circles(store, runtime.thresholds, self._circle, resident, forgotten)
        runtime.linking.let_go(forgotten)
        return True
