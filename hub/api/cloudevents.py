"""CloudEvents over HTTP to the bytes of events, one JSON object each: structured, batched and binary mode.

Sans-I/O: headers and a body in, bytes out. What the events hold is the reader's to judge; here the envelope is opened.
"""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from connectors.json_text import NOT_JSON
from hub.api.problems import Refused, bad_body, bad_parameter

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
BATCH_MOST: Final = 20_000
"""Events of a batch: each costs memory beyond its bytes until it is answered."""
_FAMILY: Final = "application/cloudevents"
_PREFIX: Final = b"ce-"
_NAME: Final = re.compile(rb"[a-z0-9]+")
_CHARSET: Final = re.compile(r"""charset\s*=\s*(?:"([^"]*)"|([^\s;]+))""", re.IGNORECASE)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_encode: Final = msgspec.json.Encoder().encode


def read_request(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> tuple[list[bytes], bool]:
    """The events of a request, and whether they came as a batch. Raises Refused where the body is no CloudEvent in
    any mode, or cannot be told apart into events."""
    fields = [(name.lower(), value) for name, value in headers]
    content_type = next((value.decode("latin-1") for name, value in fields if name == b"content-type"), "")
    media = content_type.partition(";")[0].strip().lower()
    if media == BATCH:
        return _batch(_in_utf8(body, content_type)), True
    if media == STRUCTURED:
        if not body.strip():
            raise bad_body("the body is empty; one event as a JSON object is expected")
        return [_in_utf8(body, content_type)], False
    attributes = [(name[3:], value) for name, value in fields if name.startswith(_PREFIX)]
    if media.startswith(_FAMILY) or not attributes:
        raise _unsupported(f"send {STRUCTURED}, {BATCH}, or an event in binary mode with ce- headers")
    return [_binary(attributes, media, content_type, body)], False


def _unsupported(detail: str) -> Refused:
    accept = {"Accept": f"{STRUCTURED}, {BATCH}, application/json"}
    return Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-content-type", detail, headers=accept)


def _batch(body: bytes) -> list[bytes]:
    try:
        events = _LIST.decode(body)
    except msgspec.ValidationError:
        raise bad_body("a JSON array of events is expected") from None
    except NOT_JSON:
        raise bad_body("this is no JSON; a JSON array of events is expected") from None
    if len(events) > BATCH_MOST:
        detail = f"more than {BATCH_MOST} events in a batch; nothing of it was kept: send smaller batches"
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)
    return [bytes(event) for event in events]


def _binary(attributes: list[tuple[bytes, bytes]], media: str, content_type: str, body: bytes) -> bytes:
    """The event of binary mode: attributes out of headers, data out of the body."""
    event: dict[str, Any] = {}
    for raw_name, value in attributes:
        name = raw_name.decode("latin-1")
        if not _NAME.fullmatch(raw_name) or name in ("data", "datacontenttype"):
            raise bad_parameter("ce- headers", "a name is no attribute's: lower-case letters and digits")
        if name in event:
            raise bad_parameter(f"ce-{name}", "it stands twice")
        event[name] = _header_text(name, value)
    if media:
        event["datacontenttype"] = content_type
    if not body:
        return _encode(event)
    if not media or media == "application/json" or media.endswith("+json"):
        text = _in_utf8(body, content_type)
        try:
            msgspec.json.decode(text)
        except NOT_JSON:
            pass  # kept as it came: its reader says that it is no object
        else:
            event["data"] = msgspec.Raw(text)
            return _encode(event)
    event["data_base64"] = base64.b64encode(body).decode()
    return _encode(event)


def _header_text(name: str, value: bytes) -> str:
    """An attribute's value: quotes taken off, then one round of percent-decoding (HTTP binding, 3.1.3.2)."""
    value = value.strip()
    if len(value) >= 2 and value[:1] == value[-1:] == b'"':
        value = _ESCAPED.sub(rb"\1", value[1:-1])
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise bad_parameter(f"ce-{name}", "it is no UTF-8 once percent-decoded") from None


def _in_utf8(body: bytes, content_type: str) -> bytes:
    """JSON in the charset that the content type names, as UTF-8."""
    named = _CHARSET.search(content_type)
    if named is None:
        return body
    try:
        codec = codecs.lookup(named.group(1) or named.group(2) or "")
        return body if codec.name == "utf-8" else body.decode(codec.name).encode()
    except LookupError:
        raise _unsupported("the charset is not known; send UTF-8") from None
    except UnicodeError:
        raise bad_body("the body is not in the charset that its content type names") from None
