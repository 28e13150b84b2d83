"""Event types and what they carry, by THRESHOLDS.md: the words that a thresholds file is checked against.

The vocabulary is open: a type or an attribute that does not stand here is a site's own, unless it resembles one that
does. `?` behind an attribute is a flag, `*` says that it rests on a site's mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.declaration import is_misspelt, suggest


@dataclass(frozen=True, slots=True)
class AttributeType:
    """`flag`: true, false, or absent where unknown. `mapped`: absent until a site's mapping names its codes."""

    name: str
    flag: bool = False
    mapped: bool = False


@dataclass(frozen=True, slots=True)
class EventType:
    name: str
    attributes: Mapping[str, AttributeType]


PERSON_FACTS: Final = ("language", "channel", "interpreter", "zone", "age")
"""What `person.*` may name in a `where`."""

EVERYWHERE: Final = "message_id origin_id facility mrn assigning_authority department provider source identifiers"
"""What any event may carry."""

_GROUPS: Final[Mapping[str, str]] = {
    "VISIT": "visit_id class observation?* location unit* service admission_type payer_class*",
    "APPT": (
        "appointment_id filler_appointment_id start end visit_type visit_kind* specialty* order_id visit_id "
        "referral_id* report_id* screening* needs_authorization?* interpreter_needed?* new_patient?* "
        "payer_class* lead_days"
    ),
    "ORDER": "order_id filler_order_id code category category_code priority visit_id class screening* slow?",
    "RESULT": "ORDER report_id abnormal? critical? needs_follow_up?* birads* after_discharge?",
    "AUTH": (
        "authorization_id payer_number payer payer_class* urgent? valid_until reason order_id appointment_id visit_id"
    ),
    "LINKS": (
        "task_id order_id report_id appointment_id visit_id referral_id authorization_id account_id thread_id "
        "contact_id callback_id complaint_id request_id survey_id document_id"
    ),
    "CONTACT": (
        "LINKS contact_id channel direction queue agent address email member_id portal_account name birth_date "
        "language* interpreter_needed?* caller* identified? unidentified_because"
    ),
}

