"""The parts that are read of resources in which people say something: messages, surveys, consents, documents, plans."""

from __future__ import annotations

from typing import Any

import msgspec

from connectors.fhir.shapes import Concept, Name, Period, Reference, Resource, Shape, Spoken, Telecom


class Communication(Resource):
    based_on: list[Reference] | None = None
    part_of: list[Reference] | None = None
    in_response_to: list[Reference] | None = None
    status: str | None = None
    category: list[Concept] | None = None
    priority: str | None = None
    medium: list[Concept] | None = None
    subject: Reference | None = None
    topic: Concept | None = None
    about: list[Reference] | None = None
    encounter: Reference | None = None
    sent: str | None = None
    received: str | None = None
    recipient: list[Reference] | None = None
    sender: Reference | None = None
    reason_code: list[Concept] | None = None
    reason_reference: list[Reference] | None = None


class CommunicationRequest(Resource):
    based_on: list[Reference] | None = None
    status: str | None = None
    category: list[Concept] | None = None
    priority: str | None = None
    do_not_perform: bool | None = None
    medium: list[Concept] | None = None
    subject: Reference | None = None
    about: list[Reference] | None = None
    encounter: Reference | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    authored_on: str | None = None
    reason_code: list[Concept] | None = None
    reason_reference: list[Reference] | None = None


class Answer(Shape):
    """What was written in words was taken out before (see `spoken`), and stands apart under `comment_id`."""

    comment_id: str | None = msgspec.field(default=None, name="comment_id")
    value_boolean: bool | None = None
    value_decimal: float | None = None
    value_integer: int | None = None
    value_string: str | None = None
    value_coding: Any = None
    item: list[Asked] | None = None


class Asked(Shape):
    link_id: str | None = None
    answer: list[Answer] | None = None
    item: list[Asked] | None = None


class QuestionnaireResponse(Resource, kw_only=True):
    # R4 has one identifier here, where other resources have a list
    identifier: Any = None
    questionnaire: str | None = None
    status: str | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    authored: str | None = None
    source: Reference | None = None
    item: list[Asked] | None = None


class Provision(Shape):
    type: str | None = None
    purpose: list[Any] | None = None


class Consent(Resource):
    status: str | None = None
    scope: Concept | None = None
    category: list[Concept] | None = None
    patient: Reference | None = None
    date_time: str | None = None
    provision: Provision | None = None


class Context(Shape):
    encounter: list[Reference] | None = None
    related: list[Reference] | None = None


class DocumentReference(Resource):
    status: str | None = None
    doc_status: str | None = None
    type: Concept | None = None
    category: list[Concept] | None = None
    subject: Reference | None = None
    date: str | None = None
    authenticator: Reference | None = None
    context: Context | None = None


class Composition(Resource, kw_only=True):
    identifier: Any = None  # one, as above
    status: str | None = None
    type: Concept | None = None
    category: list[Concept] | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    date: str | None = None


class Detail(Shape):
    status: str | None = None
    scheduled_period: Period | None = None
    scheduled_string: str | None = None


class Activity(Shape):
    id: str | None = None
    reference: Reference | None = None
    detail: Detail | None = None


class CarePlan(Resource):
    status: str | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    created: str | None = None
    period: Period | None = None
    activity: list[Activity] | None = None


class RelatedPerson(Resource):
    active: bool | None = None
    patient: Reference | None = None
    relationship: list[Concept] | None = None
    name: list[Name] | None = None
    telecom: list[Telecom] | None = None
    period: Period | None = None
    communication: list[Spoken] | None = None


class Money(Shape):
    value: float | None = None


class ChargeItem(Resource):
    status: str | None = None
    subject: Reference | None = None
    entered_date: str | None = None
    price_override: Money | None = None
    account: list[Reference] | None = None


class Invoice(Resource):
    status: str | None = None
    subject: Reference | None = None
    date: str | None = None
    account: Reference | None = None
    total_net: Money | None = None


class Agent(Shape):
    who: Reference | None = None
    requestor: bool | None = None


class Entity(Shape):
    what: Reference | None = None


class AuditEvent(Resource):
    action: str | None = None
    recorded: str | None = None
    outcome: str | None = None
    agent: list[Agent] | None = None
    entity: list[Entity] | None = None
