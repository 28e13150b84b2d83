"""Declarations: YAML read into a tree that remembers its places, and the problems found in it.

Thresholds, site files and mappings are read through this module, so all of them report mistakes alike: file, line,
column, what is wrong and the likely meaning. The text is read as YAML 1.2 (core schema, so `no` stays a text), from
the parser's events, so that one pass finds every duplicate key, anchor, alias and tag instead of the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)
from ruamel.yaml.reader import ReaderError
from yaml import events as quick

from schemas.errors import WrongUse
from schemas.quick_yaml import quick_events

_DOCUMENT: Final = (DocumentStartEvent, quick.DocumentStartEvent)
_NODE: Final = (NodeEvent, quick.NodeEvent)
_BEGIN: Final = (CollectionStartEvent, quick.CollectionStartEvent)
_MAPPING: Final = (MappingStartEvent, quick.MappingStartEvent)
_END: Final = (CollectionEndEvent, quick.CollectionEndEvent)
_SCALAR: Final = (ScalarEvent, quick.ScalarEvent)
"""The events of both parsers, which name them alike."""

Severity = Literal["error", "warning", "note"]

DEPTH: Final = 40  # deeper than any declaration goes; a text that nests deeper is refused, not followed

_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL: Final = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTHS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written. `line` and `column` count from 1; 0 stands for the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. An `error` makes the declaration unusable, a `warning` is probably one, a `note` only tells."""

    place: Place
    text: str
    suggestion: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        hint = f" (did you mean `{self.suggestion}`?)" if self.suggestion else ""
        return f"{self.place}: {self.severity}: {self.text}{hint}"


class Findings:
    """The problems found so far, in the order of their places once all is read."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def error(self, place: Place, text: str, suggestion: str | None = None) -> None:
        self._problems.append(Problem(place, text, suggestion))

    def warning(self, place: Place, text: str, suggestion: str | None = None) -> None:
        self._problems.append(Problem(place, text, suggestion, "warning"))

    def note(self, place: Place, text: str) -> None:
        self._problems.append(Problem(place, text, None, "note"))

    def add(self, other: Findings) -> None:
        self._problems.extend(other._problems)

    def listed(self) -> list[Problem]:
        """Each problem once, by file as first met, then by line and column."""
        files = {file: n for n, file in enumerate(dict.fromkeys(p.place.file for p in self._problems))}
        unique = dict.fromkeys(self._problems)
        return sorted(unique, key=lambda p: (files[p.place.file], p.place.line, p.place.column))


class WrongDeclaration(WrongUse):
    """A declaration with errors. `problems` holds all of them, warnings and notes too."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems if problem.severity == "error"))


def has_errors(problems: Iterable[Problem]) -> bool:
    """Whether any of them makes the declaration unusable."""
    return any(problem.severity == "error" for problem in problems)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A single value. `text` is as written without quotes; `plain` when it stands without quotes."""

    place: Place
    text: str
    plain: bool

    @property
    def value(self) -> str | int | float | bool | None:
        """The value by YAML 1.2. Digits with a leading zero stay a text: `01` is a code, and not the number 1."""
        if not self.plain:
            return self.text
        if self.text in _NULLS:
            return None
        if self.text in _TRUTHS:
            return _TRUTHS[self.text]
        if _INTEGER.fullmatch(self.text) and len(self.text) <= 18:
            return int(self.text)
        return float(self.text) if _DECIMAL.fullmatch(self.text) else self.text


@dataclass(frozen=True, slots=True)
class Entry:
    key: Leaf
    node: Node


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping, its entries in the order they are written. No key stands twice."""

    place: Place
    entries: tuple[Entry, ...]

    def find(self, key: str) -> Node | None:
        return next((entry.node for entry in self.entries if entry.key.text == key), None)

    def place_of(self, key: str) -> Place:
        """The place of a key; of the table where it is not there."""
        return next((entry.key.place for entry in self.entries if entry.key.text == key), self.place)

    def keys(self) -> tuple[str, ...]:
        return tuple(entry.key.text for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    place: Place
    nodes: tuple[Node, ...]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)


Node = Leaf | Table | Items


def kind_of(node: Node) -> str:
    """How a node is called in a message."""
    match node:
        case Table():
            return "a mapping"
        case Items():
            return "a list"
        case Leaf():
            return "nothing" if node.value is None else "a single value"


def read_declaration(file: str, text: str, findings: Findings) -> Table | None:
    """The top-level mapping of a declaration; None where there is none. Mistakes of form go to `findings`."""
    tree = _Tree(file, findings)
    yaml = YAML(typ="safe", pure=True)
    try:
        plain = text.removeprefix("\ufeff")
        for event in quick_events(plain) or yaml.parse(plain):
            tree.take(event)
    except ReaderError as error:
        # it names the offset of a character that no YAML text may hold
        before = text[: error.position] if isinstance(error.position, int) else ""
        place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        findings.error(place, "this is no text: it holds a control character (is it a binary file?)")
        return None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        told = " ".join(part for part in (error.context, error.problem) if part)
        findings.error(place, f"this is no YAML: {' '.join(told.split()) or 'it cannot be parsed'}")
        return None
    except (YAMLError, ValueError, AttributeError, IndexError, TypeError):
        # the parser's own slips on malformed directives and escapes
        findings.error(Place(file, 1, 1), "this is no YAML")
        return None
    return _top(file, tree.root, findings)


