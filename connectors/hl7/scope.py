"""What an event is read from: a message, or one group of its segments with the rest of the message behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.hl7.message import Message, Segment
from connectors.hl7.time import Times
from connectors.mapping.path import Path

_ORDER_HEADS: Final = ("ORC", "OBR")


class Scope:
    """Segments by name, the group's own first. `times` reads stamps in the sender's zone; `notes` are remarks."""

    __slots__ = ("_all", "_first", "message", "notes", "number", "own", "times", "trigger")

    def __init__(
        self, message: Message, trigger: str, times: Times, notes: list[str], own: list[Segment] | None = None, number: int = 1
    ) -> None:
        self.message: Message = message
        self.trigger: str = trigger
        self.times: Times = times
        self.notes: list[str] = notes
        self.own: list[Segment] = own if own is not None else message.segments
        self.number: int = number
        self._first: dict[str, Segment] = {}
        for segment in self.own:
            self._first.setdefault(segment.name, segment)

    def first(self, name: str) -> Segment | None:
        """The first segment of a name in the group, else in the message."""
        found = self._first.get(name)
        if found is None and self.own is not self.message.segments:
            found = self.message.first(name)
        return found

    def value(self, path: Path) -> str:
        """One value; "" where it is absent or deleted."""
        segment = self.first(path.segment)
        if segment is None:
            return ""
        return segment.value(path.field, path.component, path.subcomponent, path.repetition)

    def all(self, name: str) -> list[Segment]:
        """The segments of a name in the group alone."""
        return [s for s in self.own if s.name == name]


def order_groups(message: Message) -> Iterator[list[Segment]]:
    """The groups of orders: each begins at ORC, or at OBR where the group before it has one already.

    Orders inside an order's own observations are not opened; what stands before the first group belongs to all.
    """
    group: list[Segment] = []
    for segment in message.segments:
        name = segment.name
        if name in _ORDER_HEADS:
            names = {s.name for s in group}
            if group and (name in names or (name == "ORC" and "OBR" in names)):
                yield group
                group = []
            group.append(segment)
        elif group:
            group.append(segment)
    if group:
        yield group


def patient_groups(message: Message) -> Iterator[list[Segment]]:
    """The groups of patients: each begins at a PID."""
    group: list[Segment] = []
    for segment in message.segments:
        if segment.name == "PID":
            if group:
                yield group
            group = [segment]
        elif group:
            group.append(segment)
    if group:
        yield group
