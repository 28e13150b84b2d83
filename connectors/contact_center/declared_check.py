"""The `check` of a mapping file: how a delivery proves who sent it."""

from __future__ import annotations

import re
from typing import Final, Literal

from connectors.contact_center.declared_values import Values
from connectors.contact_center.spec import Check
from schemas.declaration import Node, Table, suggest

_KEYS: Final = ("kind", "header", "scheme", "algorithm", "encoding", "prefix", "signed", "timestamp", "id")
_KINDS: Final[tuple[Literal["token", "hmac", "twilio", "standard-webhooks"], ...]] = (
    "token", "hmac", "twilio", "standard-webhooks",
)  # fmt: skip
_ALGORITHMS: Final[tuple[Literal["sha1", "sha256", "sha384", "sha512"], ...]] = ("sha1", "sha256", "sha384", "sha512")
_ENCODINGS: Final[tuple[Literal["hex", "base64"], ...]] = ("hex", "base64")
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_PART: Final = re.compile(r"\{([^{}]*)\}")


def read_check(node: Node, values: Values) -> Check | None:
    """The check that is declared; None after it was said what is wrong."""
    table = values.table(node, "check")
    if table is None:
        return None
    values.check_keys(table, _KEYS, "a check")
    kind = next((one for one in _KINDS if one == _word(table, "kind", values)), None)
    if kind is None:
        text = _word(table, "kind", values) or ""
        values.wrong(table.find("kind") or table, f"`kind` is one of {', '.join(_KINDS)}", suggest(text, _KINDS))
        return None
    algorithm = _word(table, "algorithm", values) or "sha256"
    encoding = _word(table, "encoding", values) or "hex"
    chosen = next((one for one in _ALGORITHMS if one == algorithm), None)
    written = next((one for one in _ENCODINGS if one == encoding), None)
    if chosen is None:
        values.wrong(table.find("algorithm") or table, f"`algorithm` is one of {', '.join(_ALGORITHMS)}")
    if written is None:
        values.wrong(table.find("encoding") or table, f"`encoding` is one of {', '.join(_ENCODINGS)}")
    if chosen is None or written is None:
        return None
    check = Check(
        kind=kind,
        header=(_header(table, "header", values) or "authorization").lower(),
        scheme=_word(table, "scheme", values) or "",
        algorithm=chosen,
        encoding=written,
        prefix=_word(table, "prefix", values) or "",
        signed=_word(table, "signed", values) or "{body}",
        timestamp=_lower(_header(table, "timestamp", values)),
        id=_lower(_header(table, "id", values)),
    )
    return check if kind != "hmac" or _check_signed(check, table, values) else None


def _check_signed(check: Check, table: Table, values: Values) -> bool:
    """Whether all that the signed text names is there to be signed."""
    parts = _PART.findall(check.signed)
    place = table.find("signed") or table
    for part in parts:
        if part not in ("body", "timestamp", "id"):
            values.wrong(
                place, "`signed` is made of {body}, {timestamp} and {id}", suggest(part, ("body", "timestamp"))
            )
            return False
        if (part == "timestamp" and check.timestamp is None) or (part == "id" and check.id is None):
            values.wrong(place, f"`signed` names the {part}: say in which header it stands (`{part}: ...`)")
            return False
    if "body" not in parts:
        values.wrong(place, "`signed` holds the {body}, or a body could be exchanged")
        return False
    if table.find("header") is None:
        values.wrong(table, "`header` names where the signature stands")
        return False
    return True


def _word(table: Table, key: str, values: Values) -> str | None:
    return values.text(table.find(key), key)


def _header(table: Table, key: str, values: Values) -> str | None:
    text = _word(table, key, values)
    if text is not None and not _HEADER.match(text):
        values.wrong(table.find(key) or table, f"`{key}` names a header: letters, digits and `-`")
        return None
    return text


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()
