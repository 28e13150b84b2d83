"""The parts of R4 resources that are read, and no other. R4B is the same in all of them.

An element that is not here is passed by, whatever it holds: senders have elements of their own. One that is here has
its type, or the resource is a dead letter with the place.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Shape(msgspec.Struct, gc=False, rename="camel"):
    """A part of a resource. What is absent and what is null are one: FHIR's JSON knows no null for a value."""


class Coding(Shape):
    system: str | None = None
    code: str | None = None


class Concept(Shape):
    coding: list[Coding | None] | None = None
    text: str | None = None
    concept: dict[str, Any] | None = None  # R5 alone: a CodeableReference


class Identifier(Shape):
    use: str | None = None
    type: Concept | None = None
    system: str | None = None
    value: str | None = None


class Reference(Shape):
    reference: str | None = None
    type: str | None = None
    identifier: Identifier | None = None


class Period(Shape):
    start: str | None = None
    end: str | None = None


class Extension(Shape):
    url: str | None = None
    value_code: str | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_coding: Coding | None = None
    value_codeable_concept: Concept | None = None
    value_reference: Reference | None = None
    extension: list[Extension] | None = None


class Meta(Shape):
    version_id: str | None = None
    last_updated: str | None = None
    security: list[Coding] | None = None


class Contained(Shape):
    """What a reference to `#id` leads to."""

    resource_type: str | None = None
    id: str | None = None
    identifier: Any = None
    interpretation: Any = None
    type: Any = None


class Resource(Shape):
    id: str | None = None
    meta: Meta | None = None
    contained: list[Contained] | None = None
    identifier: list[Identifier] | None = None


class Spoken(Shape):
    language: Concept | None = None
    preferred: bool | None = None


class Telecom(Shape):
    system: str | None = None
    value: str | None = None
    use: str | None = None


class Name(Shape):
    text: str | None = None
    family: str | None = None
    given: list[str | None] | None = None
    use: str | None = None


class Link(Shape):
    other: Reference | None = None
    type: str | None = None


class Patient(Resource):
    extension: list[Extension] | None = None
    name: list[Name] | None = None
    telecom: list[Telecom] | None = None
    birth_date: str | None = None
    deceased_boolean: bool | None = None
    deceased_date_time: str | None = None
    communication: list[Spoken] | None = None
    link: list[Link] | None = None


class Participant(Shape):
    type: list[Concept] | None = None
    actor: Reference | None = None
    status: str | None = None


class Appointment(Resource):
    status: str | None = None
    cancelation_reason: Concept | None = None
    service_category: list[Concept] | None = None
    service_type: list[Concept] | None = None
    specialty: list[Concept] | None = None
    appointment_type: Concept | None = None
    reason_reference: list[Reference] | None = None
    priority: int | None = None
    start: str | None = None
    end: str | None = None
    created: str | None = None
    based_on: list[Reference] | None = None
    participant: list[Participant] | None = None
    requested_period: list[Period] | None = None


class ServiceRequest(Resource):
    status: str | None = None
    intent: str | None = None
    category: list[Concept] | None = None
    priority: str | None = None
    do_not_perform: bool | None = None
    code: Concept | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    authored_on: str | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    reason_reference: list[Reference] | None = None
    performer_type: Concept | None = None
    performer: list[Reference] | None = None


class DiagnosticReport(Resource):
    based_on: list[Reference] | None = None
    status: str | None = None
    category: list[Concept] | None = None
    code: Concept | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    issued: str | None = None
    result: list[Reference] | None = None


class Observation(Resource):
    based_on: list[Reference] | None = None
    status: str | None = None
    category: list[Concept] | None = None
    code: Concept | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    effective_date_time: str | None = None
    issued: str | None = None
    interpretation: list[Concept] | None = None
    has_member: list[Reference] | None = None


class Place(Shape):
    location: Reference | None = None
    status: str | None = None
    physical_type: Concept | None = None
    period: Period | None = None


