"""What was accepted, in order, and who each event is about, whenever that was told (for the reference model)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from schemas.alert import alert_id
from tests.references.model_calendar import SECOND, instant

ALIASES: Final = {"order_id": "filler_order_id", "appointment_id": "filler_appointment_id"}
JOINS: Final = ("person.merged", "person.linked", "identity.renumbered")
PARTS: Final = ("person.unmerged", "person.unlinked")
FACTS: Final = ("person.updated", "preference.set")
NOBODY: Final = "nobody"

Declared = Mapping[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Told:
    """One accepted event."""

    id: str
    source: str
    type: str
    time: int
    data: Mapping[str, Any]
    facility: str | None
    precision: int

    @property
    def place(self) -> tuple[int, str, str]:
        return (self.time, self.source, self.id)

    @property
    def identifiers(self) -> list[str]:
        if listed := self.data.get("identifiers"):
            return list(listed)
        if not self.data.get("mrn"):
            return []
        authority = self.data.get("assigning_authority")
        return [f"{self.data['mrn']}^{authority}" if authority else self.data["mrn"]]

    def read(self, name: str) -> Any:
        """An attribute, None where it is absent; dotted names reach into nested data."""
        value: Any = self.data
        if name in self.data:
            value = self.data[name]
        elif name in ("facility", "source"):
            value = getattr(self, name)
        else:
            for part in name.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
        return None if value == "" else value


def accept(events: Iterable[Declared], zone: str) -> list[Told]:
    """At the door the first of a source and id stands, by arrival; behind it only occurred time orders."""
    known: dict[tuple[str, str], Told] = {}
    for event in events:
        time = instant(event["time"], zone)
        data = event.get("data", {})
        told = Told(
            event["id"], event["source"], event["type"], time, data, event.get("facility"), event.get("precision", 0)
        )
        known.setdefault((told.source, told.id), told)
    return sorted(known.values(), key=lambda told: told.place)


def listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def text(value: Any) -> str | None:
    if value is None or isinstance(value, (list, Mapping)):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def number(value: Any) -> Fraction | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        return Fraction(str(value).removesuffix("%")) / (100 if str(value).endswith("%") else 1)
    except ValueError:
        return None


class History:
    """All accepted events in order, who they are about, and what is known of each at any time."""

    def __init__(self, told: list[Told]) -> None:
        self.told = told
        self.blind = False  # who asks knows no facts of persons
        self.unions = connect(*statements(told))
        self.persons = sum(any(not is_contact(node) for node in union) for union in self.unions)
        self.by_group: dict[str, list[Told]] = {}
        for one in told:
            self.by_group.setdefault(self.group(one), []).append(one)
        self.canonical = {
            (group, name): canonical(members, name) for group, members in self.by_group.items() for name in ALIASES
        }

    def group(self, told: Told) -> str:
        """The person's least identifier; a contact nobody knows is a group of its own, the rest is nobody's."""
        node = came_under(told)
        return next((min(union) for union in self.unions if node in union), NOBODY)

    def is_person(self, told: Told) -> bool:
        return any(not is_contact(node) for union in self.unions if came_under(told) in union for node in union)

    def text(self, told: Told, name: str) -> str | None:
        """An attribute as a key compares it: a number of an order or appointment by the one that stands for it."""
        value = text(told.read(name))
        if value is None and name in ALIASES:
            value = text(told.read(ALIASES[name]))
        return self.canonical.get((self.group(told), name), {}).get(value, value) if value is not None else None

    def key(self, told: Told, names: Sequence[str]) -> str | None:
        """The key's value as text, None where a part is absent or `person` is nobody."""
        parts = [self.text(told, name) for name in names if name != "person"]
        if "person" in names:
            parts.append(self.group(told) if self.is_person(told) else None)
        return None if None in parts else "|".join(str(part) for part in parts)

    def value(self, told: Told, name: str) -> Any:
        """What a condition compares: an attribute, or the person's fact in force at the event's time."""
        if not name.startswith("person."):
            return told.read(name)
        if self.blind or not self.is_person(told):
            return None
        facts = [
            one.read(name.removeprefix("person."))
            for one in self.by_group[self.group(told)]
            if one.type in FACTS and one.time <= told.time
        ]
        return next((fact for fact in reversed(facts) if fact is not None), None)

    def matches(self, told: Told, match: Declared) -> bool:
        return told.type == match["event"] and all(
            self.holds(told, name, wanted) for name, wanted in match.get("where", {}).items()
        )

    def holds(self, told: Told, name: str, wanted: Any) -> bool:
        value = self.value(told, name)
        if not isinstance(wanted, Mapping):
            return value is not None and any(text(value) == text(one) for one in listed(wanted))
        for side, sign in (("above", 1), ("below", -1)):
            limit, own = number(wanted.get(side)), number(value)
            if limit is not None and (own is None or (own - limit) * sign <= 0):
                return False
        if "present" in wanted and (value is not None) != wanted["present"]:
            return False
        other = self.value(told, wanted["differs_from"]) if "differs_from" in wanted else None
        return "differs_from" not in wanted or (None not in (value, other) and text(value) != text(other))

    def matching(self, told: Iterable[Told], matches: Any) -> list[Told]:
        return [one for one in told if any(self.matches(one, match) for match in listed(matches))]


