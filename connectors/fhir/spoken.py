"""What somebody wrote in their own words in a QuestionnaireResponse: it leaves the resource before anything is kept.

The resource as it is kept holds `comment_id` where the words stood. Read again it is the same: there are no words left
to take. The narrative (`text`) goes too, for it repeats what was answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Final

import msgspec

from connectors.json_text import BOM, NOT_JSON
from schemas.comment import Comment, comment_of

SPOKEN: Final = "QuestionnaireResponse"
_MARK: Final = b'"QuestionnaireResponse"'
_WORDS: Final = ("valueString", "_valueString")
_DEEPEST: Final = 32  # groups in groups, bundles in bundles
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


def take_words(response: dict[str, Any]) -> Comment | None:
    """Take the words out of a response, which is changed; None where there are none. All of one response are one
    comment."""
    response.pop("text", None)
    spoken: list[dict[str, Any]] = []
    said: list[str] = []
    for answer in _answers(response, _DEEPEST):
        words = [answer.pop(name) for name in _WORDS if name in answer]
        texts = [word for word in words if isinstance(word, str) and word.strip()]
        if texts:
            said += texts
            spoken.append(answer)
    if not said:
        return None
    # what it says without them names it: the same response again has the same comment, another has its own
    comment = comment_of("fhir", blake2b(_encode(response), digest_size=16).hexdigest(), "\n\n".join(said))
    for answer in spoken:
        answer["comment_id"] = comment.id
    return comment


def without_words(raw: bytes) -> tuple[bytes, tuple[Comment, ...]]:
    """The bytes of a resource, of a bundle or of an envelope without what was said in words, and that."""
    if _MARK not in raw:
        return raw, ()
    try:
        value = msgspec.json.decode(raw.removeprefix(BOM))
    except NOT_JSON:
        return raw, ()
    found = tuple(_responses(value, _DEEPEST))
    if not found:
        return raw, ()
    before = [_encode(one) for one in found]
    comments = tuple(comment for one in found if (comment := take_words(one)) is not None)
    if before == [_encode(one) for one in found]:
        return raw, ()
    return msgspec.json.encode(value), comments  # in the order it came: an envelope is told by its beginning


def _responses(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """The responses in what may be a resource, a bundle or an envelope."""
    if not isinstance(value, dict) or not depth:
        return
    if value.get("resourceType") == SPOKEN:
        yield value
        return
    for name in ("resource", "contained", "entry"):
        inner = value.get(name)
        for one in inner if isinstance(inner, list) else (inner,):
            yield from _responses(one, depth - 1)


def _answers(group: dict[str, Any], depth: int) -> Iterator[dict[str, Any]]:
    """All answers of a response or of a group in it."""
    for name in ("item", "answer"):
        parts = group.get(name)
        for part in parts if depth and isinstance(parts, list) else ():
            if isinstance(part, dict):
                if name == "answer":
                    yield part
                yield from _answers(part, depth - 1)
