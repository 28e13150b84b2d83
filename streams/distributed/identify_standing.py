"""Where identify stands: a row of px.persons, and of its index."""

from __future__ import annotations

from typing import Final

import msgspec

from streams.distributed.bounds import read_place
from streams.distributed.names import PERSONS

FORMAT: Final = 1


class Standing(msgspec.Struct, array_like=True):
    """Where identify stands: the format, the offset of px.inbound that comes next, the largest log time, until when the
    clock stands, the tick that was given last, and how many messages ended how: (kind, outcome, reason, count)."""

    format: int = FORMAT
    next: int = 0
    recorded: int = 0
    settled: int = 0
    ticked: int = 0
    tallies: list[tuple[str, str, str, int]] = []


def read_standing(kept: bytes | None) -> Standing:
    """Where identify stands. Raises NewerFormat and Spoilt."""
    if kept is None:
        return Standing()
    return read_place(PERSONS, kept, FORMAT, Standing, lambda standing: (standing.recorded,))
