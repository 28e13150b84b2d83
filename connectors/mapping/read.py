"""Read a mapping, and lay a site's own over it: what the site names replaces the shipped line, the rest stays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, get_args

from connectors.mapping.path import Path, read_path
from connectors.mapping.spec import (
    Attribute,
    EventSpec,
    Given,
    Kind,
    Label,
    MappingSpec,
    Scalar,
    Test,
    Trigger,
    fold,
)
from connectors.mapping.words import check_words
from schemas.declaration import Entry, Findings, Items, Leaf, Node, Table, is_misspelt, kind_of, suggest

_KINDS: Final[tuple[str, ...]] = tuple(k for k in get_args(Kind) if k != "value")
_OPTIONS: Final = ("table", "strict", "lower", "whole", "pad")
_EVENT_KEYS: Final = ("groups", "time", "own_time", "attributes")
_GIVEN_KEYS: Final = ("event", "when", "unless", "set")
_LABEL_KEYS: Final = ("label", "when", "unless")
_TEST_KEYS: Final = ("table", "is")
_KEYS: Final = ("version", "tables", "groups", "events", "messages", "add", "sensitive", "off", "attributes")
_MESSAGE: Final = re.compile(r"[A-Z][A-Z0-9]{2}(\^[A-Z][A-Z0-9]{2})?\Z")
_MESSAGES: Final = re.compile(r"[\s,]+")  # a key may name several: `ORU^R01 ORU^R30`
_EACH: Final = re.compile(r"MESSAGE|ORDER|[A-Z][A-Z0-9]{2}")
_EVENT: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+\Z")


def read_mapping(root: Table, derived: Iterable[str], over: MappingSpec, findings: Findings) -> MappingSpec:
    """A mapping laid over another one (an empty one for the shipped). Problems go to `findings`, all of them."""
    return _Reader(tuple(derived), over, findings).read(root)


class _Reader:
    def __init__(self, derived: tuple[str, ...], over: MappingSpec, findings: Findings) -> None:
        self._derived: tuple[str, ...] = derived
        self._over: MappingSpec = over
        self._findings: Findings = findings
        self._asked: set[str] = set()  # tables that a line of this mapping asks for
        self._tables: dict[str, dict[str, Scalar]] = {name: dict(t) for name, t in over.tables.items()}
        self._events: dict[str, EventSpec] = dict(over.events)

    def read(self, root: Table) -> MappingSpec:
        self._check_keys(root, _KEYS, "a mapping")
        version = root.find("version")
        if version is not None and not (isinstance(version, Leaf) and version.text == "1"):
            self._wrong(version, "`version` is 1")
        for name, node in self._entries(root, "tables"):
            self._tables.setdefault(name, {}).update(self._read_table(node))
        groups = {name: dict(attributes) for name, attributes in self._over.groups.items()}
        for name, node in self._entries(root, "groups"):
            groups.setdefault(name, {}).update(self._read_attributes(node))
        for name, node in self._entries(root, "events"):
            self._events[name] = self._read_event(name, node, groups)
        messages = dict(self._over.messages)
        for name, node in self._triggers(root, "messages"):
            messages[name] = self._read_trigger(node)
        for name, node in self._triggers(root, "add"):
            before = messages.get(name, Trigger())
            more = self._read_trigger(node, before.each)
            messages[name] = replace(more, events=before.events + more.events)
        labels = self._read_labels(root.find("sensitive"))
        self._check_tables(root)
        spec = MappingSpec(
            tables=self._tables,
            groups=groups,
            events=self._events,
            messages=messages,
            sensitive=(*labels, *self._over.sensitive),
            off=self._over.off | frozenset(self._read_off(root)),
        )
        found = check_words(root, spec, self._over)
        self._findings.add(found)
        warnings = (problem for problem in found.listed() if problem.severity == "warning")
        return replace(spec, warnings=(*self._over.warnings, *warnings))

    def _triggers(self, root: Table, key: str) -> list[tuple[str, Node]]:
        """The message types of a section, one by one, each with what it gives."""
        found: list[tuple[str, Node]] = []
        for names, node in self._entries(root, key):
            for name in filter(None, _MESSAGES.split(names)):
                self._check_message(root, key, names, name)
                found.append((name, node))
        return found

    def _read_labels(self, node: Node | None) -> list[Label]:
        labels = []
        for item in node if isinstance(node, Items) else [node] if node is not None else []:
            label = item.find("label") if isinstance(item, Table) else None
            if not isinstance(item, Table) or not isinstance(label, Leaf):
                self._wrong(item, "a label is expected: {label: vip, when: {PV1-16: present}}")
                continue
            self._check_keys(item, _LABEL_KEYS, "a label")
            when, unless = self._tests(item.find("when")), self._tests(item.find("unless"))
            labels.append(Label(label=label.text, when=when, unless=unless))
        return labels

    def _read_off(self, root: Table) -> list[str]:
        node = root.find("off")
        names = self._texts(node) if node is not None else []
        for name in names:
            if name not in self._events and node is not None:
                self._wrong(node, f"no event {name} is mapped", suggest(name, self._events))
        return names

    def _entries(self, root: Table, key: str) -> list[tuple[str, Node]]:
        node = root.find(key)
        if node is None:
            return []
        if not isinstance(node, Table):
            self._wrong(node, f"{key} is a mapping of names, not {kind_of(node)}")
            return []
        return [(e.key.text, e.node) for e in node.entries]

    def _read_table(self, node: Node) -> dict[str, Scalar]:
        if not isinstance(node, Table):
            self._wrong(node, f"a table maps codes to values, it is not {kind_of(node)}")
            return {}
        table: dict[str, Scalar] = {}
        for entry in node.entries:
            value = entry.node.value if isinstance(entry.node, Leaf) else None
            if value is None:
                self._wrong(entry.node, "a code is mapped to a text, a number, true or false")
            else:
                table[fold(entry.key.text)] = value
        return table

    def _read_attributes(self, node: Node) -> dict[str, Attribute]:
        if not isinstance(node, Table):
            self._wrong(node, f"attributes are a mapping of names, not {kind_of(node)}")
            return {}
        found = {e.key.text: self._read_attribute(e.node) for e in node.entries}
        return {name: attribute for name, attribute in found.items() if attribute is not None}

    def _read_attribute(self, node: Node) -> Attribute | None:
        if not isinstance(node, Table):
            return Attribute(paths=self._paths(node))
        self._check_keys(node, (*_KINDS, "value", *_OPTIONS), "an attribute")
        kinds = [e for e in node.entries if e.key.text in (*_KINDS, "value")]
        if len(kinds) != 1:
            self._wrong(node, f"one of {', '.join((*_KINDS, 'value'))} says where the attribute stands")
            return None
        kind, source = kinds[0].key.text, kinds[0].node
        options = {e.key.text: e.node.value for e in node.entries if isinstance(e.node, Leaf)}
        table = options.get("table")
        self._asked.add(str(table))
        if table is not None and table not in self._tables:
            self._wrong(node, f"there is no table {table}", suggest(str(table), self._tables))
        attribute = Attribute(
            table=str(table) if table is not None else None,
            strict=options.get("strict") is True,
            lower=options.get("lower") is True,
            whole=options.get("whole") is True,
            pad=pad if isinstance(pad := options.get("pad"), int) else 0,
        )
        if kind == "derive":
            name = source.text if isinstance(source, Leaf) else ""
            if name not in self._derived:
                self._wrong(source, f"nothing is derived by the name {name}", suggest(name, self._derived))
            return replace(attribute, kind="derive", derive=name)
        if kind == "value":
            return replace(attribute, kind="value", value=source.value if isinstance(source, Leaf) else None)
        chosen: Kind = kind  # type: ignore[assignment]  # checked against the kinds above
        return replace(attribute, kind=chosen, paths=self._paths(source))

    def _read_event(self, name: str, node: Node, groups: Mapping[str, object]) -> EventSpec:
        before = self._over.events.get(name, EventSpec())
        if not _EVENT.match(name):
            self._wrong(node, "an event type is dotted and in lower case, such as visit.roomed")
        if not isinstance(node, Table):
            self._wrong(node, f"an event is a mapping of {', '.join(_EVENT_KEYS)}, not {kind_of(node)}")
            return before
        self._check_keys(node, _EVENT_KEYS, "an event")
        named = self._texts(node.find("groups")) if node.find("groups") is not None else list(before.groups)
        for group in named:
            if group not in groups:
                self._wrong(node, f"there is no group {group}", suggest(group, groups))
        time, own, attributes = node.find("time"), node.find("own_time"), node.find("attributes")
        return EventSpec(
            groups=tuple(named),
            time=self._paths(time) if time is not None else before.time,
            own_time=own.value is True if isinstance(own, Leaf) else before.own_time,
            attributes={**before.attributes, **(self._read_attributes(attributes) if attributes is not None else {})},
        )

    def _read_trigger(self, node: Node, each: str = "MESSAGE") -> Trigger:
        given: Node | None = node
        if isinstance(node, Table) and (node.find("events") is not None or node.find("each") is not None):
            self._check_keys(node, ("each", "events"), "a trigger")
            over = node.find("each")
            if over is not None:
                each = over.text if isinstance(over, Leaf) else ""
                if not _EACH.fullmatch(each):
                    self._wrong(
                        over, "each is MESSAGE, ORDER or a segment such as PID", suggest(each, ("MESSAGE", "ORDER"))
                    )
            given = node.find("events")
        nodes = list(given) if isinstance(given, Items) else [given] if given is not None else []
        events = [g for n in nodes if (g := self._read_given(n)) is not None]
        return Trigger(each=each, events=tuple(events))

    def _read_given(self, node: Node) -> Given | None:
        if isinstance(node, Leaf):
            return Given(event=self._event(node))
        if not isinstance(node, Table) or not isinstance(event := node.find("event"), Leaf):
            self._wrong(node, "an event type is expected, or {event: ..., when: ...}")
            return None
        self._check_keys(node, _GIVEN_KEYS, "a given event")
        fixed = node.find("set")
        entries = fixed.entries if isinstance(fixed, Table) else ()
        return Given(
            event=self._event(event),
            when=self._tests(node.find("when")),
            unless=self._tests(node.find("unless")),
            set={e.key.text: v for e in entries if isinstance(e.node, Leaf) and (v := e.node.value) is not None},
        )

    def _event(self, leaf: Leaf) -> str:
        if leaf.text not in self._events:
            near = next((known for known in self._events if is_misspelt(leaf.text, known)), None)
            if near is not None or not _EVENT.match(leaf.text):
                self._wrong(leaf, f"no event {leaf.text} is mapped", near)
            else:
                self._events[leaf.text] = EventSpec()
        return leaf.text

    def _tests(self, node: Node | None) -> tuple[Test, ...]:
        if node is None:
            return ()
        if not isinstance(node, Table):
            self._wrong(node, f"conditions are a mapping of paths to codes, not {kind_of(node)}")
            return ()
        return tuple(test for entry in node.entries for test in self._tests_of(entry))

    def _tests_of(self, entry: Entry) -> list[Test]:
        """The tests of one line: a path or a derived attribute, and what it must be."""
        table: str | None = None
        wanted_node: Node | None = entry.node
        if isinstance(entry.node, Table):
            self._check_keys(entry.node, _TEST_KEYS, "a test")
            named, wanted_node = entry.node.find("table"), entry.node.find("is")
            table = named.text if isinstance(named, Leaf) else None
            self._asked.add(str(table))
            if table not in self._tables:
                self._wrong(named or entry.node, f"there is no table {table or ''}", suggest(table or "", self._tables))
                table = None
        wanted = self._texts(wanted_node) if wanted_node is not None else ["present"]
        one_of = (
            {"present": None, "absent": ()}.get(wanted[0])
            if wanted in (["present"], ["absent"])
            else self._folded(wanted)
        )
        name = entry.key.text
        if not name.startswith("derived."):
            return [Test(path=path, derive=None, one_of=one_of, table=table) for path in self._paths(entry.key)]
        derive = name.removeprefix("derived.")
        if derive not in self._derived:
            self._wrong(entry.key, f"nothing is derived by the name {derive}", suggest(derive, self._derived))
            return []
        return [Test(path=None, derive=derive, one_of=one_of, table=table)]

    def _folded(self, wanted: list[str]) -> tuple[str, ...]:
        return tuple(map(fold, wanted))

    def _paths(self, node: Node) -> tuple[Path, ...]:
        paths = []
        for leaf in node if isinstance(node, Items) else (node,):
            if not isinstance(leaf, Leaf):
                self._wrong(leaf, f"a path is expected, not {kind_of(leaf)}")
                continue
            try:
                paths.append(read_path(leaf.text))
            except ValueError as wrong:
                self._wrong(leaf, str(wrong))
        return tuple(paths)

    def _texts(self, node: Node | None) -> list[str]:
        leaves = list(node) if isinstance(node, Items) else [node] if node is not None else []
        for leaf in leaves:
            if not isinstance(leaf, Leaf):
                self._wrong(leaf, f"a text or a list of texts is expected, not {kind_of(leaf)}")
        return [leaf.text for leaf in leaves if isinstance(leaf, Leaf)]

    def _check_tables(self, root: Table) -> None:
        """A table that nothing asks for, and whose name is nearly a known one's, is a slip."""
        for name, node in self._entries(root, "tables"):
            if name not in self._over.tables and name not in self._asked:
                near = next((known for known in self._over.tables if is_misspelt(name, known)), None)
                if near is not None:
                    self._wrong(node, f"nothing asks for a table {name}", near)

    def _check_message(self, root: Table, key: str, names: str, name: str) -> None:
        if not _MESSAGE.match(name):
            section = root.find(key)
            place = section.place_of(names) if isinstance(section, Table) else root.place
            text = f"{name} is no message type: ADT^A08 is the form"
            self._findings.error(place, text, suggest(name, self._over.messages))

    def _check_keys(self, table: Table, known: tuple[str, ...], of: str) -> None:
        for entry in table.entries:
            if entry.key.text not in known:
                self._wrong(entry.key, f"{of} has no key {entry.key.text}", suggest(entry.key.text, known))

    def _wrong(self, node: Node, text: str, suggestion: str | None = None) -> None:
        self._findings.error(node.place, text, suggestion)
