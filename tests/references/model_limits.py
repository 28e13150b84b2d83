"""Measures, sequences, counts, rates and averages, each over everything that is known (for the reference model)."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from fractions import Fraction
from typing import Any

from schemas.alert import alert_id
from tests.references.model_calendar import SECOND, ModelCalendar, ModelDuration
from tests.references.model_history import Declared, History, Judged, Row, Told, listed, number, row, text


def breaks(value: Fraction, limit: Declared) -> bool:
    above, below = number(limit.get("above")), number(limit.get("below"))
    return (above is not None and value > above) or (below is not None and value < below)


def judge_measures(threshold: Declared, history: History, calendar: ModelCalendar | None, clock: int) -> Judged:
    judged = Judged()
    for told in history.matching(history.told, threshold["event"]):
        value = number(told.read(threshold["value"]))
        key = history.key(told, listed(threshold["key"])) if "key" in threshold else None
        if value is not None and breaks(value, threshold["limit"]):
            at = told.time
            judged.alerts.append(row(threshold, told, key or told.id, ("resolved", "breached"), (at, at, at)))
    return judged


def keyed(threshold: Declared, history: History, matches: Any) -> dict[tuple[str, str], list[Told]]:
    """The matching events of each group and key, in order."""
    found: dict[tuple[str, str], list[Told]] = {}
    for group, members in history.by_group.items():
        for told in history.matching(members, matches):
            key = history.key(told, listed(threshold["key"]))
            if key is not None:
                found.setdefault((group, key), []).append(told)
    return found


def judge_sequences(threshold: Declared, history: History, calendar: ModelCalendar | None, clock: int) -> Judged:
    judged = Judged()
    within = ModelDuration(threshold["within"], calendar)
    firsts = keyed(threshold, history, threshold["first"])
    for (group, key), thens in keyed(threshold, history, threshold["then"]).items():
        for told in thens:
            reaches = [(one.time, within.add(one.time)) for one in firsts.get((group, key), [])]
            if any(first < told.time and (last is None or told.time <= last) for first, last in reaches):
                times = (told.time, told.time, told.time)
                judged.alerts.append(row(threshold, told, key, ("resolved", "breached"), times))
    return judged


def how_many(history: History, told: Iterable[Told], distinct: str | None) -> int:
    """How many events, or how many values of `distinct`; an event without the attribute counts for itself."""
    return len({(value,) if distinct and (value := text(one.read(distinct))) else one.place for one in told})


def judge_counts(threshold: Declared, history: History, calendar: ModelCalendar | None, clock: int) -> Judged:
    judged = Judged()
    limit, distinct = threshold["limit"], threshold.get("distinct")
    span = ModelDuration(limit["in"], calendar)
    for (_, key), told in keyed(threshold, history, threshold["event"]).items():
        leaves = {one: span.add(one.time) or clock + 1 for one in told}
        opened: Told | None = None
        for now in sorted({*(one.time for one in told), *leaves.values()}):
            if now > clock:
                break
            inside = [one for one in told if one.time <= now < leaves[one]]
            enough = how_many(history, inside, distinct) >= limit["at_least"]
            if opened and not enough:
                ended = (opened.time, opened.time, now)
                judged.alerts.append(row(threshold, opened, key, ("resolved", "breached"), ended))
                opened = None
            elif enough and not opened:
                counts = (inside[: n + 1] for n in range(len(inside)))
                opened = next(c[-1] for c in counts if how_many(history, c, distinct) >= limit["at_least"])
        if opened:
            still = (opened.time, opened.time, None)
            judged.alerts.append(row(threshold, opened, key, ("breached", "breached"), still))
    return judged


def share(threshold: Declared, history: History, told: list[Told]) -> Fraction | None:
    """What is compared with the limit, None where too few say anything."""
    distinct, minimum = threshold.get("distinct"), threshold.get("minimum", 1)
    if threshold["kind"] == "rate":
        whole = how_many(history, history.matching(told, threshold["out_of"]), distinct)
        part = how_many(history, history.matching(told, threshold["of"]), distinct)
        return Fraction(part, whole) if whole >= max(minimum, 1) else None
    latest: dict[Any, Fraction] = {}
    for one in history.matching(told, threshold["event"]):
        value = number(one.read(threshold["value"]))
        if value is not None:
            named = text(one.read(distinct)) if distinct else None
            latest[(named,) if named is not None else one.place] = value
    return sum(latest.values(), Fraction(0)) / len(latest) if len(latest) >= max(minimum, 1) else None


def judge_rates(threshold: Declared, history: History, calendar: ModelCalendar | None, clock: int) -> Judged:
    judged = Judged()
    history = copy(history)
    history.blind = True  # who measures queues holds no patient
    window = ModelDuration(threshold["window"], None).length()
    step = window // 12
    grace = ModelDuration(threshold["grace"], None).length() if "grace" in threshold else step
    matches = [m for role in ("of", "out_of", "event") for m in listed(threshold.get(role))]
    by = listed(threshold.get("by"))
    queues: dict[tuple[str, ...], list[Told]] = {}
    for told in history.matching(history.told, matches):
        values = [text(told.read(name)) for name in by]
        if None not in values:
            queues.setdefault(tuple(str(value) for value in values), []).append(told)
    for queue, members in queues.items():
        opened: int | None = None
        number_of_step = members[0].time // step
        while (end := number_of_step * step) + grace <= clock and end <= members[-1].time + window + step:
            value = share(threshold, history, [one for one in members if end - window < one.time <= end])
            beyond = value is not None and breaks(value, threshold["limit"])
            if beyond and opened is None:
                opened = end
            elif opened is not None and not beyond:
                judged.alerts.append(rate_row(threshold, dict(zip(by, queue, strict=True)), step, opened, end))
                opened = None
            number_of_step += 1
        if opened is not None:
            judged.alerts.append(rate_row(threshold, dict(zip(by, queue, strict=True)), step, opened, None))
    return judged


def rate_row(threshold: Declared, by: dict[str, str], step: int, opened: int, ended: int | None) -> Row:
    key = "|".join(by.values())
    return {
        "id": alert_id(threshold["id"], key, str(opened // step)),
        "key": key,
        "state": "breached" if ended is None else "resolved",
        "level": "breached",
        "started_at": opened,
        "due_at": opened,
        "ended_at": ended,
        "delay_seconds": None if ended is None else (ended - opened) // SECOND,
        "facility": by.get("facility"),
    }
