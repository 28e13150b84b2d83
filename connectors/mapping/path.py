"""Paths into an HL7 v2 message, counted from 1 as HL7 does.

`PID-3`, `PID-3.4.1`, `PV1-19[2].1` (a repetition); `PID[2]-3` (the second PID), `OBX[3=LP1]-5` (the first OBX whose
field 3 is LP1); `SCH-11.4 up to 2.6`, `SCH-26 from 2.4` (in messages of these versions alone).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_PATH: Final = re.compile(
    r"([A-Z][A-Z0-9]{2})(?:\[(?:(\d{1,3})|(\d{1,3})=([^\]]{1,60}))\])?-(\d{1,3})"
    r"(?:\[(\d{1,3})\])?(?:\.(\d{1,2})(?:\.(\d{1,2}))?)?(?: +(from|up to) +(\d\.\d(?:\.\d)?))?\Z"
)


class Path(NamedTuple):
    """Where a value stands. `component` 1 is the whole field where it has only one. `number`: which segment of the
    name; or the first whose field `having` is `equal`. `since`, `until`: versions, both inclusive."""

    segment: str
    field: int
    component: int = 1
    subcomponent: int = 1
    repetition: int = 1
    number: int = 1
    having: int = 0
    equal: str = ""
    since: str = ""
    until: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether it means the first segment and repetition of any version."""
        return self.repetition == 1 and self.number == 1 and not (self.having or self.since or self.until)

    def is_for(self, version: str) -> bool:
        """Whether MSH-12 is one that the path is for. A message without a version may have any field."""
        return not version or (self.since <= version and (not self.until or version[: len(self.until)] <= self.until))

    def __str__(self) -> str:
        return f"{self.segment}-{self.field}"


def read_path(text: str) -> Path:
    """Raises ValueError with the expected form for anything else."""
    found = _PATH.match(text.strip())
    if found is None:
        raise ValueError("a path such as PID-3, PID-3.4, PV1-19[2].1 or OBX[3=LP1]-5 is expected")
    segment, number, having, equal, field, repetition, component, subcomponent, side, version = found.groups()
    one, two = int(component or 1), int(subcomponent or 1)
    path = Path(segment, int(field), one, two, int(repetition or 1), int(number or 1), int(having or 0))
    if min(path[1:6]) < 1 or having == "0":
        raise ValueError("HL7 counts segments, fields, components and repetitions from 1")
    return path._replace(
        equal=(equal or "").strip(),
        since=version if side == "from" else "",
        until=version if side == "up to" else "",
    )
