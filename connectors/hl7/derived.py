"""Attributes that need more than a path: flags over several segments, groups of codes, who was merged with whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.hl7 import kin
from connectors.hl7.identifiers import extended, patient, person_identifiers
from connectors.hl7.message import LARGE_FIELD, Fields, Message
from connectors.hl7.scope import Scope, reader
from connectors.mapping.path import Path
from connectors.mapping.spec import fold
from schemas.event import HOUR

Tables = Mapping[str, Mapping[str, Any]]
Derive = Callable[[Scope, Tables], Any]

_ABNORMAL: Final = frozenset({"H", "L", "A", "HH", "LL", "AA", "HU", "LU", "POS", "DET"})
_CRITICAL: Final = frozenset({"HH", "LL", "AA"})
_URGENT: Final = frozenset({"S", "A"})
_STATUS: Final = reader(Path("OBR", 25))
_SECTION: Final = reader(Path("OBR", 24))
_SERVICE: Final = reader(Path("OBR", 4))
_SENDER: Final = reader(Path("MSH", 3))
_SENDER_ID: Final = reader(Path("MSH", 3, 2))
_VISIT_ENDED: Final = reader(Path("PV1", 45))
_SENT: Final = reader(Path("MSH", 7))
_STARTS: Final = tuple(
    map(reader, (Path("SCH", 11, 4, until="2.6"), Path("TQ1", 7), Path("AIS", 4), Path("SCH", 11, 4)))
)


def _flags(scope: Scope) -> set[str]:
    """OBX-8.1 of every repetition of the group's observations."""
    known: set[str] | None = scope.memo.get("flags")
    if known is not None:
        return known
    message = scope.message
    flags: set[str] = set()
    for line in scope.lines("OBX"):
        # nothing behind OBX-8 is asked for, and a large OBX-5 is not copied
        fields = line.split(message.field_separator, 9) if len(line) < LARGE_FIELD else message.split(line)
        text = fields[8] if len(fields) > 8 else ""
        if text.isalnum():
            flags.add(text.upper())
        elif text:
            flags.update(message.part(repetition).upper() for repetition in text.split(message.repetition))
    flags.discard("")
    scope.memo["flags"] = flags
    return flags


def abnormal(scope: Scope, _: Tables) -> bool | None:
    flags = _flags(scope)
    return not _ABNORMAL.isdisjoint(flags) if flags else None


def critical(scope: Scope, _: Tables) -> bool | None:
    """Never from an unverified result (OBR-25 R)."""
    flags = _flags(scope)
    if not flags or _STATUS(scope).upper() == "R":
        return None
    return not _CRITICAL.isdisjoint(flags)


def category(scope: Scope, tables: Tables) -> str | None:
    """The group of OBR-24; where it is empty the site's lists by OBR-4 and MSH-3, then LAB where there is an SPM."""
    if "category" not in scope.memo:
        scope.memo["category"] = _category(scope, tables)
    found: str | None = scope.memo["category"]
    return found


def _category(scope: Scope, tables: Tables) -> str | None:
    code = _SECTION(scope)
    if code:
        return str(tables["category"].get(fold(code), code))
    for name, value in (
        ("category_of_code", _SERVICE(scope)),
        ("category_of_sender", _SENDER(scope) or _SENDER_ID(scope)),
    ):
        table = tables.get(name)
        listed = table.get(fold(value)) if table else None
        if listed is not None:
            return str(listed)
    # a laboratory tells a specimen once, with the first of the orders on it
    return "LAB" if "SPM" in scope.message.by_name else None


def slow(scope: Scope, tables: Tables) -> bool | None:
    """Every laboratory order has it: cultures, send-outs and the like are slow, and a site's own codes."""
    if category(scope, tables) != "LAB":
        return None
    if tables["slow"].get(fold(_SECTION(scope))):
        return True
    own = tables.get("slow_codes")
    return bool(own and own.get(fold(_SERVICE(scope))))


def starts(scope: Scope, _: Tables) -> str | None:
    """The stamp of an appointment's start, as the message has it."""
    return next((stamp for read in _STARTS if (stamp := read(scope))), None)


def collected(scope: Scope, _: Tables) -> str | None:
    """OBR-7 or SPM-17 of an order, when it is past: with an order it may be a wish."""
    for path in (Path("OBR", 7), Path("SPM", 17)):
        stamp = scope.value(path)
        if stamp:
            try:
                return stamp if scope.times.read(stamp)[0] <= scope.times.read(_SENT(scope))[0] else None
            except ValueError:
                return None
    return None


def after_discharge(scope: Scope, _: Tables) -> bool | None:
    left = _VISIT_ENDED(scope)
    if not left:
        return None
    try:
        told_at = scope.times.read(scope.value(Path("OBR", 22)) or _SENT(scope))[0]
        return scope.times.read(left)[0] < told_at
    except ValueError:
        return None


def notice_hours(scope: Scope, _: Tables) -> int | float | None:
    """Hours from the cancellation to the start; below zero where it had begun."""
    start = starts(scope, {})
    if start is None:
        return None
    try:
        notice = scope.times.read(start)[0] - scope.times.read(_SENT(scope))[0]
    except ValueError:
        return None
    return notice // HOUR if notice % HOUR == 0 else round(notice / HOUR, 4)


