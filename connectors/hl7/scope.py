"""What an event is read from: a message, or one group of its segments with the rest of the message behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from connectors.hl7.message import NO_FIELDS, Fields, Message
from connectors.hl7.time import Times
from connectors.mapping.path import Path

_ORDER_HEADS: Final = ("ORC", "OBR")
_NO_LINES: Final[list[str]] = []
_OF_ALL: Final = frozenset({"MSH", "EVN", "SFT"})
_OF_ITS_ORDER: Final = frozenset({"ORC", "OBR", "TQ1", "TQ2", "SPM", "OBX", "NTE"})
"""What says something of one order alone: another order of the message has no part in it."""
_OF_THE_FIRST: Final = (7, 14)
"""Fields of OBR that an order's further specimens do not share."""
_SPECIMEN_FIRST: Final = frozenset({"OUL^R22", "OUL^R23", "OML^O33", "OML^O35"})
"""Messages whose specimens stand before the orders on them (HL7 v2.5.1, 4.4 and 7.3)."""
_CONTROL_AFTER: Final = frozenset({"OUL^R22", "OUL^R23", "OUL^R24"})
"""Messages where ORC follows its OBR."""


class Scope(dict[str, Fields]):
    """The first segment of each name, the group's own first: `scope["PID"]`, split when it is first asked for.

    `times` reads stamps in the sender's zone; `notes` are remarks; `shared` is what several events of this scope share,
    once it was read; `memo` what was derived once and is asked for again.
    """

    __slots__ = ("_own", "assumed", "memo", "message", "notes", "number", "shared", "times", "trigger")

    def __init__(
        self,
        message: Message,
        trigger: str,
        times: Times,
        notes: list[str],
        own: dict[str, list[str]] | None,
        number: int,
    ) -> None:
        self.message: Message = message
        self.trigger: str = trigger
        self.times: Times = times
        self.notes: list[str] = notes
        self.number: int = number
        self.assumed: bool = False  # a stamp without an offset was read
        self["MSH"] = message.header
        self.shared: dict[tuple[str, ...], dict[str, Any]] = {}
        self.memo: dict[str, Any] = {}
        self._own: dict[str, list[str]] | None = own

    def __missing__(self, name: str) -> Fields:
        """The first segment of a name in the group, else in the message; NO_FIELDS where there is none. Nothing is
        borrowed from another order, and in a message about two patients nothing from the other one."""
        by_name = self.message.by_name
        own = self._own
        lines = own.get(name) if own is not None else None
        if lines is None and (
            own is None or name in _OF_ALL or (name not in _OF_ITS_ORDER and len(by_name.get("PID", ())) < 2)
        ):
            lines = by_name.get(name)
        found = self[name] = self.message.split(lines[0]) if lines else NO_FIELDS
        return found

    def lines(self, name: str) -> list[str]:
        """The segments of a name in the group alone (in a scope that is a message: all of them), not yet split."""
        return (self._own if self._own is not None else self.message.by_name).get(name, _NO_LINES)

    def all(self, name: str) -> list[Fields]:
        """As `lines`, split."""
        return [self.message.split(line) for line in self.lines(name)]

    def further_specimens(self) -> Iterator[Scope]:
        """A scope for each specimen of an order behind its first, which the order's own times (OBR-7, OBR-14) go with.
        A specimen is told once, whatever a message repeats."""
        message = self.message
        own = self._own if self._own is not None else message.by_name
        told: set[str] = set()
        for position, line in enumerate(self.lines("SPM")):
            number = "".join(line.split(message.field_separator, 3)[2:3])
            if position and number not in told:
                further = Scope(message, self.trigger, self.times, self.notes, {**own, "SPM": [line]}, self.number)
                further["OBR"] = ["" if at in _OF_THE_FIRST else text for at, text in enumerate(self["OBR"])]
                yield further
            if number:
                told.add(number)

    def find(self, path: Path) -> Fields:
        """The segment that a path means: the first, the n-th, or the first whose field has a value."""
        if path.number > 1:
            segments = self.all(path.segment)
            return segments[path.number - 1] if path.number <= len(segments) else NO_FIELDS
        if path.having:
            wanted = path.equal.upper()
            for fields in self.all(path.segment):
                if self.message.value(fields, path.having).upper() == wanted:
                    return fields
            return NO_FIELDS
        return self[path.segment]

    def value(self, path: Path) -> str:
        """One value; "" where it is absent or deleted, or where the message's version has no such field."""
        if (path.since or path.until) and not path.is_for(self.message.version):
            return ""
        return self.message.value(self.find(path), path.field, path.component, path.subcomponent, path.repetition)


Read = Callable[[Scope], str]


