"""Compile a mapping: every attribute becomes a function of a scope, every trigger a short list of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.hl7.derived import DERIVED
from connectors.hl7.identifiers import entity, extended
from connectors.hl7.scope import Scope
from connectors.mapping.path import Path
from connectors.mapping.spec import Attribute, EventSpec, MappingSpec, Test, Trigger
from schemas.instant import write_instant

Extract = Callable[[Scope], Any]
Tables = Mapping[str, Mapping[str, Any]]
_CX_FIELDS: Final = frozenset({("PV1", 19), ("PV1", 50), ("PID", 18), ("PID", 3), ("MRG", 1), ("MRG", 3), ("MRG", 5), ("MRG", 6)})
"""Fields of type CX among those that mappings read as identifiers; the others are EI (HL7 v2.5.1, chapters 3-7)."""


class Recipe:
    """One event that a trigger gives, compiled."""

    __slots__ = ("attributes", "event", "fixed", "own_time", "time", "unless", "when")

    def __init__(self, event: str, spec: EventSpec, attributes: list[tuple[str, Extract]]) -> None:
        self.event: str = event
        self.time: tuple[Path, ...] = spec.time
        self.own_time: bool = spec.own_time
        self.attributes: list[tuple[str, Extract]] = attributes
        self.when: list[Callable[[Scope], bool]] = []
        self.unless: list[Callable[[Scope], bool]] = []
        self.fixed: dict[str, Any] = {}


class Plan:
    """What one trigger gives."""

    __slots__ = ("each", "recipes")

    def __init__(self, each: str, recipes: list[Recipe]) -> None:
        self.each: str = each
        self.recipes: list[Recipe] = recipes


def compile_mapping(mapping: MappingSpec) -> dict[str, Plan]:
    """Plans by message type and trigger, such as `ADT^A01`."""
    compiled: dict[str, list[tuple[str, Extract]]] = {}
    for name, spec in mapping.events.items():
        attributes: dict[str, Attribute] = {}
        for group in spec.groups:
            attributes.update(mapping.groups[group])
        attributes.update(spec.attributes)
        compiled[name] = [(attribute, _extract(how, mapping.tables)) for attribute, how in attributes.items()]
    return {
        message: Plan(trigger.each, _recipes(trigger, mapping, compiled)) for message, trigger in mapping.messages.items()
    }


def _recipes(
    trigger: Trigger, mapping: MappingSpec, compiled: Mapping[str, list[tuple[str, Extract]]]
) -> list[Recipe]:
    recipes = []
    for given in trigger.events:
        if given.event in mapping.off:
            continue
        recipe = Recipe(given.event, mapping.events[given.event], compiled[given.event])
        recipe.when = [_test(test, mapping.tables) for test in given.when]
        recipe.unless = [_test(test, mapping.tables) for test in given.unless]
        recipe.fixed = dict(given.set)
        recipes.append(recipe)
    return recipes


def _test(test: Test, tables: Tables) -> Callable[[Scope], bool]:
    wanted = test.one_of

    def holds(value: Any) -> bool:
        if value is None or value == "":
            return False
        return wanted is None or str(value).upper().replace(" ", "") in wanted

    if test.path is not None:
        path = test.path
        return lambda scope: holds(scope.value(path))
    derive = DERIVED[test.derive or ""]
    return lambda scope: holds(derive(scope, tables))


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
            return lambda scope: [v for path in how.paths if (v := scope.value(path))] or None
        case "derive":
            derive = DERIVED[how.derive or ""]
            return lambda scope: derive(scope, tables)
        case "value":
            return lambda _: how.value


def _text(paths: tuple[Path, ...]) -> Extract:
    if len(paths) == 1:
        only = paths[0]
        return lambda scope: scope.value(only)

    def first_of(scope: Scope) -> str | None:
        for path in paths:
            value = scope.value(path)
            if value:
                return value
        return None

    return first_of


def _whole(paths: tuple[Path, ...]) -> Extract:
    """A field with its components, joined by `^` whatever the message joins them by."""

    def whole(scope: Scope) -> str | None:
        for path in paths:
            segment = scope.first(path.segment)
            raw = segment.repetitions(path.field)[:1] if segment is not None else []
            if raw:
                message = scope.message
                parts = [message.part(p) for p in raw[0].split(message.component)]
                text = "^".join(parts).rstrip("^")
                if text:
                    return text
        return None

    return whole


def _one_identifier(scope: Scope, path: Path) -> str:
    segment = scope.first(path.segment)
    if segment is None:
        return ""
    raw = segment.repetitions(path.field)
    if len(raw) < path.repetition:
        return ""
    read = extended if (path.segment, path.field) in _CX_FIELDS else entity
    return read(scope.message, raw[path.repetition - 1])


def _identifier(paths: tuple[Path, ...]) -> Extract:
    def identifier(scope: Scope) -> str | None:
        for path in paths:
            found = _one_identifier(scope, path)
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
        return found if found and found != (first := firsts(scope)) and first else None

    return second


def _code(how: Attribute, tables: Tables) -> Extract:
    table = tables.get(how.table or "", {})
    paths, strict, plain, pad, lower = how.paths, how.strict, how.plain, how.pad, how.lower

    def code(scope: Scope) -> Any:
        for path in paths:
            value = scope.value(path)
            if not value:
                continue
            asked = value.upper().replace(" ", "") if plain else value.upper()
            found = table.get(asked.zfill(pad) if pad and asked.isdigit() else asked)
            if found is not None:
                return found
            if strict:
                scope.notes.append(f"unmapped_{how.table}")
                continue
            return value.lower() if lower else value
        return None

    return code


def _time(paths: tuple[Path, ...]) -> Extract:
    def time(scope: Scope) -> str | None:
        for path in paths:
            value = scope.value(path)
            if value:
                try:
                    return write_instant(scope.times.read(value)[0])
                except (ValueError, OverflowError):
                    scope.notes.append("bad_time_skipped")
        return None

    return time


def _date(paths: tuple[Path, ...]) -> Extract:
    def date(scope: Scope) -> str | None:
        value = next((v for path in paths if (v := scope.value(path))), "")
        digits = value[:8]
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdigit() else None  # noqa: PLR2004

    return date


def _number(paths: tuple[Path, ...]) -> Extract:
    def number(scope: Scope) -> float | int | None:
        for path in paths:
            try:
                found = float(scope.value(path))
            except ValueError:
                continue
            if found == found and abs(found) < 2**53:  # NaN differs from itself
                return int(found) if found.is_integer() else found
        return None

    return number
