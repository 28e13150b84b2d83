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
from connectors.hl7.time import Times

_WRONG: Final = (HL7apyException, ValueError, AttributeError, IndexError, KeyError, TypeError, RecursionError)
"""What hl7apy raises for real data, beside its own: each is an answer, none stops a check."""
_FALLBACK: Final = "2.5.1"
_NUMBER: Final = re.compile(r"\d+\.\d+(\.\d+)?")
_VALUE: Final = re.compile(r"'[^']*'|\"[^\"]*\"|(?<=Value ).+?(?= not in table)")
_FIELD: Final = re.compile(r"\b(?:[A-Z][A-Z0-9]{2}\.)?([A-Z][A-Z0-9]{2})[_-](\d{1,3})\b(?: \([A-Z0-9_]+\))?")
_TIMES: Final = frozenset({"DT", "DTM", "TS"})
_OF_A_CHOICE: Final = re.compile(r"Missing required child (?:\w+_CHOICE|ORM_O01_OBR\w+_SUPPGRP)\.")
"""hl7apy asks for every branch of a choice: an order of a test has no medication."""
_PLAINLY: Final = (
    (re.compile(r"Datatype None is not correct for (\S+) \(it must be None\)"), r"\1 is one value and has components"),
    (re.compile(r"Invalid children detected for <Segment (\w+)>: \[None\]"), r"\1 has more fields than the version"),
    (
        re.compile(r"Invalid children detected for <Field (\w+) \(\w+\) of type (\w+)>: \[None\]"),
        r"\1 has more components than the version's \2",
    ),
)
"""Sentences of hl7apy that do not say what is wrong, and what they mean."""
_STRUCTURES: Final = (
    ("ADT_A05", "A14 A28 A31"),
    ("ADT_A01", "A04 A05 A08 A13 A14 A28 A31"),
    ("ADT_A06", "A07"),
    ("ADT_A09", "A10 A11 A12 A15"),
    ("ADT_A21", "A22 A23 A25 A26 A27 A29 A32 A33"),
    ("ADT_A02", "A21 A22 A23 A25 A26 A27 A29 A32 A33"),
    ("ADT_A24", "A37"),
    ("ADT_A30", "A34 A35 A36 A46 A47 A48 A49"),
    ("ADT_A39", "A40 A41 A42"),
    ("ADT_A43", "A44"),
    ("ADT_A50", "A51"),
    ("MDM_T01", "T03 T05 T07 T09 T11"),
    ("MDM_T02", "T04 T06 T08 T10"),
    ("SIU_S12", "S13 S14 S15 S16 S17 S18 S19 S20 S21 S22 S23 S24 S26"),
    ("SRM_S01", "S02 S03 S04 S05 S06 S07 S08 S09 S10 S11"),
    ("REF_I12", "I13 I14 I15"),
    ("RRI_I12", "I13 I14 I15"),
    ("RQA_I08", "I09 I10 I11"),
    ("RPA_I08", "I09 I10 I11"),
    ("ORU_R30", "R31 R32"),
)
"""Triggers that share a structure (HL7 v2.3.1 and v2.5, table 0354); the first that a version has is taken."""


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


def structure_of(message: Message) -> str:
    """The message structure that hl7apy judges by: MSH-9.3, else what the version has for the trigger; "" where it has
    none. Older senders name type and trigger alone."""
    known = hl7apy.load_library(version_of(message)).MESSAGES
    type_, trigger, structure = (message.value(message.header, 9, number).upper() for number in (1, 2, 3))
    shared = [name for name, triggers in _STRUCTURES if name[:3] == type_ and trigger in triggers.split()]
    return next((name for name in (structure, f"{type_}_{trigger}", *shared) if name in known), "")


def faults(message: Message) -> list[str]:
    """What the version's own rules say against a message: missing segments and fields, too many of them, wrong
    types. No value stands in a line."""
    version, structure = version_of(message), structure_of(message)
    if not structure:
        return [f"Warning: version {version} has no structure for this message type, so it is not compared with one"]
    separator, (header, *rest) = message.field_separator, message.lines
    fields = header.split(separator)
    fields += [""] * (12 - len(fields))
    # MSH-9 and MSH-12: the separator counts as MSH-1
    parts = structure.split("_", 1)
    fields[8] = message.component.join([*parts, structure] if _order(version) >= (2, 3, 1) else parts)
    fields[11] = version
    text = "\r".join((separator.join(fields), *rest))
    with TemporaryDirectory(prefix="pxhub-") as folder:  # hl7apy raises its first objection, and writes all to a file
        return _objections(text, Path(folder) / "report")


def wrong_times(message: Message) -> Iterator[str]:
    """The fields of a time's type that hold none, which hl7apy lets pass."""
    times = Times()
    for field in named_fields(message):
        if field.type not in _TIMES:
            continue
        for repetition in field.value.split(message.repetition):
            stamp = message.part(repetition)
            try:
                if stamp:
                    times.read(stamp)
            except ValueError:
                yield f"Error: {field.place} ({field.name}) is no time: YYYYMMDD[HHMM[SS]][+/-ZZZZ] is expected"


def _objections(text: str, report: Path) -> list[str]:
    try:
        parse_message(text, VALIDATION_LEVEL.TOLERANT, find_groups=True).validate(report_file=str(report))
    except _WRONG as wrong:
        if not report.exists() or not report.stat().st_size:
            return [f"{type(wrong).__name__}: {_plain(str(wrong))}"]
    if not report.exists():
        return []
    lines = [line.strip() for line in report.read_text(encoding="utf-8").splitlines()]
    told = [line for line in lines if line.startswith(("Error", "Warning")) and not _OF_A_CHOICE.search(line)]
    return [_plain(line) for line in told]


def _plain(line: str) -> str:
    for theirs, ours in _PLAINLY:
        line = theirs.sub(ours, line)
    return without_values(line)


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
