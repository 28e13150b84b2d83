"""Identifiers of HL7 v2: `value^authority`, or the value alone where no authority is named."""

from __future__ import annotations

from typing import Final

from connectors.hl7.message import Message, Segment

_MRN_TYPES: Final = frozenset({"MR", "MRN", "PI", "PT", "PRN"})
_NO_PERSON: Final = frozenset({"SS", "SSN", "DL", "PPN", "VN", "AN", "VISITID", "ANON"})
"""Types that name no person of a hospital: placeholders and visit numbers there would make one of two patients."""


def extended(message: Message, text: str) -> str:
    """A CX: CX.1 with CX.4.1, or CX.4.2 where that is empty (HL7 v2.5.1, chapter 2A)."""
    value = message.part(text)
    if not value:
        return ""
    authority = message.part(text, 4, 1) or message.part(text, 4, 2)
    return f"{value}^{authority}" if authority else value


def entity(message: Message, text: str) -> str:
    """An EI: EI.1 with EI.2, or EI.3 where that is empty."""
    value = message.part(text)
    if not value:
        return ""
    authority = message.part(text, 2) or message.part(text, 3)
    return f"{value}^{authority}" if authority else value


def person_identifiers(segment: Segment, field: int) -> tuple[str, ...]:
    """The person's identifiers in a repeating CX field, the MRN first; repetitions said twice are one."""
    message = segment.message
    mrns: list[str] = []
    others: list[str] = []
    for text in segment.repetitions(field):
        type_ = message.part(text, 5).upper()
        identifier = extended(message, text)
        if not identifier or type_ in _NO_PERSON:
            continue
        (mrns if type_ in _MRN_TYPES else others).append(identifier)
    return tuple(dict.fromkeys(mrns + others))


def patient(segment: Segment | None) -> tuple[str, ...]:
    """The identifiers of a PID: PID-3; where that names nobody PID-2, then PID-4 (both older)."""
    if segment is None:
        return ()
    for field in (3, 2, 4):
        found = person_identifiers(segment, field)
        if found:
            return found
    return ()
