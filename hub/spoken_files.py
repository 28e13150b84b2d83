"""What stands in files beside other messages: feedback, told by its content, without what was said in words."""

from __future__ import annotations

from typing import Any, Final

from connectors.contact_center.body import read_body
from connectors.contact_center.files import first_values
from connectors.json_text import NOT_JSON
from connectors.surveys.feedback import FeedbackReader, looks_like_feedback
from hub.contents import FEEDBACK, told_apart
from hub.messages import Message

_OTHERS: Final = ("specversion", "resourceType")


def holds_feedback(head: bytes) -> bool:
    """Whether there is feedback among the first values of a file."""
    return any(map(_is_meant, first_values(head)))


def is_feedback(raw: bytes) -> bool:
    """Whether it is feedback and no message of another kind."""
    try:
        return raw.lstrip()[:1] == b"{" and _is_meant(read_body(raw))
    except (ValueError, *NOT_JSON):
        return False


def _is_meant(value: Any) -> bool:
    return looks_like_feedback(value) and not any(other in value for other in _OTHERS)


def read_spoken(raw: bytes, place: str, reader: FeedbackReader) -> Message | None:
    """Feedback as a message of a file; None for what is none."""
    if not is_feedback(raw):
        return None
    reading, kept, comments = reader.read(raw, place)
    return Message(told_apart(reading, FEEDBACK, kept), None, -1, None, comments=comments, raw=kept, kind=FEEDBACK)
