"""Feedback to events: a survey that was answered, a complaint, a suggestion, praise, the wish to be called.

One JSON object a message. What somebody wrote in their own words leaves it before anything is kept: the message, its
events and its dead letter hold `comment_id`, the comment goes its own way.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, Literal

import msgspec

from connectors.api import Reading, Split, dead
from connectors.json_text import NOT_JSON
from connectors.surveys.instruments import Instrument, shipped_instruments
from schemas.comment import Comment, comment_of
from schemas.declaration import suggest
from schemas.errors import Reason
from schemas.event import Event
from schemas.instant import read_instant

SOURCE: Final = "feedback"
_MARKS: Final = frozenset(("survey", "comment", "comment_id", "advocate", "wants_contact"))
_KINDS: Final = ("complaint", "suggestion", "praise")
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Person(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whom it is from: a record number with its authority, or identifiers as `value^authority`."""

    mrn: str | None = None
    assigning_authority: str | None = None
    identifiers: list[str] = []

    @property
    def names(self) -> tuple[str, ...]:
        """As events hold them."""
        number = self.mrn and (f"{self.mrn}^{self.assigning_authority}" if self.assigning_authority else self.mrn)
        return tuple(dict.fromkeys(name for name in (number, *self.identifiers) if name))


class Survey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Answers by item, as numbers or in the words of the item's scale. `id` is the survey's, where it was sent out
    under one."""

    instrument: str
    answers: dict[str, int | float | str | bool | None]
    id: str | None = None
    discharged_at: str | None = None


class Feedback(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What `POST /v1/feedback` takes. `id` tells a repetition; `time` is RFC 3339, `received` what the hub writes where
    there is none; `source` is the site's name for the form or kiosk. `phone` and `email` say where somebody can be
    reached who is not named by `person`."""

    id: str
    time: str | None = None
    received: str | None = None
    source: str = ""
    facility: str | None = None
    person: Person = msgspec.field(default_factory=Person)
    phone: str | None = None
    email: str | None = None
    visit_id: str | None = None
    survey: Survey | None = None
    kind: Literal["complaint", "suggestion", "praise"] | None = None
    comment: str | None = None
    comment_id: str | None = None
    topic: str | None = None
    plan: bool | None = None
    wants_contact: bool | None = None
    advocate: bool = False
    language: str | None = None
    channel: str | None = None


class FeedbackReader:
    """Reads feedback; `instruments` by name."""

    def __init__(self, instruments: Mapping[str, Instrument] | None = None) -> None:
        self._instruments: Mapping[str, Instrument] = shipped_instruments() if instruments is None else instruments

    def read(self, raw: bytes, place: str) -> Split:
        """What one message is; it never raises for what the bytes hold."""
        try:
            body = msgspec.json.decode(raw)
        except NOT_JSON:
            return Split(dead(Reason.UNREADABLE, place, "one JSON object is expected"), raw)
        if not isinstance(body, dict):
            return Split(dead(Reason.INVALID, place, "a JSON object is expected"), raw)
        source, id_ = _text(body, "source"), _text(body, "id")
        comments: tuple[Comment, ...] = ()
        said = body.pop("comment", None)
        if isinstance(said, str) and said.strip():
            comments = (comment_of(source, id_, said),)
            body["comment_id"] = comments[0].id
        elif said is not None and not isinstance(said, str):
            return Split(dead(Reason.INVALID, f"{place}, comment", "a text is expected"), _encode(body))
        kept = _encode(body)
        name = f"{SOURCE}/{source}" if source else SOURCE
        reading = self._read(body, name, place)
        reading.source, reading.id = name, id_
        reading.digest = blake2b(_content(body), digest_size=16).digest()
        return Split(reading, kept, comments)

    def _read(self, body: dict[str, Any], source: str, place: str) -> Reading:
        try:
            said = msgspec.convert(body, Feedback)
        except msgspec.ValidationError as wrong:
            return dead(Reason.INVALID, f"{place}{_path(str(wrong))}", _MEND)
        if not said.id:
            return dead(Reason.NO_ID, f"{place}, id", "an id tells a repetition from a second voice")
        try:
            time = read_instant(said.time or said.received or "")
        except (ValueError, OverflowError):
            return dead(Reason.BAD_TIME, f"{place}, time", "an RFC 3339 time with its offset is expected")
        names = said.person.names
        wants = said.wants_contact is True or said.advocate
        if wants and not names and (unreached := _unreached(said, place)) is not None:
            return unreached
        told: list[tuple[str, dict[str, Any]]] = []
        if said.survey is not None:
            answered = self._answered(said, said.survey, place)
            if isinstance(answered, Reading):
                return answered
            told.append(("survey.answered", answered))
        if said.kind in ("complaint", "suggestion"):
            # what comes in writing is a grievance always (42 CFR 482.13(a)(2), interpretive guidelines); a wish is none
            data = {"complaint_id": said.id, "grievance": said.kind == "complaint", "plan": said.plan}
            told.append(("complaint.received", data))
        if said.advocate or (said.wants_contact is True and said.survey is None and said.kind != "complaint"):
            told.append(("advocate.requested", {"request_id": said.id}))
        if not told:
            if said.comment_id is None and said.kind is None:
                return dead(Reason.INVALID, place, "send a survey, a comment with its kind, or the wish to be called")
            told.append(("feedback.received", {"kind": said.kind}))
        events = tuple(_event(said, source, time, *one) for one in told)
        return Reading(events=events, notes=() if names or said.phone or said.email else ("nobody_named",))

    def _answered(self, said: Feedback, survey: Survey, place: str) -> dict[str, Any] | Reading:
        instrument = self._instruments.get(survey.instrument)
        if instrument is None:
            near = suggest(survey.instrument, self._instruments)
            mend = "declare the instrument under `surveys:` in the site file" + (f", or send {near}" if near else "")
            return dead(Reason.INVALID, f"{place}, survey.instrument", mend)
        told, wrong = instrument.attributes(survey.answers)
        if wrong:
            known = [name for name in wrong if name in instrument.items]  # another's name may hold anything
            where = f"survey.answers.{known[0]}" if known else "survey.answers"
            mend = "an answer is not on its scale" if known else f"an answer is to no item of {instrument.name}"
            return dead(Reason.INVALID, f"{place}, {where}", f"{mend}: mend it, or the instrument in the site file")
        told["survey_id"] = survey.id or said.id
        told["discharged_at"] = survey.discharged_at
        return told


