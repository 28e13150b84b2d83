"""A declared calendar: a zone, weekly opening hours, holidays and single closed days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

Span = tuple[int, int]
"""Minutes after midnight, opening (inclusive) and closing (exclusive): (480, 1020) is 08:00-17:00; 24:00 is 1440."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """`hours[0]` is Monday. A day without spans is closed. `holidays` names a country (ISO 3166) and a
    subdivision, whose public holidays, observed days included, are closed; `closed` lists further closed days.

    `timezone` None stands for "the site's zone" (shipped packs only): the reader of the site file fills it in.
    """

    id: str
    timezone: str | None
    hours: tuple[tuple[Span, ...], ...]
    country: str | None = None
    subdivision: str | None = None
    closed: frozenset[date] = frozenset()
