"""Whose count a contact's id is of. Two contact centers that count alike must not tell of one contact.

Theory. A contact that names nobody is found by its id alone, so two strangers' calls under one id would be one journey.
An id is taken as it stands only where its form says that nobody else makes it: a UUID (RFC 9562, with its version and
variant, for 00000000-0000-0000-0000-000000001001 is a counter in disguise), a SID of Twilio (two letters and 32
hexadecimal digits), a ULID (of 2004 to 2039: its first letters are its moment), an ARN with its account. Any other
stands before a `^` and the system that it counts in: `C-1001^nurse-line/north`.
"""

from __future__ import annotations

import re
from typing import Final

_UNIQUE: Final = re.compile(
    r"(?:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
    r"|[A-Z]{2}[0-9a-f]{32}"
    r"|(?![0-9]+\Z)01[0-9A-HJKMNP-TV-Z]{24}"
    r"|arn:[a-z0-9-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:[^\s^]+)\Z"
)


def is_unique(contact: str) -> bool:
    """Whether nobody else can have given this id, by its form."""
    return _UNIQUE.match(contact) is not None


def whole_id(contact: str, system: str) -> str:
    """A contact's id as its events tell it; `system` is whose count it is of, where its form does not say."""
    return contact if _UNIQUE.match(contact) else f"{contact}^{system}"


def system_of(source: str) -> str:
    """The system that a source of events counts in: its product, and its instance where it has one."""
    return source.removeprefix("contact/").removesuffix("/")
