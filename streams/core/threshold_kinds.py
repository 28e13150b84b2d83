"""The rule of a threshold, read kind by kind from its lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeVar

from schemas.declaration import Findings, Leaf, Node, Place, Table
from schemas.duration import Duration
from schemas.threshold import (
    Anchor,
    AverageRule,
    Condition,
    CountRule,
    Kind,
    Limit,
    Match,
    MeasureRule,
    RateRule,
    Rule,
    SequenceRule,
    SilenceRule,
    WaitRule,
)
from schemas.threshold_keys import REQUIRED, RESTARTS, TIMINGS, Restart
from streams.core.downtimes import read_downtimes
from streams.core.threshold_fields import (
    as_leaf,
    as_table,
    check_keys,
    exact_share,
    read_choice,
    read_exact_span,
    read_flag,
    read_name,
    read_names,
    read_number,
    read_share,
    read_span,
    read_whole,
)
from streams.core.threshold_matches import read_matches, read_where

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of one threshold, each read on demand. `read` gives None where a line is absent or wrong."""

    table: Table
    findings: Findings

    def read(self, key: str, reader: Callable[[Node, str, Findings], Value | None]) -> Value | None:
        node = self.table.find(key)
        return None if node is None else reader(node, key, self.findings)

    def matches(self, key: str) -> tuple[Match, ...]:
        return self.read(key, read_matches) or ()

    def place(self, key: str) -> Place:
        node = self.table.find(key)
        return self.table.place if node is None else node.place

    def has(self, key: str) -> bool:
        return self.table.find(key) is not None


def read_rule(kind: Kind, table: Table, findings: Findings) -> Rule | None:
    """The rule; what is wrong with it goes to the findings, and then the rule is not to be used."""
    lines = Lines(table, findings)
    missing = [key for key in REQUIRED[kind] if not lines.has(key)]
    for key in missing:
        findings.error(table.place, f"kind `{kind}` needs `{key}`")
    return _READERS[kind](lines)


def _read_wait(lines: Lines) -> WaitRule | None:
    _check_timings(lines)
    key, start = lines.read("key", read_names), lines.matches("start")
    satisfied_by = lines.matches("satisfied_by")
    warning = lines.table.find("warn_at")
    warn_at = None if warning is None else _read_warning(warning, "warn_at", lines.findings)
    rule = WaitRule(
        key=key or (),
        start=start,
        satisfied_by=satisfied_by,
        cancelled_by=lines.matches("cancelled_by"),
        paused_by=lines.matches("paused_by"),
        resumed_by=lines.matches("resumed_by"),
        restart=lines.read("restart", _read_restart) or "keep",
        within=lines.read("within", read_span),
        before=lines.read("before", _read_before),
        after=lines.read("after", _read_after),
        not_before=lines.read("not_before", read_name),
        warn_at=warn_at,
        grace=lines.read("grace", read_exact_span),
        skew=lines.read("skew", read_exact_span),
        survives_death=lines.read("survives_death", read_flag) or False,
    )
    timings = [timing for timing in (rule.within, rule.before, rule.after) if timing is not None]
    return rule if key and start and satisfied_by and len(timings) == 1 else None


def _check_timings(lines: Lines) -> None:
    given = [key for key in TIMINGS if lines.has(key)]
    if not given:
        lines.findings.error(lines.table.place, "a wait needs one of `within`, `before`, `after`")
    for extra in given[1:]:
        place = lines.table.place_of(extra)
        lines.findings.error(place, f"a wait has one of `within`, `before`, `after`: `{given[0]}` stands already")


def _read_restart(node: Node, key: str, findings: Findings) -> Restart | None:
    return read_choice(node, key, RESTARTS, findings)


def _read_before(node: Node, key: str, findings: Findings) -> Anchor | None:
    return _read_anchor(node, key, "minus", 1, findings)


def _read_after(node: Node, key: str, findings: Findings) -> Anchor | None:
    return _read_anchor(node, key, "plus", 0, findings)


def _read_anchor(node: Node, key: str, direction: str, least: int, findings: Findings) -> Anchor | None:
    table = as_table(node, key, findings)
    if table is None:
        return None
    table = check_keys(table, ("attribute", direction), f"`{key}`", findings)
    attribute_node, offset_node = table.find("attribute"), table.find(direction)
    for wanted, there in (("attribute", attribute_node), (direction, offset_node)):
        if there is None:
            findings.error(table.place, f"`{key}` needs `{wanted}`")
    attribute = read_name(attribute_node, "attribute", findings) if attribute_node is not None else None
    offset = read_span(offset_node, direction, findings, least=least) if offset_node is not None else None
    return None if attribute is None or offset is None else Anchor(attribute=attribute, offset=offset)


def _read_warning(node: Node, key: str, findings: Findings) -> Fraction | Duration | None:
    leaf = as_leaf(node, key, findings)
    if leaf is None:
        return None
    share = exact_share(leaf.text)
    if share is None:
        if _is_bare_number(leaf):
            meant = leaf.text if float(leaf.text) >= 1 else f"{float(leaf.text) * 100:g}"
            findings.error(leaf.place, f'`{key}` is a percentage or a duration before due ("75%", "2h")', f"{meant}%")
            return None
        return read_span(leaf, key, findings)
    if not 0 < share < 1:
        findings.error(leaf.place, f"`{key}` lies above 0% and below 100%")
        return None
    return share


def _is_bare_number(leaf: Leaf) -> bool:
    return isinstance(leaf.value, int | float) and not isinstance(leaf.value, bool)


