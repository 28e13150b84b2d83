"""What single lines cannot show: words against the vocabulary, units against the calendar, lines against each other.

The checks walk the lines as they are written, whether or not a rule could be read from them, so that a threshold
with one mistake still hears of its others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from schemas.declaration import Findings, Items, Leaf, Node, Table, suggest
from schemas.duration import BUSINESS, Duration
from schemas.duration_text import WrongDuration, exact_seconds, read_duration
from schemas.threshold import PERSON, Kind
from schemas.threshold_keys import ENDS, MATCH_KEYS, TIMINGS
from schemas.vocabulary import EVENT_TYPES, PERSON_FACTS, meant_attribute, meant_type
from streams.core.threshold_fields import mended
from streams.core.threshold_kinds import Lines

_OPENING: Final = {  # the lines whose events carry what key, value and anchors name
    "wait": ("start",),
    "measure": ("event",),
    "sequence": ("first", "then"),
    "count": ("event",),
    "rate": ("out_of", "of"),
    "average": ("event",),
    "silence": (),
}
_FACT: Final = "person."
_TELLING: Final = 5  # letters of a word, from which on one letter more or less is a slip and no other word


@dataclass(frozen=True, slots=True)
class _Written:
    """A match as it is written. `event` is None where it is missing or no single value."""

    key: str
    event: Leaf | None
    table: Table | None

    @property
    def type(self) -> str:
        """The type that is meant, so that a slip in it does not hide one in its attributes."""
        text = self.event.text if self.event is not None else ""
        return meant_type(text) or text


def check_threshold(kind: Kind, lines: Lines, own: Collection[str], calendars: Collection[str]) -> None:
    """Say what is wrong between the lines of a threshold."""
    written = list(_matches(kind, lines))
    for match in written:
        _check_event(match, own, lines.findings)
        _check_where(match.table.find("where") if match.table is not None else None, [match.type], own, lines.findings)
        _check_reach(match, own, lines.findings)
        if kind in ("rate", "average") and match.table is not None:
            _check_no_person(match.table.find("where"), lines.findings)
    opening = [match.type for match in written if match.key in _OPENING[kind]]
    _check_where(lines.table.find("where"), opening, own, lines.findings)
    _check_names(lines, opening, own)
    if kind == "wait":
        _check_calendar(lines, calendars)
        _check_wait(lines)


def _check_no_person(node: Node | None, findings: Findings) -> None:
    """A rate is of a queue and holds no patient (DESIGN.md, measure), so no person's fact can be asked for."""
    for entry in node.entries if isinstance(node, Table) else ():
        other = entry.node.find("differs_from") if isinstance(entry.node, Table) else None
        for leaf in (entry.key, other):
            if isinstance(leaf, Leaf) and leaf.text.startswith(_FACT):
                told = f"`{leaf.text}` is never known here: a rate or an average holds no patient"
                findings.warning(leaf.place, told)


def _matches(kind: Kind, lines: Lines) -> Iterator[_Written]:
    keys = (*_OPENING[kind], *ENDS) if kind == "wait" else _OPENING[kind]
    for key in keys:
        node = lines.table.find(key)
        for item in () if node is None else node.nodes if isinstance(node, Items) else (node,):
            if isinstance(item, Leaf):
                yield _Written(key, item, None)
            elif isinstance(item, Table):
                match = mended(item, MATCH_KEYS)
                event = match.find("event")
                yield _Written(key, event if isinstance(event, Leaf) else None, match)


def _check_event(match: _Written, own: Collection[str], findings: Findings) -> None:
    if match.event is None or not match.event.text or match.event.text in own:
        return
    written, meant = match.event.text, meant_type(match.event.text)
    if meant is not None:
        findings.error(match.event.place, f"`{written}` is no event (one of your own: list it in `events:`)", meant)
    elif written not in EVENT_TYPES:
        findings.note(match.event.place, f"`{written}` is not in the vocabulary: taken as an event of your own")


def _check_where(node: Node | None, events: Iterable[str], own: Collection[str], findings: Findings) -> None:
    types = tuple(events)
    for entry in node.entries if isinstance(node, Table) else ():
        _check_attribute(entry.key, types, own, findings, stands_on=False)
        other = entry.node.find("differs_from") if isinstance(entry.node, Table) else None
        if isinstance(other, Leaf):
            _check_attribute(other, types, own, findings, stands_on=False)