def _event(said: Feedback, source: str, time: int, type_: str, own: dict[str, Any]) -> Event:
    names = said.person.names
    data = {
        **own,
        "source": source,
        "message_id": said.id,
        "facility": said.facility,
        "visit_id": said.visit_id,
        "topic": said.topic,
        "comment_id": said.comment_id,
        "wants_contact": said.wants_contact,
        "language": said.language,
        "channel": said.channel,
        "address": said.phone,
        "email": said.email,
        # who is not named is somebody all the same: told apart until a link says who. Two forms may count alike
        "contact_id": None if names or not (said.phone or said.email) else f"{said.id}^{source}",
    }
    data = {name: value for name, value in data.items() if value is not None}
    return Event(f"{said.id}/{type_.partition('.')[0]}", source, type_, time, data, names, said.facility)


def _unreached(said: Feedback, place: str) -> Reading | None:
    """The dead letter of who wishes a call and says neither by person nor otherwise to whom."""
    if said.email:
        return None
    if not said.phone:
        mend = "it asks for a call and names nobody: send person, phone or email with it"
        return dead(Reason.NO_IDENTIFIER, f"{place}, person", mend)
    if sum(sign.isdigit() for sign in said.phone) < _FEWEST:
        mend = "it asks for a call to what is no telephone number: look at what was sent, and have the form check it"
        return dead(Reason.NO_IDENTIFIER, f"{place}, phone", mend)
    return None


_FEWEST: Final = 5
"""Digits of a telephone number, at the least: whom `+1 555 CALL NOW` reaches nobody can keep a promise to."""
_MEND: Final = "send what docs/feedback.md describes"


def content_of(raw: bytes) -> bytes:
    """What feedback says, however it is written and whenever it came; of what cannot be read, its bytes."""
    try:
        body = msgspec.json.decode(raw)
    except NOT_JSON:
        return raw.strip()
    return _content(body) if isinstance(body, dict) else raw.strip()


def _content(body: Mapping[str, Any]) -> bytes:
    return _encode({member: value for member, value in body.items() if member != "received"})


def looks_like_feedback(body: object) -> bool:
    """Whether a JSON value that is nothing else is feedback."""
    if not isinstance(body, dict) or not isinstance(body.get("id"), str):
        return False
    return not _MARKS.isdisjoint(body) or body.get("kind") in _KINDS


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _path(message: str) -> str:
    """The JSON path out of msgspec's message, whose rest may quote values; a member that is not known has none."""
    at = message.rfind("`$.")
    return f", {message[at + 3 :].rstrip('`')}" if at >= 0 else ""
