"""What messages say, however they are written: by that a repetition is told from a conflict, and a dead letter known
again. `replay` in memory and the store ask the same, so both count the same."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from connectors.api import Reading
from connectors.cloudevents.read import content_digest
from connectors.fhir.kept import digest_of
from connectors.hl7.read import content_digest as hl7_digest
from connectors.json_text import NOT_JSON
from connectors.surveys.feedback import content_of as feedback_of
from hub.hooks import KIND, content_of_hook

HL7: Final = "hl7"
CLOUDEVENTS: Final = "cloudevents"
FHIR: Final = "fhir"
FEEDBACK: Final = "feedback"
FILE: Final = "file"
"""A file that holds no message, or a part of one that nobody can read."""


def content(kind: str, raw: bytes) -> bytes:
    """What a message of a kind says: JSON may be written in many ways, lines may end in three. Of what cannot be read,
    its bytes."""
    if kind == HL7:
        return hl7_digest(raw)
    if kind.startswith(KIND):
        return content_of_hook(raw)
    if kind == FHIR:
        try:
            return digest_of(raw)
        except (*NOT_JSON, AttributeError):  # neither a resource nor an envelope
            return raw.strip()
    if kind == FEEDBACK:
        return feedback_of(raw)
    return content_digest(raw) if kind == CLOUDEVENTS else raw


def told_apart(reading: Reading, kind: str, raw: bytes) -> Reading:
    """A reading of a file, which a dead letter without a digest is given: of its content, else of its place, for two
    parts that nobody can read are two."""
    if reading.dead is not None and not reading.digest:
        reading.digest = blake2b(content(kind, raw or reading.dead.place.encode()), digest_size=16).digest()
    return reading