def referral_reason(scope: Scope, _: Tables) -> str | None:
    """RF1-1 E is a referral that lapsed; else the reason that the message gives."""
    if scope.value(Path("RF1", 1)).upper() == "E":
        return "expired"
    return scope.value(Path("RF1", 10)) or scope.value(Path("RF1", 10, 2)) or None


def urgent(scope: Scope, tables: Tables) -> bool:
    return tables["priority"].get(fold(scope.value(Path("RF1", 2)))) in _URGENT


def phones(scope: Scope, _: Tables) -> list[str] | None:
    """The numbers of PID-13 and 14: XTN.1, from 2.3 on also XTN.12, else country, area and number put together."""
    message, segment = scope.message, scope["PID"]
    found = [
        _phone(message, text) for field in (13, 14) for text in message.repetitions(segment, field) if text.strip()
    ]
    return list(dict.fromkeys(number for number in found if number)) or None


def _phone(message: Message, text: str) -> str:
    whole = message.part(text) or message.part(text, 12)
    if whole or message.part(text, 3).upper() in ("INTERNET", "X.400"):
        return "" if "@" in whole else whole
    country, area, number = (message.part(text, n) for n in (5, 6, 7))
    return f"{'+' if country and not country.startswith('+') else ''}{country}{area}{number}" if number else ""


def emails(scope: Scope, _: Tables) -> list[str] | None:
    """The e-mail addresses of PID-13 and 14."""
    return kin.emails(scope.message, scope["PID"]) or None


def surviving(scope: Scope, _: Tables) -> list[str] | None:
    return list(patient(scope.message, scope["PID"])) or None


def retired(scope: Scope, _: Tables) -> list[str] | None:
    """Whom MRG-1 names; where it names nobody MRG-4, which older versions have beside it."""
    segment = scope["MRG"]
    return list(person_identifiers(scope.message, segment, 1) or person_identifiers(scope.message, segment, 4)) or None


def linked(scope: Scope, _: Tables) -> list[str] | None:
    """The second patient of a message about two."""
    people = scope.message.all("PID")
    return (list(patient(scope.message, people[1])) or None) if len(people) > 1 else None


_RENUMBERED: Final = {
    "A35": ("account", 3),
    "A41": ("account", 3),
    "A42": ("visit", 5),
    "A47": ("mrn", 1),
    "A49": ("account", 3),
    "A50": ("visit", 5),
}
# Without an identifier in MRG-1 or MRG-4 a move stays a dead letter, though MRG-3 or MRG-5 names the account or the
# visit: what was told of it before is found by who had it, and a number alone may be another person's elsewhere.
_MOVED: Final = {"A43": "mrn", "A44": "account", "A45": "visit"}


def renumbered_kind(scope: Scope, _: Tables) -> str | None:
    return _RENUMBERED.get(scope.trigger[-3:], (None, 0))[0]


def renumbered_from(scope: Scope, tables: Tables) -> list[str] | None:
    kind, field = _RENUMBERED.get(scope.trigger[-3:], ("mrn", 1))
    return retired(scope, tables) if kind == "mrn" else _number(scope, scope["MRG"], field)


def renumbered_to(scope: Scope, tables: Tables) -> list[str] | None:
    kind = renumbered_kind(scope, tables)
    if kind == "account":
        return _number(scope, scope["PID"], 18)
    return _number(scope, scope["PV1"], 19) if kind == "visit" else surviving(scope, tables)


def _number(scope: Scope, fields: Fields, field: int) -> list[str] | None:
    raw = scope.message.repetitions(fields, field)
    number = extended(scope.message, raw[0]) if raw else ""
    return [number] if number else None


def moved_kind(scope: Scope, _: Tables) -> str | None:
    return _MOVED.get(scope.trigger[-3:])


DERIVED: Final[Mapping[str, Derive]] = {
    "abnormal": abnormal,
    "after_discharge": after_discharge,
    "category": category,
    "collected": collected,
    "critical": critical,
    "emails": emails,
    "linked": linked,
    "moved_kind": moved_kind,
    "notice_hours": notice_hours,
    "phones": phones,
    "proxy_name": lambda scope, _: kin.proxy_name(scope),
    "proxy_phone": lambda scope, _: kin.proxy_phone(scope, _phone),
    "proxy_relation": lambda scope, _: kin.proxy_relation(scope),
    "referral_reason": referral_reason,
    "renumbered_from": renumbered_from,
    "renumbered_kind": renumbered_kind,
    "renumbered_to": renumbered_to,
    "retired": retired,
    "slow": slow,
    "starts": starts,
    "surviving": surviving,
    "urgent": urgent,
}
"""By the name that a mapping's `derive:` gives."""

NEEDS: Final[Mapping[str, str]] = {
    "abnormal": "OBX",
    "after_discharge": "PV1",
    "critical": "OBX",
    "emails": "PID",
    "phones": "PID",
    "proxy_name": "NK1",
    "proxy_phone": "NK1",
    "proxy_relation": "NK1",
    "retired": "MRG",
    "surviving": "PID",
}
"""A segment without which there is nothing to derive."""
