"""Names and birth dates compared as people tell them: with other spellings, swapped days and slips of the finger."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from rapidfuzz.distance import JaroWinkler

EXACT: Final = ""
NEAR: Final = "near"
SWAPPED: Final = "swapped"
SLIP: Final = "slip"
_APART: Final = re.compile(r"[^\w]+")
_ORDINARY: Final = re.compile(r"\d{4}-\d\d-\d\d")


def folded(name: str) -> str:
    """A name without case, accents and marks: `O'Brien-Núñez` is `obriennunez`."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return _APART.sub("", plain.casefold())


def compare_names(one: tuple[str, str], other: tuple[str, str], alike: float) -> str | None:
    """Whether two names, each family and given as `folded` gives them, are one: EXACT, NEAR or None. A part that one
    side does not tell is not compared; the parts may be told the other way round."""
    straight = _compare_parts(one, other, alike)
    if straight is not None:
        return straight
    return None if _compare_parts(one, (other[1], other[0]), alike) is None else NEAR


def _compare_parts(one: tuple[str, str], other: tuple[str, str], alike: float) -> str | None:
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a and b]
    if not pairs:
        return None
    if all(a == b for a, b in pairs):
        return EXACT if len(pairs) == 2 else NEAR
    if all(a == b or JaroWinkler.similarity(a, b) >= alike for a, b in pairs):
        return NEAR
    return None


def birth_date_of(text: object) -> str:
    """A birth date, `YYYY-MM-DD`, or nothing: a year alone is no date that tells people apart."""
    return text[:10] if isinstance(text, str) and _ORDINARY.match(text) else ""


def compare_birth_dates(one: str, other: str) -> str | None:
    """Whether two dates, `YYYY-MM-DD`, may be one: EXACT, SWAPPED (day and month), SLIP (two neighbouring digits of
    a part the wrong way round) or None."""
    if one == other:
        return EXACT
    year, month, day = one.split("-", 2)
    if other == f"{year}-{day}-{month}":
        return SWAPPED
    differing = [at for at in range(10) if one[at] != other[at]]
    if len(differing) == 2:
        first, second = differing
        if second == first + 1 and one[first] == other[second] and one[second] == other[first]:
            return SLIP
    return None
