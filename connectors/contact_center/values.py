"""Attributes and conditions of a mapping as functions of one tuple: the values of all paths that a message reads.

Each path of a message has its place in that tuple, so a value is looked up once however many lines ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from math import isfinite
from typing import Any, Final

from connectors.contact_center.path import Path
from connectors.contact_center.spec import Attribute, Scalar, Test, fold
from connectors.contact_center.times import quick_instant, read_stamp
from schemas.instant import write_instant

Values = tuple[Any, ...]
Holds = Callable[[Values], bool]
Gives = Callable[[Values], Any]
TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_SCALARS: Final = frozenset((str, int, float, bool))


class Places:
    """Gives each path of a message its place."""

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self._known: dict[Path, int] = {}

    def of(self, path: Path) -> int:
        at = self._known.get(path)
        if at is None:
            at = self._known[path] = len(self.paths)
            self.paths.append(path)
        return at


class Compiler:
    """Makes the functions of one message. `zone` is for times without an offset."""

    def __init__(self, tables: Mapping[str, Mapping[str, Scalar]], zone: tzinfo | None) -> None:
        self.places: Places = Places()
        self._tables: Mapping[str, Mapping[str, Scalar]] = tables
        self._zone: tzinfo | None = zone
        self.derived: Mapping[str, Attribute] = {}
        """The attributes of the event that is made, for conditions that name one."""

    # -- conditions

    def all_of(self, tests: tuple[Test, ...]) -> Holds | None:
        """Whether all hold; None where nothing is asked."""
        made = [self.test(test) for test in tests]
        if not made:
            return None
        holds = made[-1]
        for one in reversed(made[:-1]):
            holds = _both(one, holds)
        return holds

    def test(self, test: Test) -> Holds:
        """Whether one holds."""
        name = test.path.text[1:]
        if test.path.text[:1] == "@" and name in self.derived:
            gives, holds = self.gives(self.derived[name]), self._test_at(0, test)
            return lambda v: holds((gives(v),))
        return self._test_at(self.places.of(test.path), test)

    def _test_at(self, at: int, test: Test) -> Holds:
        if test.asked == "present":
            return lambda v: v[at] is not None and v[at] != "" and v[at] != [] and v[at] != {}
        if test.asked == "absent":
            return lambda v: v[at] is None or v[at] == "" or v[at] == [] or v[at] == {}
        if test.asked == "same_as":
            assert test.other is not None  # noqa: S101 - read with it
            other = self.places.of(test.other)
            return lambda v: v[at] is not None and v[at] == v[other]
        if test.asked in ("above", "below"):
            return _bound(at, test.bound, above=test.asked == "above")
        words = tuple(fold(word) for word in test.words)
        if test.asked == "starts":
            return lambda v: type(v[at]) is str and v[at].casefold().startswith(words)
        if test.asked == "ends":
            return lambda v: type(v[at]) is str and v[at].casefold().endswith(words)
        return _one_of(at, test.words)

    # -- attributes

    def gives(self, attribute: Attribute) -> Gives:
        """What an attribute is: a value, or None where nothing is there."""
        return self._tabled(attribute, self._of_kind(attribute))

    def _of_kind(self, attribute: Attribute) -> Gives:
        if attribute.kind == "value":
            value = attribute.value
            return lambda _: value
        if attribute.kind == "when":
            holds = self.all_of(attribute.tests) or (lambda _: True)
            but = self.all_of(attribute.cases[0][0]) if attribute.cases else None
            return holds if but is None else lambda v: holds(v) and not but(v)
        if attribute.kind == "choose":
            cases = [(self.all_of(tests), self.gives(case)) for tests, case in attribute.cases]
            return _choice(cases)
        if attribute.kind == "between":
            return self._between(*(self.places.of(path) for path in attribute.paths))
        first = self.first(attribute.paths)
        if attribute.kind == "number":
            by = attribute.divide
            return lambda v: _number(first(v), by)
        if attribute.kind == "time":
            return self._time(first)
        if attribute.kind == "flag":
            return lambda v: _flag(first(v))
        last = attribute.last
        if attribute.split is not None:
            letters, number = attribute.split, attribute.part
            return lambda v: _part(first(v), letters, number)
        return first if last is None else lambda v: _last(first(v), last)

    def first(self, paths: tuple[Path, ...]) -> Gives:
        """The first of some paths that holds a single value."""
        places = tuple(self.places.of(path) for path in paths)
        if len(places) == 1:
            [at] = places
            return lambda v: value if type(value := v[at]) in _SCALARS and value != "" else None

        if len(places) == 2:
            one, other = places

            def either(v: Values) -> Any:
                value = v[one]
                if type(value) in _SCALARS and value != "":
                    return value
                value = v[other]
                return value if type(value) in _SCALARS and value != "" else None

            return either

        def found(v: Values) -> Any:
            for one in places:
                value = v[one]
                if type(value) in _SCALARS and value != "":
                    return value
            return None

        return found

    def _tabled(self, attribute: Attribute, gives: Gives) -> Gives:
        if attribute.table is not None:
            table, strict = self._tables.get(attribute.table, {}), attribute.strict

            def told(v: Values) -> Any:
                value = gives(v)
                if value is None:
                    return None
                known = table.get(value) if type(value) is str else None
                if known is None:
                    known = table.get(fold(value))
                return known if known is not None or strict else value

            return told
        if attribute.lower:
            return lambda v: value.lower() if isinstance(value := gives(v), str) else value
        return gives

    def _time(self, first: Gives) -> Gives:
        zone = self._zone

        def told(v: Values) -> str | None:
            value = first(v)
            if value is None:
                return None
            try:
                return write_instant(read_stamp(value, zone)[0])
            except (ValueError, OverflowError):
                return None

        return told

    def _between(self, one: int, other: int) -> Gives:
        zone = self._zone

        def told(v: Values) -> float | None:
            began, ended = v[one], v[other]
            if began is None or ended is None:
                return None
            try:
                if type(began) is str and type(ended) is str and began[23:] == ended[23:] == "Z":
                    micros = quick_instant(ended) - quick_instant(began)
                else:
                    micros = read_stamp(ended, zone)[0] - read_stamp(began, zone)[0]
            except (ValueError, OverflowError):
                return None
            return None if micros < 0 else _whole(micros / 1_000_000)

        return told


def _both(one: Holds, other: Holds) -> Holds:
    return lambda v: one(v) and other(v)


def _choice(cases: list[tuple[Holds | None, Gives]]) -> Gives:
    """The first case that holds and gives something."""

    def chosen(v: Values) -> Any:
        for holds, gives in cases:
            if holds is None or holds(v):
                value = gives(v)
                if value is not None:
                    return value
        return None

    return chosen


def _one_of(at: int, words: tuple[Scalar, ...]) -> Holds:
    exact = frozenset(word for word in words if isinstance(word, str))
    folded = frozenset(fold(word) for word in words if not isinstance(word, bool))
    truths = frozenset(word for word in words if isinstance(word, bool))

    def holds(v: Values) -> bool:
        value = v[at]
        if type(value) is str:
            return value in exact or value.strip().casefold() in folded
        if type(value) is bool:
            return value in truths
        return type(value) in (int, float) and str(value) in folded

    return holds


def _bound(at: int, bound: float, *, above: bool) -> Holds:
    def holds(v: Values) -> bool:
        value = _number(v[at], 1.0)
        return value is not None and (value > bound if above else value < bound)

    return holds


def _number(value: Any, by: float) -> int | float | None:
    if type(value) is str:
        try:
            value = float(value) if len(value) < 20 else None
        except ValueError:
            return None
    if type(value) not in (int, float) or not isfinite(value):
        return None
    return value if type(value) is int and by == 1.0 else _whole(value / by)


def _whole(value: float) -> int | float:
    """A number without a fraction as one, else to the millisecond."""
    rounded = round(value, 3)
    return int(rounded) if rounded == int(rounded) else rounded


def _flag(value: Any) -> bool | None:
    return value if type(value) is bool else TRUTHS.get(fold(value)) if value is not None else None


def _part(value: Any, letters: str, number: int) -> Any:
    if type(value) is not str:
        return None
    parts = value.split(letters)
    return (parts[number - 1] or None) if number <= len(parts) else None


def _last(value: Any, letters: str) -> Any:
    return value.rpartition(letters)[2] or None if type(value) is str else value


def is_copy(attribute: Attribute) -> bool:
    """Whether it is what stands at one path, as it stands there."""
    return len(attribute.paths) == 1 and attribute == Attribute(kind="path", paths=attribute.paths)


def coded_by(attribute: Attribute) -> set[Path] | None:
    """The paths of codes that an attribute follows from, and from nothing else; None where it follows from moments,
    counts, or from whether something is there at all, for then it is hardly ever the same twice."""
    if attribute.kind == "value":
        return set()
    if attribute.kind in ("path", "flag"):
        return set(attribute.paths) if attribute.kind == "flag" or _is_coded(attribute) else None
    if attribute.kind != "choose":
        return None
    found: set[Path] = set()
    for tests, case in attribute.cases:
        below = coded_by(case)
        if below is None or any(
            test.asked not in ("is", "starts", "ends") or test.path.text[:1] == "@" for test in tests
        ):
            return None
        found |= below
        found.update(test.path for test in tests)
    return found


def _is_coded(attribute: Attribute) -> bool:
    return attribute.table is not None or attribute.last is not None or attribute.split is not None or attribute.lower
