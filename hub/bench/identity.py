"""Contacts that name nobody, resolved among a million persons, beside a plain dict that is asked the same."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from hub.bench.figure import Figure, uncollected
from hub.phones import Phones
from schemas.event import Event
from schemas.identity import IdentityRules
from streams.core.directory import MemoryDirectory
from streams.core.linking import Linker

PERSONS: Final = 1_000_000
CONTACTS: Final = 200_000
_GOAL: Final = "50,000 or more"
_SPREAD: Final = 7_919  # a prime: callers come in no order of their numbers
_FAMILY: Final = 10  # every so many persons one who shares a number with the one before


def run(persons: int = PERSONS, contacts: int = CONTACTS) -> Iterator[Figure]:
    """Learn of that many persons, then resolve that many contacts: by number alone, by a number that two share with a
    birth date, and by one that nobody has."""
    directory = MemoryDirectory()
    linker = Linker(IdentityRules(), directory)
    with uncollected():
        before = _resident()
        spent = _spent(linker.take, ((_person(number),) for number in range(persons)))
        yield Figure("persons known", persons, "persons")
        yield Figure("persons learned, with number, e-mail, name and birth date", persons / spent, "persons/s")
        gc.collect()
        yield Figure("memory that they take", (_resident() - before) / 2**20, "MB", "under 1,500")
        plain = {f"+1212{number:07d}": f"{number}^NORTH" for number in range(persons)}
        asked = [(_contact(n, persons),) for n in range(contacts)]
        addresses = [str(events[0].data["address"]) for events in asked]
        linked = 0
        began = time.process_time()
        for events in asked:
            linked += len(linker.take(events)) - 1
        spent = max(time.process_time() - began, 1e-9)
        yield Figure("contacts resolved, scored and remembered", contacts / spent, "contacts/s", _GOAL)
        yield Figure("  of which linked", linked, "contacts")
        again = [(_later(n, events[0]),) for n, events in enumerate(asked)]
        spent = _spent(linker.take, again)
        yield Figure("further events of the same contacts", contacts / spent, "contacts/s")
        spent = _spent(plain.get, addresses)
        yield Figure("reference: a plain dict asked for each number", contacts / spent, "contacts/s")
        phones = Phones()
        written = [f"({a[2:5]}) {a[5:8]}-{a[8:]}" for a in addresses]
        spent = _spent(lambda text: phones.read(text, "US"), written)
        yield Figure("numbers as written to E.164, each met once", contacts / spent, "numbers/s")


def _spent(work: Callable[..., object], items: Iterable[object]) -> float:
    """CPU seconds for all of them; what makes the items counts too, as little as it is."""
    began = time.process_time()
    for item in items:
        work(item)
    return max(time.process_time() - began, 1e-9)


def _person(number: int) -> Event:
    phone = number - 1 if number % _FAMILY == 1 else number
    data: dict[str, object] = {
        "phones": [f"+1212{phone:07d}"],
        "emails": [f"person{number}@example.org"],
        "family_name": f"Family{number % 50_000}",
        "given_name": f"Given{number % 3_000}",
        "birth_date": _born(number),
    }
    return Event(f"p{number}", "bench", "person.updated", number, data, (f"{number}^NORTH",))  # type: ignore[arg-type]


def _born(number: int) -> str:
    return f"{1930 + number % 90}-{1 + number % 12:02d}-{1 + number % 28:02d}"


def _contact(number: int, persons: int) -> Event:
    who = number * _SPREAD % persons
    data: dict[str, object] = {
        "contact_id": f"c{number}",
        "channel": "voice",
        "direction": "inbound",
        "caller": "patient",
        "address": f"+1212{who:07d}" if number % 20 else f"+1313{who:07d}",
    }
    if number % 3 == 0:
        data["birth_date"] = _born(who)
    return Event(f"e{number}", "bench", "contact.started", number, data)  # type: ignore[arg-type]


def _later(number: int, event: Event) -> Event:
    return Event(f"f{number}", "bench", "contact.ended", event.time + 1, dict(event.data))


def _resident() -> int:
    """Bytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096
