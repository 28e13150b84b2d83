"""Links decided over a store are those decided in memory, though the store is closed, fails and is opened again."""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import StoreFailed
from schemas.event import SECOND, Event
from schemas.identity import IdentityRules
from schemas.message import Message
from schemas.threshold import ThresholdSet
from streams.core.directory import MemoryDirectory
from streams.core.engine import Engine
from streams.core.linking import Linker
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store

NUMBERS = [f"+1212555010{n}" for n in range(3)]
PEOPLE = [f"{n}^N" for n in range(4)]
BORN = ["1970-03-12", "1970-12-03", "2001-05-06"]


@st.composite
def happenings(draw: st.DrawFn) -> tuple[str, dict[str, Any], tuple[str, ...], int]:
    kind = draw(st.sampled_from(["person", "person", "call", "call", "call", "said", "merge", "undo", "wrong"]))
    time = draw(st.integers(0, 50)) * SECOND
    who, other = draw(st.sampled_from(PEOPLE)), draw(st.sampled_from(PEOPLE))
    contact = draw(st.sampled_from(["c1", "c2", "c3"]))
    if kind == "person":
        data = {
            "phones": draw(st.lists(st.sampled_from(NUMBERS), max_size=2)),
            "birth_date": draw(st.sampled_from(BORN)),
        }
        return "person.updated", data, tuple(dict.fromkeys((who, other))) if draw(st.booleans()) else (who,), time
    if kind == "call":
        told: dict[str, Any] = {"contact_id": contact, "address": draw(st.sampled_from(NUMBERS))}
        if draw(st.booleans()):
            told["birth_date"] = draw(st.sampled_from(BORN))
        return "contact.ended", told, (), time
    if kind == "said":
        return "contact.analysed", {"contact_id": contact}, (who,), time
    if kind == "wrong":
        return "outreach.failed", {"reason": "wrong_number", "address": draw(st.sampled_from(NUMBERS))}, (who,), time
    if kind == "undo":
        return "person.unlinked", {"contact_id": contact}, (), time
    type_ = draw(st.sampled_from(["person.merged", "person.unmerged"]))
    return type_, {"surviving": [who], "retired": [other]}, (), time


def events_of(told: list[tuple[str, dict[str, Any], tuple[str, ...], int]]) -> list[Event]:
    return [
        Event(f"e{n}", "s", type_, time, json.loads(json.dumps(data)), names)
        for n, (type_, data, names, time) in enumerate(told)
    ]


def said(events: list[Event]) -> list[Any]:
    return [(e.id, e.type, e.time, e.data, e.identifiers) for e in events]


@given(st.lists(happenings(), max_size=25), st.randoms(use_true_random=False))
def test_the_store_decides_as_memory_does(
    told: list[tuple[str, dict[str, Any], tuple[str, ...], int]], random: Random
) -> None:
    linker = Linker(IdentityRules(), MemoryDirectory())
    in_memory = [event for one in events_of(told) for event in linker.take((one,))]
    with TemporaryDirectory() as folder:
        stored = _through_store(Path(folder), events_of(told), random)
    assert said(stored) == said(in_memory)


def _through_store(folder: Path, events: list[Event], random: Random) -> list[Event]:
    with ExitStack() as held:

        def opened() -> Runtime:
            held.close()
            store = Store.open(folder)
            held.callback(store.close)
            return Runtime(store, ThresholdSet(thresholds=()), now=0, clock="event", identity=IdentityRules())

        runtime = opened()
        at = 0
        while at < len(events):
            size = random.choice((1, 2, 5))
            batch = [Message("k", e.id.encode(), e.source, e.id, e.id.encode(), (e,)) for e in events[at : at + size]]
            at += size
            if random.random() < 0.3:  # the file fails at some statement, and all of it comes again
                _fail_once(runtime, batch, random.choice((1, 20, 100)))
            runtime.take(batch, 100 * SECOND)
            if random.random() < 0.2:
                runtime = opened()
        return [event for taken in runtime.store.accepted() for event in taken.events]


def _fail_once(runtime: Runtime, batch: list[Message], steps: int) -> None:
    def fails() -> bool:
        nonlocal steps
        steps -= 1
        return steps == 0

    db = runtime.store._db
    seq = runtime.store.last_seq()
    db.set_progress_handler(fails, 1)
    with suppress(StoreFailed):
        runtime.take([Message(m.kind, m.raw, m.source, m.id, m.digest, m.events) for m in batch], 100 * SECOND)
    db.set_progress_handler(None, 1)
    assert runtime.store.last_seq() in (seq, seq + len(batch))


@given(st.lists(happenings(), max_size=20))
def test_what_was_decided_is_learned_again_from_the_log(
    told: list[tuple[str, dict[str, Any], tuple[str, ...], int]],
) -> None:
    """Who reads the log knows whose each contact is, as who decided it does."""
    linker = Linker(IdentityRules(), MemoryDirectory())
    log = [linker.take((one,)) for one in events_of(told)]
    reader = Linker(IdentityRules(), MemoryDirectory())
    for events in log:
        reader.learn(events)
    probe = Event("probe", "s", "contact.ended", 100 * SECOND, {"contact_id": "c1"}, ())
    other = Event("probe", "s", "contact.ended", 100 * SECOND, {"contact_id": "c1"}, ())
    linker.take((probe,))
    reader.take((other,))
    assert probe.data.get("identified") == other.data.get("identified")


@given(st.lists(happenings(), max_size=20), st.randoms(use_true_random=False))
def test_what_was_decided_stands_in_any_order(
    told: list[tuple[str, dict[str, Any], tuple[str, ...], int]], random: Random
) -> None:
    """The law takes links as given: what the log tells is one, whatever the order in which the engine hears of it."""
    linker = Linker(IdentityRules(), MemoryDirectory())
    log = [event for one in events_of(told) for event in linker.take((one,))]
    whose = []
    for order in (log, random.sample(log, len(log))):
        engine = Engine(ThresholdSet(thresholds=()))
        for event in order:
            engine.apply(Event(event.id, event.source, event.type, event.time, dict(event.data), event.identifiers))
        identity = engine.identity
        owners = {
            contact: identity.person_of(Event("x", "s", "contact.ended", 0, {"contact_id": contact}))
            for contact in ("c1", "c2", "c3")
        }
        whose.append({contact: sorted(owner.identifiers) for contact, owner in owners.items()})
    assert whose[0] == whose[1]
