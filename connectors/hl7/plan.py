"""A mapping compiled: what each trigger gives, as short lists of functions.

A message of ten segments has none of what most paths name, so a plan is made for each trigger and each set of
segments that comes with it, without the paths that lead nowhere. Senders have few such sets; a set seen for the first
time is read by the general plan, so that nobody can make the reader compile for every message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from connectors.hl7.derived import DERIVED, NEEDS
from connectors.hl7.extract import Extract, Shape, Tables, extract, text_of, there
from connectors.hl7.message import Message
from connectors.hl7.scope import Read, Scope, reader
from connectors.mapping.path import Path
from connectors.mapping.spec import Attribute, EventSpec, Given, MappingSpec, Test, fold

Hold = Callable[[Scope], bool]
Row = list[tuple[str, Extract]]

_KEPT: Final = 2_000  # sets of segments
_CODES_KEPT: Final = 1_000
_SETS_SEEN: Final = 20_000
_COMMON: Final = {
    "department": Attribute(paths=(Path("AIL", 3), Path("PV1", 3))),
    "provider": Attribute(paths=(Path("AIP", 3), Path("OBR", 16), Path("PV1", 7))),
}


_SENT: Final = Path("MSH", 7)
_TIMES: Final = {
    **dict.fromkeys(("ADT", "MDM"), (Path("EVN", 6), Path("EVN", 2))),
    **dict.fromkeys(("ORM", "OMG", "OML", "OMD", "OMS", "OMN", "OMI", "OMP", "OMB", "RDE"), (Path("ORC", 9),)),
}
"""Where messages of a type say when it happened, whatever they are about (HL7 v2.5.1, chapters 3, 4 and 9)."""


def times(spec: EventSpec, kind: str) -> tuple[Path, ...]:
    """Where an event's time stands: the paths of its own, those of the message's type, when it was sent."""
    if spec.own_time or _SENT in spec.time:
        return spec.time
    return tuple(dict.fromkeys((*spec.time, *_TIMES.get(kind[:3], ()), _SENT)))


class Recipe:
    """One event that a trigger gives. `groups` are read once a scope, `own` for each event; `absent` are attributes
    of its own that the message cannot have, though a group might. `paths` are those of its time, for who is told."""

    __slots__ = (
        "absent",
        "event",
        "fixed",
        "groups",
        "may_retire",
        "own",
        "own_time",
        "paths",
        "times",
        "unless",
        "when",
    )

    def __init__(self, given: Given, kind: str, mapping: MappingSpec, shape: Shape | None) -> None:
        spec = mapping.events[given.event]
        names = frozenset(spec.attributes).union(*(mapping.groups[group] for group in spec.groups))
        self.event: str = given.event
        self.groups: tuple[str, ...] = spec.groups
        self.paths: tuple[Path, ...] = times(spec, kind)
        self.times: list[Read] = [reader(path) for path in there(self.paths, shape)]
        self.own_time: bool = spec.own_time
        self.own: Row = row(spec.attributes, mapping.tables, shape)
        self.absent: frozenset[str] = frozenset(spec.attributes) - {name for name, _ in self.own}
        self.may_retire: bool = "retired" in names and given.event.startswith(("person.", "identity."))
        self.fixed: dict[str, Any] = dict(given.set)
        self.when: Hold | None = together(given.when, mapping.tables, shape)
        self.unless: Hold | None = together(given.unless, mapping.tables, shape)


class Plan:
    """What one trigger gives for one set of segments. `labels` mark a message as sensitive; `specimens` are the
    recipes that a further specimen of an order is read by."""

    __slots__ = ("common", "each", "groups", "labels", "recipes", "specimens")

    def __init__(self, kind: str, mapping: MappingSpec, shape: Shape | None) -> None:
        trigger = mapping.messages[kind]
        tables = mapping.tables
        self.each: str = trigger.each
        recipes = [Recipe(given, kind, mapping, shape) for given in trigger.events if given.event not in mapping.off]
        self.recipes: list[Recipe] = [r for r in recipes if r.when is not never and r.unless is not always]
        has_specimens = trigger.each == "ORDER" and (shape is None or "SPM" in shape.segments)
        self.specimens: list[Recipe] = [r for r in self.recipes if has_specimens and r.event.startswith("specimen.")]
        used = {group for recipe in self.recipes for group in recipe.groups}
        self.groups: dict[str, Row] = {group: row(mapping.groups[group], tables, shape) for group in used}
        self.common: Row = row(_COMMON, tables, shape)
        labels = [
            (label.label, together(label.when, tables, shape), together(label.unless, tables, shape) or never)
            for label in mapping.sensitive
        ]
        self.labels: list[tuple[str, Hold, Hold]] = [
            (label, when or always, unless) for label, when, unless in labels if when is not never
        ]


class Plans:
    """The plans of a mapping, made when they are first asked for."""

    __slots__ = ("_general", "_mapping", "_seen", "_special")

    def __init__(self, mapping: MappingSpec) -> None:
        self._mapping: MappingSpec = mapping
        self._general: dict[str, Plan] = {}
        self._special: dict[tuple[str, ...], Plan] = {}
        self._seen: set[tuple[str, ...]] = set()

    def find(self, kind: str, message: Message) -> Plan | None:
        """What a type and trigger such as `ADT^A01` gives; None where nothing is mapped."""
        header = message.header
        key = (kind, header[12] if len(header) > 12 else "", *message.by_name)
        plan = self._special.get(key)
        return plan if plan is not None else self._make(kind, key, message)

    def _make(self, kind: str, key: tuple[str, ...], message: Message) -> Plan | None:
        if kind not in self._mapping.messages:
            return None
        if key in self._seen and len(self._special) < _KEPT:
            plan = self._special[key] = Plan(kind, self._mapping, Shape(frozenset(message.by_name), message.version))
            return plan
        if len(self._seen) < _SETS_SEEN:
            self._seen.add(key)
        general = self._general.get(kind)
        if general is None:
            general = self._general[kind] = Plan(kind, self._mapping, None)
        return general


def row(attributes: Any, tables: Tables, shape: Shape | None) -> Row:
    """The attributes that a message with these segments can have."""
    made = [(name, extract(how, tables, shape)) for name, how in attributes.items()]
    return [(name, function) for name, function in made if function is not None]


def always(_: Scope) -> bool:
    return True


def never(_: Scope) -> bool:
    return False


def together(tests: tuple[Test, ...], tables: Tables, shape: Shape | None) -> Hold | None:
    """All of several conditions as one; None where there are none, `always` and `never` where a message of this shape
    leaves nothing to ask."""
    if not tests:
        return None
    made = [hold for test in tests if (hold := _test(test, tables, shape)) is not always]
    if never in made:
        return never
    if len(made) < 2:
        return made[0] if made else always
    if len(made) == 2:
        first, second = made
        return lambda scope: first(scope) and second(scope)
    return lambda scope: all(hold(scope) for hold in made)


def _test(test: Test, tables: Tables, shape: Shape | None) -> Hold:
    table = tables[test.table] if test.table is not None else None
    wanted = test.one_of
    if wanted is None and table is not None:
        wanted = tuple(fold(str(value)) for value in table.values())
    if shape is not None:
        needed = NEEDS.get(test.derive or "")
        if not there((test.path,), shape) if test.path is not None else needed and needed not in shape.segments:
            return always if wanted == () else never
    read = _read(test, tables, shape)
    if wanted is None:
        return lambda scope: read(scope) not in ("", None)
    if wanted == ():
        return lambda scope: read(scope) in ("", None)
    codes = frozenset(wanted)
    if table is not None:
        codes = frozenset(code for code, value in table.items() if fold(str(value)) in codes)

    known = dict.fromkeys(codes, True)
    text = text_of(*there((test.path,), shape)) if test.path is not None else None

    def is_one_of(scope: Scope) -> bool:
        value = read(scope)
        found = known.get(value)
        if found is None:
            if value == "" and text is not None:
                value = text(scope)
            found = value not in ("", None) and fold(str(value)) in codes
            if value != "" and len(known) < _CODES_KEPT:
                known[value] = found
        return found

    return is_one_of


def _read(test: Test, tables: Tables, shape: Shape | None) -> Extract:
    if test.path is not None:
        return reader(*there((test.path,), shape))
    derive = DERIVED[test.derive or ""]

    def read(scope: Scope) -> Any:
        value = derive(scope, tables)
        return tuple(value) if isinstance(value, list) else value

    return read
