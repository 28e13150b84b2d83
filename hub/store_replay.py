"""`replay --store`: files through the durable path, by event time, as they would have come in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol, cast

from connectors.api import Reading
from connectors.cloudevents.read import CloudEventReader
from connectors.fhir.kept import with_around
from connectors.fhir.read import FhirReader
from connectors.hl7.read import Hl7Reader
from connectors.surveys.feedback import FeedbackReader
from hub.contents import CLOUDEVENTS, FHIR, FILE, HL7
from hub.declared import Declared, fhir_reader, read_declared
from hub.door import AFTER_UNTIL
from hub.inputs import Input, find_inputs
from hub.merge import merged
from hub.phones import NO_REGION, NONSENSE
from hub.replay import ReplayOptions
from hub.serve.reading import LiveReader
from hub.serve.service import ServeSettings, Service, live_reader, machine_time
from hub.stored import judge_log
from hub.telemetry import start_telemetry
from schemas.alert import Alert
from schemas.errors import WrongUse
from schemas.event import Event
from schemas.instant import write_instant
from schemas.message import Message, Outcome
from schemas.threshold import ThresholdSet
from streams.core.compiled import compile_thresholds
from streams.core.engine import Engine
from streams.embedded.reader import Reader
from streams.embedded.upkeep import date_beginning

_OF_EVENTS: Final = frozenset((NONSENSE, NO_REGION))
_BATCH: Final = 2_000  # messages of one commit


class _Reads(Protocol):
    def read(self, raw: bytes, place: str, /, *around: Any) -> Any: ...


class _Keeping:
    """Reads, and keeps the bytes of what was found until somebody asks for them."""

    def __init__(self, reader: Any, kind: str) -> None:
        self.kind: str = kind
        self._reader: _Reads = reader
        self._bytes: dict[int, tuple[bytes, object]] = {}  # what was found stays alive, so that its id is its own

    def read(self, raw: bytes, place: str, *around: Any) -> Any:
        found = self._reader.read(raw, place, *around)
        self._bytes[id(found)] = (with_around(raw, *around) if around else bytes(raw), found)
        return found

    def take(self, found: object) -> bytes | None:
        return self._bytes.pop(id(found), (None, None))[0]


def replay_store(store: Path, options: ReplayOptions) -> tuple[dict[str, Any], list[Alert]]:
    """The same for a folder: the report, and all alerts that the store holds. Raises TryAgain while it is served, and
    WrongUse for an `until` in the future: a store's clock never goes back."""
    if options.until is not None and options.until > machine_time():
        raise WrongUse(
            "--until lies ahead of this machine's clock, and a store's clock never goes back: it would stand until "
            "then. Name a time that has passed, or leave out --store"
        )
    named = options.timezone or read_declared(options.site, None, None, None).site.timezone
    settings = ServeSettings(
        store=store,
        thresholds=options.thresholds,
        mapping=options.mapping,
        site=options.site,
        timezone=options.timezone if named else "UTC",
        clock="event",
        takes_tests=True,
    )
    with Service(settings, start_telemetry()) as service:
        report = replay_into(service, options)
        with closing(service.store.reader()) as reader:
            return report, reader.alerts()


def replay_into(service: Service, options: ReplayOptions) -> dict[str, Any]:
    """Take the messages of files into a service's store, and judge them; returns the report of `replay`, over all
    that the store holds."""
    inputs = find_inputs(options.paths)
    settings = replace(service.settings, timezone=options.timezone)  # what is assumed is counted
    cloud, messages = read_messages(inputs, settings, service.declared, service.reader, options)
    batch: list[Message] = []
    now = machine_time()
    size = sum(i.size for i in inputs)
    notes: Counter[str] = Counter()
    for message in messages:
        batch.append(message)
        if len(batch) >= _BATCH:
            notes.update(_take(service, batch, now))
            batch = []
            if options.progress is not None:
                options.progress(sum(i.done for i in inputs), size)
    notes.update(_take(service, batch, now))
    service.runtime.finish(options.until)
    service.runtime.end()
    date_beginning(service.store)
    for input_ in inputs:
        notes.update(+input_.notes)
    return report_of(service, notes) | {"assumed_utc": cloud.assumed_utc + notes["zone_assumed"]}


