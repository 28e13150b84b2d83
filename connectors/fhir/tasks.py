"""Task and CarePlan: what somebody is asked to do, and that it was done.

Task.code says what for (table `fhir_task`); a Task about a ServiceRequest that has no such code answers a referral.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.fhir.codes import ACTIVITIES
from connectors.fhir.links import links
from connectors.fhir.resource import PassedBy, Told
from connectors.fhir.shapes import Period, Task
from connectors.fhir.shapes_told import Activity, CarePlan
from schemas.states import THINGS, told_by
from schemas.vocabulary import EVENT_TYPES

_ANSWERS: Final = {"accepted": "referral.accepted", "rejected": "referral.rejected", "completed": "referral.closed"}
_DONE: Final = frozenset(("completed", "failed", "rejected"))
_OVER: Final = _DONE | {"cancelled", "stopped", "entered-in-error"}


def read_task(told: Told, task: Task) -> None:
    status = told.status(task.status)
    use = told.tables.word("fhir_task", task.code)
    if use is None:
        _answer_referral(told, task, status)
        return
    statement = f"{use}.stated"
    if statement not in THINGS:
        raise PassedBy(f"Task of a use that is none: {use}"[:60])
    names = told.person(task.for_, "for")
    type_ = told_by(statement, status)
    named = _end(task.execution_period) if status in _DONE else task.authored_on
    changed = told.stamp(task.last_modified, "lastModified")
    moment = told.stamp(named, "executionPeriod.end" if status in _DONE else "authoredOn")
    version = told.version_time(changed or moment, path="lastModified", tells=type_ is not None)
    until = _end(task.restriction.period if task.restriction is not None else None) or _end(task.execution_period)
    promised = told.awaited(until, "restriction.period.end", holds=status not in _OVER)
    number = told.number()
    data: dict[str, Any] = {
        **links(told, task.focus, *(task.based_on or ()), task.reason_reference, task.encounter),
        THINGS[statement].key: number,
        "task_id": number,
        "promised_for": promised,
        "due": promised,
        "requested_at": told.awaited(task.authored_on, "authoredOn", holds=status not in _OVER),
        "kind": told.tables.word("fhir_callback_kind", task.code),
        "purpose": told.tables.word("fhir_purpose", task.reason_code, task.code),
        "status": status,
    }
    allowed = EVENT_TYPES[statement].attributes
    data = {name: value for name, value in data.items() if name in allowed}
    told.state(statement, names, data, version=version, moment=(type_, moment or changed) if type_ else None)


def _answer_referral(told: Told, task: Task, status: str) -> None:
    focus = told.references.named(task.focus)
    referral = told.known(task.focus, "ServiceRequest")
    if referral is None or focus is None or focus.type != "ServiceRequest":
        raise PassedBy("Task without a mapped code")
    type_ = _ANSWERS.get(status)
    if type_ is None:
        raise PassedBy("Task that answers nothing yet")
    names = told.person(task.for_, "for")
    moved = told.stamp(task.last_modified, "lastModified")
    told.tell(type_, names, {"referral_id": referral}, moved or told.version_time(path="lastModified"))


def _end(period: Period | None) -> str | None:
    return (period.end or period.start) if period is not None else None


def read_care_plan(told: Told, plan: CarePlan) -> None:
    """Each activity that the plan tells itself. What it refers to tells of itself."""
    status = told.status(plan.status)
    if status in ("draft", "unknown", "entered-in-error"):
        raise PassedBy("CarePlan that does not hold")
    activities = [(n, a, a.detail) for n, a in enumerate(plan.activity or ()) if a.detail is not None]
    if not activities:
        raise PassedBy("CarePlan without activities of its own")
    names = told.person(plan.subject, "subject")
    period = plan.period
    over = status in ("completed", "revoked")
    named = (period.end if over else plan.created or period.start) if period is not None else plan.created
    version = told.version_time(told.stamp(named, "period" if period is not None else "created"), path="created")
    visit = told.known(plan.encounter, "Encounter")
    for number, activity, detail in activities:
        stands = told.code(detail.status, ACTIVITIES, f"activity[{number}].detail.status")
        path = f"activity[{number}].detail.scheduledPeriod.end"
        due = told.awaited(_end(detail.scheduled_period), path, holds=not over and stands not in _OVER)
        due = due or _day(told, detail.scheduled_string, number)
        data = {"task_id": _number(told, activity, number), "visit_id": visit, "due": due, "status": stands}
        told.state("careplan.stated", names, data, version=version)


def _number(told: Told, activity: Activity, number: int) -> str:
    return f"{told.number()}#{activity.id or number}"


def _day(told: Told, text: str | None, number: int) -> str | None:
    """A schedule in words, where the words are a day."""
    if not text or not text[:4].isdecimal():
        return None
    return told.instant(text, f"activity[{number}].detail.scheduledString")
