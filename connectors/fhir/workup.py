"""Specimen, ImagingStudy and Procedure: what was done for an order before its result.

Neither repeats what the order is of: the engine looks it up from the order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from connectors.fhir.codes import first_code
from connectors.fhir.references import first_number
from connectors.fhir.resource import PassedBy, Told
from connectors.fhir.shapes import ImagingStudy, Procedure, Reference, Specimen
from connectors.fhir.time import Stamp
from schemas.event import HOUR

_SPECIMEN: Final = "specimen.stated"
_EXAM: Final = "exam.stated"


def read_specimen(told: Told, specimen: Specimen) -> None:
    status = told.status(specimen.status) if specimen.status else None
    orders = _orders(told, specimen.request)
    if not orders:
        raise PassedBy("Specimen for no order")
    if status == "entered-in-error":
        raise PassedBy("Specimen that there never was")
    names = told.person(specimen.subject, "subject")
    collection = specimen.collection
    taken = collection.collected_date_time if collection is not None else None
    if taken is None and collection is not None and collection.collected_period is not None:
        taken = collection.collected_period.end or collection.collected_period.start
    collected = told.stamp(taken, "collection.collectedDateTime")
    received = told.stamp(specimen.received_time, "receivedTime")
    steps = {"collected": collected, "received": received}
    if status == "unsatisfactory":
        steps["rejected"] = told.version_time(received or collected, path="receivedTime")
    if not any(steps.values()):
        raise PassedBy("Specimen that tells no time of collection or receipt")
    number = first_number(specimen.identifier) or told.number()
    reason = first_code(*(specimen.condition or ())) if status == "unsatisfactory" else None
    for standing, at in steps.items():
        for order in orders if at is not None else ():
            data = {"order_id": order, "specimen_id": number, "reason": reason if standing == "rejected" else None}
            _tell(told, _SPECIMEN, names, {**data, "status": standing}, at)


def read_imaging_study(told: Told, study: ImagingStudy) -> None:
    status = told.status(study.status)
    orders = _orders(told, study.based_on)
    if status != "available" or not orders:
        raise PassedBy("ImagingStudy that tells of no order that it is done")
    names = told.person(study.subject, "subject")
    started = told.stamp(study.started, "started") or told.version_time(path="started")
    for order in orders:
        _tell(told, _EXAM, names, {"order_id": order, "status": "completed"}, started)


def read_procedure(told: Told, procedure: Procedure) -> None:
    status = told.status(procedure.status)
    orders = _orders(told, procedure.based_on)
    if status != "completed" or not orders:
        raise PassedBy("Procedure that tells of no order that it is done")
    names = told.person(procedure.subject, "subject")
    period = procedure.performed_period
    text = procedure.performed_date_time or ((period.end or period.start) if period is not None else None)
    done = told.stamp(text, "performedPeriod.end") or told.version_time(path="performedDateTime")
    for order in orders:
        _tell(told, _EXAM, names, {"order_id": order, "status": "completed"}, done)


def _orders(told: Told, references: Iterable[Reference] | None) -> list[str]:
    return list(dict.fromkeys(n for r in references or () if (n := told.known(r, "ServiceRequest")) is not None))


def _tell(told: Told, type_: str, names: tuple[str, ...], data: dict[str, Any], at: Stamp | None) -> None:
    """One step of one order, with the id that every version of the resource gives it."""
    if at is None:
        return
    seen = told.last_updated()
    if seen is not None and at.time > seen.time + HOUR:
        return  # no single stamp may run the clock away
    step = f"{told.number()}/{data['status']}/{data['order_id']}"
    told.tell(type_, names, {**data, "step_id": step}, at)
