"""One body of a webhook to events, by a mapping: sans-I/O, and whatever the bytes are, a Reading.

A body is one message: taken whole or not at all, however many things it tells. What a mapping does not know is
ignored and counted by its kind; what it knows and cannot read is a dead letter that names the place.
"""

from __future__ import annotations

import re
from hashlib import blake2b, sha256
from typing import Any, Final

import msgspec

from connectors.api import Reading, Split, dead
from connectors.contact_center.body import ALONE, Kept, open_embedded, read_body, split_kept, write_kept
from connectors.contact_center.contacts import system_of, whole_id
from connectors.contact_center.path import DELIVERY, RECEIVED
from connectors.contact_center.plan import USUAL, EventPlan, MessagePlan, Options, Plan
from connectors.contact_center.spec import HookMapping
from connectors.contact_center.spoken import take_words
from connectors.contact_center.times import quick_instant, read_stamp
from connectors.contact_center.values import Values
from connectors.json_text import NOT_JSON
from schemas.errors import Reason, Unreadable
from schemas.event import Event

_ANSWERED: Final = "survey.answered"
ZONE_ASSUMED: Final = "zone_assumed"
_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9 _.{}:-]{0,63}\Z")
_ID: Final = re.compile(r"[0-9a-f]{8,}|\d{4,}")  # a part of a kind that names one thing
_KINDS: Final = 200  # kinds that are counted by their names; a sender that makes them up must not fill the counts
_INSTANCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}\Z")
_PLAIN: Final = frozenset((str, int, float, bool))
_NESTED: Final = frozenset((list, dict))
_MEND_ID: Final = "an id is a text or a number, here is a list or an object: name under `id` what stands in it"
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class HookReader:
    """Reads the bodies of one source. The mapping's plain paths are read from a struct of them alone; bodies that do
    not fit into it, forms, and messages with other expressions are read from dicts."""

    def __init__(self, mapping: HookMapping, options: Options = USUAL) -> None:
        self.plan: Plan = Plan(mapping, options)
        self.vendor: str = mapping.vendor
        self._zone = options.zone
        self._facility: str | None = options.facility
        self._source: str = f"contact/{mapping.vendor}/{options.instance or ''}"
        self._sources: dict[object, str] = {}  # by what a body names its instance with
        self._named: bool = options.instance is not None
        self._system: str | None = options.contact_ids or mapping.contact_ids  # else each instance counts for itself
        self._kinds: set[str] = set()
        self._has_words: bool = any(message.words for message in mapping.messages)

    def read(self, raw: bytes, place: str) -> Reading:
        """What one body is. `place` names file and line, for dead letters."""
        kept, body = split_kept(raw) if raw[:1] == b"#" else (ALONE, raw)
        for quick in self.plan.quick:
            for hint in quick.hints:
                if hint not in body:
                    break
            else:
                if quick.shape is None:
                    break
                try:
                    told = quick.shape.decode(body)
                except NOT_JSON:
                    break  # another type somewhere, a form, or nothing that can be read: said below
                message = quick.message
                if message.recognised(quick.seen(told)):
                    return self._of_one(message, quick.fetch(told), sha256(body).digest()[:16], place)
        return self._of_dicts(body, kept, place)

    def split(self, raw: bytes, place: str) -> Split:
        """The same, without what was said in somebody's own words where the mapping tells of such."""
        if not self._has_words:
            return Split(self.read(raw, place), raw)
        kept, body = split_kept(raw)
        try:
            value = read_body(body)
        except ValueError as wrong:
            return Split(dead(Reason.UNREADABLE, place, str(wrong)), raw)
        return self.split_value(value, kept, raw, place)

    def split_value(self, body: Any, kept: Kept, raw: bytes, place: str) -> Split:
        """The same of a decoded body, which may be changed."""
        opened = open_embedded(body, self.plan.mapping.embedded) if self._has_words else body
        message = self.plan.find(opened) if self._has_words else None
        comments = take_words(message.spec, self.vendor, opened) if message is not None else ()
        if comments:
            plain = msgspec.json.encode(opened)
            raw = plain if kept == ALONE else write_kept(kept, plain)
        return Split(self.read_value(opened, kept, place), raw, comments)

    def find(self, body: Any) -> MessagePlan | None:
        """Which of its messages a decoded body is."""
        return self.plan.find(open_embedded(body, self.plan.mapping.embedded))

    def instance_of(self, body: Any) -> str | None:
        """The instance that a decoded body names."""
        message = self.find(body)
        if message is None or message.instance is None:
            return None
        instance = message.instance(message.of_dicts(body, body, {}))
        return instance if isinstance(instance, str) else None

    def read_value(self, body: Any, kept: Kept, place: str) -> Reading:
        """What a decoded body is."""
        digest = blake2b(_encode(body), digest_size=16).digest()
        body = open_embedded(body, self.plan.mapping.embedded)
        message = self.plan.find(body)
        if message is None:
            return Reading(source=self._source, ignored=f"{self.vendor}: no message that the mapping knows")
        beside = {RECEIVED: kept.received, DELIVERY: kept.delivery}
        if message.each is None:
            return self._of_one(message, message.of_dicts(body, body, beside), digest, place)
        items = message.each(body)
        if not isinstance(items, list) or not items:
            return Reading(source=self._source, ignored=f"{self.vendor}: {message.name} with nothing in it")
        return self._of_many(message, [message.of_dicts(item, body, beside) for item in items], digest, place)

    def _of_dicts(self, raw: bytes, kept: Kept, place: str) -> Reading:
        try:
            body = read_body(raw)
        except ValueError as wrong:
            return dead(Reason.UNREADABLE, place, str(wrong))
        return self.read_value(body, kept, place)

    # -- a message that was recognised

    def _of_one(self, message: MessagePlan, values: Values, digest: bytes, place: str) -> Reading:
        source, id_ = self._identity(message, values, digest)
        notes: list[str] = []
        try:
            events = self._events(message, values, source, id_, notes)
        except Unreadable as wrong:
            return _letter(source, id_, digest, wrong, place)
        if not events:
            return Reading(source, id_, digest, ignored=self._reason(message, values))
        return Reading(source, id_, digest, tuple(events), notes=tuple(notes))

    def _of_many(self, message: MessagePlan, rows: list[Values], digest: bytes, place: str) -> Reading:
        """A body with a list of things: its id is that of the first and, where there are several, of the content."""
        source, id_ = self._identity(message, rows[0], digest)
        if len(rows) > 1:
            id_ = f"{id_}+{digest.hex()}"
        events: list[Event] = []
        notes: list[str] = []
        for number, values in enumerate(rows):
            try:
                own = self._identity(message, values, digest)[1] if message.ids else f"{id_}/{number}"
                events += self._events(message, values, source, own, notes)
            except Unreadable as wrong:
                return _letter(source, id_, digest, wrong, f"{place}, item {number + 1}")
        if not events:
            return Reading(source, id_, digest, ignored=self._reason(message, rows[0]))
        return Reading(source, id_, digest, tuple(events), notes=tuple(dict.fromkeys(notes)))

    def _identity(self, message: MessagePlan, values: Values, digest: bytes) -> tuple[str, str]:
        """The source, and the id that the mapping names; the content's digest where it names none or none is there."""
        source = self._source
        if not self._named and message.instance_at is not None:
            named = values[message.instance_at]
            if type(named) is str:
                known = self._sources.get(named)
                source = known if known is not None else self._source_of(named, message, values)
        ids = message.ids
        if len(ids) == 1:
            value = values[ids[0]]
            if type(value) is str and value:
                return source, value
        parts = [str(value) for at in ids if (value := values[at]) is not None and not isinstance(value, list | dict)]
        return source, "/".join(parts) or digest.hex()

    def _source_of(self, named: str, message: MessagePlan, values: Values) -> str:
        instance = message.instance(values) if message.instance is not None else None
        source = self._source
        if isinstance(instance, str) and _INSTANCE.match(instance):
            source = f"{source}{instance}"
        if len(self._sources) < _KINDS:
            self._sources[named] = source
        return source

    def _events(
        self, message: MessagePlan, values: Values, source: str, id_: str, notes: list[str]
    ) -> list[Event]:  # fmt: skip
        plans = message.events(values)
        if len(plans) != 1 or plans[0].holds is not None:
            plans = tuple(plan for plan in plans if plan.holds is None or plan.holds(values))
            if not plans:
                return []
        for at in message.ids:
            if type(values[at]) in _NESTED:
                raise Unreadable(Reason.INVALID, place=message.paths[at].text, mend=_MEND_ID)
        for at, path in message.needs:
            if values[at] is None or values[at] == "":
                raise Unreadable(Reason.INVALID, place=path, mend="the vendor always sends it: look at what was sent")
        names: tuple[str, ...] = ()
        if message.identifiers:
            found = [
                f"{value}{authority}"
                for gives, authority in message.identifiers
                if (value := gives(values)) is not None
            ]
            names = tuple(dict.fromkeys(found))
        if message.survey is not None:
            return self._with_answers(plans, message, values, source, id_, names, notes)
        if len(plans) == 1:
            return [self._event(plans[0], message, values, source, id_, names, notes)]
        return [self._event(plan, message, values, source, id_, names, notes) for plan in plans]

    def _with_answers(
        self, plans: tuple[EventPlan, ...], message: MessagePlan, values: Values, source: str, id_: str,
        names: tuple[str, ...], notes: list[str],
    ) -> list[Event]:  # fmt: skip
        """The events of a message with answers; a form that is no survey answers none."""
        found: list[Event] = []
        for plan in plans:
            answered: dict[str, Any] = {}
            if plan.type == _ANSWERED:
                told = message.survey.told(values, notes) if message.survey is not None else None
                if told is None:
                    continue
                answered = told
            event = self._event(plan, message, values, source, id_, names, notes)
            event.data.update(answered)
            found.append(event)
        return found

    def _event(
        self, plan: EventPlan, message: MessagePlan, values: Values, source: str, id_: str, names: tuple[str, ...],
        notes: list[str],
    ) -> Event:  # fmt: skip
        stamp = values[plan.times[0]]
        if type(stamp) is str and stamp[23:] == "Z":
            try:
                time, precision = quick_instant(stamp), 0
            except (ValueError, OverflowError):
                time, precision = self._time(plan, message, values, notes)
        else:
            time, precision = self._time(plan, message, values, notes)
        data = plan.begin(values)
        data["origin_id"] = id_
        facility = self._facility
        if facility is not None:
            data["facility"] = facility
        for name, at in plan.copies:
            value = values[at]
            if value is not None and type(value) in _PLAIN and value != "":
                data[name] = value
        for name, gives in plan.texts:
            value = gives(values)
            if value is not None:
                data[name] = value if type(value) is str else str(value)
        for name, gives in plan.others:
            value = gives(values)
            if value is not None and value != "":
                data[name] = value
        contact = data.get("contact_id")
        if type(contact) is str and contact:
            data["contact_id"] = whole_id(contact, self._system or system_of(source))
        own = plan.id(values) if plan.id is not None else None
        return Event(f"{id_ if own is None else own}{plan.suffix}", source, plan.type, time, data, names, facility,
                     precision)  # fmt: skip

    def _time(self, plan: EventPlan, message: MessagePlan, values: Values, notes: list[str]) -> tuple[int, int]:
        place = "the time"
        for at in plan.times:
            value = values[at]
            if value is None or value == "":
                continue
            place = message.paths[at].text
            try:
                time, precision, assumed = read_stamp(value, self._zone)
            except (ValueError, OverflowError):
                break
            if assumed:
                notes.append(ZONE_ASSUMED)
            return time, precision
        else:
            raise Unreadable(
                Reason.NO_TIME,
                place=" or ".join(message.paths[at].text for at in plan.times) or place,
                mend='nothing says when it happened; put a line #pxhub {"received": "TIME"} before it',
            )
        raise Unreadable(Reason.BAD_TIME, place=place, mend="an RFC 3339 time or an epoch in seconds is expected")

    def _reason(self, message: MessagePlan, values: Values) -> str:
        """Why a message that is known gives no event."""
        for holds, reason in message.ignore:
            if holds is None or holds(values):
                return f"{self.vendor}: {reason}"
        kind = values[message.kind] if message.kind is not None else None
        if isinstance(kind, str) and self._is_counted(kind):
            return f"{self.vendor}: no mapping for {kind}"
        return f"{self.vendor}: no mapping for this {message.name}"

    def _is_counted(self, kind: str) -> bool:
        """Whether a kind is counted by its name: a word of a vendor's, no number of somebody, and not too many."""
        if kind not in self._kinds:
            if not _KIND.match(kind) or _ID.search(kind) or len(self._kinds) >= _KINDS:
                return False
            self._kinds.add(kind)
        return True


def _letter(source: str, id_: str, digest: bytes, wrong: Unreadable, place: str) -> Reading:
    letter = dead(wrong.reason, f"{place}, {wrong.place}", wrong.mend)
    letter.source, letter.id, letter.digest = source, id_, digest
    return letter


def content_of(raw: bytes) -> bytes:
    """What a body says, however it is written and whenever it came; of one that cannot be read, its bytes."""
    body = split_kept(raw)[1]
    try:
        return _encode(read_body(body))
    except ValueError:
        return body.strip()