def _read_limit(lines: Lines, reader: Callable[[Node, str, Findings], Fraction | None]) -> Limit | None:
    table = lines.read("limit", as_table)
    if table is None:
        return None
    table = check_keys(table, ("above", "below"), "`limit`", lines.findings)
    bounds = Lines(table, lines.findings)
    above, below = bounds.read("above", reader), bounds.read("below", reader)
    if not bounds.has("above") and not bounds.has("below"):
        lines.findings.error(table.place, "`limit` needs `above` or `below`")
        return None
    if above is not None and below is not None and above < below:
        lines.findings.error(table.place, "every value breaks this limit: `above` lies under `below`")
        return None
    return Limit(above=above, below=below) if above is not None or below is not None else None


def _read_rate_limit(lines: Lines) -> Limit | None:
    limit = _read_limit(lines, read_share)
    if limit is not None and (limit.above == 1 or limit.below == 0):
        lines.findings.error(lines.place("limit"), "no rate breaks this limit: it lies between 0% and 100%")
        return None
    return limit


def _event_matches(lines: Lines) -> tuple[Match, ...]:
    """The matches of `event`; a `where` beside it holds for each that has none of its own."""
    matches = lines.matches("event")
    node = lines.table.find("where")
    if node is None:
        return matches
    where = read_where(node, lines.findings)
    return tuple(_narrowed(match, where) for match in matches) if where else ()


def _narrowed(match: Match, where: tuple[Condition, ...]) -> Match:
    return Match(event=match.event, where=match.where + where, by=match.by, times=match.times)


def _read_measure(lines: Lines) -> MeasureRule | None:
    event, value, limit = _event_matches(lines), lines.read("value", read_name), _read_limit(lines, read_number)
    key = lines.read("key", read_names)
    return MeasureRule(event=event, value=value, limit=limit, key=key) if event and value and limit else None


def _read_sequence(lines: Lines) -> SequenceRule | None:
    key, within = lines.read("key", read_names), lines.read("within", read_exact_span)
    first, then = lines.matches("first"), lines.matches("then")
    return SequenceRule(key=key, first=first, then=then, within=within) if key and first and then and within else None


def _read_count(lines: Lines) -> CountRule | None:
    key, event, distinct = lines.read("key", read_names), _event_matches(lines), lines.read("distinct", read_name)
    table = lines.read("limit", as_table)
    if table is None:
        return None
    table = check_keys(table, ("at_least", "in"), "`limit` of a count", lines.findings)
    bounds = Lines(table, lines.findings)
    for wanted in ("at_least", "in"):
        if not bounds.has(wanted):
            lines.findings.error(table.place, f"`limit` of a count needs `{wanted}`")
    at_least, span = bounds.read("at_least", _read_positive), bounds.read("in", read_exact_span)
    if not key or not event or at_least is None or span is None:
        return None
    return CountRule(key=key, event=event, at_least=at_least, span=span, distinct=distinct)


def _read_positive(node: Node, key: str, findings: Findings) -> int | None:
    return read_whole(node, key, 1, findings)


def _read_rate(lines: Lines) -> RateRule | None:
    of, out_of, limit = lines.matches("of"), lines.matches("out_of"), _read_rate_limit(lines)
    window, minimum = lines.read("window", _read_window), lines.read("minimum", _read_positive)
    by, distinct = lines.read("by", read_names), lines.read("distinct", read_name)
    grace = lines.read("grace", read_exact_span)
    if not of or not out_of or limit is None or window is None:
        return None
    return RateRule(
        of=of,
        out_of=out_of,
        by=by or (),
        window=window,
        limit=limit,
        minimum=minimum or 1,
        distinct=distinct,
        grace=grace,
    )


def _read_average(lines: Lines) -> AverageRule | None:
    event, value, limit = _event_matches(lines), lines.read("value", read_name), _read_limit(lines, read_number)
    window, minimum = lines.read("window", _read_window), lines.read("minimum", _read_positive)
    by, distinct = lines.read("by", read_names), lines.read("distinct", read_name)
    grace = lines.read("grace", read_exact_span)
    if not event or value is None or limit is None or window is None:
        return None
    return AverageRule(
        event=event,
        value=value,
        by=by or (),
        window=window,
        limit=limit,
        minimum=minimum or 1,
        distinct=distinct,
        grace=grace,
    )


def _read_window(node: Node, key: str, findings: Findings) -> Duration | None:
    """A window moves in twelfths of itself, on whole microseconds."""
    window = read_exact_span(node, key, findings)
    if window is not None and window.unit == "s" and window.count * 1_000_000 % 12:
        findings.error(node.place, f"`{key}` moves in twelfths: a number of seconds that three divides", "1m")
        return None
    return window


def _read_silence(lines: Lines) -> SilenceRule | None:
    by = lines.read("by", _read_source)
    at_least = lines.read("at_least", read_exact_span)
    node = lines.table.find("quiet")
    learned = node is None or (isinstance(node, Leaf) and node.text == "learned")
    quiet = None if learned else lines.read("quiet", read_exact_span)
    downtime = lines.read("downtime", read_downtimes)
    usable = (by is not None or not lines.has("by")) and (learned or quiet is not None)
    return SilenceRule(by="source", quiet=quiet, at_least=at_least, downtime=downtime or ()) if usable else None


def _read_source(node: Node, key: str, findings: Findings) -> str | None:
    return read_choice(node, key, ("source",), findings)


_READERS: Final[dict[Kind, Callable[[Lines], Rule | None]]] = {
    "wait": _read_wait,
    "measure": _read_measure,
    "sequence": _read_sequence,
    "count": _read_count,
    "rate": _read_rate,
    "average": _read_average,
    "silence": _read_silence,
}
