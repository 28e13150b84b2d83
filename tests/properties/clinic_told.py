"""A small clinic as neutral stories, and each of its happenings written as HL7 v2 and as FHIR R4.

A happening is one step of one thing: an appointment, an order, a visit, a referral, a person. HL7 v2 tells the step;
FHIR tells the whole thing as it stands after it, with the version's time in meta.lastUpdated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import strategies as st

START: Final = datetime(2026, 3, 2, 13, tzinfo=UTC)
SYSTEMS: Final = ("scheduling", "clinical", "referrals", "registration")
CLASSES: Final = {"I": "IMP", "E": "EMER", "O": "AMB"}
PRIORITIES: Final = {"S": "stat", "A": "asap", "R": "routine"}
V2: Final = "http://terminology.hl7.org/CodeSystem/v2-"


@dataclass(frozen=True, kw_only=True)
class Step:
    """`at` in minutes since START; `thing` and `number` name what it is a step of, `what` the step."""

    at: int
    thing: str
    number: int
    what: str
    person: int
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def system(self) -> str:
        """Which of the clinic's systems tells it."""
        systems = {"appointment": "scheduling", "order": "clinical", "visit": "clinical", "referral": "referrals"}
        return systems.get(self.thing, "registration")


# -- stories


@st.composite
def clinics(draw: st.DrawFn) -> list[Step]:
    """The steps of up to eight things of two persons, in order of time, no two at one instant."""
    steps: list[Step] = []
    visits: dict[int, tuple[int, str]] = {}
    for number in range(draw(st.integers(1, 8))):
        thing = draw(st.sampled_from(("appointment", "order", "order", "visit", "visit", "referral")))
        person = draw(st.integers(0, 1))
        planned = draw(_STORIES[thing])
        at = draw(st.integers(10, 2000))
        shared: dict[str, Any] = {}
        if thing == "order" and person in visits:
            began, class_ = visits[person][0], visits[person][1]
            shared, at = {"visit": began, "class": class_}, max(at, 400)
        for what, more, wait in planned:
            steps.append(Step(at=at, thing=thing, number=number, what=what, person=person, more={**shared, **more}))
            if what == "started" and person not in visits:
                visits[person] = (number, more["class"])
            at += wait
    registered = [Step(at=0, thing="person", number=p, what="known", person=p) for p in (0, 1)]
    ordered = sorted(steps, key=lambda s: (s.at, s.number))
    moved = [*registered, *ordered]
    return [
        Step(at=s.at * 10 + place, thing=s.thing, number=s.number, what=s.what, person=s.person, more=s.more)
        for place, s in enumerate(moved)
    ]


_Plan = list[tuple[str, dict[str, Any], int]]
_waits: Final = st.sampled_from((1, 5, 30, 61, 300, 1500))


@st.composite
def _appointment(draw: st.DrawFn) -> _Plan:
    plan: _Plan = [("booked", {"start": draw(st.integers(1, 30))}, draw(_waits))]
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(1, 30).filter(lambda day: day != plan[-1][1]["start"]))
        plan.append(("moved", {"start": start}, draw(_waits)))
    ends = draw(st.sampled_from(((), ("arrived",), ("arrived", "completed"), ("cancelled",), ("missed",))))
    start = plan[-1][1]["start"]
    return [*plan, *((what, {"start": start}, draw(_waits)) for what in ends)]


@st.composite
def _order(draw: st.DrawFn) -> _Plan:
    shared = {"category": draw(st.sampled_from(("LAB", "RAD"))), "priority": draw(st.sampled_from("SAR"))}
    plan: _Plan = [("placed", shared, draw(_waits))]
    ends = draw(
        st.sampled_from(
            ((), ("cancelled",), ("final",), ("preliminary", "final"), ("final", "corrected"), ("preliminary",))
        )
    )
    return [
        *plan,
        *((what, {**shared, "flag": draw(st.sampled_from(("N", "H", "HH")))}, draw(_waits)) for what in ends),
    ]


@st.composite
def _visit(draw: st.DrawFn) -> _Plan:
    class_ = draw(st.sampled_from("IEO"))
    plan: _Plan = [("started", {"place": 0}, draw(_waits))]
    places = draw(st.integers(0, 2))
    plan += [("moved", {"place": place + 1}, draw(_waits)) for place in range(places)]
    ends = draw(st.sampled_from(((), ("ended",), ("ended", "back"), ("ended", "back", "ended"), ("cancelled",))))
    plan += [
        (what, {"place": places, "disposition": draw(st.sampled_from(("01", "03")))}, draw(_waits)) for what in ends
    ]
    return [(what, {**more, "class": class_}, wait) for what, more, wait in plan]


@st.composite
def _referral(draw: st.DrawFn) -> _Plan:
    ends = draw(st.sampled_from(((), ("accepted",), ("rejected",), ("cancelled",))))
    shared = {"priority": draw(st.sampled_from("SAR"))}
    return [("requested", shared, draw(_waits)), *((what, shared, draw(_waits)) for what in ends)]


