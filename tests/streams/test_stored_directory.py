"""The directory of a store: learned from an older store's log, kept over a restart, let go of with what is purged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import StoreFailed
from schemas.event import DAY, SECOND, Event
from schemas.identity import IdentityRules
from schemas.message import Message, Outcome
from schemas.threshold import ThresholdSet
from streams.core.directory import key_of
from streams.embedded.directory import StoredDirectory
from streams.embedded.purge import Purge
from streams.embedded.reader import Reader
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store

PHONE = "+12125550100"


def message(id_: str, type_: str, *names: str, at: int = 1, **data: Any) -> Message:
    event = Event(id_, "s", type_, at * SECOND, dict(data), names)
    return Message("k", id_.encode(), "s", id_, id_.encode(), (event,))


PERSON = message("p", "person.updated", "1^N", phones=[PHONE])


def call(id_: str, contact: str, at: int = 2) -> Message:
    return message(id_, "contact.ended", at=at, contact_id=contact, address=PHONE)


@contextmanager
def opened(folder: Path, rules: IdentityRules | None) -> Iterator[Runtime]:
    store = Store.open(folder)
    try:
        yield Runtime(store, ThresholdSet(thresholds=()), now=0, clock="event", identity=rules)
    finally:
        store.close()


def types(store: Store) -> list[str]:
    return [event.type for taken in store.accepted() for event in taken.events]


def test_a_store_of_before_is_learned_from_once(tmp_path: Path) -> None:
    with opened(tmp_path, None) as runtime:
        runtime.take([PERSON, call("a", "c1")], SECOND)
    with opened(tmp_path, IdentityRules()) as runtime:
        runtime.take([call("b", "c2"), call("c", "c1", at=3)], SECOND)
        assert types(runtime.store) == [
            "person.updated", "contact.ended", "contact.ended", "person.linked", "contact.ended", "person.linked",
        ]  # fmt: skip
    with opened(tmp_path, IdentityRules()) as runtime:
        runtime.take([call("d", "c2")], SECOND)
        assert types(runtime.store)[-1] == "contact.ended"  # it was linked before


def test_what_cannot_be_kept_teaches_nothing(tmp_path: Path) -> None:
    with opened(tmp_path, IdentityRules()) as runtime:
        told = message("p", "person.updated", "1^N", phones=[PHONE], size=2**70)
        assert runtime.take([told], SECOND)[0].outcome is Outcome.DEAD
        runtime.take([call("a", "c1")], SECOND)
        assert types(runtime.store) == ["contact.ended"]


def test_a_reader_finds_what_was_committed(tmp_path: Path) -> None:
    with opened(tmp_path, IdentityRules()) as runtime:
        runtime.take([PERSON], SECOND)
        reader = Reader.open(tmp_path)
        directory = StoredDirectory(reader)
        [(key, point)] = runtime.store.rows("SELECT key, point FROM reach")
        known = directory.find(key)
        assert known is not None
        assert known.identifier == "1^N"
        assert directory.holders(point) == [key]
        reader.close()


def test_a_damaged_row_is_said_to_be_one(tmp_path: Path) -> None:
    with opened(tmp_path, IdentityRules()) as runtime:
        runtime.take([PERSON], SECOND)
        runtime.store.write("UPDATE known SET body = ?", [(b"\xc1",)])
    with opened(tmp_path, IdentityRules()) as runtime, pytest.raises(StoreFailed):
        runtime.take([call("a", "c1")], SECOND)


def test_whom_a_purge_took_the_last_evidence_of_is_forgotten_but_for_their_wishes(tmp_path: Path) -> None:
    """Person 1 told how they are reached, person 2 also that they want no calls; nobody heard of either since."""
    wishes = message("q", "person.updated", "2^N", "2^M", phones=["+12125550102"], name="Roe, Ann", do_not_call=True)
    placed = message("o", "order.placed", "3^N", "4^N", order_id="o1")
    later = message("z", "order.placed", "9^N", at=900 * 86_400)
    with closing(Store.open(tmp_path)) as store:
        runtime = Runtime(
            store, ThresholdSet(thresholds=()), now=0, clock="event", identity=IdentityRules(), most=1, tail=1
        )
        for one in (PERSON, wishes, placed, later, message("y", "order.placed", "9^N", at=901 * 86_400)):
            runtime.take([one], 1000 * DAY)
            runtime.apply()
            runtime.flush(everything=True)
        assert [len(store.rows(f"SELECT 1 FROM {table}")) for table in ("known", "reach", "tie")] == [2, 3, 4]
        Purge(400 * DAY).finish(runtime)
        directory = runtime.linking.directory
        [known] = [known for name in ("1^N", "2^N") if (known := directory.find(key_of(name))) is not None]
        assert (known.identifier, known.points, known.name) == ("2^N", (), None)
        assert b"do_not_call" in known.facts
        assert store.rows("SELECT 1 FROM reach") == []
        [link] = runtime.take(
            [message("c", "contact.ended", at=902 * 86_400, contact_id="c", address=PHONE)], 1000 * DAY
        )
        assert link.outcome is Outcome.ACCEPTED
        assert "person.linked" not in types(store)  # the number leads to nobody any more
        runtime.apply()


def test_contacts_of_long_ago_are_let_go_of(tmp_path: Path) -> None:
    with opened(tmp_path, IdentityRules()) as runtime:
        runtime.take([PERSON, call("a", "c1"), call("b", "c2", at=900 * 86_400)], 1000 * DAY)
        runtime.apply()
        Purge(400 * DAY).finish(runtime)
        assert len(runtime.store.rows("SELECT 1 FROM placed")) == 1
        assert len(runtime.store.rows("SELECT 1 FROM known")) == 1
