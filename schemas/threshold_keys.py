"""The keys that a threshold may have, by kind. The reader, the exported JSON Schema and the documents follow it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from schemas.threshold import Kind

Severity = Literal["low", "medium", "high", "critical"]
Mode = Literal["live", "shadow"]
Restart = Literal["keep", "move", "new"]

SEVERITIES: Final[tuple[Severity, ...]] = ("low", "medium", "high", "critical")
MODES: Final[tuple[Mode, ...]] = ("live", "shadow")
RESTARTS: Final[tuple[Restart, ...]] = ("keep", "move", "new")
THEMES: Final = ("waiting", "access", "respect", "information", "follow-up", "feedback", "integration")
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SITE_ZONE: Final = "site"
"""`timezone: site`: the zone that the site file names."""

FILE_KEYS: Final = ("version", "calendars", "events", "attributes", "defaults", "thresholds")
CALENDAR_KEYS: Final = ("timezone", "hours", "holidays", "closed")
MATCH_KEYS: Final = ("event", "where", "by", "times")
DOWNTIME_KEYS: Final = ("weekly", "from", "to", "source")
WHERE_KEYS: Final = ("above", "below", "present", "differs_from")

COMMON: Final = (
    "id",
    "kind",
    "title",
    "theme",
    "severity",
    "mode",
    "audience",
    "next_step",
    "source",
    "calendar",
)

TIMINGS: Final = ("within", "before", "after")
"""A wait has exactly one of them."""

ENDS: Final = ("satisfied_by", "cancelled_by", "paused_by", "resumed_by")

OF_KIND: Final[Mapping[Kind, tuple[str, ...]]] = {
    "wait": (
        "key",
        "start",
        *ENDS,
        "restart",
        *TIMINGS,
        "not_before",
        "warn_at",
        "grace",
        "skew",
        "survives_death",
    ),
    "measure": ("event", "where", "value", "limit", "key"),
    "sequence": ("first", "then", "within", "key"),
    "count": ("event", "where", "key", "limit", "distinct"),
    "rate": ("of", "out_of", "by", "window", "limit", "minimum", "distinct", "grace"),
    "average": ("event", "where", "value", "by", "window", "limit", "minimum", "distinct", "grace"),
    "silence": ("by", "quiet", "at_least", "downtime"),
}

REQUIRED: Final[Mapping[Kind, tuple[str, ...]]] = {
    "wait": ("key", "start", "satisfied_by"),
    "measure": ("event", "value", "limit"),
    "sequence": ("first", "then", "within", "key"),
    "count": ("event", "key", "limit"),
    "rate": ("of", "out_of", "window", "limit"),
    "average": ("event", "value", "window", "limit"),
    "silence": (),
}

ADDED_TO: Final = frozenset({*ENDS, "audience"})
"""List fields: what a file's `defaults` gives is added to the threshold's own."""

NOT_SHARED: Final = frozenset({"id", "kind", "title"})
"""What `defaults` cannot give."""


def keys_of(kind: Kind) -> tuple[str, ...]:
    """All keys of a kind, the common ones first."""
    return COMMON + OF_KIND[kind]


def kinds_with(key: str) -> tuple[Kind, ...]:
    """The kinds that know a key."""
    return tuple(kind for kind in OF_KIND if key in keys_of(kind))
