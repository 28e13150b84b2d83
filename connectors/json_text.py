"""Bytes that should be JSON: what msgspec raises where they are not, and what stands before a text."""

from __future__ import annotations

from typing import Final

import msgspec

NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are no JSON, or nest so deeply that they are not read: msgspec lets a byte
that is no UTF-8 out as itself."""
BOM: Final = b"\xef\xbb\xbf"


def is_json(raw: bytes | msgspec.Raw) -> bool:
    """Whether bytes are one JSON value."""
    try:
        msgspec.json.decode(raw)
    except NOT_JSON:
        return False
    return True
