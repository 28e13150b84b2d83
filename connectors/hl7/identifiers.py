"""Identifiers of HL7 v2: `value^authority`, or the value alone where no authority is named."""

from __future__ import annotations

from typing import Final

from connectors.hl7.message import Fields, Message

_MRN_TYPES: Final = frozenset({"MR", "MRN", "PI", "PT"})
_NO_PERSON: Final = frozenset({"SS", "SSN", "DL", "PPN", "VN", "AN", "VISITID"})
"""Types of table 0203 that are no hospital's number of a person: government papers, visits and accounts."""


def extended(message: Message, text: str) -> str:
    """A CX: CX.1 with CX.4.1, or CX.4.2 where that is empty (HL7 v2.5.1, chapter 2A)."""
    value = message.part(text)
    if not value:
        return ""
    authority = message.part(text, 4, 1) or message.part(text, 4, 2)
    return f"{value}^{authority}" if authority else value


def entity(message: Message, text: str) -> str:
    """An EI: EI.1 with EI.2, or EI.3 where that is empty. The same as one subcomponent list of an EIP."""
    value = message.part(text)
    if not value:
        return ""
    authority = message.part(text, 2) or message.part(text, 3)
    return f"{value}^{authority}" if authority else value


def entity_in_pair(message: Message, text: str, component: int) -> str:
    """One half of an EIP, whose entity identifiers are written in subcomponents."""
    value = message.part(text, component)
    if not value:
        return ""
    authority = message.part(text, component, 2) or message.part(text, component, 3)
    return f"{value}^{authority}" if authority else value


def person_identifiers(message: Message, fields: Fields, field: int) -> tuple[str, ...]:
    """The person's identifiers in a repeating CX field, the MRN first; repetitions said twice are one."""
    raw = fields[field] if field < len(fields) else ""
    if not raw:
        return ()
    mrns: list[str] = []
    others: list[str] = []
    component = message.component
    quick = message.escape not in raw and message.subcomponent not in raw and '""' not in raw
    for text in raw.split(message.repetition):
        if quick:
            # as `part` five times over, which is what a message would spend most of its time in
            parts = text.split(component)
            count = len(parts)
            value = parts[0].strip()
            authority = parts[3].strip() if count > 3 else ""
            type_ = parts[4].strip().upper() if count > 4 else ""
            identifier = f"{value}^{authority}" if value and authority else value
        else:
            type_ = message.part(text, 5).upper()
            identifier = extended(message, text)
        if identifier and type_ not in _NO_PERSON:
            (mrns if type_ in _MRN_TYPES else others).append(identifier)
    found = mrns + others
    return tuple(dict.fromkeys(found)) if len(found) > 1 else tuple(found)


def patient(message: Message, fields: Fields) -> tuple[str, ...]:
    """The identifiers of a PID: PID-3; where that names nobody PID-2, then PID-4 (both older)."""
    for field in (3, 2, 4):
        found = person_identifiers(message, fields, field)
        if found:
            return found
    return ()
