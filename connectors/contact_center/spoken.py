"""What somebody wrote in their own words in the body of a webhook: it leaves the body before anything is kept.

A mapping says under `words` where words stand. The body as it is kept has a `comment_id` for them at its top, and so it
says the same when it is read again: there are no words left to take, and the digest is that of the body without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Final

import msgspec

from connectors.contact_center.path import finder
from connectors.contact_center.spec import MessageSpec
from schemas.comment import Comment, comment_of

COMMENT: Final = "comment_id"
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


def take_words(spec: MessageSpec, vendor: str, body: Any) -> tuple[Comment, ...]:
    """Take the words of a message out of its body of dicts, which is changed: one comment a body, or one an item where
    a message is of many."""
    if spec.each is None:
        items = [body]
    else:
        found = finder(spec.each)(body)
        items = found if isinstance(found, list) else []
    return tuple(comment for item in items if (comment := _of_item(spec, vendor, item)) is not None)


def _of_item(spec: MessageSpec, vendor: str, item: Any) -> Comment | None:
    said: list[str] = []
    for words in spec.words:
        for holder in _holders(finder(words.within)(item) if words.within is not None else item):
            names = [name for name, value in holder.items() if words.are_in(name, value)]
            taken = [holder.pop(name) for name in names]
            said += [text for one in taken for text in _texts(one)]
    if not said or not isinstance(item, dict):
        return None
    # what it says without them names it: the same body again has the same comment, another has its own
    comment = comment_of(vendor, blake2b(_encode(item), digest_size=16).hexdigest(), "\n\n".join(said))
    item[COMMENT] = comment.id
    return comment


def _holders(found: Any) -> Iterator[dict[str, Any]]:
    for one in found if isinstance(found, list) else (found,):
        if isinstance(one, dict):
            yield one


def _texts(value: Any) -> Iterator[str]:
    """The texts of what was taken out: one, or those of a list or an object."""
    if isinstance(value, str):
        if value.strip():
            yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