def reader(path: Path) -> Read:
    """A path as a function. Most values have no delimiter in them, and most paths are plain: these are quick."""
    if path.since or path.until:
        return of_versions(path, reader(path._replace(since="", until="")))
    if not path.is_plain:
        return lambda scope: scope.value(path)
    segment, field, component, subcomponent = path[:4]

    def read_first(scope: Scope) -> str:
        fields = scope[segment]
        if len(fields) <= field:
            return ""
        text = fields[field]
        if not text or text.isalnum():
            return text
        message = scope.message
        head = text.partition(message.component)[0]
        return head if head.isalnum() else message.part(text.partition(message.repetition)[0])

    def read(scope: Scope) -> str:
        fields = scope[segment]
        if len(fields) <= field:
            return ""
        message = scope.message
        return message.part(fields[field].partition(message.repetition)[0], component, subcomponent)

    return read_first if component == subcomponent == 1 else read


def of_versions(path: Path, read: Read) -> Read:
    """What a path reads, in messages of the versions that it is for."""
    known: dict[str, bool] = {}

    def read_if(scope: Scope) -> str:
        version = scope.message.version
        fits = known.get(version)
        if fits is None:
            fits = path.is_for(version)
            if len(known) < 100:  # as many as there could be; what a broken sender writes there is not kept
                known[version] = fits
        return read(scope) if fits else ""

    return read_if


WHOLE: Final = (None,)
"""The one group of a message that is read as a whole."""


def groups(each: str, message: Message, trigger: str) -> Iterable[dict[str, list[str]] | None]:
    """The groups that events are read from: the message itself, its orders, or what begins at a segment."""
    if each == "MESSAGE":
        return WHOLE
    if each != "ORDER":
        return _segment_groups(each, message)
    by_name = message.by_name
    if len(by_name.get("OBR", ())) > 1 or len(by_name.get("ORC", ())) > 1 or len(by_name.get("PID", ())) > 1:
        return _order_groups(message, trigger)
    return WHOLE if "OBR" in by_name or "ORC" in by_name else ()


def _order_groups(message: Message, trigger: str) -> Iterator[dict[str, list[str]]]:
    """Each group begins at ORC, or at OBR where the group before it has one already: such an OBR is under the ORC
    before it. The patient of a group is the last before it."""
    control_after, specimen_first = trigger in _CONTROL_AFTER, trigger in _SPECIMEN_FIRST
    around: dict[str, list[str]] = {}  # what stands before the groups and belongs to those that follow
    group: dict[str, list[str]] = {}
    control = ""
    for line in message.lines:
        name = line[:3]
        begins = name == "OBR" and ("OBR" in group or control_after)
        begins = begins or (name == "ORC" and not control_after)
        ends = name == "PID" or (name == "SPM" and specimen_first)
        if (begins or ends) and group:
            if not _is_prior(message, group):
                yield group
            group = {}
        if ends or (name == "PV1" and not group):
            around = {} if name == "PID" else around
            control = "" if name == "PID" else control
            around[name] = [line]
        elif group:
            group.setdefault(name, []).append(line)
        elif name in _ORDER_HEADS:
            group = {**{key: [*lines] for key, lines in around.items()}, name: [line]}
            if name == "ORC":
                control = line
            elif control and not control_after:
                group["ORC"] = [_continued(message, control, line)]
    if group and not _is_prior(message, group):
        yield group


def _is_prior(message: Message, group: dict[str, list[str]]) -> bool:
    """Whether a group is an earlier order that is told for comparison (PRIOR_RESULT; table 0119, PR)."""
    controls = group.get("ORC")
    return controls is not None and message.value(message.split(controls[0][:8]), 1).upper() == "PR"


def _continued(message: Message, control: str, line: str) -> str:
    """An ORC as it goes for a further OBR: without its numbers (ORC-2, ORC-3) where that has numbers of its own."""
    observation = message.split(line)
    if not message.value(observation, 2) and not message.value(observation, 3):
        return control
    fields = message.split(control)
    return message.field_separator.join("" if number in (2, 3) else text for number, text in enumerate(fields))


def _segment_groups(each: str, message: Message) -> Iterator[dict[str, list[str]]]:
    """Each group begins at a segment of that name, with the patient before it. A second MRG is another merge or move
    to the same patient."""
    patient: dict[str, list[str]] = {}
    group: dict[str, list[str]] = {}
    for line in message.lines:
        name = line[:3]
        if name in (each, "PID") or (name == "MRG" and name in group):
            if group:
                yield group
            group = {}
        if name == "PID":
            patient = {name: [line]}
        if name == each or (name == "MRG" and each == "PID" and not group):
            group = {**patient, name: [line]}
        elif group:
            group.setdefault(name, []).append(line)
    if group:
        yield group
