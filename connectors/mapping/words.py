"""The words of a mapping against the vocabulary.

A misspelt attribute or value is read without complaint and gives events that no promise asks for: silence, that nobody
tells. So a word that resembles a known one is an error or a warning, as in a thresholds file; `attributes:` of the
mapping lists names of a site's own that are meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from connectors.mapping.spec import EventSpec, MappingSpec, fold
from schemas.declaration import Entry, Findings, Items, Leaf, Node, Table, is_misspelt
from schemas.vocabulary import EVENT_TYPES, VALUES, meant_attribute, meant_type, meant_value

_TELLING: Final = 5  # letters of a word, from which on one letter more or less is a slip and no other word
_TYPES: Final = [attribute for event in EVENT_TYPES.values() for attribute in event.attributes.values()]
_FLAGS: Final = {a.name for a in _TYPES if a.flag} - {a.name for a in _TYPES if not a.flag}  # `plan` is both


def check_words(root: Table, spec: MappingSpec, over: MappingSpec) -> Findings:
    """What is wrong, or probably wrong, with the words of a mapping that was read as `spec` over another one."""
    words = _Words(root, spec, over)
    words.check()
    return words.findings


class _Words:
    def __init__(self, root: Table, spec: MappingSpec, over: MappingSpec) -> None:
        self.findings: Findings = Findings()
        self._root: Table = root
        self._spec: MappingSpec = spec
        self._over: MappingSpec = over
        self._own: frozenset[str] = frozenset(leaf.text for leaf in _leaves(root.find("attributes")))

    def check(self) -> None:
        for entry in _entries(self._root.find("tables")):
            self._check_table(entry)
        for entry in _entries(self._root.find("groups")):
            self._check_group(entry)
        for entry in _entries(self._root.find("events")):
            given = entry.node.find("attributes") if isinstance(entry.node, Table) else None
            known = self._over.events.get(entry.key.text, EventSpec()).attributes
            for attribute in _entries(given):
                self._check_attribute(attribute, [entry.key.text], known)
        for key in ("messages", "add"):
            for entry in _entries(self._root.find(key)):
                self._check_given(entry.node)

    def _check_table(self, entry: Entry) -> None:
        table = entry.key.text
        attributes = [name for name, asked in self._with_tables() if asked == table]
        if not attributes and table in self._over.tables:  # what is derived goes by the beginning of its tables' names
            attributes = [name for name in (*VALUES, *_FLAGS) if table == name or table.startswith(f"{name}_")]
        for line in _entries(entry.node):
            self._check_type(line.node)
            for name in dict.fromkeys(attributes):
                if isinstance(line.node, Leaf) and self._check_value(name, line.node):
                    break

    def _check_type(self, node: Node) -> None:
        """A code that means an event: its type is dotted, and a slip of the pen for a known one is an error."""
        near = meant_type(node.text) if isinstance(node, Leaf) and "." in node.text else None
        if near is not None and isinstance(node, Leaf):
            self.findings.error(node.place, f"there is no event {node.text}", near)

    def _with_tables(self) -> Iterator[tuple[str, str | None]]:
        """All attributes, each with the table that it is read through."""
        for group in self._spec.groups.values():
            yield from ((name, attribute.table) for name, attribute in group.items())
        for event in self._spec.events.values():
            yield from ((name, attribute.table) for name, attribute in event.attributes.items())

    def _check_group(self, entry: Entry) -> None:
        group = entry.key.text
        users = [name for name, event in self._spec.events.items() if group in event.groups]
        if not users and group not in self._over.groups:
            near = next((known for known in self._over.groups if is_misspelt(group, known)), None)
            if near is not None:
                self.findings.error(entry.key.place, f"no event has a group {group}", near)
                users = [name for name, event in self._spec.events.items() if near in event.groups]
        for attribute in _entries(entry.node):
            self._check_attribute(attribute, users, self._over.groups.get(group, ()))

    def _check_attribute(self, entry: Entry, events: list[str], known: Iterable[str]) -> None:
        name = entry.key.text
        if name not in known:
            self._check_name(entry.key, events)
        fixed = entry.node.find("value") if isinstance(entry.node, Table) else None
        if isinstance(fixed, Leaf):
            self._check_value(name, fixed)

    def _check_name(self, leaf: Leaf, events: list[str]) -> None:
        """A name that resembles one which its event carries, as thresholds have it: an error, with few letters a
        warning. A group's name is right where any of its events carries it."""
        name = leaf.text
        known = [event for event in events if event in EVENT_TYPES]
        if name in self._own or any(name in EVENT_TYPES[event].attributes for event in known):
            return
        event, near = next(((e, near) for e in known if (near := meant_attribute(e, name)) is not None), ("", ""))
        if not near:
            return
        told = f"`{event}` carries no `{name}`"
        if len(near) >= _TELLING:
            self.findings.error(leaf.place, f"{told} (one of your own: list it in `attributes:`)", near)
        else:
            self.findings.warning(leaf.place, told, near)

    def _check_value(self, attribute: str, leaf: Leaf) -> bool:
        """A value against the words of its attribute; True where it said something."""
        value = leaf.value
        if attribute in _FLAGS and not isinstance(value, bool) and value not in ("true", "false"):
            self.findings.warning(leaf.place, f"`{attribute}` is a flag: true or false")
            return True
        values = VALUES.get(attribute)
        if values is None or value is None or str(value) in values.words:
            return False
        near = meant_value(attribute, str(value))
        one_of = f"`{attribute}` is one of {', '.join(values.words)}"
        if near is not None and values.closed:
            self.findings.error(leaf.place, f"{one_of}, and not `{value}`", near)
        elif near is not None:
            self.findings.warning(leaf.place, f"`{value}` is no word that `{attribute}` is known by", near)
        elif values.closed:
            self.findings.warning(leaf.place, f"{one_of}: no shipped promise asks for `{value}`")
        else:
            return False
        return True

    def _check_given(self, node: Node | None) -> None:
        if isinstance(node, Items):
            for item in node:
                self._check_given(item)
        elif isinstance(node, Table) and isinstance(event := node.find("event"), Leaf):
            for entry in _entries(node.find("set")):
                self._check_name(entry.key, [event.text])
                if isinstance(entry.node, Leaf):
                    self._check_value(entry.key.text, entry.node)
            for key in ("when", "unless"):
                for entry in _entries(node.find(key)):
                    self._check_test(entry.node)
        elif isinstance(node, Table):
            self._check_given(node.find("events"))

    def _check_test(self, node: Node) -> None:
        """A condition that asks a table for what it never gives does not hold for any message."""
        table = node.find("table") if isinstance(node, Table) else None
        if not isinstance(node, Table) or not isinstance(table, Leaf) or table.text not in self._spec.tables:
            return
        values = {fold(str(value)): str(value) for value in self._spec.tables[table.text].values()}
        for leaf in _leaves(node.find("is")):
            if fold(leaf.text) not in values and leaf.text not in ("present", "absent"):
                near = next((value for value in values.values() if is_misspelt(leaf.text, value)), None)
                self.findings.warning(leaf.place, f"no code of the table {table.text} gives `{leaf.text}`", near)


def _entries(node: Node | None) -> tuple[Entry, ...]:
    return node.entries if isinstance(node, Table) else ()


def _leaves(node: Node | None) -> list[Leaf]:
    nodes = () if node is None else node.nodes if isinstance(node, Items) else (node,)
    return [item for item in nodes if isinstance(item, Leaf)]
