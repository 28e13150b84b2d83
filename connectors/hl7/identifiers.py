"""Identifiers of HL7 v2: `value^authority`, or the value alone where no authority is named."""

from __future__ import annotations

from typing import Final

from connectors.hl7.message import Fields, Message

_MRN_TYPES: Final = frozenset({"MR", "MRN", "PI", "PT"})
_NO_PERSON: Final = frozenset({"SS", "SSN", "DL", "PPN", "VN", "AN", "VISITID"})
"""Types of table 0203 that are no hospital's number of a person: government papers, visits and accounts."""


def extended(message: Message, text: str) -> str:
    """A CX: CX.1 with CX.4.1, or CX.4.2 where that is empty (HL7 v2.5.1, chapter 2A)."""
    if message.escape not in text and '"' not in text:
        parts = text.split(message.component, 4)
        if len(parts) < 4:
            return parts[0].partition(message.subcomponent)[0].strip()
        return _with_authority(parts[0], parts[3], message.subcomponent)
    value = _number(message.part(text))
    if not value:
        return ""
    authority = message.part(text, 4, 1) or message.part(text, 4, 2)
    return f"{value}^{authority}" if authority else value


def _with_authority(number: str, authority: str, subcomponent: str) -> str:
    """CX.1 and CX.4 as they stand, without escapes and quotes."""
    value = number.partition(subcomponent)[0].strip()
    if not value or not authority:
        return value
    if subcomponent in authority:
        named = authority.split(subcomponent, 2)
        authority = named[0].strip() or named[1]
    authority = authority.strip()
    return f"{value}^{authority}" if authority else value


def _number(value: str) -> str:
    """A number that holds the mark between number and authority keeps it escaped, as it was sent."""
    return value.replace("^", "\\S\\") if "^" in value else value


def entity(message: Message, text: str) -> str:
    """An EI: EI.1 with EI.2, or EI.3 where that is empty."""
    if message.escape not in text and message.subcomponent not in text and '"' not in text:
        parts = text.split(message.component)
        value, count = parts[0].strip(), len(parts)
        authority = (parts[1].strip() if count > 1 else "") or (parts[2].strip() if count > 2 else "")
        return f"{value}^{authority}" if value and authority else value
    value = _number(message.part(text))
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
    quick = message.escape not in raw and '"' not in raw
    for text in raw.split(message.repetition):
        if quick:
            # as `part` four times over, which is what a message would spend most of its time in
            parts = text.split(component, 5)
            type_ = parts[4].strip().upper() if len(parts) > 4 else ""
            identifier = _with_authority(parts[0], parts[3] if len(parts) > 3 else "", message.subcomponent)
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