class Stage(Shape):
    """What an Encounter was before: an entry of its statusHistory or its classHistory."""

    status: str | None = None
    class_: Coding | None = msgspec.field(default=None, name="class")
    period: Period | None = None


class Attendant(Shape):
    type: list[Concept] | None = None
    period: Period | None = None
    individual: Reference | None = None


class Hospitalization(Shape):
    discharge_disposition: Concept | None = None


class Encounter(Resource):
    status: str | None = None
    class_: Coding | None = msgspec.field(default=None, name="class")
    service_type: Concept | None = None
    subject: Reference | None = None
    appointment: list[Reference] | None = None
    period: Period | None = None
    hospitalization: Hospitalization | None = None
    location: list[Place] | None = None
    status_history: list[Stage] | None = None
    class_history: list[Stage] | None = None
    participant: list[Attendant] | None = None


class Item(Shape):
    extension: list[Extension] | None = None
    encounter: list[Reference] | None = None
    adjudication: list[Adjudication] | None = None


class Adjudication(Shape):
    extension: list[Extension] | None = None


class Related(Shape):
    claim: Reference | None = None
    relationship: Concept | None = None


class Information(Shape):
    value_reference: Reference | None = None


class Claim(Resource):
    extension: list[Extension] | None = None
    status: str | None = None
    use: str | None = None
    patient: Reference | None = None
    created: str | None = None
    insurer: Reference | None = None
    priority: Concept | None = None
    related: list[Related] | None = None
    referral: Reference | None = None
    supporting_info: list[Information] | None = None
    item: list[Item] | None = None
    insurance: list[Covered] | None = None


class ClaimResponse(Resource):
    extension: list[Extension] | None = None
    status: str | None = None
    use: str | None = None
    patient: Reference | None = None
    created: str | None = None
    insurer: Reference | None = None
    request: Reference | None = None
    pre_auth_ref: str | None = None
    pre_auth_period: Period | None = None
    item: list[Item] | None = None
    add_item: list[Item] | None = None
    adjudication: list[Adjudication] | None = None


class Covered(Shape):
    focal: bool | None = None
    coverage: Reference | None = None


class Insurance(Shape):
    inforce: bool | None = None


class CoverageEligibilityResponse(Resource):
    extension: list[Extension] | None = None
    status: str | None = None
    patient: Reference | None = None
    created: str | None = None
    outcome: str | None = None
    insurer: Reference | None = None
    insurance: list[Insurance] | None = None


class Restriction(Shape):
    period: Period | None = None


class Task(Resource):
    status: str | None = None
    code: Concept | None = None
    focus: Reference | None = None
    for_: Reference | None = msgspec.field(default=None, name="for")
    encounter: Reference | None = None
    based_on: list[Reference] | None = None
    execution_period: Period | None = None
    authored_on: str | None = None
    last_modified: str | None = None
    reason_code: Concept | None = None
    reason_reference: Reference | None = None
    restriction: Restriction | None = None


class Slot(Resource):
    service_category: list[Concept] | None = None
    service_type: list[Concept] | None = None
    appointment_type: Concept | None = None
    specialty: list[Concept] | None = None
    schedule: Reference | None = None
    status: str | None = None
    start: str | None = None


class Collection(Shape):
    collected_date_time: str | None = None
    collected_period: Period | None = None


class Specimen(Resource):
    status: str | None = None
    subject: Reference | None = None
    received_time: str | None = None
    request: list[Reference] | None = None
    collection: Collection | None = None
    condition: list[Concept] | None = None


class ImagingStudy(Resource):
    status: str | None = None
    subject: Reference | None = None
    started: str | None = None
    based_on: list[Reference] | None = None


class Procedure(Resource):
    status: str | None = None
    subject: Reference | None = None
    based_on: list[Reference] | None = None
    performed_date_time: str | None = None
    performed_period: Period | None = None
