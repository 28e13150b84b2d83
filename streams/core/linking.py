"""Whose a contact is that names nobody: decided at the door, by arrival, and said as an event.

Theory. An event with a `contact_id` and without identifiers is about somebody. What it tells (a number, an address, an
account, a name, a birth date), with what earlier events of the contact told, leads through the directory to persons;
each gets the score of its best rule. Exactly one at or above the cut, and nobody near below it: a `person.linked` is
appended to the message, with rule, score and kinds of evidence, and without values. Otherwise the contact stays its
own, `identified: false`, until an event of it names somebody or somebody links it by hand: between several nobody is
guessed. What was decided is in the log and is not decided again; what was undone is not linked by a rule again.

`person.linked` takes effect by its own time, as the core's law has it, so a link that stands in for an earlier one is
told a moment later than that, whatever came when.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from schemas.event import Attribute, Event
from schemas.identity import IdentityRules
from schemas.vocabulary import EVENT_TYPES
from streams.core.directory import (
    Directory,
    Placed,
    Told,
    contact_key,
    key_of,
    keys_of_circle,
)
from streams.core.identity import named
from streams.core.learning import LEARNS, PARTS, learn, tie
from streams.core.scoring import NO_EVIDENCE, Scorer, Verdict, told_by

OPEN: Final = "open"
SAID: Final = "said"
JOINED: Final = "joined"
LINKED: Final = "linked"
BY_HAND: Final = "hand"
UNDONE: Final = "undone"
SUFFIX: Final = "/linked"
"""Ends the id of a link that was decided here."""
SAID_RULE: Final = "named-by-source"
"""The rule of a link that follows from another event of the contact, which names the person."""
WHY: Final = "unidentified_because"
_BECAUSE_UNDONE: Final = "undone"
ANSWERS: Final = ("identified", WHY)
"""What is said on each contact event at the door."""
_CONCERNED: Final = LEARNS | {name for name in EVENT_TYPES if name.startswith("contact.")}
_REMEMBERED: Final = 1 << 16
_LINKS: Final = ("person.linked", "person.unlinked")


class Linker:
    """Learns who can be reached how, and links. Nothing but the directory remembers."""

    def __init__(self, rules: IdentityRules, directory: Directory) -> None:
        self.rules: IdentityRules = rules
        self.directory: Directory = directory
        self._scorer: Scorer = Scorer(rules)
        self._tied: set[tuple[str, ...]] = set()  # names that are known to be one, and need not be looked for

    def take(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """The events of one message, as they came where nothing here concerns them; else with the links that were
        decided behind them, and with `identified` on each contact event."""
        if len(events) == 1:  # as nearly always
            one = events[0]
            if one.type not in _CONCERNED and "contact_id" not in one.data and len(one.identifiers) < 2:
                return events
        if not self._is_concerned(events):
            return events
        for event in events:
            if event.type in LEARNS:
                self._learn(event)
        found: list[Event] = []
        for event in events:
            found.append(event)
            contact = event.data.get("contact_id")
            if event.type in _LINKS:
                if isinstance(contact, str) and contact:
                    self._told_by_hand(event, contact)
            elif isinstance(contact, str) and contact:
                link = self._place(event, contact)
                if link is not None:
                    found.append(link)
            elif event.type.startswith("contact."):
                event.data["identified"] = bool(event.identifiers)
        return tuple(found)

    def _is_concerned(self, events: Sequence[Event]) -> bool:
        concerned = False
        for event in events:
            if event.type in _CONCERNED or "contact_id" in event.data:
                concerned = True
            if len(event.identifiers) > 1 and event.identifiers not in self._tied:
                self._tie(event.identifiers)
        return concerned

    def learn(self, events: Iterable[Event]) -> None:
        """Learn from what was decided before: who is who, and whose each contact was said to be."""
        for event in events:
            if len(event.identifiers) > 1 and event.identifiers not in self._tied:
                self._tie(event.identifiers)
            if event.type in LEARNS:
                self._learn(event)
            contact = event.data.get("contact_id")
            if not isinstance(contact, str) or not contact:
                continue
            if event.type in _LINKS:
                self._told_by_hand(event, contact)
            elif event.identifiers:
                self._note_said(event, contact_key(contact))
            else:
                self._note_open(event, contact_key(contact))

    def forget(self) -> None:
        """What was learned since the last commit is not kept: it will come again."""
        self._tied.clear()

    def _tie(self, names: tuple[str, ...]) -> None:
        """Names in one message are one person's."""
        for other in names[1:]:
            tie(self.directory, names[0], other, together=True)
        if len(self._tied) >= _REMEMBERED:
            self._tied.clear()
        self._tied.add(names)

    def _learn(self, event: Event) -> None:
        if event.type in PARTS:
            self._tied.clear()
        learn(self.directory, event)

    # -- one contact

    def _place(self, event: Event, contact: str) -> Event | None:
        """Say whether the hub knows whose a contact's event is; a link where that was not known until now."""
        key = contact_key(contact)
        placed = self.directory.find_contact(key)
        if event.identifiers:
            _answer(event, identified=True)
            return self._named(event, key, placed)
        if placed is not None and placed.identifier is not None:
            _answer(event, identified=True)
            if placed.how != SAID:
                return None
            self.directory.put_contact(key, Placed(JOINED, placed.time, placed.identifier))
            return _link(event, placed.identifier, SAID_RULE, 100, ("identifiers",), time=placed.time)
        if placed is not None and placed.how == UNDONE:
            _answer(event, identified=False, why=_BECAUSE_UNDONE)
            return None
        return self._recognise(event, key, placed)

    def _named(self, event: Event, key: int, placed: Placed | None) -> Event | None:
        """The event says whose it is; what came of the contact before joins."""
        if placed is None or placed.how == SAID:
            self._note_said(event, key)
            return None
        if placed.identifier is not None and self._same(placed.identifier, event.identifiers):
            if placed.how == LINKED:  # the source confirms what a rule had found
                self.directory.put_contact(key, Placed(JOINED, placed.time, placed.identifier))
            return None
        if placed.how == BY_HAND and placed.identifier is not None:
            return None  # somebody looked at it
        time = event.time if placed.how == OPEN else max(event.time, placed.time + 1)
        self.directory.put_contact(key, Placed(JOINED, time, event.identifiers[0]))
        return _link(event, event.identifiers[0], SAID_RULE, 100, ("identifiers",), time=time)

    def _recognise(self, event: Event, key: int, placed: Placed | None) -> Event | None:
        told = told_by(event, placed.told if placed is not None else None)
        verdict = self._scorer.decide(self.directory, told) if self.rules.links else Verdict(why=NO_EVIDENCE)
        if verdict.identifier is None:
            self._keep_open(event, key, placed, told)
            _answer(event, identified=False, why=verdict.why)
            return None
        self.directory.put_contact(key, Placed(LINKED, event.time, verdict.identifier))
        _answer(event, identified=True)
        return _link(event, verdict.identifier, verdict.rule, verdict.score, verdict.evidence, time=event.time)

    def _keep_open(self, event: Event, key: int, placed: Placed | None, told: Told) -> None:
        if placed is None or placed.how != OPEN or placed.told != told:
            self.directory.put_contact(key, Placed(OPEN, event.time, None, told))

    def _note_open(self, event: Event, key: int) -> None:
        """What a contact tells of which nothing is decided counts with what it told before."""
        placed = self.directory.find_contact(key)
        if placed is None or placed.how == OPEN:
            self._keep_open(event, key, placed, told_by(event, placed.told if placed is not None else None))

    def _note_said(self, event: Event, key: int) -> None:
        """The latest event by time says whose the rest of the contact is."""
        placed = self.directory.find_contact(key)
        if placed is None or (placed.how == SAID and event.time >= placed.time):
            self.directory.put_contact(key, Placed(SAID, event.time, event.identifiers[0]))

    def _told_by_hand(self, event: Event, contact: str) -> None:
        """A link or its undoing that came as an event, or stands in the log."""
        key = contact_key(contact)
        placed = self.directory.find_contact(key)
        if placed is not None and placed.how not in (OPEN, SAID) and event.time < placed.time:
            return  # the core goes by time
        surviving = named(event.data.get("surviving")) or event.identifiers
        first = surviving[0] if surviving else None
        if event.type == "person.unlinked":
            self.directory.put_contact(key, Placed(UNDONE, event.time))
        elif first is not None:
            how = BY_HAND
            if is_decided(event):
                how = JOINED if event.data.get("rule") == SAID_RULE else LINKED
            self.directory.put_contact(key, Placed(how, event.time, first))

    def _same(self, one: str, names: Sequence[str]) -> bool:
        """Whether one of the names is the same person's as an identifier."""
        if one in names:
            return True
        keys = {key_of(name) for name in names}
        return not keys.isdisjoint(keys_of_circle(self.directory, key_of(one)))