def _check_attribute(
    leaf: Leaf, events: Iterable[str], own: Collection[str], findings: Findings, *, stands_on: bool
) -> None:
    """A name that resembles a known one: an error where a threshold stands on it (a misspelt key judges nothing, and
    says so nowhere), a warning in a `where`, for data are open. Short words lie a letter apart by chance (`arn`,
    `mrn`): there it is a warning too. A file lists its own names under `attributes:`."""
    name = leaf.text
    if name in own:
        return
    if name.startswith(_FACT):
        fact = name.removeprefix(_FACT)
        if fact not in PERSON_FACTS:
            near = suggest(fact, PERSON_FACTS)
            told = f"`{name}` is not known of a person ({', '.join(PERSON_FACTS)})"
            findings.warning(leaf.place, told, f"{_FACT}{near}" if near else None)
        return
    for event in events:
        meant = meant_attribute(event, name)
        if meant is not None:
            told = f"`{event}` carries no `{name}`"
            if stands_on and len(meant) >= _TELLING:
                findings.error(leaf.place, f"{told} (one of your own: list it in `attributes:`)", meant)
            else:
                findings.warning(leaf.place, told, meant)
            return


def _check_reach(match: _Written, own: Collection[str], findings: Findings) -> None:
    """`by` says how an end finds its wait, `times` which one ends it: neither means anything to what opens."""
    if match.table is None:
        return
    by, times = match.table.find("by"), match.table.find("times")
    if match.key not in ENDS:
        for key, node in (("by", by), ("times", times)):
            if node is not None:
                place = match.table.place_of(key)
                findings.error(place, f"`{key}` is for what ends a wait, and not for `{match.key}`")
        return
    if times is not None and match.key in ("paused_by", "resumed_by"):
        findings.error(match.table.place_of("times"), f"`times` is for ends and cancels, and not for `{match.key}`")
    for leaf in _leaves(by):
        if leaf.text != PERSON:
            _check_attribute(leaf, [match.type], own, findings, stands_on=True)


def _check_names(lines: Lines, opening: Iterable[str], own: Collection[str]) -> None:
    """Attributes that key, value, by, distinct, not_before and the anchors name."""
    types = tuple(opening)
    for key in ("key", "value", "by", "distinct", "not_before"):
        for leaf in _leaves(lines.table.find(key)):
            if leaf.text != PERSON:
                _check_attribute(leaf, types, own, lines.findings, stands_on=True)
    for key in ("before", "after"):
        anchor = lines.table.find(key)
        for leaf in _leaves(anchor.find("attribute") if isinstance(anchor, Table) else None):
            _check_attribute(leaf, types, own, lines.findings, stands_on=True)


def _leaves(node: Node | None) -> list[Leaf]:
    nodes = () if node is None else node.nodes if isinstance(node, Items) else (node,)
    return [item for item in nodes if isinstance(item, Leaf)]


def _check_calendar(lines: Lines, calendars: Collection[str]) -> None:
    if lines.has("calendar"):
        return
    for node in _span_nodes(lines):
        duration = _duration(node)
        if duration is not None and duration.unit in BUSINESS:
            only = f"calendar: {next(iter(calendars))}" if len(calendars) == 1 else None
            lines.findings.error(node.place, f"`{duration}` needs a `calendar`", only)
            return


def _span_nodes(lines: Lines) -> Iterator[Node]:
    for key in (*TIMINGS, "warn_at"):
        node = lines.table.find(key)
        if isinstance(node, Table):
            node = node.find("minus" if key == "before" else "plus")
        if node is not None:
            yield node


def _duration(node: Node | None) -> Duration | None:
    if not isinstance(node, Leaf):
        return None
    try:
        return read_duration(node.text, least=0)
    except WrongDuration:
        return None


def _check_wait(lines: Lines) -> None:
    warn = lines.findings.warning
    if lines.has("resumed_by") and not lines.has("paused_by"):
        warn(lines.table.place_of("resumed_by"), "`resumed_by` without `paused_by` resumes nothing")
    if lines.has("not_before") and not lines.has("within"):
        warn(lines.table.place_of("not_before"), "`not_before` moves only a `within`")
    within, warning = _duration(lines.table.find("within")), _duration(lines.table.find("warn_at"))
    if within is None or warning is None or lines.has("not_before"):
        return
    whole, part = exact_seconds(within), exact_seconds(warning)
    if whole is not None and part is not None and part >= whole:
        warn(lines.place("warn_at"), "`warn_at` is as long as the wait: it would warn when the wait starts")