_STORIES: Final = {"appointment": _appointment(), "order": _order(), "visit": _visit(), "referral": _referral()}


# -- HL7 v2


def _dtm(minutes: int) -> str:
    return (START + timedelta(minutes=minutes)).strftime("%Y%m%d%H%M%S+0000")


def write_hl7(step: Step, sent: int) -> bytes:
    """One message; `sent` numbers it."""
    now = _dtm(step.at)
    type_, segments = _HL7[step.thing](step)
    pid = f"PID|1||10{step.person}^^^NORTH^MR||Doe^P{step.person}||19610412|F|||||||en"
    evn = [f"EVN|{type_[4:]}|{now}"] if type_.startswith("ADT") else []
    head = f"MSH|^~\\&|APP|NORTH|HUB|NORTH|{now}||{type_}|M{sent}|P|2.5.1"
    first, rest = (segments[:1], segments[1:]) if type_[:3] in ("SIU", "REF", "RRI") else ([], segments)
    return "\r".join([head, *evn, *first, pid, *rest]).encode() + b"\r"


def _pv1(more: dict[str, Any], number: int, *, ended: str = "") -> str:
    fields = {2: more["class"], 3: f"W{more.get('place', 0)}", 19: f"V{number}^^^NORTH"}
    if ended:
        fields |= {36: more["disposition"], 45: ended}
    return "|".join(["PV1", *(fields.get(n, "1" if n == 1 else "") for n in range(1, 46))]).rstrip("|")


def _hl7_visit(step: Step) -> tuple[str, list[str]]:
    trigger = {"started": "A01", "moved": "A02", "ended": "A03", "cancelled": "A11", "back": "A13"}[step.what]
    return f"ADT^{trigger}", [_pv1(step.more, step.number, ended=_dtm(step.at) if step.what == "ended" else "")]


def _hl7_appointment(step: Step) -> tuple[str, list[str]]:
    trigger, code = {
        "booked": ("S12", "Booked"),
        "moved": ("S13", "Booked"),
        "arrived": ("S14", "Arrived"),
        "completed": ("S14", "Complete"),
        "cancelled": ("S15", "Cancelled"),
        "missed": ("S26", "Noshow"),
    }[step.what]
    start, none = _dtm(step.more["start"] * 1440), "|" * 14
    return f"SIU^{trigger}", [f"SCH|A{step.number}^SCH|||||ROUTINE|FOLLOWUP|||30|min^^^{start}{none}{code}"]


def _hl7_order(step: Step) -> tuple[str, list[str]]:
    more, result = step.more, step.what not in ("placed", "cancelled")
    control = {"placed": "NW", "cancelled": "CA"}.get(step.what, "RE")
    status = {"preliminary": "P", "final": "F", "corrected": "C"}.get(step.what, "")
    number = f"O{step.number}^EHR"
    now = _dtm(step.at)
    fields = {
        1: "1",
        2: number,
        4: "GLU",
        5: more["priority"],
        22: now if result else "",
        24: more["category"],
        25: status,
    }
    obr = "|".join(["OBR", *(fields.get(n, "") for n in range(1, 26))])
    obx = [f"OBX|1|NM|GLU||5|mmol/L||{more['flag']}|||{status}"] if result else []
    visit = [_pv1(more, more["visit"])] if "visit" in more else []
    return ("ORU^R01" if result else "ORM^O01"), [*visit, f"ORC|{control}|{number}|||||||{now}", obr, *obx]


def _hl7_referral(step: Step) -> tuple[str, list[str]]:
    type_, status = {
        "requested": ("REF^I12", "P"),
        "accepted": ("RRI^I12", "A"),
        "rejected": ("RRI^I12", "R"),
        "cancelled": ("REF^I14", "P"),
    }[step.what]
    return type_, [f"RF1|{status}|{step.more['priority']}||||R{step.number}^EHR"]


def _hl7_person(_: Step) -> tuple[str, list[str]]:
    return "ADT^A28", ["PV1|1|N"]


_HL7: Final = {
    "appointment": _hl7_appointment,
    "order": _hl7_order,
    "visit": _hl7_visit,
    "referral": _hl7_referral,
    "person": _hl7_person,
}


# -- FHIR


