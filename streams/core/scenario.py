"""Read a story: a text of events and of the transitions that they must, and must not, bring about.

The format is told in `docs/scenarios.md`. A story has a head (which thresholds, which zone, which calendar) and lines,
each at a time: what happened, or after `->` what the engine says then. Reading finds every mistake in one go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Final

from schemas.alert import State
from schemas.calendar import Calendar
from schemas.errors import PxError
from schemas.event import DAY, HOUR, MINUTE, SECOND, Attribute, Event, Scalar
from schemas.instant import write_instant
from streams.core.scenario_times import TIME, WallClock, Words, read_hours, read_length, read_zone

SHORT_NAMES: Final[Mapping[str, str]] = {
    name: f"{name}_id"
    for name in (
        *("account", "appointment", "authorization", "callback", "communication", "complaint", "contact", "document"),
        *("order", "referral", "report", "request", "specimen", "statement", "survey", "task", "thread", "visit"),
    )
}
"""What a story writes for a key: `order=o1` is the attribute `order_id`."""

DEFAULT_PERSON: Final = "patient"
NOBODY: Final = "nobody"
_LISTS: Final = frozenset({"surviving", "retired", "identifiers"})
_PRECISIONS: Final = {"second": SECOND, "minute": MINUTE, "hour": HOUR, "day": DAY}
_HEAD: Final = re.compile(r"(threshold|thresholds|timezone|from|calendar)(?:\s+([\w.-]+))?\s*:\s*(.*)")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+")
_ATTRIBUTE: Final = re.compile(rf"([A-Za-z_][\w.]*)=({TIME}|\"[^\"]*\"|[^\s()]+)")
_ASIDE: Final = re.compile(r"\(([^()]*)\)")
_REPEAT: Final = re.compile(r"(\d+) times(?:,\s*(\S+) apart)?")
_INTEGER: Final = re.compile(r"-?(0|[1-9]\d*)")
_DECIMAL: Final = re.compile(r"-?(0|[1-9]\d*)\.\d+")
_TIMES_EXPECTED: Final = ("due", "started", "ended", "fired")


@dataclass(frozen=True, slots=True)
class Mistake:
    """A line of a story that cannot be read, and what would make it readable."""

    line: int
    text: str


class WrongStory(PxError):
    """The story cannot be run: every mistake in it, with its line."""

    def __init__(self, name: str, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(f"{name}:{m.line}: {m.text}" for m in mistakes))
        self.name = name
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event, applied when the clock stands at `at`: its own time, or later where the story says it arrives late."""

    line: int
    at: int
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A transition that the line demands at the clock `at`; `state` None demands that there is none at that instant.

    `attributes` holds what the line says in `name=value`: key attributes under their full name, else fields of the
    alert. `times` holds `due`, `started`, `ended`, `fired` in microseconds, `late` a delay in seconds.
    """

    line: int
    at: int
    text: str
    state: State | None
    threshold: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    times: Mapping[str, int] = field(default_factory=dict)
    late: int | None = None
    late_start: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMove:
    """`end TIME`: the clock goes on to `at`, and what is due by then fires."""

    line: int
    at: int


Step = Happening | Expectation | ClockMove


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A story, read. `thresholds` are the ids under test (empty: all of `file`), `file` their declaration where they
    are not shipped ones, relative to the story; `calendars` stand in for declared ones of the same id.
    """

    name: str
    title: str
    zone: str
    thresholds: tuple[str, ...] = ()
    file: str | None = None
    calendars: tuple[Calendar, ...] = ()
    steps: tuple[Step, ...] = ()


def read_story(name: str, text: str) -> Story:
    """Read the text of a story. Raises WrongStory with every mistake in it."""
    return _Reader(name).read(text)


@dataclass(slots=True)
class _Line:
    """What one event line is made of, before its time is settled."""

    kind: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    arrives: str | None = None
    precision: int = 0
    times: int = 1
    apart: int = 0


