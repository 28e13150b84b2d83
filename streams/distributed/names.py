"""The names of the topics."""

from __future__ import annotations

from typing import Final

INBOUND: Final = "px.inbound"
EVENTS: Final = "px.events"
PERSONS: Final = "px.persons"
STATE: Final = "px.state"
COUNTED: Final = "px.counted"
MEASURES: Final = "px.measures"
ALERTS: Final = "px.alerts"
DEAD_LETTERS: Final = "px.dead-letters"
JOURNEYS: Final = "px.journeys"
TASKS: Final = "px.tasks"
AUDIT: Final = "px.audit"
COMMENTS: Final = "px.comments"