def read_messages(
    inputs: list[Input], settings: ServeSettings, declared: Declared, reader: LiveReader, options: ReplayOptions
) -> tuple[CloudEventReader, Iterator[Message]]:
    """The messages of files in the order of their time, as `reader` gives them; and who read the CloudEvents, for it
    counts what it assumed."""
    reads = compile_thresholds(declared.thresholds)
    hl7, cloud = live_reader(settings, declared, reads).parts
    site, tables = declared.site, declared.mapping.tables
    fhir = fhir_reader(site, options.timezone, tables, validates=options.validate)
    keeping = one, other, third = _Keeping(hl7, HL7), _Keeping(cloud, CLOUDEVENTS), _Keeping(fhir, FHIR)
    found = merged(
        inputs,
        cast("Hl7Reader", one),
        cast("CloudEventReader", other),
        cast("FhirReader", third),
        reader.hooks,
        FeedbackReader(site.instruments),
    )
    return cloud, _messages(found, keeping, reader, options.until)


def _messages(
    found: Iterator[Any], keeping: tuple[_Keeping, ...], reader: LiveReader, until: int | None
) -> Iterator[Message]:
    for told, _ in found:
        what: Event | Reading = told.event if told.event is not None else told.reading
        kinds = [(keeper.kind, raw) for keeper in keeping if (raw := keeper.take(what)) is not None]
        kind, raw = kinds[0] if kinds else (FILE, b"")
        if told.raw is not None:  # of a webhook, or feedback
            kind, raw = told.kind or FILE, told.raw
        message = reader.of(kind, raw, what, told.comments)
        times = (what.time,) if isinstance(what, Event) else (event.time for event in what.events)
        if until is not None and any(time > until for time in times):  # asked before whom it is about, as in a replay
            message.events, message.ignored, message.source = (), AFTER_UNTIL, ""  # heard of nobody before the end
        yield message


def _take(service: Service, batch: list[Message], now: int) -> Iterator[str]:
    """Take a batch; what was remarked. Of a number that was left out it is said where the event was taken."""
    verdicts = service.runtime.take(batch, now)
    service.runtime.apply()
    for message, verdict in zip(batch, verdicts, strict=True):
        taken = verdict.outcome is Outcome.ACCEPTED
        yield from (note for note in message.notes if taken or note not in _OF_EVENTS)


def report_of(service: Service, notes: Counter[str]) -> dict[str, Any]:
    """What the store holds by now, in the words of `replay`."""
    with closing(service.store.reader()) as reader:
        report = report_of_store(reader, service.runtime.engine)
    return report | {"notes": dict(sorted(notes.items()))}


def report_of_store(reader: Reader, engine: Engine) -> dict[str, Any]:
    """The same without what the connectors remarked, which no store keeps."""
    counts, by_reason = outcomes(reader)
    alerts: dict[str, dict[str, int]] = {}
    for threshold, state, count in reader.rows(
        "SELECT threshold, state, count(*) FROM alert GROUP BY threshold, state ORDER BY threshold, state"
    ):
        alerts.setdefault(threshold, {})[state] = count
    events = sum(len(taken.events) for taken in reader.accepted())
    journeys = engine.counts["journeys"] if engine.journeys is not None else _count_journeys(reader)
    return {
        "messages": sum(counts.values()),
        "accepted": counts[Outcome.ACCEPTED],
        "duplicates": counts[Outcome.DUPLICATE],
        "ignored": counts[Outcome.IGNORED],
        "dead_letters": counts[Outcome.DEAD],
        "events": events,
        "persons": engine.counts["persons"],
        "journeys": journeys,
        "waits": engine.counts["waits"],
        "alerts": alerts,
        "ignored_by_reason": by_reason[Outcome.IGNORED],
        "dead_letters_by_reason": by_reason[Outcome.DEAD],
        "without_key": engine.counts["without_key"],
        "without_due": engine.counts["without_due"],
        "clock": write_instant(engine.clock) if engine.clock > 0 else None,
    }


def _count_journeys(reader: Reader) -> int:
    """How many journeys a log tells of, which a store does not count as it goes."""
    return judge_log(reader, ThresholdSet(thresholds=())).counts["journeys"]


def outcomes(reader: Reader) -> tuple[dict[Outcome, int], dict[Outcome, dict[str, int]]]:
    """The four counts, and each by reason."""
    counts = dict.fromkeys(Outcome, 0)
    by_reason: dict[Outcome, dict[str, int]] = {outcome: {} for outcome in Outcome}
    for (_, outcome, reason), count in sorted(reader.tallies().items()):
        counts[Outcome(outcome)] += count
        reasons = by_reason[Outcome(outcome)]
        reasons[reason] = reasons.get(reason, 0) + count
    return counts, by_reason
