"""Look into a message with hl7apy: what its segments and fields are called, and whether its version allows it.

hl7apy is slow and strict, and knows the standard by heart; it explains, and never stands on the way of a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import hl7apy
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message

from connectors.hl7.message import Message

_WRONG: Final = (HL7apyException, ValueError, AttributeError, IndexError, KeyError, TypeError, RecursionError)
"""What hl7apy raises for real data, beside its own: each is an answer, none stops a check."""
_FALLBACK: Final = "2.5.1"
_NUMBER: Final = re.compile(r"\d+\.\d+(\.\d+)?")
_VALUE: Final = re.compile(r"'[^']*'|\"[^\"]*\"|(?<=Value ).+?(?= not in table)")
_FIELD: Final = re.compile(r"\b(?:[A-Z][A-Z0-9]{2}\.)?([A-Z][A-Z0-9]{2})[_-](\d{1,3})\b")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: `PID-7`, its name in the standard, its data type, and what stands there."""

    place: str
    name: str
    type: str
    value: str


def version_of(message: Message) -> str:
    """The version that hl7apy judges by: MSH-12, else the nearest below it that hl7apy knows, else 2.5.1."""
    known = sorted(map(str, hl7apy.SUPPORTED_LIBRARIES), key=_order)
    told: str = message.value(message.header, 12)
    if told in known:
        return told
    if not _NUMBER.fullmatch(told):
        return _FALLBACK
    below = [version for version in known if _order(version) <= _order(told)]
    return below[-1] if below else known[0]


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def field_name(segment: str, field: int, version: str) -> tuple[str, str]:
    """Long name and data type of a field; empty where the standard has none (Z-segments)."""
    try:
        type_, name, *_ = hl7apy.load_reference(f"{segment}_{field}", "Field", version)[2:]
    except _WRONG:
        return "", ""
    return str(name or ""), str(type_ or "")


def named_fields(message: Message) -> Iterator[Field]:
    """The fields of a message that hold something, in order, each with its name."""
    version = version_of(message)
    seen: dict[str, int] = {}
    for line in message.lines:
        segment = line[:3]
        seen[segment] = count = seen.get(segment, 0) + 1
        repeated = f"[{count}]" if count > 1 else ""
        for number, value in enumerate(message.split(line)):
            if value and number:
                name, type_ = field_name(segment, number, version)
                yield Field(f"{segment}{repeated}-{number}", name, type_, value)


def faults(message: Message, text: str) -> list[str]:
    """What the version's own rules say against a message: missing segments and fields, too many of them, wrong
    types. No value stands in a line."""
    version = version_of(message)
    header, _, rest = re.sub(r"\r\n|\n", "\r", text.lstrip("\ufeff\x0b \r\n")).partition("\r")
    fields = header.split(message.field_separator)
    if len(fields) > 11:  # MSH-12 stands at index 11
        fields[11] = version
    with TemporaryDirectory(prefix="pxhub-") as folder:  # hl7apy raises its first objection, and writes all to a file
        return _objections(message.field_separator.join(fields) + "\r" + rest, Path(folder) / "report")


def _objections(text: str, report: Path) -> list[str]:
    try:
        parse_message(text, VALIDATION_LEVEL.TOLERANT, find_groups=True).validate(report_file=str(report))
    except _WRONG as wrong:
        if not report.exists() or not report.stat().st_size:
            return [f"{type(wrong).__name__}: {without_values(str(wrong))}"]
    if not report.exists():
        return []
    lines = [line.strip() for line in report.read_text(encoding="utf-8").splitlines()]
    return [without_values(line) for line in lines if line.startswith(("Error", "Warning"))]


def named(text: str, version: str) -> str:
    """A sentence with the fields in it called by their names: `PID-8 (ADMINISTRATIVE_SEX)`."""

    def name(found: re.Match[str]) -> str:
        segment, number = found[1], int(found[2])
        told = field_name(segment, number, version)[0]
        return f"{segment}-{number} ({told})" if told else f"{segment}-{number}"

    return _FIELD.sub(name, text)


def without_values(text: str) -> str:
    """A sentence of hl7apy without what it quotes: quoted texts may be values of a patient."""
    return _VALUE.sub("(value)", text)[:300]