def came_under(told: Told) -> str | None:
    """The identifier that an event came under; a contact's of nobody, where it has no other."""
    if told.identifiers:
        return told.identifiers[0]
    return f"contact {told.data['contact_id']}" if told.data.get("contact_id") else None


def is_contact(node: str) -> bool:
    return node.startswith("contact ")


def statements(told: Iterable[Told]) -> tuple[set[str], dict[frozenset[str], bool]]:
    """Every identifier seen, and of each pair whether the last word on it joins or parts them."""
    nodes: set[str] = set()
    edges: dict[frozenset[str], bool] = {}
    for one in told:
        names = one.identifiers
        nodes |= {*names, *([under] if (under := came_under(one)) else [])}
        for other in names[1:]:
            edges[frozenset((names[0], other))] = True
        if one.type not in JOINS + PARTS or not one.data.get("surviving"):
            continue
        surviving, retired = one.data["surviving"], one.data.get("retired")
        if one.data.get("contact_id"):  # the last word says whose call it was: a contact unites no two persons
            retired = f"contact {one.data['contact_id']}"
            edges = {pair: joins for pair, joins in edges.items() if retired not in pair}
        if retired:
            nodes |= {surviving, retired}
            edges[frozenset((surviving, retired))] = one.type in JOINS
    return nodes, edges


def connect(nodes: set[str], edges: Mapping[frozenset[str], bool]) -> list[set[str]]:
    unions = [{node} for node in nodes]
    for edge, holds in edges.items():
        if holds:
            touched = [union for union in unions if union & edge]
            unions = [union for union in unions if not union & edge] + [set().union(*touched)]
    return unions


def canonical(told: Iterable[Told], name: str) -> dict[str, str]:
    """Of numbers known to be one thing: the placer's (the least of several) stands for all."""
    pairs = [(text(one.read(name)), text(one.read(ALIASES[name]))) for one in told]
    both = [(placer, filler) for placer, filler in pairs if placer is not None and filler is not None]
    unions = connect({n for pair in both for n in pair}, {frozenset(pair): True for pair in both})
    placers = {placer for placer, _ in both}
    return {number: min(union & placers) for union in unions for number in union}


@dataclass
class Judged:
    alerts: list[Row] = field(default_factory=list)
    waits: int = 0


def row(
    threshold: Declared,
    told: Told,
    key: str,
    verdict: tuple[str, str],
    times: tuple[int, int, int | None],
) -> Row:
    started, due, ended = times
    return {
        "id": alert_id(threshold["id"], told.source, told.id),
        "key": key,
        "state": verdict[0],
        "level": verdict[1],
        "started_at": started,
        "due_at": due,
        "ended_at": ended,
        "delay_seconds": None if ended is None else int(Fraction(ended - due, SECOND)),
        "facility": told.facility,
    }
