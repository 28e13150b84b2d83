"""Paths into an HL7 v2 message: `PID-3`, `PID-3.4.1`, `PV1-19[2].1`; counted from 1 as HL7 does."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_PATH: Final = re.compile(r"([A-Z][A-Z0-9]{2})-(\d{1,3})(?:\[(\d{1,3})\])?(?:\.(\d{1,2})(?:\.(\d{1,2}))?)?\Z")


class Path(NamedTuple):
    """Where a value stands. `component` 1 is the whole field where it has only one."""

    segment: str
    field: int
    component: int = 1
    subcomponent: int = 1
    repetition: int = 1


def read_path(text: str) -> Path:
    """Raises ValueError with the expected form for anything else."""
    found = _PATH.match(text.strip())
    if found is None:
        raise ValueError("a path such as PID-3, PID-3.4 or PV1-19[2].1 is expected")
    segment, field, repetition, component, subcomponent = found.groups()
    path = Path(segment, int(field), int(component or 1), int(subcomponent or 1), int(repetition or 1))
    if min(path[1:]) < 1:
        raise ValueError("HL7 counts fields, components and repetitions from 1")
    return path
