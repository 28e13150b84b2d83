"""The reference model: what stands in the end, judged slowly and from scratch.

The law of order (DESIGN.md) says that the standing alerts follow from the set of accepted events and the last clock.
So the model takes that literally: it sorts everything by occurred time and looks at the whole once. It keeps no
state between events, knows no timers and shares no code with `streams`; what is slow here is obvious here.
An event is a CloudEvents mapping; beside the envelope it may hold `precision` (microseconds) for a coarse stamp.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ruamel.yaml import YAML

from tests.references.model_calendar import ModelCalendar, instant
from tests.references.model_history import Declared, History, Judged, Row, accept, listed
from tests.references.model_limits import judge_counts, judge_measures, judge_rates, judge_sequences
from tests.references.model_waits import ROLES, judge_waits

JUDGES: Final[Mapping[str, Callable[[Declared, History, ModelCalendar | None, int], Judged]]] = {
    "wait": judge_waits,
    "measure": judge_measures,
    "sequence": judge_sequences,
    "count": judge_counts,
    "rate": judge_rates,
    "average": judge_rates,
}


@dataclass
class Standing:
    """What stands: the alerts' compared fields sorted by start and id, and how many persons and waits there are."""

    alerts: list[Row]
    persons: int
    waits: int


def standing(thresholds: str, events: Iterable[Declared], until: str | None = None, zone: str = "UTC") -> Standing:
    declared = YAML(typ="safe").load(thresholds)
    history = History(accept(events, zone))
    clock = max([told.time for told in history.told] + ([instant(until)] if until else []), default=0)
    calendars = {name: ModelCalendar(one) for name, one in declared.get("calendars", {}).items()}
    alerts: list[Row] = []
    waits = 0
    for own in declared["thresholds"]:
        threshold = with_defaults(own, declared.get("defaults", {}))
        judged = JUDGES[threshold["kind"]](threshold, history, calendars.get(threshold.get("calendar")), clock)
        waits += judged.waits
        for row in judged.alerts:
            row |= {"severity": threshold.get("severity", "medium"), "mode": threshold.get("mode", "live")}
            alerts.append({"threshold": threshold["id"], **row})
    return Standing(sorted(alerts, key=lambda row: (row["started_at"], row["id"])), history.persons, waits)


def with_defaults(threshold: Declared, defaults: Declared) -> Declared:
    merged = dict(threshold)
    for name, value in defaults.items():
        if name in ROLES:
            if threshold["kind"] != "wait":
                continue
            shared = [one for one in listed(value) if not (one["event"] == "person.died" and lives(threshold))]
            merged[name] = [*listed(threshold.get(name)), *shared]
        else:
            merged.setdefault(name, value)
    return merged


def lives(threshold: Declared) -> bool:
    return bool(threshold.get("survives_death"))
