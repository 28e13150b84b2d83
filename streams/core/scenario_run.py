"""Play a story on the engine and compare what happened with what it says.

Event time is the clock, as in a replay: for a line at `t` the clock is brought to just before `t`, the event is
applied, and the clock goes on to `t`. A story lists every transition of its thresholds: one that is missing and one
that nobody told of are failures alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from zoneinfo import ZoneInfo

from schemas.alert import Alert
from schemas.calendar import Calendar
from schemas.event import Attribute, Event
from schemas.identity import IdentityRules
from schemas.threshold import Threshold, ThresholdSet
from streams.core.directory import MemoryDirectory
from streams.core.engine import Engine
from streams.core.linking import ANSWERS, Linker
from streams.core.scenario import Expectation, Happening, Mistake, Story, WrongStory
from streams.core.scenario_times import write_length, write_wall_clock

_PLAIN_FIELDS: Final = ("level", "severity", "mode", "facility", "key")
_PERSON_NAMES: Final = ("person", "mrn")


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a story and the engine differ; `line` is the story's, None for what no line tells of."""

    line: int | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a story. `transitions` counts what the engine said."""

    name: str
    title: str
    failures: tuple[Failure, ...]
    transitions: int

    @property
    def kept(self) -> bool:
        return not self.failures


@dataclass(frozen=True, slots=True)
class _Said:
    """A transition, with the clock of the step that it belongs to."""

    at: int
    alert: Alert


def run_story(story: Story, declared: ThresholdSet) -> Outcome:
    """Play the story against the thresholds that it names. Raises WrongStory if they are not declared."""
    under_test = _under_test(story, declared)
    engine = Engine(under_test)
    said = _play(story, engine)
    keys = {t.id: getattr(t.rule, "key", None) or () for t in under_test.thresholds}
    return _Comparison(story, engine, keys, said).outcome()


def _under_test(story: Story, declared: ThresholdSet) -> ThresholdSet:
    by_id = {threshold.id: threshold for threshold in declared.thresholds}
    unknown = [name for name in story.thresholds if name not in by_id]
    if unknown:
        raise WrongStory(story.name, tuple(Mistake(1, f"no threshold `{name}` is declared") for name in unknown))
    own = {calendar.id: calendar for calendar in story.calendars}
    chosen = [by_id[name] for name in story.thresholds] if story.thresholds else list(declared.thresholds)
    return ThresholdSet(
        thresholds=tuple(_with_calendar(threshold, own) for threshold in chosen),
        calendars={**declared.calendars, **own},
    )


def _with_calendar(threshold: Threshold, own: Mapping[str, Calendar]) -> Threshold:
    calendar = threshold.calendar
    return threshold if calendar is None or calendar.id not in own else replace(threshold, calendar=own[calendar.id])


def _play(story: Story, engine: Engine) -> list[_Said]:
    said: list[_Said] = []
    clock: int | None = None
    linker = Linker(IdentityRules(), MemoryDirectory())
    for step in story.steps:
        if clock is not None and step.at < clock:
            continue  # an expectation that looks back into a repeated line
        clock = step.at
        engine.advance(step.at - 1)
        said += [_Said(t.at, t.alert) for t in engine.take_transitions()]
        if isinstance(step, Happening):
            events = _linked(linker, step.event)
            if len(events) == 1:
                engine.apply(step.event, step.at)
            else:
                engine.apply_together(events, step.at)
            # the engine's clock is still a moment short of the line that brought it about
            said += [_Said(step.at, t.alert) for t in engine.take_transitions()]
        engine.advance(step.at)
        said += [_Said(t.at, t.alert) for t in engine.take_transitions()]
    return said


def _linked(linker: Linker, event: Event) -> tuple[Event, ...]:
    """An event as the door lets it in, by the shipped rules of identity; what the story says of it stands."""
    told: dict[str, Attribute] = {name: event.data[name] for name in ANSWERS if name in event.data}
    events = linker.take((event,))
    event.data.update(told)
    return events


class _Comparison:
    """What a story expects beside what was said."""

    def __init__(self, story: Story, engine: Engine, keys: Mapping[str, tuple[str, ...]], said: list[_Said]) -> None:
        self.story = story
        self.engine = engine
        self.keys = keys
        self.said = said
        self.zone = ZoneInfo(story.zone)

    def outcome(self) -> Outcome:
        left = list(self.said)
        missed: list[Expectation] = []
        failures: list[Failure] = []
        for step in self.story.steps:
            if not isinstance(step, Expectation) or step.state is None:
                continue
            found = next((said for said in left if said.at == step.at and not self._differences(step, said)), None)
            if found is None:
                missed.append(step)
            else:
                left.remove(found)
        for step in missed:
            near = next((s for s in left if s.at == step.at and s.alert.state is step.state), None)
            if near is not None:
                left.remove(near)
            failures.append(Failure(step.line, self._missing(step, near)))
        failures += [Failure(self._line_before(s.at), f"not told of: {self._words(s)}") for s in left]
        return Outcome(
            name=self.story.name,
            title=self.story.title,
            failures=tuple(sorted(failures, key=lambda failure: failure.line or 0)),
            transitions=len(self.said),
        )

    def _line_before(self, at: int) -> int | None:
        lines = [step.line for step in self.story.steps if step.at <= at]
        return lines[-1] if lines else None

    def _missing(self, step: Expectation, near: _Said | None) -> str:
        expected = f"expected at {write_wall_clock(step.at, self.zone)}: {step.text}"
        if near is None:
            return f"{expected}; it did not happen"
        return f"{expected}; what happened: {self._words(near)} (differs in {', '.join(self._differences(step, near))})"

    def _differences(self, step: Expectation, said: _Said) -> list[str]:
        """What an expectation says otherwise than the transition does; empty where they agree."""
        alert = said.alert
        differs: list[str] = []
        if alert.state is not step.state:
            differs.append("state")
        if step.threshold is not None and alert.threshold != step.threshold:
            differs.append("threshold")
        differs += [name for name, value in step.attributes.items() if not self._holds(alert, name, value)]
        for name, instant in step.times.items():
            if getattr(alert, f"{name}_at") != instant:
                differs.append(name)
        if step.late is not None and alert.delay_seconds != step.late:
            differs.append("how late")
        if step.late_start and not alert.late_start:
            differs.append("late start")
        return differs

    def _holds(self, alert: Alert, name: str, value: str) -> bool:
        if name in _PLAIN_FIELDS:
            return str(getattr(alert, name)) == value
        if name in _PERSON_NAMES:
            return alert.person is not None and self.engine.find_person(value) == alert.person
        names = self.keys.get(alert.threshold, ())
        if name not in names:
            return False
        parts = alert.key.split("|")
        return len(parts) == len(names) and parts[names.index(name)] == value

    def _words(self, said: _Said) -> str:
        alert = said.alert
        words = [f"{write_wall_clock(said.at, self.zone)} -> {alert.state.value} {alert.threshold} key={alert.key}"]
        words.append(f"due {write_wall_clock(alert.due_at, self.zone)}")
        if alert.delay_seconds:
            words.append(f"{write_length(alert.delay_seconds)} late")
        return "  ".join(words)
