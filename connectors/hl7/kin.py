"""Whom to ask for: electronic addresses of a patient, and the next of kin who speaks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from connectors.hl7.message import Fields, Message
from connectors.hl7.scope import Scope

_SPEAKS: Final = {
    "GRD": "guardian", "GUA": "guardian", "GUARD": "guardian", "LG": "guardian", "GUARDIAN": "guardian",
    "PAR": "parent", "PARENT": "parent", "MTH": "mother", "MOTHER": "mother", "FTH": "father", "FATHER": "father",
    "FCH": "foster parent", "POA": "attorney",
}  # fmt: skip
"""Codes of NK1-3 and NK1-7 (tables 0063 and 0131, and v3 role codes) of who may speak for somebody."""


def emails(message: Message, segment: Fields) -> list[str]:
    """XTN.4 of PID-13 and 14, and XTN.1 where the equipment is the internet, as older senders have it."""
    found: dict[str, None] = {}
    for field in (13, 14):
        for text in message.repetitions(segment, field):
            address = message.part(text, 4)
            if not address and "@" in (first := message.part(text)):
                address = first
            if "@" in address:
                found[address] = None
    return list(found)


def _speaker(scope: Scope) -> tuple[Fields, str] | None:
    known: tuple[Fields, str] | None
    if "speaker" in scope.memo:
        known = scope.memo["speaker"]
        return known
    known = None
    for segment in scope.message.all("NK1"):
        for field in (7, 3):
            text = segment[field] if len(segment) > field else ""
            role = _SPEAKS.get(scope.message.part(text).upper()) or _SPEAKS.get(scope.message.part(text, 2).upper())
            if role is not None and known is None:
                known = segment, role
    scope.memo["speaker"] = known
    return known


def proxy_relation(scope: Scope) -> str | None:
    found = _speaker(scope)
    return found[1] if found is not None else None


def proxy_name(scope: Scope) -> str | None:
    """NK1-2, as `Family, Given`."""
    found = _speaker(scope)
    if found is None or len(found[0]) < 3:
        return None
    name = scope.message.repetitions(found[0], 2)
    parts = [part for n in (1, 2) if name and (part := scope.message.part(name[0], n))]
    return ", ".join(parts) or None


def proxy_phone(scope: Scope, read: Callable[[Message, str], str]) -> str | None:
    """The first number of NK1-5, else NK1-6."""
    found = _speaker(scope)
    if found is None:
        return None
    numbers = [
        number
        for field in (5, 6)
        if len(found[0]) > field
        for text in scope.message.repetitions(found[0], field)
        if text.strip() and (number := read(scope.message, text))
    ]
    return numbers[0] if numbers else None
