"""Steps and parts: what a visit, a specimen, an order went through, and what one resource says for another, in any
order of arrival."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest

from connectors.fhir.read import FhirReader
from schemas.event import Event
from schemas.instant import write_instant
from streams.core.engine import Engine
from streams.core.thresholds import read_thresholds
from tests.connectors.fhir.resources import (
    APPOINTMENT,
    CLAIM,
    ENCOUNTER,
    ORDER,
    REPORT,
    at,
    bundle,
    concept,
    event,
    events,
    read,
    read_all,
    ref,
    resource,
    response,
)

TYPES = (
    "visit.started",
    "visit.moved",
    "visit.triaged",
    "visit.roomed",
    "visit.provider_seen",
    "visit.observation_started",
    "visit.ended",
    "visit.admit_decided",
    "visit.plan_withdrawn",
    "result.final",
    "result.corrected",
    "order.placed",
    "specimen.received",
    "exam.completed",
    "authorization.requested",
    "authorization.supplemented",
    "authorization.approved",
    "authorization.expired",
    "callback.promised",
    "callback.made",
    "careplan.task_due",
    "careplan.task_done",
    "proxy.named",
    "interpreter.arranged",
)
_WHERE = {
    "abnormal": ("result.final", "abnormal: true"),
    "critical": ("result.final", "critical: true"),
    "normal": ("result.final", "abnormal: false"),
    "late": ("result.final", "after_discharge: true"),
    "stat": ("specimen.received", "priority: S, category: LAB, class: O"),
    "inpatient": ("order.placed", "class: O"),
    "changed": ("visit.moved", "class_changed: true, class: I"),
    "of-order": ("authorization.approved", "order_id: ServiceRequest/o1^ehr"),
}
_LINES = [
    *(f"  - {{id: {t}, kind: count, key: person, event: {t}, limit: {{at_least: 1, in: 1s}}}}" for t in TYPES),
    *(
        f"  - {{id: {name}, kind: count, key: person, event: {{event: {t}, where: {{{where}}}}}, "
        "limit: {at_least: 1, in: 1s}}"
        for name, (t, where) in _WHERE.items()
    ),
]
THRESHOLDS, _ = read_thresholds([("t.yaml", "\n".join(["thresholds:", *_LINES]))], default_zone="UTC")


def seen(*resources: Any) -> list[tuple[str, str]]:
    """What happened, by the engine: each event with its hour and minute."""
    engine, reader = Engine(THRESHOLDS), FhirReader(system="ehr", zone="UTC")
    for value in resources:
        reading = reader.read(json.dumps(value).encode(), "f")
        assert reading.events, reading
        found: list[Event] = list(reading.events)
        latest = max(e.time for e in found)
        engine.advance(latest - 1)
        engine.apply_together(found, max(latest, engine.clock))
    engine.advance(at("2026-04-01T00:00:00Z"))
    return sorted(
        (a.threshold, write_instant(a.started_at)[11:16])
        for a in engine.alerts.values()
        if a.state.value != "retracted"
    )


def version(value: Any, number: int, seen_at: str, **change: Any) -> Any:
    return {**value, **change, "meta": {"versionId": str(number), "lastUpdated": f"2026-03-02T{seen_at}:00Z"}}


def period(start: str, end: str | None = None) -> dict[str, str]:
    return {"start": f"2026-03-02T{start}:00Z"} | ({"end": f"2026-03-02T{end}:00Z"} if end else {})


VISIT = {
    **resource("Encounter", "e1", status="in-progress", subject=ref("Patient/17"), period=period("08:00")),
    "class": {"code": "EMER"},
}


def test_the_steps_of_a_visit_are_told_once_by_many_versions() -> None:
    first = {"location": ref("Location/wait"), "period": period("08:00", "08:30")}
    room = {"location": ref("Location/r2"), "period": period("08:30"), "physicalType": concept("ro")}
    one = version(VISIT, 1, "08:05", location=[first], statusHistory=[{"status": "triaged", "period": period("08:10")}])
    doctor = {"type": [concept("ATND")], "period": period("08:50"), "individual": ref("Practitioner/5")}
    two = version(one, 2, "09:00", location=[first, room], participant=[doctor])
    three = version(two, 3, "09:30", status="finished", period=period("08:00", "09:20"))
    wanted = [
        ("visit.ended", "09:20"),
        ("visit.moved", "08:30"),
        ("visit.provider_seen", "08:50"),
        ("visit.roomed", "08:30"),
        ("visit.started", "08:00"),
        ("visit.triaged", "08:10"),
    ]
    for order in permutations((one, two, three)):
        assert seen(*order) == wanted


def test_a_class_that_changed_by_its_history_and_without_one() -> None:
    history = [{"class": {"code": "EMER"}, "period": period("08:00", "10:00")}]
    told = version({**VISIT, "class": {"code": "IMP"}, "classHistory": history}, 1, "10:05")
    assert ("changed", "10:00") in seen(told)
    observed = version({**VISIT, "class": {"code": "OBSENC"}, "classHistory": history}, 1, "10:05")
    assert ("visit.observation_started", "10:00") in seen(observed)
    before, after = version(VISIT, 1, "08:05"), version({**VISIT, "class": {"code": "IMP"}}, 2, "11:00")
    for order in permutations((before, after)):
        assert seen(*order) == [("changed", "11:00"), ("visit.moved", "11:00"), ("visit.started", "08:00")]


def test_of_versions_of_one_instant_the_higher_number_is_the_later() -> None:
    active = [version(VISIT, 9, "08:05"), version({**VISIT, "class": {"code": "IMP"}}, 10, "08:05")]
    for order in permutations(active):
        assert ("changed", "08:05") in seen(*order)


def test_an_order_to_admit_is_a_decision_and_can_be_taken_back() -> None:
    order = {**ORDER, "category": [], "code": concept("32485007")}
    assert seen(version(order, 1, "08:30")) == [("visit.admit_decided", "08:00")]
    both = [version(order, 1, "08:30"), version(order, 2, "09:00", status="revoked")]
    assert seen(*both) == [("visit.admit_decided", "08:00"), ("visit.plan_withdrawn", "09:00")]


def observation(number: int, *flags: str, **rest: Any) -> Any:
    return resource(
        "Observation",
        f"x{number}",
        **{
            "status": "final",
            "category": [concept("laboratory")],
            "code": concept("K"),
            "subject": ref("Patient/17"),
            "issued": "2026-03-02T09:10:00Z",
            "interpretation": [concept(flag) for flag in flags],
            **rest,
        },
    )


NAMING = {**REPORT, "result": [ref("Observation/x1"), ref("Observation/x2")]}
BOTH = [observation(1, "N"), observation(2, "HH")]


@pytest.mark.parametrize("order", list(permutations((NAMING, *BOTH))))
def test_a_report_is_as_abnormal_as_its_observations(order: tuple[Any, ...]) -> None:
    assert seen(*order) == [("abnormal", "09:30"), ("critical", "09:30"), ("result.final", "09:30")]


def test_all_normal_is_said_and_one_unknown_is_not() -> None:
    assert seen(NAMING, observation(1, "N"), observation(2, "N")) == [("normal", "09:30"), ("result.final", "09:30")]
    assert seen(NAMING, observation(1, "N")) == [("result.final", "09:30")]


def test_an_observation_that_no_report_names_is_a_result() -> None:
    assert seen(observation(1, "H")) == [("abnormal", "09:10"), ("result.final", "09:10")]
    panel = observation(3, hasMember=[ref("Observation/x1"), ref("Observation/x2")])
    for order in permutations((panel, *BOTH)):
        assert seen(*order) == [("abnormal", "09:10"), ("critical", "09:10"), ("result.final", "09:10")]
    vital = observation(1, category=[concept("vital-signs")])
    assert read(vital).ignored == "Observation that is no result"


def test_a_specimen_takes_from_its_order_and_the_order_from_its_visit() -> None:
    specimen = resource(
        "Specimen",
        "s1",
        request=[ref("ServiceRequest/o1")],
        subject=ref("Patient/17"),
        receivedTime="2026-03-02T08:40:00Z",
    )
    visit = {**ENCOUNTER, "status": "in-progress"}
    wanted = {("stat", "08:40"), ("specimen.received", "08:40"), ("inpatient", "08:00"), ("order.placed", "08:00")}
    for order in permutations((specimen, ORDER, visit)):
        assert wanted <= set(seen(*order))


def test_what_was_done_for_an_order() -> None:
    study = resource(
        "ImagingStudy", status="available", subject=ref("Patient/17"), basedOn=[ref("ServiceRequest/o1")],
        started="2026-03-02T08:20:00Z",
    )  # fmt: skip
    done = resource(
        "Procedure", status="completed", subject=ref("Patient/17"), basedOn=[ref("ServiceRequest/o1")],
        performedPeriod=period("08:00", "08:25"),
    )  # fmt: skip
    assert seen(study) == [("exam.completed", "08:20")]
    assert seen(done) == [("exam.completed", "08:25")]
    assert read({**done, "basedOn": []}).ignored == "Procedure that tells of no order that it is done"
    bad = resource(
        "Specimen", status="unsatisfactory", subject=ref("Patient/17"), request=[ref("ServiceRequest/o1")],
        condition=[concept("HEM")],
    )  # fmt: skip
    assert (event(bad).data["status"], event(bad).data["reason"]) == ("rejected", "HEM")


def test_a_result_after_its_visit_ended() -> None:
    report = {**REPORT, "encounter": ref("Encounter/e1")}
    for order in permutations((report, ENCOUNTER)):
        assert ("late", "09:30") in seen(*order)


def test_an_answer_is_about_what_its_claim_was() -> None:
    answer = response("A1", created="2026-03-02T09:30:00Z")
    for order in permutations((CLAIM, answer)):
        assert ("of-order", "10:00") in seen(*order) or ("of-order", "09:30") in seen(*order)


def test_papers_that_followed() -> None:
    more = {**CLAIM, "supportingInfo": [{"sequence": 1, "valueReference": ref("DocumentReference/d1")}]}
    again = [version(CLAIM, 1, "09:05"), version(more, 2, "09:40"), version(more, 3, "09:50")]
    assert seen(*again) == [("authorization.requested", "09:00"), ("authorization.supplemented", "09:40")]
    update = {
        **CLAIM,
        "id": "c2",
        "identifier": [],
        "created": "2026-03-02T09:20:00Z",
        "related": [{"claim": ref("Claim/c1")}],
    }
    told = event(update)
    assert (told.type, told.data["authorization_id"], told.data["payer_number"]) == (
        "authorization.supplemented", "Claim/c1^ehr", "Claim/c2^ehr",
    )  # fmt: skip


def test_an_authorization_that_is_over() -> None:
    granted, expired = events(response("A1", preAuthPeriod={"end": "2026-03-01"}))
    assert (granted.type, expired.type, expired.time) == (
        "authorization.approved", "authorization.expired", at("2026-03-02T00:00:00Z"),
    )  # fmt: skip


def test_a_callback_is_promised_once_and_made() -> None:
    task = resource("Task", "t1", status="requested", code=concept("callback"), authoredOn="2026-03-02T08:00:00Z")
    task |= {"for": ref("Patient/17"), "restriction": {"period": {"end": "2026-03-02T12:00:00Z"}}}
    versions = [
        version(task, 1, "08:01"),
        version(task, 2, "08:20", status="accepted"),
        version(task, 3, "11:00", status="completed", executionPeriod=period("10:50", "10:55")),
    ]
    for order in permutations(versions):
        assert seen(*order) == [("callback.made", "10:55"), ("callback.promised", "08:00")]


def test_an_interpreter_for_a_visit() -> None:
    helper = {"type": [concept("translator")], "actor": ref("Practitioner/9"), "status": "needs-action"}
    asked = {**APPOINTMENT, "participant": [*APPOINTMENT["participant"], helper]}
    found = {**asked, "participant": [*APPOINTMENT["participant"], {**helper, "status": "accepted"}]}
    assert events(asked)[0].data["interpreter_needed"] is True
    assert ("interpreter.arranged", "11:00") in seen(version(asked, 1, "10:00"), version(found, 2, "11:00"))


def slot(number: int, day: int, status: str = "free") -> Any:
    start = f"2026-03-{day:02}T09:00:00Z"
    return resource("Slot", f"s{number}", schedule=ref("Schedule/card"), status=status, start=start)


def test_the_third_free_slot_of_a_clinic_is_counted() -> None:
    found = [slot(1, 9), slot(2, 5, "busy"), slot(3, 12), slot(4, 17), slot(5, 30)]
    readings = read_all(bundle(*found, type_="searchset", timestamp="2026-03-02T09:00:00Z"))
    told = [e for r in readings for e in r.events]
    assert [(e.type, e.data["clinic"], e.data["third_next_days"], e.identifiers) for e in told] == [
        ("slots.counted", "Schedule/card^ehr", 15, ())
    ]
    assert [r.ignored for r in readings].count("Slot that is not its clinic's third next") == 3
    later = bundle(*found, type_="searchset", link=[{"relation": "previous", "url": "x"}])
    assert not any(r.events for r in read_all(later))
    assert (read(slot(1, 9)).ignored or "").startswith("Slot alone")


@pytest.mark.parametrize(
    "outcome, insurance, reason",
    [
        ("complete", [{"inforce": True}], "CoverageEligibilityResponse that denies no coverage"),
        ("complete", [{}], "CoverageEligibilityResponse that denies no coverage"),
        ("queued", [], "CoverageEligibilityResponse that decides nothing yet"),
        ("complete", [{"inforce": False}], None),
        ("complete", [], None),
        ("error", [], None),
    ],
)
def test_eligibility(outcome: str, insurance: list[Any], reason: str | None) -> None:
    reading = read(
        resource(
            "CoverageEligibilityResponse", status="active", patient=ref("Patient/17"), created="2026-03-02",
            outcome=outcome, insurance=insurance, insurer=ref("Organization/1"),
        )
    )  # fmt: skip
    assert reading.ignored == reason
    assert reason or [e.type for e in reading.events] == ["eligibility.failed"]
