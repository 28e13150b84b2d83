"""Telephone numbers as they are written in messages, to E.164."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import phonenumbers

_SHAPE: Final = re.compile(r"[+(]?[\d\s().\-/+\u00a0\u2010-\u2015]*")
_EXTENSION: Final = re.compile(r"[\s,;]*(?:;\s*ext\s*=|ext(?:ension)?\.?:?|x\.?|\#)\s*(\d{1,7})\s*$", re.IGNORECASE)
_SCHEMES: Final = re.compile(r"(?:tel|sms|sips?|whatsapp|callto):", re.IGNORECASE)
_AMERICAN: Final = re.compile(r"(?:\+?1[\s.\-]?)?\(?([2-9]\d\d)\)?[\s.\-]?([2-9]\d\d)[\s.\-]?(\d{4})")
_REMEMBERED: Final = 1 << 16
NONSENSE: Final = "phone_unreadable"
NO_REGION: Final = "phone_without_region"


class Phone(NamedTuple):
    """A number in E.164, empty where there is none; its extension; and why there is none."""

    number: str = ""
    extension: str = ""
    why: str = ""


class Phones:
    """Reads numbers, and remembers what it read: the same few are sent again and again."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, str | None], Phone] = {}

    def read(self, text: str, region: str | None) -> Phone:
        """A number as it was sent; `region` is the country of numbers without a country code. Never raises."""
        key = (text, region)
        found = self._read.get(key)
        if found is None:
            if len(self._read) >= _REMEMBERED:
                self._read.clear()
            found = self._read[key] = read_phone(text, region)
        return found


def read_phone(text: str, region: str | None) -> Phone:
    """The same, read anew. Letters are no digits here, though a keypad has them: `+1 555 CALL NOW` is no number. What
    is one digit over and over stands for none."""
    plain = text.strip()
    scheme = _SCHEMES.match(plain)
    if scheme is not None:
        plain = plain[scheme.end() :].partition("@")[0].strip()
    extension = ""
    behind = _EXTENSION.search(plain)
    if behind is not None:
        extension, plain = behind.group(1), plain[: behind.start()].rstrip(" ,;")
    if len(plain) > 40 or _SHAPE.fullmatch(plain) is None or not any(c.isdigit() for c in plain):
        return Phone(why=NONSENSE)
    if (region == "US" or plain.startswith("+1")) and plain.isascii():
        american = _AMERICAN.fullmatch(plain)
        if american is not None and len(set("".join(american.groups()))) > 1:
            return Phone("+1" + "".join(american.groups()), extension)
    try:
        number = phonenumbers.parse(plain, region)
    except phonenumbers.NumberParseException as wrong:
        without = wrong.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE and region is None
        return Phone(why=NO_REGION if without and not plain.startswith("+") else NONSENSE)
    if not phonenumbers.is_possible_number(number) or len(set(str(number.national_number))) == 1:
        return Phone(why=NONSENSE)
    return Phone(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), extension)