class _Reader:
    """One pass over the lines; `clock` is where the story stands."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.title = ""
        self.zone: str | None = None
        self.thresholds: list[str] = []
        self.file: str | None = None
        self.calendars: list[Calendar] = []
        self.clock: int | None = None
        self.floor: int | None = None  # where the last line of events began
        self.wall = WallClock()
        self.steps: list[Step] = []
        self.mistakes: list[Mistake] = []

    def read(self, text: str) -> Story:
        in_head = True
        for number, raw in enumerate(text.splitlines(), start=1):
            line = _uncommented(raw)
            if not line.strip():
                if not self.title and raw.strip().startswith("#"):
                    self.title = raw.strip().lstrip("# ").rstrip()
                continue
            head = _HEAD.fullmatch(line.strip()) if in_head else None
            try:
                if head is not None:
                    self._head(head[1], head[2], head[3].strip())
                    continue
                in_head = False
                self._line(number, line.strip())
            except ValueError as error:
                self.mistakes.append(Mistake(number, str(error)))
        if self.zone is None:
            self.mistakes.append(Mistake(1, "no zone: say `timezone: America/New_York`, or which one it is"))
        if not self.thresholds and self.file is None:
            self.mistakes.append(Mistake(1, "no threshold: say `threshold: ID` or `thresholds: FILE`"))
        if self.mistakes:
            raise WrongStory(self.name, tuple(sorted(self.mistakes, key=lambda m: m.line)))
        return Story(
            name=self.name,
            title=self.title,
            zone=self.zone or "UTC",
            thresholds=tuple(self.thresholds),
            file=self.file,
            calendars=tuple(replace(calendar, timezone=self.zone) for calendar in self.calendars),
            steps=tuple(self.steps),
        )

    def _head(self, name: str, label: str | None, value: str) -> None:
        if not value:
            raise ValueError(f"`{name}:` says nothing")
        if (name == "calendar") != (label is not None):
            raise ValueError("a calendar has a name (`calendar clinic: mon-fri 08:00-17:00`), and nothing else has")
        if name == "threshold":
            self.thresholds += [word for word in re.split(r"[,\s]+", value) if word]
        elif name == "thresholds":
            self.file = value
        elif name == "timezone":
            self.wall.zone = read_zone(value)
            self.zone = value
        elif name == "from":
            self.wall.count_from(value)
        else:
            self.calendars.append(read_hours(label or "", value))

    def _line(self, number: int, line: str) -> None:
        if self.zone is None and not self.wall.assumed:
            self.wall.assume_utc()  # the missing zone is told once, at the end
        if line.split(maxsplit=1)[0] == "end":
            words = Words(line[3:])
            at = self._forward(self.wall.at(words.take_time()))
            words.must_end()
            self.steps.append(ClockMove(line=number, at=at))
            return
        words = Words(line)
        arrives = words.take_prefix("arrives")
        when = words.take_time_if_any()
        if words.rest.startswith("->"):
            at = self._here() if when is None else self._look_back(self.wall.at(when))
            self.steps.append(self._expectation(number, at, words.rest[2:].strip()))
            return
        self._events(number, when, arrives, words.rest)

    def _here(self) -> int:
        if self.clock is None:
            raise ValueError("the first line needs a time")
        return self.clock

    def _forward(self, at: int) -> int:
        if self.clock is not None and at < self.clock:
            raise ValueError("the story goes back in time: an event told late says `(arrives TIME)`")
        self.clock = at
        return at

    def _look_back(self, at: int) -> int:
        """What is expected may fall between the events of the repeated line before it."""
        if self.floor is None or at < self.floor:
            return self._forward(at)
        self.clock = max(at, self._here())
        return at

    def _events(self, number: int, when: str | None, arrives: str | None, rest: str) -> None:
        parts = _event_parts(rest)
        arrives = arrives or parts.arrives
        if arrives is not None:
            at = self.wall.at(arrives)
            time = at if when is None else self.wall.at(when)
        else:
            time = at = self._here() if when is None else self.wall.at(when)
        self.floor = self._forward(at)
        for index in range(parts.times):
            shift = index * parts.apart
            event = self._event(number, index, time + shift, parts)
            self.steps.append(Happening(line=number, at=self._forward(at + shift), event=event))

    def _event(self, number: int, index: int, time: int, parts: _Line) -> Event:
        data: dict[str, Attribute] = {}
        persons: tuple[str, ...] | None = None
        identity = {"source": "story", "id": f"line-{number:04d}" + (f".{index + 1:04d}" if parts.times > 1 else "")}
        facility: str | None = None
        for name, raw in parts.attributes.items():
            text = raw.replace("#", str(index + 1)) if parts.times > 1 else raw
            if name in ("person", "mrn"):
                persons = () if text == NOBODY else tuple(text.split(","))
            elif name in identity:
                identity[name] = text
            else:
                if name == "facility":
                    facility = text
                full = SHORT_NAMES.get(name, name)
                data[full] = self._value(full, text)
        if persons is None:
            surviving = data.get("surviving")
            persons = tuple(str(v) for v in surviving) if isinstance(surviving, list) else (DEFAULT_PERSON,)
        return Event(
            id=identity["id"],
            source=identity["source"],
            type=parts.kind,
            time=time,
            data=data,
            identifiers=persons,
            facility=facility,
            precision=parts.precision,
        )

    def _value(self, name: str, text: str) -> Attribute:
        if name in _LISTS:
            return [part for part in text.split(",") if part]
        if re.fullmatch(TIME, text):
            return write_instant(self.wall.at(text))
        if text.startswith('"'):
            return text.strip('"')
        if "," in text:
            return [_scalar(part) for part in text.split(",") if part]
        return _scalar(text)

    def _expectation(self, number: int, at: int, text: str) -> Expectation:
        words = Words(text)
        state = _state(words.take_word())
        threshold: str | None = None
        attributes: dict[str, str] = {}
        times: dict[str, int] = {}
        late: int | None = None
        late_start = False
        while words.rest:
            attribute = _ATTRIBUTE.match(words.rest)
            if attribute is not None:
                words.skip(attribute.end())
                attributes[SHORT_NAMES.get(attribute[1], attribute[1])] = attribute[2].strip('"')
                continue
            word = words.take_word()
            if word in _TIMES_EXPECTED:
                times[word] = self.wall.at(words.take_time())
            elif word == "late" and words.rest.startswith("start"):
                words.take_word()
                late_start = True
            elif words.rest.split()[:1] == ["late"]:
                late = read_length(word) // SECOND
                words.take_word()
            elif threshold is None and _TYPE.fullmatch(word):
                threshold = word
            else:
                raise ValueError(f"`{word}` is not understood in an expectation")
        if state is None and (attributes or times or threshold):
            raise ValueError("`-> nothing` takes nothing further")
        return Expectation(
            line=number,
            at=at,
            text=" ".join(text.split()),
            state=state,
            threshold=threshold,
            attributes=attributes,
            times=times,
            late=late,
            late_start=late_start,
        )


def _uncommented(line: str) -> str:
    """The line without its comment: `#` at its start or after a space, outside quotes."""
    quoted = False
    for position, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character == "#" and not quoted and (position == 0 or line[position - 1].isspace()):
            return line[:position]
    return line


def _event_parts(rest: str) -> _Line:
    """The type, attributes and asides of an event line. Raises ValueError for what is not understood."""
    parts = _Line()
    words = Words(rest)
    kind = words.take_word()
    if not _TYPE.fullmatch(kind):
        raise ValueError(f"`{kind}` is no event: write `TIME event.type name=value`, or `TIME -> state`")
    parts.kind = kind
    while words.rest:
        attribute = _ATTRIBUTE.match(words.rest)
        aside = _ASIDE.match(words.rest)
        if attribute is not None:
            if attribute[1] in parts.attributes:
                raise ValueError(f"`{attribute[1]}` stands twice in the line")
            parts.attributes[attribute[1]] = attribute[2]
            words.skip(attribute.end())
        elif aside is not None:
            _read_aside(parts, aside[1].strip())
            words.skip(aside.end())
        else:
            raise ValueError(f"`{words.take_word()}` is not understood: attributes are `name=value`")
    return parts


def _read_aside(parts: _Line, text: str) -> None:
    repeat = _REPEAT.fullmatch(text)
    if repeat is not None:
        parts.times = int(repeat[1])
        parts.apart = read_length(repeat[2]) if repeat[2] else 0
    elif text.startswith("arrives "):
        parts.arrives = text.removeprefix("arrives ").strip()
    elif text.removeprefix("to the ") in _PRECISIONS and text.startswith("to the "):
        parts.precision = _PRECISIONS[text.removeprefix("to the ")]
    else:
        raise ValueError("an aside is `(arrives TIME)`, `(20 times, 5m apart)` or `(to the day)`")


def _state(word: str) -> State | None:
    if word == "nothing":
        return None
    names = [state.value for state in State]
    if word not in names:
        close = get_close_matches(word, [*names, "nothing"], n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ValueError(f"`{word}` is no state{hint}: " + ", ".join(names) + " or nothing")
    return State(word)


def _scalar(text: str) -> Scalar:
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text.strip('"')