_TYPES: Final[tuple[tuple[str, str], ...]] = (
    ("referral.requested", "referral_id specialty* priority to internal?* report_id*"),
    ("referral.accepted referral.rejected referral.cancelled", "referral_id specialty* reason"),
    ("referral.closed", "referral_id"),
    ("appointment.requested", "APPT requested_for priority*"),
    ("appointment.booked", "APPT"),
    ("appointment.missed", "APPT"),
    ("appointment.rescheduled", "APPT previous_start by*"),
    ("appointment.changed", "APPT"),
    ("appointment.cancelled", "APPT reason by* notice_hours"),
    ("appointment.arrived appointment.completed", "APPT"),
    ("appointment.stated", "APPT status"),
    ("order.stated", "ORDER status"),
    ("referral.stated", "referral_id specialty* priority to report_id* reason status"),
    ("result.stated", "RESULT status"),
    ("visit.stated", "VISIT expected_end disposition_code disposition condition* complexity* status"),
    ("authorization.stated", "AUTH extent for_papers?* status"),
    ("slots.counted", "clinic visit_kind* third_next_days"),
    ("reminder.delivered", "LINKS channel"),
    ("visit.started", "VISIT"),
    ("visit.moved visit.move_cancelled", "VISIT class_changed?"),
    ("visit.observation_started", "VISIT"),
    ("visit.admit_decided visit.discharge_planned visit.plan_withdrawn", "VISIT expected_end plan"),
    ("visit.triaged visit.roomed visit.provider_seen", "VISIT acuity"),
    ("visit.ended", "VISIT disposition_code disposition condition* complexity*"),
    ("visit.left", "VISIT"),
    ("visit.cancelled visit.discharge_cancelled", "VISIT"),
    ("notice.given", "LINKS kind* channel"),
    ("order.placed", "ORDER report_id*"),
    ("order.cancelled order.cancel_refused", "ORDER reason"),
    ("order.scheduled", "ORDER appointment_id start"),
    ("specimen.collected specimen.received specimen.rejected", "ORDER specimen_id reason"),
    ("exam.completed", "ORDER"),
    ("result.preliminary result.final", "RESULT"),
    ("result.corrected result.cancelled", "RESULT previous"),
    ("result.called result.reviewed", "LINKS"),
    ("result.released result.viewed result.withheld", "LINKS channel reason"),
    ("document.signed document.withdrawn", "LINKS kind* class"),
    ("authorization.requested authorization.supplemented", "AUTH"),
    ("authorization.approved authorization.denied authorization.pended", "AUTH extent for_papers?*"),
    ("authorization.not_required authorization.cancelled authorization.expired", "AUTH"),
    ("authorization.appealed authorization.appeal_decided", "AUTH"),
    ("eligibility.failed", "appointment_id payer"),
    ("estimate.requested estimate.sent", "request_id appointment_id"),
    ("charge.posted", "account_id amount"),
    ("bill.sent bill.questioned bill.answered bill.corrected", "account_id amount statement_id"),
    ("record.requested record.extended record.delivered", "request_id requested_at"),
    ("amendment.requested amendment.extended amendment.decided", "request_id requested_at"),
    ("refill.requested refill.answered", "request_id channel"),
    (
        "message.received message.answered message.closed message.read",
        "communication_id thread_id topic* urgent?* channel from",
    ),
    ("contact.started contact.transferred", "CONTACT"),
    ("contact.queued contact.answered", "CONTACT queue_seconds first?"),
    ("contact.abandoned", "CONTACT queue_seconds"),
    (
        "contact.ended",
        (
            "CONTACT queue_seconds talk_seconds hold_seconds holds transfers outcome* reason* interpreter?* "
            "partner disconnected_by abandoned? counted?"
        ),
    ),
    ("contact.analysed", "CONTACT sentiment"),
    ("callback.promised callback.made", "LINKS promised_for kind*"),
    ("task.offered task.withdrawn", "LINKS purpose partner attempt_by"),
    ("outreach.attempted outreach.reached outreach.failed outreach.refused", "LINKS purpose reason channel attempt"),
    ("interpreter.requested interpreter.arranged interpreter.joined", "appointment_id contact_id language*"),
    (
        "survey.sampled survey.sent survey.answered",
        "survey_id instrument score nps low?* item.* visit_id discharged_at comment_id wants_contact?",
    ),
    (
        "complaint.received complaint.acknowledged complaint.updated complaint.resolved",
        "complaint_id grievance? plan? topic promised_for comment_id",
    ),
    ("feedback.received", "kind topic comment_id visit_id"),
    ("advocate.requested", "request_id topic comment_id"),
    (
        "person.updated",
        (
            "language interpreter?* phones emails birth_date family_name given_name member_id portal_account channel* "
            "contact_hours* deceased? proxy_name proxy_relation proxy_phone"
        ),
    ),
    ("person.died", ""),
    ("person.merged person.linked person.unlinked person.unmerged", "surviving retired contact_id rule score evidence"),
    ("identity.renumbered identity.moved", "kind surviving retired"),
    (
        "preference.set consent.given consent.revoked",
        "channel purpose language interpreter?* contact_hours* do_not_call?",
    ),
    ("careplan.task_due careplan.task_done", "task_id due"),
    ("clock.ticked", ""),
)


@dataclass(frozen=True, slots=True)
class Values:
    """The words that an attribute is told in. `closed`: by a table of the standard, or because the hub itself asks
    for them; elsewhere a site may have words of its own."""

    words: tuple[str, ...]
    closed: bool = False


def _values(words: str, *, closed: bool = False) -> Values:
    return Values(tuple(words.split()), closed)


