"""Matches and their `where`, read from a declaration."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from schemas.declaration import Entry, Findings, Items, Leaf, Node, Table, kind_of
from schemas.event import Scalar
from schemas.threshold import Condition, Match
from schemas.threshold_keys import MATCH_KEYS, WHERE_KEYS
from streams.core.threshold_fields import (
    as_table,
    check_keys,
    read_flag,
    read_name,
    read_names,
    read_number,
    read_text,
    read_whole,
)

_TYPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/\-]*")


def read_matches(node: Node, key: str, findings: Findings) -> tuple[Match, ...] | None:
    """One match or a list of them, at least one. A match without conditions may be the event's type alone."""
    if not isinstance(node, Items):
        match = _read_match(node, key, findings)
        return None if match is None else (match,)
    if not node.nodes:
        findings.error(node.place, f"`{key}` is an empty list")
        return None
    read = [_read_match(item, key, findings) for item in node]
    matches = tuple(match for match in read if match is not None)
    return matches if len(matches) == len(read) else None


def _read_match(node: Node, key: str, findings: Findings) -> Match | None:
    if isinstance(node, Leaf):
        event = read_event_type(node, key, findings)
        return None if event is None else Match(event=event)
    if not isinstance(node, Table):
        findings.error(node.place, f"a match of `{key}` is a mapping with `event`, here is {kind_of(node)}")
        return None
    node = check_keys(node, MATCH_KEYS, f"a match (`{key}`)", findings)
    named = node.find("event")
    if named is None:
        findings.error(node.place, f"a match of `{key}` needs `event`")
    event = read_event_type(named, "event", findings) if named is not None else None
    where_node, by_node, times_node = node.find("where"), node.find("by"), node.find("times")
    where = read_where(where_node, findings) if where_node is not None else ()
    by = read_names(by_node, "by", findings) if by_node is not None else None
    times = read_whole(times_node, "times", 1, findings) if times_node is not None else 1
    if event is None or where is None or times is None:
        return None
    return Match(event=event, where=where, by=by, times=times)


def read_event_type(node: Node, key: str, findings: Findings) -> str | None:
    """An event type as CloudEvents writes them: no spaces, dots between its parts."""
    text = read_text(node, key, findings)
    if text is not None and not _TYPE.fullmatch(text):
        findings.error(node.place, f"`{key}` is an event type, as `result.final`")
        return None
    return text


def read_where(node: Node, findings: Findings) -> tuple[Condition, ...] | None:
    """The conditions of a `where`, in the order they are written; None where one of them is wrong."""
    table = as_table(node, "where", findings)
    if table is None:
        return None
    if not table.entries:
        findings.error(table.place, "`where` is empty: leave it out, or name an attribute")
        return None
    read = [_read_condition(entry, findings) for entry in table.entries]
    conditions = tuple(condition for condition in read if condition is not None)
    return conditions if len(conditions) == len(read) else None


def _read_condition(entry: Entry, findings: Findings) -> Condition | None:
    attribute = read_name(entry.key, "where", findings)
    if attribute is None:
        return None
    if isinstance(entry.node, Table):
        return _read_tests(attribute, entry.node, findings)
    nodes = entry.node.nodes if isinstance(entry.node, Items) else (entry.node,)
    if not nodes:
        findings.error(entry.node.place, f"`{attribute}` has an empty list: no value would do")
        return None
    values = [_read_value(attribute, node, findings) for node in nodes]
    if None in values:
        return None
    return Condition(attribute=attribute, one_of=tuple(value for value in values if value is not None))


def _read_value(attribute: str, node: Node, findings: Findings) -> Scalar | None:
    if not isinstance(node, Leaf):
        findings.error(node.place, f"`{attribute}` is compared with a value or a list of values")
        return None
    value = node.value
    if value is None or value == "":
        findings.error(node.place, f"`{attribute}` has no value (an absent one is `{{present: false}}`)")
        return None
    return value


def _read_tests(attribute: str, table: Table, findings: Findings) -> Condition | None:
    table = check_keys(table, WHERE_KEYS, f"a condition (`{attribute}`)", findings)
    if not table.entries:
        findings.error(table.place, f"`{attribute}` has an empty condition")
        return None
    above, below = (_read_bound(table, key, findings) for key in ("above", "below"))
    present_node, differs_node = table.find("present"), table.find("differs_from")
    present = read_flag(present_node, "present", findings) if present_node is not None else None
    differs = read_name(differs_node, "differs_from", findings) if differs_node is not None else None
    if above is not None and below is not None and above >= below:
        findings.error(table.place, f"no `{attribute}` is above the one and below the other")
        return None
    if present is False and (above is not None or below is not None or differs is not None):
        findings.error(table.place, f"an absent `{attribute}` compares with nothing")
        return None
    if differs == attribute:
        findings.error(table.place, f"`{attribute}` never differs from itself")
        return None
    return Condition(attribute=attribute, above=above, below=below, present=present, differs_from=differs)


def _read_bound(table: Table, key: str, findings: Findings) -> Fraction | None:
    node = table.find(key)
    return None if node is None else read_number(node, key, findings)
