"""What the hub adds to an event before it is judged: one spelling of an authority, telephone numbers in E.164, and
counted lead days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import msgspec

from hub.contact_points import ContactPoints
from hub.site import Site
from schemas.calendar import Calendar
from schemas.event import Event
from schemas.instant import read_instant
from streams.core.calendar import business_days_between
from streams.core.held import ALIASES
from streams.core.journeys import KEYS

_SAID: Final = frozenset(("message", "survey", "feedback", "complaint", "advocate"))
_NUMBERS: Final = (*KEYS, *ALIASES.values())
_LISTS: Final = ("surviving", "retired", "identifiers")


class Enricher:
    """`spellings` maps an authority's spelling to the site's name for it; `zones` the facilities' zones;
    `calendar` is the one that lead days are counted in, in the facility's zone; `points` bring numbers into one
    form."""

    def __init__(
        self,
        spellings: Mapping[str, str],
        zones: Mapping[str, str],
        calendar: Calendar | None,
        points: ContactPoints | None = None,
    ) -> None:
        self._spellings: Mapping[str, str] = spellings
        self._zones: Mapping[str, str] = zones
        self._calendar: Calendar | None = calendar
        self.points: ContactPoints = points or ContactPoints({}, None)
        self._between: dict[str | None, Callable[[int, int], int]] = {}
        self._visits: dict[str, bool] = {}  # event types met, and whether they are of an appointment

    def enrich(self, event: Event) -> Event:
        """The event as it is judged."""
        of_visit = self._visits.get(event.type)
        if of_visit is None:
            of_visit = self._visits[event.type] = event.type.startswith("appointment.")
        if of_visit and "lead_days" not in event.data:
            self._count_lead_days(event)
        self.points.settle(event)
        if not event.identifiers:
            _part_from_others(event)
        return self._respelt(event) if self._spellings else event

    def _count_lead_days(self, event: Event) -> None:
        start = event.data.get("start")
        if not isinstance(start, str) or self._calendar is None:
            return
        try:
            at = read_instant(start)
        except (ValueError, OverflowError):
            return
        facility = event.facility
        between = self._between.get(facility)
        if between is None:
            zone = self._zones.get(facility) if facility else None
            calendar = replace(self._calendar, timezone=zone) if zone else self._calendar
            between = self._between[facility] = business_days_between(calendar)
        if at >= event.time:
            with suppress(OverflowError):  # a stamp of year 1, as some systems write for none: nobody counts from there
                event.data["lead_days"] = between(event.time, at)

    def _respelt(self, event: Event) -> Event:
        data: dict[str, Any] = event.data
        authority = data.get("assigning_authority")
        if isinstance(authority, str) and authority in self._spellings:
            data["assigning_authority"] = self._spellings[authority]
        for name in _NUMBERS:
            value = data.get(name)
            if isinstance(value, str):
                data[name] = self._one(value)
        for name in _LISTS:
            value = data.get(name)
            if isinstance(value, str):
                data[name] = self._one(value)
            elif isinstance(value, list):
                data[name] = [self._one(v) if isinstance(v, str) else v for v in value]
        names = tuple(dict.fromkeys(map(self._one, event.identifiers)))
        return event if names == event.identifiers else msgspec.structs.replace(event, identifiers=names)

    def _one(self, identifier: str) -> str:
        value, caret, authority = identifier.partition("^")
        return f"{value}^{self._spellings[authority]}" if caret and authority in self._spellings else identifier


def _part_from_others(event: Event) -> None:
    """Who names nobody and tells where they are reached is somebody all the same: told apart as a contact is, so that
    the rules of identity say who it was. Messages of one thread are of one contact."""
    data: dict[str, Any] = event.data
    if "contact_id" in data or not ("address" in data or "email" in data) or event.type.partition(".")[0] not in _SAID:
        return
    named = data.get("thread_id") or data.get("origin_id") or data.get("message_id") or event.id.partition("/")[0]
    data["contact_id"] = f"{named}^{event.source}"


def enricher_of(site: Site, calendar: Calendar | None) -> Enricher:
    """The enricher of a site."""
    points = ContactPoints(site.regions, site.identity.region)
    return Enricher(site.spellings, site.zones, calendar, points)
