"""Calendars, read from a declaration: zone, weekly hours, holidays, single closed days."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

import holidays

from schemas.calendar import Calendar, Span
from schemas.declaration import Entry, Findings, Items, Node, Place, Table, suggest
from schemas.threshold_keys import CALENDAR_KEYS, DAYS, SITE_ZONE
from streams.core.threshold_fields import as_table, check_keys, read_text

Weekly = tuple[tuple[Span, ...], ...]

_SPAN: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})\s*[-–]\s*([0-9]{1,2}):([0-9]{2})")
_LONG_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MIDNIGHT: Final = 24 * 60


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1)
def _countries() -> dict[str, list[str]]:
    return holidays.list_supported_countries(include_aliases=True)


def read_zone(node: Node, key: str, findings: Findings) -> str | None:
    """An IANA time zone."""
    text = read_text(node, key, findings)
    if text is None or is_zone(text):
        return text
    near = next((z for z in sorted(_zones()) if z.casefold() == text.casefold().replace(" ", "_")), None)
    near = near or suggest(text, sorted(_zones()))
    findings.error(node.place, f"`{text}` is no time zone (IANA names, as America/New_York)", near)
    return None


def is_zone(text: str) -> bool:
    """Whether the time zone database knows it."""
    if text not in _zones():
        return False
    try:
        ZoneInfo(text)
    except (OSError, ValueError):  # a listed directory, or a file that is none
        return False
    return True


def read_calendar(name: str, node: Node, findings: Findings) -> Calendar | None:
    """A calendar; `timezone` None where it says `site`."""
    table = as_table(node, name, findings)
    if table is None:
        return None
    table = check_keys(table, CALENDAR_KEYS, "a calendar", findings)
    zone_node, hours_node = table.find("timezone"), table.find("hours")
    zone: str | None = None
    if zone_node is None:
        findings.error(table.place, f"calendar `{name}` needs a `timezone` (`site`: the zone of the site file)")
    else:
        zone = read_text(zone_node, "timezone", findings)
        if zone != SITE_ZONE and zone is not None:
            zone = read_zone(zone_node, "timezone", findings)
    hours: Weekly | None = None
    if hours_node is None:
        findings.error(table.place, f"calendar `{name}` needs `hours`")
    else:
        hours = _read_hours(hours_node, findings)
    country, subdivision = _read_holidays(table.find("holidays"), findings)
    closed = _read_closed(table.find("closed"), findings)
    if zone is None or hours is None:
        return None
    return Calendar(
        id=name,
        timezone=None if zone == SITE_ZONE else zone,
        hours=hours,
        country=country,
        subdivision=subdivision,
        closed=closed,
    )


def _read_hours(node: Node, findings: Findings) -> Weekly | None:
    table = as_table(node, "hours", findings)
    if table is None:
        return None
    week: list[tuple[Span, ...]] = [()] * 7
    named: dict[int, Place] = {}
    for entry in table.entries:
        spans = _read_spans(entry.node, findings)
        for day in _read_days(entry, findings):
            if day in named:
                findings.error(entry.key.place, f"{DAYS[day]} stands twice (first in line {named[day].line})")
            else:
                named[day] = entry.key.place
                week[day] = spans
    written = [node for entry in table.entries for node in _spans_of(entry.node)]
    if not written:
        findings.error(table.place, "a calendar is open at some time of the week")
        return None
    return tuple(week) if any(week) else None


def _read_days(entry: Entry, findings: Findings) -> list[int]:
    """The days that `mon`, `mon-fri` or `sat-mon` names; Monday is 0."""
    parts = [part.strip().casefold() for part in re.split(r"[-–]", entry.key.text)]
    days = [_day(part) for part in parts]
    if None in days or len(days) > 2:
        wrong = next((part for part, day in zip(parts, days, strict=True) if day is None), "")
        near = suggest(wrong, DAYS + _LONG_DAYS) if wrong else None
        findings.error(entry.key.place, f"`{entry.key.text}` is no day (mon, tue ... sun, or a range as mon-fri)", near)
        return []
    known = [day for day in days if day is not None]
    first, last = known[0], known[-1]
    return [(first + n) % 7 for n in range((last - first) % 7 + 1)]


def _day(text: str) -> int | None:
    if text in DAYS:
        return DAYS.index(text)
    return _LONG_DAYS.index(text) if text in _LONG_DAYS else None


def _read_spans(node: Node, findings: Findings) -> tuple[Span, ...]:
    """Spans in order, without overlap. An empty list is a closed day."""
    spans: list[Span] = []
    for item in _spans_of(node):
        span = _read_span(item, findings)
        if span is None:
            continue
        if any(span[0] < end and start < span[1] for start, end in spans):
            findings.error(item.place, "this span overlaps another of the same day")
        else:
            spans.append(span)
    return tuple(sorted(spans))


def _spans_of(node: Node) -> tuple[Node, ...]:
    return node.nodes if isinstance(node, Items) else (node,)


def _read_span(node: Node, findings: Findings) -> Span | None:
    text = read_text(node, "hours", findings)
    if text is None:
        return None
    parsed = _SPAN.fullmatch(text)
    if parsed is None:
        findings.error(node.place, 'opening hours are written as "08:00-17:00"')
        return None
    opening, closing = (int(parsed[n]) * 60 + int(parsed[n + 1]) for n in (1, 3))
    if int(parsed[2]) > 59 or int(parsed[4]) > 59 or opening >= _MIDNIGHT or closing > _MIDNIGHT:
        findings.error(node.place, "a time of day lies between 00:00 and 24:00")
        return None
    if opening > closing:
        first, second = f"{text.split('-')[0].strip()}-24:00", f"00:00-{parsed[3]}:{parsed[4]}"
        findings.error(
            node.place, f'a span does not cross midnight: write two, "{first}" and, the day after, "{second}"'
        )
        return None
    if opening == closing:
        findings.error(node.place, "a span closes after it opens")
        return None
    return opening, closing


def _read_holidays(node: Node | None, findings: Findings) -> tuple[str | None, str | None]:
    """Country and subdivision, checked against the holidays that are known."""
    table = as_table(node, "holidays", findings) if node is not None else None
    if table is None:
        return None, None
    table = check_keys(table, ("country", "subdivision"), "holidays", findings)
    country_node, subdivision_node = table.find("country"), table.find("subdivision")
    if country_node is None:
        findings.error(table.place, "holidays need a `country`")
        return None, None
    country = read_text(country_node, "country", findings)
    if country is None:
        return None, None
    known = _countries()
    if country not in known:
        near = country.upper() if country.upper() in known else None
        findings.error(country_node.place, f"no holidays are known for country `{country}` (ISO 3166, as US)", near)
        return None, None
    return country, _read_subdivision(country, subdivision_node, findings)


def _read_subdivision(country: str, node: Node | None, findings: Findings) -> str | None:
    subdivision = read_text(node, "subdivision", findings) if node is not None else None
    known = _countries()[country]
    if node is None or subdivision is None or subdivision in known:
        return subdivision
    short = subdivision.upper().removeprefix(f"{country}-")
    near = short if short in known else suggest(subdivision, known)
    findings.error(node.place, f"no holidays are known for `{subdivision}` in {country}", near)
    return None


def _read_closed(node: Node | None, findings: Findings) -> frozenset[date]:
    if node is None:
        return frozenset()
    days: set[date] = set()
    for item in node.nodes if isinstance(node, Items) else (node,):
        text = read_text(item, "closed", findings)
        try:
            if text is not None:
                days.add(_date(text))
        except ValueError:
            findings.error(item.place, "a closed day is a date, as 2026-12-24")
    return frozenset(days)


def _date(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("no date")
    return date.fromisoformat(text)


def merged_calendar(base: Table | None, site: Table) -> Table:
    """A site's calendar: one that gives `hours` stands for itself, one without adds its lines to the declared one."""
    if base is None or site.find("hours") is not None:
        return site
    own = site.keys()
    return Table(site.place, (*site.entries, *(entry for entry in base.entries if entry.key.text not in own)))
