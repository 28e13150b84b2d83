"""`--clock`, of every command that has it."""

from __future__ import annotations

from enum import StrEnum


class ClockChoice(StrEnum):
    LOG = "log"
    EVENT = "event"
