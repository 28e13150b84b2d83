"""A body as it came to what it holds: JSON, or a form; and the line that the hub keeps before it where needed.

What stands in no body is kept with it, for a message is read again from its bytes alone: when it came, where the vendor
sends no time, and the id of the delivery, where it stands in a header. The line is `#pxhub {"received": ...}`.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from connectors.json_text import BOM, NOT_JSON

_MARK: Final = b"#pxhub "
_FORM: Final = re.compile(rb"[A-Za-z0-9_.\[\]%+*-]{1,200}=[^\s\"<>{}]*\Z")
FIELDS: Final = 2_000
"""How many fields of a form are read; what a vendor sends has some dozens."""


class Kept(msgspec.Struct, omit_defaults=True):
    """What is kept beside a body: when it came (RFC 3339), and the delivery's id."""

    received: str | None = None
    delivery: str | None = None


_read_kept: Final = msgspec.json.Decoder(Kept).decode
_encode: Final = msgspec.json.Encoder().encode
ALONE: Final = Kept()


def write_kept(kept: Kept, body: bytes) -> bytes:
    """A body with its line before it."""
    return _MARK + _encode(kept) + b"\n" + body


def split_kept(raw: bytes) -> tuple[Kept, bytes]:
    """The line and the body behind it; nothing is kept beside most bodies."""
    if raw[:7] != _MARK:
        return ALONE, raw
    line, _, body = raw.partition(b"\n")
    try:
        return _read_kept(line[7:]), body
    except NOT_JSON:
        return ALONE, body


def is_form(body: bytes) -> bool:
    """Whether it is the form of a browser (application/x-www-form-urlencoded), told by its shape."""
    return _FORM.match(body.strip()) is not None


def read_body(body: bytes) -> Any:
    """What a body holds: of a form a dict of texts. Raises ValueError with words that quote nothing."""
    text = body.removeprefix(BOM).strip()
    if text[:1] in (b"{", b"["):
        try:
            return msgspec.json.decode(text)
        except RecursionError:
            raise ValueError("JSON nested so deeply is not read") from None
        except NOT_JSON:
            raise ValueError("one whole JSON value is expected") from None
    if not is_form(text):
        raise ValueError("JSON or a form (name=value&...) is expected")
    try:
        return _read_form(text)
    except ValueError:
        raise ValueError("the form is not percent-encoded UTF-8, or has too many fields") from None


def _read_form(text: bytes) -> dict[str, str]:
    """The fields of a form, the first of each name; those without a value are left out. Raises ValueError."""
    found: dict[str, str] = {}
    fields = text.replace(b"+", b" ").split(b"&")
    if len(fields) > FIELDS:
        raise ValueError("too many fields")
    for field in fields:
        name, _, value = field.partition(b"=")
        if value:
            key = (unquote_to_bytes(name) if b"%" in name else name).decode()
            if key not in found:
                found[key] = (unquote_to_bytes(value) if b"%" in value else value).decode()
    return found


def open_embedded(body: Any, names: tuple[str, ...]) -> Any:
    """A body with the JSON that stands in some of its texts as what it holds; what is no JSON stays a text."""
    if not names or type(body) is not dict:
        return body
    for name in names:
        text = body.get(name)
        if type(text) is str and text[:1] in ("{", "["):
            try:
                body[name] = msgspec.json.decode(text)
            except NOT_JSON:
                continue
    return body
