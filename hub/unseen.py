"""What none of a clinic's voices could have seen alone: an alert that rests on HL7 v2, FHIR and calls together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hub.deliveries import VOICES, Voice
from schemas.alert import Alert, Level, State
from schemas.event import Event
from schemas.threshold import ThresholdSet
from schemas.threshold_keys import SEVERITIES
from streams.core.engine import Engine
from streams.core.state import Wait
from streams.embedded.reader import Reader

SOURCES: Final[Mapping[Voice, str]] = {"hl7": "hl7/", "fhir": "fhir/", "calls": "contact/"}
"""How the sources of a voice's events begin."""
NAMES: Final[Mapping[Voice, str]] = {"hl7": "HL7 v2", "fhir": "FHIR", "calls": "the contact center"}
_STANDING: Final = frozenset({State.BREACHED, State.RESOLVED, State.CANCELLED})
_IN_VAIN: Final = 2  # calls without which nobody would say that somebody tried


def voice_of(event: Event) -> Voice | None:
    """The voice that told of an event; None for what the hub adds itself."""
    return next((voice for voice in VOICES if event.source.startswith(SOURCES[voice])), None)


def is_broken(alert: Alert) -> bool:
    """Whether a promise was broken and nothing has shown since that it was kept."""
    return alert.level is Level.BREACHED and alert.state in _STANDING


def evidence_of(wait: Wait, clock: int) -> list[Event]:
    """What is known of a wait: its start, and what came of its journey until it ended."""
    until = wait.close.time if wait.close is not None else clock
    return [wait.start, *(e for e in wait.journey.events if wait.start.time <= e.time <= until and e is not wait.start)]


def calls_in_vain(events: Iterable[Event]) -> int:
    """Calls that ended without reaching whom they were for."""
    return sum(event.type == "contact.ended" and event.data.get("outcome") not in ("reached", None) for event in events)


def unseen_alone(alerts: Iterable[Alert], engine: Engine) -> list[Alert]:
    """Of live broken waits those whose evidence comes from all three voices and holds at least two calls in vain: the
    most severe first, of those the ones with more such calls, and then the latest."""
    found = []
    for alert in alerts:
        owner = engine.owner(alert.id)
        if alert.mode != "live" or not is_broken(alert) or not isinstance(owner, Wait):
            continue
        events = evidence_of(owner, engine.clock)
        if {voice_of(event) for event in events} >= set(VOICES) and calls_in_vain(events) >= _IN_VAIN:
            late = (alert.ended_at or engine.clock) - alert.due_at
            rank = (-SEVERITIES.index(alert.severity), -calls_in_vain(events), -late, alert.id)
            found.append((rank, alert))
    return [alert for _, alert in sorted(found, key=lambda pair: pair[0])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """What each voice would have raised of one threshold by itself. `by_voice` are the keys of the waits that it would
    have called broken, `together` those that all three call broken."""

    threshold: str
    by_voice: Mapping[Voice, frozenset[str]]
    together: frozenset[str]

    def in_error(self, voice: Voice) -> int:
        """How many alerts of a voice are no alerts for who hears all three."""
        return len(self.by_voice[voice] - self.together)


def keys_broken(alerts: Iterable[Alert], threshold: str) -> frozenset[str]:
    return frozenset(alert.key for alert in alerts if alert.threshold == threshold and is_broken(alert))


def heard_alone(reader: Reader, thresholds: ThresholdSet, threshold: str, alerts: Sequence[Alert], until: int) -> Alone:
    """Judge a store's events again for one threshold, each voice by itself; `until` is the last clock."""
    only = ThresholdSet(thresholds=tuple(one for one in thresholds.thresholds if one.id == threshold))
    engines: dict[Voice, Engine] = {voice: Engine(only) for voice in VOICES}
    for taken in reader.accepted():
        for voice, engine in engines.items():
            events = [event for event in taken.events if voice_of(event) == voice]
            if events:
                engine.apply_together(events, taken.recorded)
    for engine in engines.values():
        engine.advance(until)
    return Alone(
        threshold=threshold,
        by_voice={voice: keys_broken(engine.alerts.values(), threshold) for voice, engine in engines.items()},
        together=keys_broken(alerts, threshold),
    )


def told_by(wait: Wait, clock: int) -> list[tuple[str, str]]:
    """For each voice its name, and what it told of a wait: `contact.ended 3 times (no_answer, left_message)`."""
    told = []
    for voice in VOICES:
        events = [event for event in evidence_of(wait, clock) if voice_of(event) == voice]
        counted = Counter(event.type for event in events)
        parts = []
        for type_, count in counted.items():
            outcomes = [str(e.data["outcome"]) for e in events if e.type == type_ and e.data.get("outcome")]
            times = "" if count == 1 else f" {count} times"
            parts.append(f"{type_}{times}" + (f" ({', '.join(outcomes)})" if outcomes else ""))
        told.append((NAMES[voice], ", ".join(parts) or "nothing"))
    return told
