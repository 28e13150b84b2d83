"""Compile a mapping: every attribute becomes a function of a scope, every trigger a short list of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.hl7.derived import DERIVED
from connectors.hl7.identifiers import entity, entity_in_pair, extended
from connectors.hl7.scope import Scope
from connectors.mapping.path import Path
from connectors.mapping.spec import Attribute, EventSpec, Given, MappingSpec, Test, Trigger, fold
from schemas.instant import write_instant

Extract = Callable[[Scope], Any]
Read = Callable[[Scope], str]
Hold = Callable[[Scope], bool]
Tables = Mapping[str, Mapping[str, Any]]

BAD_TIME: Final = "bad_time_skipped"
_CX_FIELDS: Final = frozenset(
    {("PV1", 5), ("PV1", 19), ("PV1", 50), ("PID", 2), ("PID", 3), ("PID", 4), ("PID", 18)}
    | {("MRG", n) for n in range(1, 7)}
)
"""Fields of type CX among those that mappings read as identifiers; the others are EI (HL7 v2.5.1, chapters 3-7)."""
_PAIR_FIELDS: Final = frozenset({("ORC", 8), ("OBR", 29), ("SPM", 2), ("SPM", 3)})
"""Fields of type EIP: a placer's and a filler's number in one."""


class Recipe:
    """One event that a trigger gives, compiled. `groups` are read once a scope, `own` for each event."""

    __slots__ = ("attributes", "event", "fixed", "groups", "own", "own_time", "time", "times", "unless", "when")

    def __init__(self, event: str, spec: EventSpec, own: list[tuple[str, Extract]], attributes: frozenset[str]) -> None:
        self.event: str = event
        self.groups: tuple[str, ...] = spec.groups
        self.time: tuple[Path, ...] = spec.time
        self.times: list[Read] = [reader(path) for path in spec.time]
        self.own_time: bool = spec.own_time
        self.own: list[tuple[str, Extract]] = own
        self.attributes: frozenset[str] = attributes
        self.when: Hold | None = None
        self.unless: Hold | None = None
        self.fixed: dict[str, Any] = {}


class Plan:
    """What one trigger gives."""

    __slots__ = ("each", "recipes")

    def __init__(self, each: str, recipes: list[Recipe]) -> None:
        self.each: str = each
        self.recipes: list[Recipe] = recipes


class Compiled:
    """A mapping compiled. `plans` are by message type and trigger, such as `ADT^A01`; `groups` by name; `labels`
    are what marks a message as sensitive, with its conditions."""

    __slots__ = ("groups", "labels", "plans")

    def __init__(self, mapping: MappingSpec) -> None:
        tables = mapping.tables
        self.groups: dict[str, list[tuple[str, Extract]]] = {
            name: _extracts(attributes, tables) for name, attributes in mapping.groups.items()
        }
        own = {name: _extracts(spec.attributes, tables) for name, spec in mapping.events.items()}
        self.plans: dict[str, Plan] = {
            message: Plan(trigger.each, _recipes(trigger, mapping, own))
            for message, trigger in mapping.messages.items()
        }
        self.labels: list[tuple[str, Hold | None, Hold | None]] = [
            (
                label.label,
                _together([_test(test, tables) for test in label.when]),
                _together([_test(test, tables) for test in label.unless]),
            )
            for label in mapping.sensitive
        ]


def _extracts(attributes: Mapping[str, Attribute], tables: Tables) -> list[tuple[str, Extract]]:
    return [(name, _extract(how, tables)) for name, how in attributes.items()]


def _recipes(trigger: Trigger, mapping: MappingSpec, own: Mapping[str, list[tuple[str, Extract]]]) -> list[Recipe]:
    return [_recipe(given, mapping, own) for given in trigger.events if given.event not in mapping.off]


def _recipe(given: Given, mapping: MappingSpec, own: Mapping[str, list[tuple[str, Extract]]]) -> Recipe:
    spec = mapping.events[given.event]
    names = frozenset(spec.attributes).union(*(mapping.groups[group] for group in spec.groups))
    recipe = Recipe(given.event, spec, own[given.event], names)
    recipe.when = _together([_test(test, mapping.tables) for test in given.when])
    recipe.unless = _together([_test(test, mapping.tables) for test in given.unless])
    recipe.fixed = dict(given.set)
    return recipe


def reader(path: Path) -> Read:
    """A path as a function. Most values have no delimiter in them, and most paths are plain: these are quick."""
    if not path.is_plain:
        return lambda scope: scope.value(path)
    segment, field, component, subcomponent = path[:4]
    simple = component == 1 and subcomponent == 1

    def read(scope: Scope) -> str:
        fields = scope.first.get(segment)
        if fields is None:
            fields = scope.load(segment)
        if len(fields) <= field:
            return ""
        text = fields[field]
        if simple and (not text or text.isalnum()):
            return text
        message = scope.message
        if message.repetition in text:
            text = text.partition(message.repetition)[0]
        return message.part(text, component, subcomponent)

    return read


def _test(test: Test, tables: Tables) -> Hold:
    wanted = test.one_of
    table = tables[test.table] if test.table is not None else None
    if test.path is not None:
        read: Extract = reader(test.path)
    else:
        derive = DERIVED[test.derive or ""]
        read = lambda scope: derive(scope, tables)  # noqa: E731 - a function chosen by what is tested

    if wanted is None and table is None:
        return lambda scope: read(scope) not in ("", None)
    if wanted == ():
        return lambda scope: read(scope) in ("", None)

    def holds(scope: Scope) -> bool:
        value = read(scope)
        if value is None or value == "":
            return False
        code = fold(str(value))
        if table is not None:
            code = fold(str(table.get(code, "")))
        return code in wanted if wanted is not None else code != ""

    return holds


def _together(tests: list[Hold]) -> Hold | None:
    """All of several tests as one; None where there are none."""
    if len(tests) < 2:
        return tests[0] if tests else None
    if len(tests) == 2:
        first, second = tests
        return lambda scope: first(scope) and second(scope)
    return lambda scope: all(test(scope) for test in tests)


def _extract(how: Attribute, tables: Tables) -> Extract:
    match how.kind:
        case "text":
            return _whole(how.paths) if how.whole else _text(how.paths)
        case "id":
            return _identifier(how.paths)
        case "second":
            return _second(how.paths)
        case "code":
            return _code(how, tables)
        case "time":
            return _time(how.paths)
        case "date":
            return _date(how.paths)
        case "number":
            return _number(how.paths)
        case "list":
            reads = [reader(path) for path in how.paths]
            return lambda scope: [v for read in reads if (v := read(scope))] or None
        case "derive":
            derive = DERIVED[how.derive or ""]
            return lambda scope: derive(scope, tables)
        case "value":
            return lambda _: how.value


def _text(paths: tuple[Path, ...]) -> Extract:
    if len(paths) == 1:
        return reader(paths[0])
    reads = [reader(path) for path in paths]

    def first_of(scope: Scope) -> str | None:
        for read in reads:
            value = read(scope)
            if value:
                return value
        return None

    return first_of


def _whole(paths: tuple[Path, ...]) -> Extract:
    """A field with its components, joined by `^` whatever the message joins them by."""

    def whole(scope: Scope) -> str | None:
        message = scope.message
        for path in paths:
            fields = scope.find(path)
            text = fields[path.field] if path.field < len(fields) else ""
            if not text:
                continue
            text = text.partition(message.repetition)[0]
            if message.escape in text or message.subcomponent in text or '"' in text:
                text = "^".join(message.part(part) for part in text.split(message.component))
            elif message.component != "^":
                text = text.replace(message.component, "^")
            text = text.strip().rstrip("^")
            if text:
                return text
        return None

    return whole


def _one_identifier(path: Path) -> Read:
    place = (path.segment, path.field)
    own = path.segment.startswith("Z")
    versions = bool(path.since or path.until)

    def identifier(scope: Scope) -> str:
        if versions and not scope.has_version(path):
            return ""
        fields = scope.find(path)
        if len(fields) <= path.field or not (text := fields[path.field]):
            return ""
        message = scope.message
        if message.repetition in text or path.repetition > 1:
            repeated = text.split(message.repetition)
            text = repeated[path.repetition - 1] if path.repetition <= len(repeated) else ""
        if text.isalnum():
            return text
        if place in _CX_FIELDS:
            return extended(message, text)
        if place in _PAIR_FIELDS:
            return entity_in_pair(message, text, path.component)
        found = entity(message, text)
        # a site's own segment may hold either type: an EI has its authority in 2 or 3, a CX in 4
        return extended(message, text) if own and found and "^" not in found else found

    return identifier


def _identifier(paths: tuple[Path, ...]) -> Extract:
    reads = [_one_identifier(path) for path in paths]

    def identifier(scope: Scope) -> str | None:
        for read in reads:
            found = read(scope)
            if found:
                return found
        return None

    return identifier


def _second(paths: tuple[Path, ...]) -> Extract:
    """The other party's number: the first half of the paths are the first party's, the rest the second's."""
    half = max(1, len(paths) // 2)
    firsts, seconds = _identifier(paths[:half]), _identifier(paths[half:])

    def second(scope: Scope) -> str | None:
        found = seconds(scope)
        return found if found and (first := firsts(scope)) and found != first else None

    return second


def _code(how: Attribute, tables: Tables) -> Extract:
    table = tables.get(how.table or "", {})
    # a coded value without a code may still have its text, in component 2
    reads = [(reader(path), reader(path._replace(component=2)) if path.component == 1 else None) for path in how.paths]
    strict, pad, lower = how.strict, how.pad, how.lower
    note = f"unmapped_{how.table}"

    def code(scope: Scope) -> Any:
        for read, read_text in reads:
            value = read(scope)
            if not value and read_text is not None:
                value = read_text(scope)
            if not value:
                continue
            asked = fold(value)
            found = table.get(asked.zfill(pad) if pad and asked.isdigit() else asked)
            if found is not None:
                return found
            if not strict:
                return value.lower() if lower else value
            scope.notes.append(note)
        return None

    return code


def _time(paths: tuple[Path, ...]) -> Extract:
    reads = [reader(path) for path in paths]

    def time(scope: Scope) -> str | None:
        for read in reads:
            value = read(scope)
            if value:
                try:
                    moment, _, assumed = scope.times.read(value)
                except ValueError:
                    scope.notes.append(BAD_TIME)
                    continue
                scope.assumed = scope.assumed or assumed
                return write_instant(moment)
        return None

    return time


def _date(paths: tuple[Path, ...]) -> Extract:
    reads = [reader(path) for path in paths]

    def date(scope: Scope) -> str | None:
        digits = next((v for read in reads if (v := read(scope))), "")[:8]
        whole = len(digits) == 8 and digits.isascii() and digits.isdigit()
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if whole else None

    return date


def _number(paths: tuple[Path, ...]) -> Extract:
    reads = [reader(path) for path in paths]

    def number(scope: Scope) -> float | int | None:
        for read in reads:
            try:
                found = float(read(scope))
            except ValueError:
                continue
            if abs(found) < 2**53:  # neither infinite nor NaN, and exact as a whole number
                return int(found) if found.is_integer() else found
        return None

    return number
