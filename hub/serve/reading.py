"""Bytes of a live source to a message, with what the hub adds before it is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Final

from connectors.api import Reading
from connectors.cloudevents.read import CloudEventReader
from connectors.fhir.kept import read_kept
from connectors.fhir.read import FhirReader
from connectors.fhir.spoken import without_words
from connectors.hl7.read import Hl7Reader
from connectors.surveys.feedback import FeedbackReader
from hub.contents import CLOUDEVENTS, FEEDBACK, FHIR, FILE, HL7
from hub.enrich import Enricher
from hub.hooks import KIND, Hooks
from hub.left_out import LeftOut
from hub.phones import NO_REGION, NONSENSE
from schemas.comment import Comment
from schemas.dead_letter import DeadLetter
from schemas.errors import Reason
from schemas.event import Event
from schemas.message import Message

CONTACT: Final = "contact"  # what the source of a webhook's events begins with
TEST_MESSAGE: Final = "test_message"
TEST_PATIENT: Final = "test_patient"
_ASSUMED: Final = "zone_assumed"
_MEND_FAILED: Final = "the hub failed to read it and goes on without it; report it, then replay the dead letter"
_MEND_ZONE: Final = "a stamp has no offset: name `zone:` for this facility in the site file, then replay the letter"
_MEND_SOURCE: Final = "no source of this name is declared any more: name it under `sources:` in the site file again"
_TEST_MODES: Final = (b"T", b"D")  # HL7 table 0103: training, debugging


class LiveReader:
    """Reads the messages of live sources, by kind. `left_out` are test patients, whose messages are ignored;
    `takes_tests` reads messages marked as tests (MSH-11 T or D) like all others. Without `has_zone` a stamp of a
    sender that nobody named a zone for is no time: such a message is a dead letter."""

    def __init__(  # noqa: PLR0913 - a reader a kind, and what the site says
        self,
        hl7: Hl7Reader,
        cloud: CloudEventReader,
        enricher: Enricher,
        *,
        left_out: LeftOut | None = None,
        takes_tests: bool = False,
        has_zone: bool = True,
        fhir: FhirReader | None = None,
        feedback: FeedbackReader | None = None,
        hooks: Hooks | None = None,
        fhir_servers: Mapping[str, FhirReader] | None = None,
    ) -> None:
        self._hl7: Hl7Reader = hl7
        self._cloud: CloudEventReader = cloud
        self._enricher: Enricher = enricher
        self._left_out_of_events: Counter[str] = Counter({NONSENSE: 0, NO_REGION: 0})
        self._left_out: LeftOut | None = left_out or None
        self._takes_tests: bool = takes_tests
        self._has_zone: bool = has_zone
        self._fhir: FhirReader = fhir or FhirReader()
        self._feedback: FeedbackReader = feedback or FeedbackReader()
        self._hooks: Hooks = hooks or Hooks()
        self._fhir_servers: dict[str, FhirReader] = {FHIR: self._fhir, **(fhir_servers or {})}
        self._readers: Mapping[str, Callable[[bytes], Message]] = {
            HL7: self._read_hl7,
            CLOUDEVENTS: self._read_event,
            FHIR: self._read_resource,
            FEEDBACK: self._read_feedback,
        }

    @property
    def parts(self) -> tuple[Hl7Reader, CloudEventReader]:
        """The readers of one message each, for who reads files."""
        return self._hl7, self._cloud

    @property
    def hooks(self) -> Hooks:
        """The readers of webhooks."""
        return self._hooks

    def counted(self) -> Mapping[str, float]:
        """What was left out of events, by Prometheus names: telephone numbers that are none."""
        return {f"pxhub_{name}_total": count for name, count in self._left_out_of_events.items()}

    def read(self, kind: str, raw: bytes) -> Message:
        """What one message is; it never raises for what the bytes hold."""
        try:
            if kind.startswith(KIND):
                return self._read_hook(kind, raw)
            return self._readers[kind](raw)
        except Exception:  # noqa: BLE001 - a message's edge: whatever it is, the hub goes on, and the bytes are kept
            letter = DeadLetter(reason=Reason.INVALID, place="the message", mend=_MEND_FAILED)
            return Message(kind, raw, dead=letter)

    def _read_hl7(self, raw: bytes) -> Message:
        reading = self._hl7.read(raw, "the message")
        message = _message(HL7, raw, reading)
        if not self._has_zone and _ASSUMED in message.notes:
            return _without_zone(message)
        if message.events and not self._takes_tests and processing_mode(raw) in _TEST_MODES:
            message.events, message.ignored = (), TEST_MESSAGE
        return self._enriched(message)

    def _read_event(self, raw: bytes) -> Message:
        assumed = self._cloud.assumed_utc
        found = self._cloud.read(raw, "the event")
        if isinstance(found, Reading):
            return _message(CLOUDEVENTS, raw, found)
        read = Message(CLOUDEVENTS, raw, found.source, found.id, blake2b(raw, digest_size=16).digest(), (found,))
        if not self._has_zone and self._cloud.assumed_utc != assumed:
            return _without_zone(read)
        return self._enriched(read)

    def of(self, kind: str, raw: bytes, found: Event | Reading, comments: tuple[Comment, ...] = ()) -> Message:
        """The message of what a file's reader found already; an event alone came as a CloudEvent. Of a part that no
        bytes can be given of, its place is kept, for two such parts are two."""
        if isinstance(found, Event):
            digest = blake2b(raw, digest_size=16).digest()
            return self._enriched(Message(CLOUDEVENTS, raw, found.source, found.id, digest, (found,)))
        system = found.source.partition("/")[0]
        if not raw and found.dead is not None:
            return self._enriched(_message(FILE, found.dead.place.encode(), found))
        if system == CONTACT:
            kind = self._hooks.kind_of(found.source)
        elif kind == FHIR:
            raw, comments = without_words(raw)
        message = self._enriched(_message(kind, raw, found))
        message.comments = comments
        return message

    def _read_resource(self, raw: bytes) -> Message:
        """A resource, or a bundle that is taken as one, with what was kept of what stood around it."""
        raw, comments = without_words(raw)
        reading, things = read_kept(raw, "the resource", self._fhir_reader)
        message = _message(FHIR, raw, reading)
        message.things, message.comments = things, comments
        if not self._has_zone and _ASSUMED in message.notes:
            return _without_zone(message)
        if self._left_out is not None:  # of a transaction or a group only what is about them
            others = tuple(e for e in message.events if not self._left_out.has(e.identifiers))
            message.events = others or message.events
        return self._enriched(message)

    def _fhir_reader(self, system: str) -> FhirReader:
        """The reader of a server; one that the site file names no more is read as the rest is, under its name."""
        return self._fhir_servers.get(system) or self._fhir.named(system)

    def _read_feedback(self, raw: bytes) -> Message:
        """What was said in somebody's own words leaves the message here: nothing else sees it."""
        reading, kept, comments = self._feedback.read(raw, "the feedback")
        message = self._enriched(_message(FEEDBACK, kept, reading))
        message.comments = comments
        return message

    def _read_hook(self, kind: str, raw: bytes) -> Message:
        """A body of a webhook, by the mapping of its source."""
        reader = self._hooks.reader(kind.removeprefix(KIND))
        if reader is None:
            letter = DeadLetter(reason=Reason.INVALID, place="the source", mend=_MEND_SOURCE)
            return Message(kind, raw, dead=letter)
        reading, raw, comments = reader.split(raw, "the body")
        message = _message(kind, raw, reading)
        message.comments = comments
        if not self._has_zone and _ASSUMED in message.notes:
            return _without_zone(message)
        return self._enriched(message)

    def _enriched(self, message: Message) -> Message:
        if self._left_out is not None and any(self._left_out.has(e.identifiers) for e in message.events):
            message.events, message.ignored = (), TEST_PATIENT
        else:
            message.events = tuple(map(self._enricher.enrich, message.events))
            if left_out := self._enricher.points.left_out:
                message.notes = (*message.notes, *left_out.elements())
                self._left_out_of_events.update(left_out)
                left_out.clear()
        return message


def _without_zone(message: Message) -> Message:
    message.events = ()
    message.dead = DeadLetter(reason=Reason.NO_ZONE, place="the sender's facility", mend=_MEND_ZONE)
    return message


def _message(kind: str, raw: bytes, reading: Reading) -> Message:
    return Message(
        kind, raw, reading.source, reading.id, reading.digest, reading.events, reading.ignored, reading.dead,
        reading.notes,
    )  # fmt: skip


def processing_mode(raw: bytes) -> bytes:
    """MSH-11.1 of a message as it came: P, T or D; empty where it cannot be told."""
    start = raw.find(b"MSH")
    if start < 0 or len(raw) < start + 8:
        return b""
    field = raw[start + 3 : start + 4]
    fields = raw[start:].split(b"\r", 1)[0].split(field, 11)
    return fields[10].split(raw[start + 4 : start + 5], 1)[0] if len(fields) > 10 else b""
