"""What other rules of identity would link: the log, or files, decided again in memory beside what was decided.

Nothing here names anybody: contacts and persons go by opaque ids, and of evidence the kinds are told, not the values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from connectors.cloudevents.read import CloudEventReader
from connectors.surveys.feedback import FeedbackReader
from hub.declared import fhir_reader, hl7_reader, read_declared
from hub.door import Door
from hub.enrich import enricher_of
from hub.hooks import Hooks
from hub.inputs import find_inputs
from hub.left_out import LeftOut
from hub.merge import merged
from schemas.event import Event
from schemas.identity import IdentityRules
from streams.core.directory import MemoryDirectory, circle_of, key_of
from streams.core.identity import id_of
from streams.core.linking import WHY, Linker, is_decided, without_decided
from streams.embedded.reader import Reader

LINK: Final = "would_link"
UNLINK: Final = "would_unlink"
RELINK: Final = "would_link_to_another"
STAYS: Final = "stays_linked"
OPEN: Final = "stays_open"


@dataclass(slots=True)
class _Contact:
    """What came of one contact by one set of rules. `named`: its source says whose it is."""

    identifier: str | None = None
    rule: str | None = None
    score: int | None = None
    evidence: tuple[str, ...] = ()
    why: str | None = None
    named: bool = False


def contact_ref(contact: str) -> str:
    """A contact as it may be shown."""
    return f"ct-{blake2b(contact.encode('utf-8', 'surrogatepass'), digest_size=6).hexdigest()}"


def preview(messages: Iterable[tuple[Event, ...]], old: IdentityRules | None, new: IdentityRules) -> dict[str, Any]:
    """Counts, and a line for each contact that names nobody. `messages` in the order of arrival; without `old` what was
    decided stands among them. Returns `{"counts": {...}, "contacts": [...]}`."""
    directory = MemoryDirectory()
    by_new = Linker(new, directory)
    by_old = None if old is None else Linker(old, MemoryDirectory())
    before: dict[str, _Contact] = {}
    after: dict[str, _Contact] = {}
    for events in messages:
        _note(before, by_old.take(_copied(events)) if by_old is not None else events)
        _note(after, by_new.take(_copied(without_decided(events))))
    lines = []
    counts: Counter[str] = Counter({LINK: 0, UNLINK: 0, RELINK: 0, STAYS: 0, OPEN: 0})
    for contact in sorted(before.keys() | after.keys()):
        was, now = before.get(contact, _Contact()), after.get(contact, _Contact())
        if was.named or now.named:
            continue
        change = _change(directory, was, now)
        counts[change] += 1
        lines.append(
            {
                "contact": contact_ref(contact),
                "change": change,
                "person": None if now.identifier is None else id_of(now.identifier),
                "linked_to": None if was.identifier is None else id_of(was.identifier),
                "rule": now.rule,
                "score": now.score,
                "evidence": list(now.evidence),
                "reason": now.why if now.identifier is None else None,
            }
        )
    return {"counts": dict(counts), "contacts": lines}


def _change(directory: MemoryDirectory, was: _Contact, now: _Contact) -> str:
    if was.identifier is None:
        return OPEN if now.identifier is None else LINK
    if now.identifier is None:
        return UNLINK
    ours = {key for key, _ in circle_of(directory, key_of(now.identifier))} | {key_of(now.identifier)}
    return STAYS if key_of(was.identifier) in ours else RELINK


def _note(found: dict[str, _Contact], events: Iterable[Event]) -> None:
    for event in events:
        contact = event.data.get("contact_id")
        if not isinstance(contact, str) or not contact:
            continue
        one = found.setdefault(contact, _Contact())
        if is_decided(event):
            surviving = event.data.get("surviving")
            one.identifier = str(surviving[0]) if isinstance(surviving, list) and surviving else None
            one.rule, one.score = str(event.data.get("rule")), int(str(event.data.get("score")))
            evidence = event.data.get("evidence")
            one.evidence = tuple(map(str, evidence)) if isinstance(evidence, list) else ()
        elif event.type in ("person.linked", "person.unlinked") or event.identifiers:
            one.named = True
        elif isinstance(why := event.data.get(WHY), str):
            one.why = why


def _copied(events: Iterable[Event]) -> tuple[Event, ...]:
    """Both sets of rules say what they know on the events: each has its own."""
    return tuple(
        Event(e.id, e.source, e.type, e.time, dict(e.data), e.identifiers, e.facility, e.precision) for e in events
    )


def logged(store: Path) -> Iterator[tuple[Event, ...]]:
    """The messages of a store, as they were decided."""
    reader = Reader.open(store)
    try:
        for taken in reader.accepted():
            yield taken.events
    finally:
        reader.close()


def of_files(paths: list[str], site: Path | None, timezone: str | None, now: int) -> Iterator[tuple[Event, ...]]:
    """The messages of files, by event time, as a replay takes them."""
    declared = read_declared(site, None, None, timezone)
    known, zone = declared.site, timezone or declared.site.timezone
    hl7 = hl7_reader(known, declared.mapping, timezone)
    cloud = CloudEventReader(zones=known.zones, default_zone=zone)
    door = Door(until=None, now=now, left_out=LeftOut(known.test_patients, known.spellings))
    others = (
        fhir_reader(known, zone, declared.mapping.tables),
        Hooks(known.sources, zone=zone, instruments=known.instruments),
        FeedbackReader(known.instruments),
    )
    enrich = enricher_of(known, declared.thresholds.calendars.get("clinic")).enrich
    for message, input_ in merged(find_inputs(paths), hl7, cloud, *others):
        events = door.take(message, input_)
        if events:
            yield tuple(map(enrich, events))
