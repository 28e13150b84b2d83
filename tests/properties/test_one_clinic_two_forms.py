"""The same clinic told in HL7 v2, in FHIR, or by some of its systems in one and by the rest in the other: the same
alerts of every shipped threshold, and every event at the same time with the same attributes.

What one form cannot tell stays out of the comparison, each with its reason:
- the alert's id and key: both follow from the source's own names (an id from the start's source; a report's number is
  OBR-3 in HL7 v2 and the resource's reference in FHIR);
- the facility: MSH-4 names one, a FHIR resource none;
- what a FHIR resource looks up (an order's class in its Encounter, a report's priority in its ServiceRequest) it finds
  in FHIR alone: so visits, orders and results are told in one form, whichever it is;
- which source went silent: half the clinic in another form is another source, with a rhythm of its own;
- specimen and exam steps: OBR-14 and OBR-7 ride on the orders of HL7 v2, FHIR has resources of their own for them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.fhir.read import FhirReader
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from hub.enrich import Enricher
from hub.thresholds import load_thresholds
from schemas.alert import State
from schemas.instant import from_datetime
from schemas.threshold import ThresholdSet
from streams.core.engine import Engine
from streams.core.thresholds import read_thresholds
from tests.properties.clinic_told import START, SYSTEMS, Server, Step, clinics, write_hl7

SPELLINGS = {"urn:north": "NORTH", "urn:ehr": "EHR", "urn:sch": "SCH"}
SEEN: dict[str, dict[str, tuple[Any, ...]]] = {
    "appointment.booked": {"visit_type": ("FOLLOWUP",)},
    "appointment.rescheduled": {"visit_type": ("FOLLOWUP",)},
    "appointment.arrived": {},
    "appointment.completed": {},
    "appointment.cancelled": {"visit_type": ("FOLLOWUP",)},
    "appointment.missed": {},
    "order.placed": {
        "category": ("LAB", "RAD"),
        "priority": ("S", "A", "R"),
        "class": ("I", "E", "O"),
        "slow": (False,),
    },
    "order.cancelled": {"category": ("LAB", "RAD"), "priority": ("S",)},
    "result.preliminary": {"abnormal": (True, False), "category": ("LAB", "RAD")},
    "result.final": {
        "abnormal": (True, False),
        "critical": (True, False),
        "class": ("I", "E", "O"),
        "priority": ("S", "A"),
    },
    "result.corrected": {"abnormal": (True, False), "critical": (True, False)},
    "visit.started": {"class": ("I", "E", "O")},
    "visit.moved": {},
    "visit.ended": {"class": ("I", "E", "O"), "disposition": ("home", "transfer")},
    "visit.cancelled": {"class": ("I", "E", "O")},
    "visit.discharge_cancelled": {"class": ("I", "E", "O")},
    "visit.left": {},
    "referral.requested": {"priority": ("S", "A", "R")},
    "referral.accepted": {},
    "referral.rejected": {},
    "referral.cancelled": {},
    "person.updated": {"language": ("en",)},
}


@lru_cache(maxsize=1)
def declared() -> tuple[ThresholdSet, ThresholdSet]:
    """The shipped packs; and a measure of each event, which shows it with its time and whether it has an attribute."""
    lines = ["thresholds:"]
    for event, attributes in SEEN.items():
        wanted = [{}, *({name: value} for name, values in attributes.items() for value in values)]
        for number, where in enumerate(wanted):
            told = ", ".join(f"{k}: {str(v).lower() if isinstance(v, bool) else v}" for k, v in where.items())
            match = f"{event}, where: {{{told}}}" if told else event
            lines.append(
                f"  - {{id: {event}-{number}, kind: count, key: person, event: {{event: {match}}}, "
                "limit: {at_least: 1, in: 1s}}"
            )
    seen, problems = read_thresholds([("seen.yaml", "\n".join(lines))], default_zone="UTC")
    assert not [p for p in problems if p.severity == "error"], problems
    shipped = load_thresholds(None, default_zone="America/New_York")
    return replace(shipped, thresholds=tuple(t for t in shipped.thresholds if t.kind != "silence")), seen


@lru_cache(maxsize=1)
def readers() -> tuple[Hl7Reader, FhirReader]:
    mapping = load_mapping()
    return Hl7Reader(mapping, default_zone="UTC"), FhirReader(zone="UTC", tables=mapping.tables)


def standing(steps: list[Step], in_fhir: frozenset[str], thresholds: ThresholdSet) -> list[tuple[Any, ...]]:
    """The alerts that stand when some of the systems speak FHIR and the others HL7 v2."""
    hl7, fhir = readers()
    server, engine = Server(), Engine(thresholds)
    enricher = Enricher(SPELLINGS, {}, thresholds.calendars.get("clinic"))
    for sent, step in enumerate(steps):
        forms = ["fhir"] if step.system in in_fhir else ["hl7"]
        if step.thing == "person":
            # whoever is spoken of in FHIR is known there, whichever system registers patients
            forms = (["fhir"] if in_fhir else []) + ([] if step.system in in_fhir else ["hl7"])
        for form in forms:
            reading = fhir.read(server.write(step), "f") if form == "fhir" else hl7.read(write_hl7(step, sent), "h")
            assert reading.events, (form, step, reading)
            latest = max(event.time for event in reading.events)
            engine.advance(latest - 1)
            engine.apply_together([enricher.enrich(event) for event in reading.events], max(latest, engine.clock))
    engine.advance(from_datetime(START + timedelta(days=70)))
    return sorted(
        (
            a.threshold,
            a.state.value,
            a.level.value,
            a.severity,
            a.mode,
            a.started_at,
            a.due_at,
            a.ended_at,
            a.delay_seconds,
        )
        for a in engine.alerts.values()
        if a.state is not State.RETRACTED
    )


@settings(max_examples=max(settings().max_examples // 2, 25), deadline=None)
@given(clinics(), st.sets(st.sampled_from(SYSTEMS)))
def test_the_same_clinic_gives_the_same_alerts(steps: list[Step], some: set[str]) -> None:
    packs, seen = declared()
    for thresholds in (seen, packs):
        in_hl7 = standing(steps, frozenset(), thresholds)
        assert standing(steps, frozenset(SYSTEMS), thresholds) == in_hl7
        assert standing(steps, frozenset(some), thresholds) == in_hl7