def _top(file: str, root: Node | None, findings: Findings) -> Table | None:
    if root is None or (isinstance(root, Leaf) and root.value is None):
        findings.error(Place(file, 1, 1), "the file is empty")
        return None
    if not isinstance(root, Table):
        findings.error(root.place, f"a mapping is expected at the top, here is {kind_of(root)}")
        return None
    return root


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet."""

    place: Place
    mapping: bool
    nodes: list[Node]


class _Tree:
    """Builds the tree from parser events, on its own stack: depth costs no recursion."""

    def __init__(self, file: str, findings: Findings) -> None:
        self.root: Node | None = None
        self._file = file
        self._findings = findings
        self._stack: list[_Open] = []
        self._documents = 0

    def take(self, event: Event) -> None:
        if isinstance(event, _DOCUMENT):
            self._documents += 1
            if self._documents == 2:
                self._findings.error(self._place(event), "a second document begins here: one document a file")
        elif isinstance(event, _NODE):
            self._check(event)
            self._take_node(event)
        elif isinstance(event, _END):
            done = self._stack.pop()
            self._add(self._table(done) if done.mapping else Items(done.place, tuple(done.nodes)))

    def _take_node(self, event: NodeEvent) -> None:
        place = self._place(event)
        if isinstance(event, _BEGIN):
            if len(self._stack) >= DEPTH:
                raise MarkedYAMLError(problem=f"nested more than {DEPTH} deep", problem_mark=event.start_mark)
            self._stack.append(_Open(place, isinstance(event, _MAPPING), []))
        elif isinstance(event, _SCALAR):
            self._add(Leaf(place, event.value, event.style is None or event.style == ""))
        elif isinstance(event, AliasEvent):
            self._add(Leaf(place, "", plain=True))

    def _check(self, event: NodeEvent) -> None:
        """Anchors, aliases and tags: a declaration says what it means where it stands."""
        place = self._place(event)
        if isinstance(event, AliasEvent):
            self._findings.error(place, f"aliases (`*{event.anchor}`) are not read: write it out")
            return
        if event.anchor is not None:
            self._findings.error(place, f"anchors (`&{event.anchor}`) are not read: remove it")
        if getattr(event, "ctag", None) is not None:
            self._findings.error(place, "tags (`!...`) are not read: remove it")

    def _place(self, event: Event) -> Place:
        mark: StreamMark = event.start_mark
        return Place(self._file, mark.line + 1, mark.column + 1)

    def _add(self, node: Node) -> None:
        if self._stack:
            self._stack[-1].nodes.append(node)
        elif self.root is None:
            self.root = node

    def _table(self, done: _Open) -> Table:
        entries: dict[str, Entry] = {}
        for key, node in zip(done.nodes[::2], done.nodes[1::2], strict=True):
            if not isinstance(key, Leaf):
                self._findings.error(key.place, f"a key is a name, here is {kind_of(key)}")
            elif key.text in entries:
                first = entries[key.text].key.place
                self._findings.error(key.place, f"`{key.text}` stands twice (first in line {first.line})")
            else:
                entries[key.text] = Entry(key, node)
        return Table(done.place, tuple(entries.values()))


def suggest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` most likely means; None where none is near."""
    plain = _squashed(word)
    best, score = None, 0.0
    for candidate in known:
        if candidate == word:
            continue
        likeness = _likeness(plain, _squashed(candidate))
        if likeness > score:
            best, score = candidate, likeness
    return best if score >= 0.7 else None


def is_misspelt(word: str, known: str) -> bool:
    """Whether `word` is hardly anything but a slip of the pen for `known`: one letter off, two swapped, or the
    like in a longer word. Stricter than `suggest`, for words that might be somebody's own.
    """
    plain, right = _squashed(word), _squashed(known)
    return word != known and (_one_slip(plain, right) or _likeness(plain, right) >= 0.85)


def _squashed(word: str) -> str:
    return re.sub(r"[\s_.\-]+", "", word).casefold()


def _likeness(word: str, other: str) -> float:
    # with `word` long, as from a file of something else, the comparison would cost more than it can tell
    if word == other:
        return 1.0
    if not word or len(word) > 2 * len(other) + 4:
        return 0.0
    return max(SequenceMatcher(None, word, other, autojunk=False).ratio(), 0.9 if _one_slip(word, other) else 0.0)


def _one_slip(word: str, right: str) -> bool:
    """One letter missing, added or wrong, or two neighbours swapped; in a word of three letters or more."""
    if word == right:
        return True
    if abs(len(word) - len(right)) > 1 or min(len(word), len(right)) < 3:
        return False
    start = next((i for i, (a, b) in enumerate(zip(word, right, strict=False)) if a != b), min(len(word), len(right)))
    rest, wanted = word[start:], right[start:]
    swapped = rest[:2] == wanted[1::-1] and rest[2:] == wanted[2:] and len(wanted) > 1
    return swapped or rest[1:] == wanted[1:] or rest[1:] == wanted or rest == wanted[1:]