VALUES: Final[Mapping[str, Values]] = {
    "class": _values("I E O P R B C N U", closed=True),
    "admission_type": _values("A C E L N R U", closed=True),
    "priority": _values("S A R", closed=True),
    "status": _values(
        "proposed pending waitlist booked arrived started checked-in fulfilled completed complete cancelled "
        "entered-in-error deleted noshow",
        closed=True,
    ),
    "category": _values("LAB RAD"),
    "unit": _values("ed ward"),
    "payer_class": _values("medicare ma medicaid chip commercial self"),
    "visit_kind": _values("clinic telehealth lab imaging procedure"),
    "screening": _values("mammogram diagnostic fit colonoscopy"),
    "disposition": _values("home ama died hospice transfer"),
    "condition": _values("mental substance"),
    "plan": _values("admit discharge"),
    "by": _values("patient provider"),
    "caller": _values("patient proxy provider other"),
    "from": _values("patient proxy staff"),
    "kind": _values("mrn account visit moon im im_copy mammogram result DS CN"),
}
"""By the attribute's name: `kind` means several things, and each event has some of its words."""


def meant_value(attribute: str, value: str) -> str | None:
    """The word of an attribute that another one is a slip of the pen for; None if it is known, or new."""
    known = VALUES[attribute].words if attribute in VALUES else ()
    if value in known:
        return None
    near = [word for word in known if is_misspelt(value, word)]
    return suggest(value, near) or next(iter(near), None)


def _attribute(word: str) -> AttributeType:
    return AttributeType(word.rstrip("?*"), flag="?" in word, mapped="*" in word and not word.endswith(".*"))


def _spelt_out(words: str) -> dict[str, AttributeType]:
    found: dict[str, AttributeType] = {}
    for word in words.split():
        if word in _GROUPS:
            found.update(_spelt_out(_GROUPS[word]))
        elif word.endswith(".*"):
            found[word] = AttributeType(word)
        else:
            attribute = _attribute(word)
            found[attribute.name] = attribute
    return found


def _event_types() -> dict[str, EventType]:
    return {name: EventType(name, _spelt_out(words)) for names, words in _TYPES for name in names.split()}


EVENT_TYPES: Final[Mapping[str, EventType]] = _event_types()
"""Every type that the hub knows, by name. `item.*` among its attributes stands for any name with that beginning."""

_COMMON: Final = tuple(EVERYWHERE.split())


def meant_type(name: str) -> str | None:
    """The known type that an unknown one is a slip of the pen for; None for a known type or one of somebody's own.

    Both parts must be near: `result.finl` and `reslt.final` mean `result.final`, `result.explained` is new.
    """
    if name in EVENT_TYPES:
        return None
    plain = _joined(name)
    near = [known for known in EVENT_TYPES if _joined(known) == plain or _is_near(name, known)]
    return suggest(name, near) or next(iter(near), None)


def _joined(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _is_near(name: str, known: str) -> bool:
    group, _, what = name.partition(".")
    known_group, _, known_what = known.partition(".")
    if group != known_group and not is_misspelt(group, known_group):
        return False
    return what == known_what or is_misspelt(what, known_what) or _is_stem(what, known_what)


def _is_stem(what: str, known: str) -> bool:
    """`end` for `ended`, `cancel` for `cancelled`: types are in the past tense, and people forget it."""
    return len(what) > 2 and known.startswith(what) and len(known) - len(what) <= 3


def meant_attribute(event: str, name: str) -> str | None:
    """The attribute of a known event that an unknown name is a slip of the pen for; None if it is known, or new."""
    event_type = EVENT_TYPES.get(event)
    if event_type is None:
        return None
    known = (*event_type.attributes, *_COMMON)
    if name in known or f"{name.partition('.')[0]}.*" in known:
        return None
    near = [word for word in known if is_misspelt(name, word)]
    return suggest(name, near)
