"""Paths, conditions and attributes of a mapping file, read from their nodes; what is wrong goes to the findings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from connectors.contact_center.path import Path, read_path
from connectors.contact_center.spec import Attribute, Given, Identifier, Kind, Scalar, Test, fold
from schemas.declaration import Findings, Items, Leaf, Node, Table, kind_of, suggest

KINDS: Final[tuple[Kind, ...]] = ("path", "number", "time", "between", "flag", "when", "choose", "value")
_OPTIONS: Final = ("table", "strict", "lower", "last", "split", "part", "divide", "unless")
_TESTS: Final = ("starts", "ends", "above", "below", "same_as")
_CASES: Final = ("value", "path", "number", "time", "between", "flag")
_SYSTEM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}\Z")
_DOCUMENT: Final = "docs/hooks.md"


class Values:
    """Reads values. `tables` are names that a line may ask for; `root` is where the message's paths begin."""

    def __init__(self, findings: Findings) -> None:
        self.findings: Findings = findings
        self.tables: dict[str, dict[str, Scalar]] = {}
        self.root: tuple[str, ...] = ()

    def wrong(self, node: Node, text: str, suggestion: str | None = None) -> None:
        self.findings.error(node.place, text, suggestion)

    def check_keys(self, table: Table, known: Iterable[str], what: str) -> None:
        """Say which keys nobody reads."""
        words = tuple(known)
        for entry in table.entries:
            if entry.key.text not in words:
                near = suggest(entry.key.text, words)
                text = f"{what} has no `{entry.key.text}`; it has {', '.join(words)}"
                self.findings.error(entry.key.place, text, near)

    def table(self, node: Node | None, what: str) -> Table | None:
        if node is None or isinstance(node, Table):
            return node
        self.wrong(node, f"`{what}` needs a mapping, here is {kind_of(node)}")
        return None

    def text(self, node: Node | None, what: str) -> str | None:
        if node is None:
            return None
        if isinstance(node, Leaf) and node.value is not None and node.text.strip():
            return node.text.strip()
        self.wrong(node, f"`{what}` is a single value, here is {kind_of(node)}")
        return None

    def system(self, node: Node | None) -> str | None:
        """The name of a system that counts contacts, as `contact_ids` gives it."""
        text = self.text(node, "contact_ids")
        if text is not None and node is not None and not _SYSTEM.match(text):
            self.wrong(node, "`contact_ids` is a name of letters, digits and `_.:/-`, at most 100")
            return None
        return text

    def texts(self, node: Node | None, what: str) -> tuple[str, ...]:
        nodes = node.nodes if isinstance(node, Items) else () if node is None else (node,)
        return tuple(text for one in nodes if (text := self.text(one, what)) is not None)

    def path(self, node: Node | None) -> Path | None:
        if node is None:
            return None
        if not isinstance(node, Leaf) or node.value is None:
            self.wrong(node, f"a path such as detail.contactId is expected, here is {kind_of(node)}")
            return None
        return self._path(node, node.text)

    def _path(self, node: Node, text: str) -> Path | None:
        try:
            return read_path(text).below(self.root)
        except ValueError as wrong:
            self.wrong(node, str(wrong))
            return None

    def paths(self, node: Node | None) -> tuple[Path, ...]:
        """One path, or a list of which the first that holds something counts."""
        nodes = node.nodes if isinstance(node, Items) else () if node is None else (node,)
        return tuple(path for one in nodes if (path := self.path(one)) is not None)

    # -- conditions

    def tests(self, node: Node | None, what: str = "when") -> tuple[Test, ...]:
        """A mapping of paths to what stands there."""
        table = self.table(node, what)
        found: list[Test] = []
        for entry in table.entries if table is not None else ():
            path = self._path(entry.key, entry.key.text)
            test = self._test(path, entry.node) if path is not None else None
            if test is not None:
                found.append(test)
        return tuple(found)

    def _test(self, path: Path, node: Node) -> Test | None:
        if isinstance(node, Leaf) and node.plain and node.text == "present":
            return Test(path, "present")
        if isinstance(node, Leaf) and node.plain and node.text == "absent":
            return Test(path, "absent")
        if isinstance(node, Table):
            return self._comparison(path, node)
        words = [leaf.value for leaf in (node.nodes if isinstance(node, Items) else (node,)) if isinstance(leaf, Leaf)]
        if not words or None in words:
            self.wrong(node, "a condition names a value, several, `present`, `absent`, or {starts: ...}")
            return None
        return Test(path, "is", tuple(word for word in words if word is not None))

    def _comparison(self, path: Path, node: Table) -> Test | None:
        self.check_keys(node, _TESTS, "a condition")
        if len(node.entries) != 1:
            self.wrong(node, f"a condition has one of {', '.join(_TESTS)}")
            return None
        [entry] = node.entries
        asked, given = entry.key.text, entry.node
        if asked == "same_as":
            other = self.path(given)
            return None if other is None else Test(path, "same_as", other=other)
        if asked in ("starts", "ends"):
            words = self.texts(given, asked)
            return Test(path, "starts" if asked == "starts" else "ends", words) if words else None
        value = given.value if isinstance(given, Leaf) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(given, f"`{asked}` is a number")
            return None
        return Test(path, "above" if asked == "above" else "below", bound=float(value))

    # -- attributes

    def attributes(self, node: Node | None, what: str = "attributes") -> dict[str, Attribute]:
        table = self.table(node, what)
        found: dict[str, Attribute] = {}
        for entry in table.entries if table is not None else ():
            attribute = self.attribute(entry.node)
            if attribute is not None:
                found[entry.key.text] = attribute
        return found

    def attribute(self, node: Node) -> Attribute | None:
        if not isinstance(node, Table):
            paths = self.paths(node)
            return Attribute(kind="path", paths=paths) if paths else None
        kinds = [entry for entry in node.entries if entry.key.text in KINDS]
        self.check_keys(node, (*KINDS, *_OPTIONS), "an attribute")
        if len(kinds) != 1:
            self.wrong(node, f"one of {', '.join(KINDS)} says where an attribute comes from ({_DOCUMENT})")
            return None
        [entry] = kinds
        made = self._of_kind(entry.key.text, entry.node)
        return None if made is None else self._with_options(made, node)

    def _of_kind(self, kind: str, node: Node) -> Attribute | None:
        if kind == "value":
            value = node.value if isinstance(node, Leaf) else None
            if value is None:
                self.wrong(node, "`value` is a text, a number, true or false")
                return None
            return Attribute(kind="value", value=value)
        if kind == "when":
            return Attribute(kind="when", tests=self.tests(node))
        if kind == "choose":
            return Attribute(kind="choose", cases=self._cases(node))
        paths = self.paths(node)
        if kind == "between" and len(paths) != 2:
            self.wrong(node, "`between` has two times: [from, to]")
            return None
        known = next(one for one in KINDS if one == kind)
        return Attribute(kind=known, paths=paths) if paths else None

    def _cases(self, node: Node) -> tuple[tuple[tuple[Test, ...], Attribute], ...]:
        found: list[tuple[tuple[Test, ...], Attribute]] = []
        for item in node.nodes if isinstance(node, Items) else (node,):
            if not isinstance(item, Table):
                self.wrong(item, "a case is {when: {...}, value: ...}")
                continue
            self.check_keys(item, ("when", *_CASES, *_OPTIONS), "a case")
            given = [e for e in item.entries if e.key.text in _CASES]
            if len(given) != 1:
                self.wrong(item, f"a case gives one of {', '.join(_CASES)}")
                continue
            made = self._of_kind(given[0].key.text, given[0].node)
            if made is not None:
                found.append((self.tests(item.find("when")), self._with_options(made, item)))
        return tuple(found)

    def _with_options(self, made: Attribute, node: Table) -> Attribute:
        table, last, divide = node.find("table"), self.text(node.find("last"), "last"), node.find("divide")
        name = self.text(table, "table")
        if name is not None and name not in self.tables and table is not None:
            self.wrong(table, f"there is no table `{name}`", suggest(name, self.tables))
        by = divide.value if isinstance(divide, Leaf) else 1.0
        if isinstance(by, bool) or not isinstance(by, int | float) or by <= 0:
            self.wrong(divide or node, "`divide` is a number above zero")
            by = 1.0
        part = node.find("part")
        number = part.value if isinstance(part, Leaf) else 1
        if type(number) is not int or number < 1:
            self.wrong(part or node, "`part` is a whole number from 1")
            number = 1
        unless = node.find("unless")
        if unless is not None and made.kind != "when":
            self.wrong(unless, "`unless` goes with `when`")
        tests = self.tests(unless, "unless") if unless is not None else ()
        cases = ((tests, Attribute(kind="value", value=False)),) if tests else made.cases
        return replace(
            made, table=name, strict=_is_true(node, "strict"), lower=_is_true(node, "lower"), last=last,
            split=self.text(node.find("split"), "split"), part=number, divide=float(by), cases=cases,
        )  # fmt: skip

    def identifiers(self, node: Node | None) -> tuple[Identifier, ...]:
        found: list[Identifier] = []
        for item in node.nodes if isinstance(node, Items) else () if node is None else (node,):
            if not isinstance(item, Table) or item.find("path") is None:
                self.wrong(item, "an identifier is {path: ..., authority: ...}")
                continue
            self.check_keys(item, ("path", "authority"), "an identifier")
            paths = self.paths(item.find("path"))
            if paths:
                found.append(Identifier(paths=paths, authority=self.text(item.find("authority"), "authority")))
        return tuple(found)

    def read_tables(self, node: Node | None) -> None:
        """Tables of codes, laid over those that are known already."""
        tables = self.table(node, "tables")
        for entry in tables.entries if tables is not None else ():
            lines = self.table(entry.node, entry.key.text)
            known = self.tables.setdefault(entry.key.text, {})
            for line in lines.entries if lines is not None else ():
                value = line.node.value if isinstance(line.node, Leaf) else None
                if value is None:
                    self.wrong(line.node, "a code is mapped to a text, a number, true or false")
                else:
                    known[fold(line.key.text)] = value


def _is_true(node: Table, key: str) -> bool:
    found = node.find(key)
    return isinstance(found, Leaf) and found.value is True


def with_fixed(given: Given, fixed: Mapping[str, Scalar], groups: Iterable[Mapping[str, Attribute]]) -> Given:
    """An event with the attributes of its groups below its own, and what is set above them."""
    own: dict[str, Attribute] = {}
    for group in groups:
        own.update(group)
    own.update(given.attributes)
    own.update({name: Attribute(kind="value", value=value) for name, value in fixed.items()})
    return replace(given, attributes=own)


def asked_by(given: Given) -> Iterator[Test]:
    """All conditions of an event and of its attributes."""
    yield from given.when
    yield from given.unless
    for attribute in given.attributes.values():
        yield from attribute.tests
        for tests, _ in attribute.cases:
            yield from tests
