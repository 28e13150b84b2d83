"""Attributes that need more than a path: flags over several segments, groups of codes, who was merged with whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.hl7.identifiers import extended, patient, person_identifiers
from connectors.hl7.scope import Scope
from connectors.mapping.path import Path
from schemas.event import HOUR

Tables = Mapping[str, Mapping[str, Any]]
Derive = Callable[[Scope, Tables], Any]

_ABNORMAL: Final = frozenset("H L A HH LL AA HU LU POS DET".split())
_CRITICAL: Final = frozenset("HH LL AA".split())
_URGENT: Final = frozenset("S STAT A ASAP U UR URGENT E EMERGENCY".split())


def _flags(scope: Scope) -> list[str]:
    """OBX-8.1 of every repetition of the group's observations."""
    flags: list[str] = []
    for segment in scope.all("OBX"):
        flags += [scope.message.part(text).upper() for text in segment.repetitions(8)]
    return [flag for flag in flags if flag]


def abnormal(scope: Scope, _: Tables) -> bool | None:
    flags = _flags(scope)
    return any(flag in _ABNORMAL for flag in flags) if flags else None


def critical(scope: Scope, _: Tables) -> bool | None:
    """Never from an unverified result (OBR-25 R)."""
    flags = _flags(scope)
    if not flags or scope.value(Path("OBR", 25)).upper() == "R":
        return None
    return any(flag in _CRITICAL for flag in flags)


def category(scope: Scope, tables: Tables) -> str | None:
    """The group of OBR-24; where it is empty the site's lists by OBR-4 and MSH-3, then LAB where there is a specimen."""
    code = scope.value(Path("OBR", 24))
    if code:
        return tables["category"].get(code.upper(), code)
    for name, path in (("category_of_code", Path("OBR", 4)), ("category_of_sender", Path("MSH", 3))):
        listed = tables.get(name, {}).get(scope.value(path).upper())
        if listed is not None:
            return str(listed)
    return "LAB" if scope.first("SPM") is not None else None


def slow(scope: Scope, tables: Tables) -> bool | None:
    """Every laboratory order has it: cultures, send-outs and the like are slow, and a site's own codes."""
    if category(scope, tables) != "LAB":
        return None
    code = scope.value(Path("OBR", 24)).upper()
    own = scope.value(Path("OBR", 4)).upper()
    return bool(tables["slow"].get(code) or tables.get("slow_codes", {}).get(own))


def after_discharge(scope: Scope, _: Tables) -> bool | None:
    left, told = scope.value(Path("PV1", 45)), scope.value(Path("OBR", 22))
    if not left:
        return None
    try:
        told_at = scope.times.read(told or scope.value(Path("MSH", 7)))[0]
        return scope.times.read(left)[0] < told_at
    except ValueError:
        return None


def notice_hours(scope: Scope, _: Tables) -> int | None:
    """Whole hours from the cancellation to the start."""
    for path in (Path("SCH", 11, 4), Path("TQ1", 7), Path("AIS", 4)):
        start = scope.value(path)
        if start:
            try:
                return (scope.times.read(start)[0] - scope.times.read(scope.value(Path("MSH", 7)))[0]) // HOUR
            except ValueError:
                return None
    return None


def referral_reason(scope: Scope, _: Tables) -> str | None:
    """RF1-1 E is a referral that lapsed; else the reason that the message gives."""
    if scope.value(Path("RF1", 1)).upper() == "E":
        return "expired"
    return scope.value(Path("RF1", 10)) or scope.value(Path("RF1", 10, 2)) or None


def urgent(scope: Scope, _: Tables) -> bool:
    return scope.value(Path("RF1", 2)).upper() in _URGENT


def _merged(scope: Scope) -> tuple[str, ...]:
    segment = scope.first("MRG")
    return () if segment is None else person_identifiers(segment, 1) or person_identifiers(segment, 4)


def surviving(scope: Scope, _: Tables) -> list[str] | None:
    return list(patient(scope.first("PID"))) or None


def retired(scope: Scope, _: Tables) -> list[str] | None:
    return list(_merged(scope)) or None


def linked(scope: Scope, _: Tables) -> list[str] | None:
    """The second patient of a message about two."""
    people = scope.message.all("PID")
    return (list(patient(people[1])) or None) if len(people) > 1 else None


_RENUMBERED: Final = {
    "A35": ("account", 3),
    "A41": ("account", 3),
    "A42": ("visit", 5),
    "A47": ("mrn", 1),
    "A49": ("account", 3),
    "A50": ("visit", 5),
}
_MOVED: Final = {"A43": "mrn", "A44": "account", "A45": "visit"}


def renumbered_kind(scope: Scope, _: Tables) -> str | None:
    return _RENUMBERED.get(scope.trigger[-3:], (None, 0))[0]


def renumbered_from(scope: Scope, tables: Tables) -> list[str] | None:
    kind, field = _RENUMBERED.get(scope.trigger[-3:], ("mrn", 1))
    if kind == "mrn":
        return retired(scope, tables)
    segment = scope.first("MRG")
    number = "" if segment is None else extended(scope.message, segment.raw(field))
    return [number] if number else None


def renumbered_to(scope: Scope, tables: Tables) -> list[str] | None:
    kind = renumbered_kind(scope, tables)
    if kind == "mrn":
        return surviving(scope, tables)
    segment, field = (scope.first("PID"), 18) if kind == "account" else (scope.first("PV1"), 19)
    number = "" if segment is None else extended(scope.message, segment.raw(field))
    return [number] if number else None


def moved_kind(scope: Scope, _: Tables) -> str | None:
    return _MOVED.get(scope.trigger[-3:])


DERIVED: Final[Mapping[str, Derive]] = {
    "abnormal": abnormal,
    "after_discharge": after_discharge,
    "category": category,
    "collected": lambda scope, _: scope.value(Path("OBR", 7)) or scope.value(Path("SPM", 17)) or None,
    "critical": critical,
    "linked": linked,
    "moved_kind": moved_kind,
    "notice_hours": notice_hours,
    "received": lambda scope, _: scope.value(Path("OBR", 14)) or scope.value(Path("SPM", 18)) or None,
    "referral_reason": referral_reason,
    "renumbered_from": renumbered_from,
    "renumbered_kind": renumbered_kind,
    "renumbered_to": renumbered_to,
    "retired": retired,
    "slow": slow,
    "surviving": surviving,
    "urgent": urgent,
}
"""By the name that a mapping's `derive:` gives."""
