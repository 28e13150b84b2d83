"""Replay: files in, alerts out, all in memory, with event time as the clock."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.cloudevents.read import CloudEventReader
from connectors.surveys.feedback import FeedbackReader
from hub.declared import fhir_reader, hl7_reader, read_declared
from hub.door import Door
from hub.enrich import Enricher, enricher_of
from hub.explain import explain_alert
from hub.hooks import Hooks
from hub.inputs import Input, find_inputs
from hub.left_out import LeftOut
from hub.merge import merged
from schemas.alert import Alert
from schemas.dead_letter import DeadLetter
from schemas.instant import from_datetime, write_instant
from schemas.threshold import ThresholdSet
from streams.core.directory import Directory, MemoryDirectory
from streams.core.engine import Engine
from streams.core.linking import Linker
from streams.core.state import NEVER

Progress = Callable[[int, int], None]
"""Told now and then: bytes read and bytes there are."""
_TOLD_EVERY = 4096  # messages


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What to replay, and with what. `until` is in microseconds."""

    paths: list[str]
    thresholds: Path | None = None
    mapping: Path | None = None
    site: Path | None = None
    until: int | None = None
    timezone: str | None = None
    validate: bool = False
    progress: Progress | None = None


@dataclass(slots=True, kw_only=True)
class ReplayResult:
    """`report` is the object of `--format json`; `alerts` are sorted by start and id, retracted ones too."""

    report: dict[str, Any]
    alerts: list[Alert]
    dead_letters: list[DeadLetter]
    assumed_utc: int
    engine: Engine = field(repr=False)
    directory: Directory = field(repr=False, default_factory=MemoryDirectory)
    zone: str
    warnings: list[str] = field(default_factory=list)
    thresholds: ThresholdSet = field(repr=False)

    def explain(self, alert: Alert) -> list[str]:
        """The alert in full, line by line."""
        return explain_alert(alert, self.engine.owner(alert.id), self.engine.clock, self.zone)


def replay(options: ReplayOptions) -> ReplayResult:
    """Read, judge, report. Raises WrongUse for what the caller must mend; bad messages only count."""
    declared = read_declared(options.site, options.thresholds, options.mapping, options.timezone)
    site, thresholds = declared.site, declared.thresholds
    zone = options.timezone or site.timezone
    engine = Engine(thresholds)
    hl7 = hl7_reader(site, declared.mapping, options.timezone)
    cloud = CloudEventReader(
        zones=site.zones,
        default_zone=zone,
        times=engine.compiled.anchors,
        with_source="source" in engine.compiled.reads,
    )
    now = from_datetime(datetime.now(tz=UTC))  # noqa: TID251 - read once, to tell a stamp from the future
    door = Door(until=options.until, now=now, left_out=LeftOut(site.test_patients, site.spellings))
    enricher = enricher_of(site, thresholds.calendars.get("clinic"))
    directory = MemoryDirectory()
    linker = Linker(site.identity, directory)
    inputs = find_inputs(options.paths)
    was_collecting = gc.isenabled()
    gc.disable()  # records make no cycles, and a million of them are walked in vain
    try:
        last = _drive(
            engine,
            merged(
                inputs,
                hl7,
                cloud,
                fhir_reader(site, zone, declared.mapping.tables, validates=options.validate),
                Hooks(site.sources, zone=zone, instruments=site.instruments),
                FeedbackReader(site.instruments),
            ),
            door,
            enricher,
            linker,
            inputs,
            options.progress,
        )
        end = options.until if options.until is not None else last
        if end is not None:
            engine.advance(end)
        alerts = sorted(engine.alerts.values(), key=lambda a: (a.started_at, a.id))
    finally:
        if was_collecting:
            gc.enable()
    for input_ in inputs:
        door.notes.update(+input_.notes)
    door.notes.update(enricher.points.left_out)
    assumed = cloud.assumed_utc + door.notes["zone_assumed"]
    return ReplayResult(
        report=_report(engine, door, alerts, assumed),
        alerts=alerts,
        dead_letters=door.dead_letters,
        assumed_utc=assumed,
        engine=engine,
        directory=directory,
        zone=zone or "UTC",
        warnings=list(declared.warnings),
        thresholds=thresholds,
    )


def _drive(
    engine: Engine,
    messages: Any,
    door: Door,
    enricher: Enricher,
    linker: Linker,
    inputs: list[Input],
    progress: Progress | None,
) -> int | None:
    """Put every message through the door into the engine; returns the largest event time."""
    last = NEVER
    told = _TOLD_EVERY
    size = sum(i.size for i in inputs)
    take, apply, advance, enrich = door.take, engine.apply, engine.advance, enricher.enrich
    listens = bool(engine.silences)
    link = linker.take
    for message, input_ in messages:
        taken = take(message, input_)
        events = link((enrich(taken[0]),) if len(taken) == 1 else tuple(map(enrich, taken))) if taken else taken
        door.events += len(events) - len(taken)
        if len(events) == 1:
            event = events[0]
            time = event.time
            if time > last:
                last = time
                advance(time - 1)  # what happens at an instant is heard before the clock reaches it
            apply(event, last)
        elif events:
            time = max(e.time for e in events)
            if time > last:
                last = time
                advance(time - 1)
            engine.apply_together(events, last)
        elif listens and door.is_new:
            engine.hear(message.source, last)
        told -= 1
        if not told:
            told = _TOLD_EVERY
            engine.forget_transitions()  # a replay reports last states alone
            if progress is not None:
                progress(sum(i.done for i in inputs), size)
    engine.forget_transitions()
    return None if last == NEVER else last


def _report(engine: Engine, door: Door, alerts: list[Alert], assumed_utc: int) -> dict[str, Any]:
    counts = engine.counts
    states: dict[str, Counter[str]] = {}
    for alert in alerts:
        states.setdefault(alert.threshold, Counter())[alert.state.value] += 1
    return {
        **door.counts,
        "events": door.events,
        "persons": counts["persons"],
        "journeys": counts["journeys"],
        "waits": counts["waits"],
        "alerts": {threshold: dict(sorted(states[threshold].items())) for threshold in sorted(states)},
        "ignored_by_reason": dict(sorted(door.ignored.items())),
        "dead_letters_by_reason": dict(sorted(door.dead.items())),
        "without_key": counts["without_key"],
        "without_due": counts["without_due"],
        "assumed_utc": assumed_utc,
        "notes": dict(sorted(door.notes.items())),
        "clock": write_instant(engine.clock) if engine.clock > 0 else None,
    }
