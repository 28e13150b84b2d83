"""What the hub says of itself: one line of JSON a fact, on standard error.

A fact has a name and fields. Only the fields named here can be written, and texts are short and plain, so nothing of a
patient can be logged by mistake: a field that is not known stops the line, not the hub.
"""

from __future__ import annotations

import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

FIELDS: Final = frozenset(
    (
        "address",
        "alerts",
        "attempt",
        "by",
        "clock",
        "connections",
        "count",
        "entries",
        "error",
        "event",
        "facility",
        "level",
        "library",
        "messages",
        "offset",
        "outcome",
        "partition",
        "peer",
        "place",
        "reason",
        "resource_type",
        "seconds",
        "server",
        "source_kind",
        "status",
        "store",
        "threshold",
        "timestamp",
        "topic",
        "total",
        "version",
        "waits",
        "webhook",
    )
)
_FACT: Final = re.compile(r"[a-z]+(\.[a-z_]+)+")
_LONGEST: Final = 300


def allow_listed(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Let known fields through; the names alone of the others are said."""
    strange = sorted(fields.keys() - FIELDS)
    kept = {name: _plain(value) for name, value in fields.items() if name in FIELDS}
    if not _FACT.fullmatch(str(kept.get("event", ""))):
        kept["event"] = "telemetry.unnamed"
    if strange:
        kept["reason"] = "fields left out: " + ", ".join(name[:40] for name in strange if name.isidentifier())
    return kept


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)[:_LONGEST]


def start_telemetry(out: TextIO | None = None) -> structlog.stdlib.BoundLogger:
    """Configure the log of this process, which goes to standard error unless said otherwise, and return it."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            allow_listed,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        logger_factory=structlog.WriteLoggerFactory(out or sys.stderr),
        cache_logger_on_first_use=False,
    )
    log: structlog.stdlib.BoundLogger = structlog.get_logger()
    return log