def is_decided(event: Event) -> bool:
    """Whether an event is a link that was decided at the door."""
    return event.type == "person.linked" and event.id.endswith(SUFFIX) and "rule" in event.data


def keep_decided(events: tuple[Event, ...], before: Sequence[Event]) -> tuple[Event, ...]:
    """The events of a message that was read again, with what was decided of it when it came."""
    by_id = {event.id: event for event in before}
    links = [event for event in before if is_decided(event)]
    for event in events:
        if event.type.startswith("contact."):
            _answer(event, identified=bool(event.identifiers))
        first = by_id.get(event.id)
        for answer in ANSWERS if first is not None else ():
            if first is not None and answer in first.data:
                event.data[answer] = first.data[answer]
    if not links:
        return events
    found: list[Event] = []
    followed: set[str] = set()
    for event in events:
        found.append(event)
        for link in links:
            if link.id == event.id + SUFFIX:
                followed.add(link.id)
                found.append(_of_contact(link, event))
    found += [link for link in links if link.id not in followed]  # its event is read otherwise now; it was said
    return tuple(found)


def _of_contact(link: Event, event: Event) -> Event:
    """A link that was decided of an event, under the id that the event's contact has by now."""
    contact = event.data.get("contact_id")
    if not contact or contact == link.data.get("contact_id"):
        return link
    return msgspec.structs.replace(link, data={**link.data, "contact_id": contact})


def without_decided(events: Iterable[Event]) -> tuple[Event, ...]:
    """The events as they came, for who decides by other rules."""
    return tuple(event for event in events if not is_decided(event))


def _answer(event: Event, *, identified: bool, why: str = "") -> None:
    if not event.type.startswith("contact."):
        return
    event.data["identified"] = identified
    if why:
        event.data[WHY] = why
    else:
        event.data.pop(WHY, None)


def _link(event: Event, identifier: str, rule: str, score: int, evidence: Sequence[str], *, time: int) -> Event:
    data: dict[str, Attribute] = {
        "contact_id": event.data["contact_id"],
        "surviving": [identifier],
        "rule": rule,
        "score": score,
        "evidence": list(evidence),
    }
    return Event(event.id + SUFFIX, event.source, "person.linked", time, data, (), event.facility, event.precision)
