"""The lines of a threshold, laid over each other: its own, its file's defaults beneath, a site's override on top."""

from __future__ import annotations

from typing import Final

from schemas.declaration import Entry, Findings, Items, Leaf, Node, Table, suggest
from schemas.threshold import Kind
from schemas.threshold_keys import ADDED_TO, NOT_SHARED, TIMINGS, keys_of, kinds_with
from streams.core.threshold_fields import mended

_DEATH: Final = "person.died"


def check_own_keys(table: Table, kind: Kind, findings: Findings) -> Table:
    """Say which lines do not belong to the kind. The table comes back with the keys that misspelt ones likely mean."""
    known = keys_of(kind)
    for entry in table.entries:
        key = entry.key.text
        if key in known:
            continue
        others = kinds_with(key)
        if others:
            findings.error(entry.key.place, f"`{key}` is no line of kind `{kind}` (it belongs to {', '.join(others)})")
        else:
            findings.error(entry.key.place, f"`{key}` is no key of a threshold", suggest(key, known))
    foreign = [entry.key.text for entry in table.entries if entry.key.text not in known and kinds_with(entry.key.text)]
    return mended(table, (*known, *foreign))


def laid_over(own: Table, defaults: Table | None, override: Table | None, kind: Kind) -> Table:
    """Own lines over the defaults, a site's lines over both. A timing takes the place of another one beneath it."""
    lines = {entry.key.text: entry for entry in own.entries}
    survives = _survives_death(own, defaults, override)
    for entry in defaults.entries if defaults is not None else ():
        key = entry.key.text
        if key not in keys_of(kind) or key in NOT_SHARED:
            continue
        shared = _without_death(entry) if survives and key == "cancelled_by" else entry
        if shared is None or (key in TIMINGS and any(timing in lines for timing in TIMINGS)):
            continue
        if key not in lines:
            lines[key] = shared
        elif key in ADDED_TO:
            lines[key] = Entry(lines[key].key, _added(lines[key].node, shared.node))
    for entry in override.entries if override is not None else ():
        key = entry.key.text
        if key in TIMINGS:
            for timing in TIMINGS:
                lines.pop(timing, None)
        lines[key] = entry
        if isinstance(entry.node, Leaf) and entry.node.value is None:
            del lines[key]  # a site's empty line takes the threshold's line away
    return Table(own.place, tuple(lines.values()))


def _survives_death(*tables: Table | None) -> bool:
    nodes = [table.find("survives_death") for table in tables if table is not None]
    return any(isinstance(node, Leaf) and node.value is True for node in nodes)


def items_of(node: Node) -> tuple[Node, ...]:
    return node.nodes if isinstance(node, Items) else (node,)


def _added(own: Node, shared: Node) -> Node:
    """The threshold's own matches, then the shared ones that it does not name itself."""
    mine = [_shape(item) for item in items_of(own)]
    return Items(own.place, (*items_of(own), *(item for item in items_of(shared) if _shape(item) not in mine)))


def _shape(node: Node) -> object:
    """What a node says, wherever it stands."""
    match node:
        case Leaf():
            return (node.text, node.plain)
        case Items():
            return tuple(_shape(item) for item in node)
        case Table():
            return frozenset((entry.key.text, _shape(entry.node)) for entry in node.entries)


def _without_death(entry: Entry) -> Entry | None:
    """The shared cancels but those of a death."""
    kept = tuple(item for item in items_of(entry.node) if not _names_death(item))
    return Entry(entry.key, Items(entry.node.place, kept)) if kept else None


def _names_death(node: Node) -> bool:
    event = node.find("event") if isinstance(node, Table) else node
    return isinstance(event, Leaf) and event.text == _DEATH