def _stamp(minutes: int) -> str:
    return (START + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _concept(code: str, system: str = "http://snomed.info/sct") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def _number(value: str, system: str, type_: str | None = None) -> dict[str, Any]:
    typed = {"type": _concept(type_, f"{V2}0203")} if type_ else {}
    return {**typed, "system": system, "value": value}


def _to(type_: str, id_: str, number: dict[str, Any]) -> dict[str, Any]:
    return {"reference": f"{type_}/{id_}", "identifier": number}


class Server:
    """A FHIR server that holds what its systems tell it: each step makes a version of a resource."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._known: dict[str, dict[str, Any]] = {}

    def write(self, step: Step) -> bytes:
        """The resource as it stands after a step."""
        return json.dumps(_FHIR[step.thing](self, step)).encode()

    def _resource(self, type_: str, id_: str, step: Step, **rest: Any) -> dict[str, Any]:
        name = f"{type_}/{id_}"
        self._versions[name] = self._versions.get(name, 0) + 1
        held = self._known.setdefault(name, {})
        held.update(rest)
        meta = {"versionId": str(self._versions[name]), "lastUpdated": _stamp(step.at)}
        return {"resourceType": type_, "id": id_, "meta": meta, **held}

    def person(self, step: Step) -> dict[str, Any]:
        numbers = [_number(f"10{step.person}", "urn:north", "MR")]
        spoken = [{"language": _concept("en", "urn:ietf:bcp:47"), "preferred": True}]
        return self._resource(
            "Patient", f"p{step.person}", step, identifier=numbers, birthDate="1961-04-12", communication=spoken
        )

    def appointment(self, step: Step) -> dict[str, Any]:
        status = {"moved": "booked", "completed": "fulfilled", "missed": "noshow"}.get(step.what, step.what)
        return self._resource(
            "Appointment",
            f"a{step.number}",
            step,
            identifier=[_number(f"A{step.number}", "urn:sch")],
            status=status,
            appointmentType=_concept("FOLLOWUP"),
            start=_stamp(step.more["start"] * 1440),
            participant=[{"actor": _patient(step)}],
        )

    def order(self, step: Step) -> dict[str, Any]:
        more, placer = step.more, _number(f"O{step.number}", "urn:ehr", "PLAC")
        visit = {}
        if "visit" in more:
            number = _number(f"V{more['visit']}", "urn:north", "VN")
            visit = {"encounter": _to("Encounter", f"e{more['visit']}", number)}
        shared = {"category": [_concept(more["category"], f"{V2}0074")], "code": _concept("GLU"), **visit}
        if step.what in ("placed", "cancelled"):
            return self._resource(
                "ServiceRequest",
                f"o{step.number}",
                step,
                identifier=[placer],
                status="active" if step.what == "placed" else "revoked",
                intent="order",
                priority=PRIORITIES[more["priority"]],
                subject=_patient(step),
                **({"authoredOn": _stamp(step.at)} if step.what == "placed" else {}),
                **shared,
            )
        observed = {
            "resourceType": "Observation",
            "id": "x",
            "status": "final",
            "code": _concept("GLU"),
            "interpretation": [_concept(more["flag"])],
        }
        return self._resource(
            "DiagnosticReport",
            f"r{step.number}",
            step,
            status=step.what,
            basedOn=[_to("ServiceRequest", f"o{step.number}", placer)],
            subject=_patient(step),
            issued=_stamp(step.at),
            result=[{"reference": "#x"}],
            contained=[observed],
            **shared,
        )

    def visit(self, step: Step) -> dict[str, Any]:
        id_ = f"e{step.number}"
        held = self._known.get(f"Encounter/{id_}", {})
        places = [dict(place) for place in held.get("location", [])]
        if step.what in ("started", "moved"):
            where = {"reference": f"Location/W{step.more['place']}"}
            places.append({"location": where, "period": {"start": _stamp(step.at)}})
        period = dict(held.get("period", {"start": _stamp(step.at)}))
        period.pop("end", None)
        if step.what == "ended":
            period["end"] = _stamp(step.at)
        status = {"ended": "finished", "cancelled": "entered-in-error"}.get(step.what, "in-progress")
        coded = {"class": {"code": CLASSES[step.more["class"]]}}
        left = {"dischargeDisposition": _concept(step.more.get("disposition", ""))} if step.what == "ended" else {}
        return self._resource(
            "Encounter",
            id_,
            step,
            identifier=[_number(f"V{step.number}", "urn:north", "VN")],
            status=status,
            subject=_patient(step),
            period=period,
            location=places,
            hospitalization=left,
            **coded,
        )

    def referral(self, step: Step) -> dict[str, Any]:
        number = _number(f"R{step.number}", "urn:ehr", "PLAC")
        if step.what in ("accepted", "rejected"):
            return self._resource(
                "Task",
                f"t{step.number}",
                step,
                status=step.what,
                intent="order",
                focus={**_to("ServiceRequest", f"f{step.number}", number), "type": "ServiceRequest"},
                lastModified=_stamp(step.at),
                **{"for": _patient(step)},
            )
        return self._resource(
            "ServiceRequest",
            f"f{step.number}",
            step,
            identifier=[number],
            status="active" if step.what == "requested" else "revoked",
            intent="order",
            category=[_concept("3457005")],
            priority=PRIORITIES[step.more["priority"]],
            subject=_patient(step),
            **({"authoredOn": _stamp(step.at)} if step.what == "requested" else {}),
        )


def _patient(step: Step) -> dict[str, Any]:
    return _to("Patient", f"p{step.person}", _number(f"10{step.person}", "urn:north", "MR"))


_FHIR: Final = {
    "appointment": Server.appointment,
    "order": Server.order,
    "visit": Server.visit,
    "referral": Server.referral,
    "person": Server.person,
}
