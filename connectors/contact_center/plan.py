"""A mapping made quick: each shape of body with the paths it reads, and its events by the kind that they hang on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from operator import itemgetter
from typing import Any, Final

from connectors.contact_center.path import WORDS, Find, Path, finder
from connectors.contact_center.shape import Fetch, Shape, is_nested
from connectors.contact_center.spec import Attribute, Given, HookMapping, Identifier, MessageSpec, Scalar, Test
from connectors.contact_center.spoken import COMMENT
from connectors.contact_center.survey import SurveyPlan
from connectors.contact_center.values import Compiler, Gives, Holds, Values, coded_by, is_copy
from connectors.surveys.instruments import Instrument, shipped_instruments

_KINDS_KEPT: Final = 1024
_CODES_KEPT: Final = 8192
_ITEM, _BODY, _BESIDE = 0, 1, 2  # where a path is looked up


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a source says of itself. `identifiers` and `attributes` are by message, for their roots differ."""

    instance: str | None = None
    contact_ids: str | None = None  # the system that its contacts are counted in, where it is not its own
    facility: str | None = None
    zone: tzinfo | None = None
    choices: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)
    identifiers: Mapping[str, tuple[Identifier, ...]] = field(default_factory=dict)
    attributes: Mapping[str, Mapping[str, Attribute]] = field(default_factory=dict)
    instruments: Mapping[str, Instrument] = field(default_factory=shipped_instruments)


USUAL: Final = Options()


class EventPlan:
    """One event: `holds` beyond the kind it hangs on, the places of its time, its attributes.

    `copies` are attributes that stand at one path as they are; `texts` are numbers of things, which are compared as
    texts. `others` need a function. What follows from codes alone (channel, direction, queue, agent) is the same for
    many messages: it is remembered by the values at `codes`, and what an event begins with is a copy of that."""

    __slots__ = ("_coded", "_known", "codes", "copies", "holds", "id", "others", "suffix", "texts", "times", "type")

    def __init__(
        self, given: Given, compiler: Compiler, holds: Holds | None, time: tuple[Path, ...],
        attributes: Mapping[str, Attribute],
    ) -> None:  # fmt: skip
        self.type: str = given.event
        self.suffix: str = f"/{given.event}"
        self.holds: Holds | None = holds
        self.id: Gives | None = compiler.first(given.event_id) if given.event_id else None
        self.times: tuple[int, ...] = tuple(compiler.places.of(path) for path in time)
        copies: list[tuple[str, int]] = []
        coded: list[tuple[str, Gives]] = []
        others: list[tuple[str, Gives]] = []
        texts: list[tuple[str, Gives]] = []
        codes: dict[int, None] = {}
        for name, attribute in attributes.items():
            if name.endswith("_id"):
                texts.append((name, compiler.gives(attribute)))
            elif is_copy(attribute):
                copies.append((name, compiler.places.of(attribute.paths[0])))
            elif (paths := coded_by(attribute)) is not None:
                codes.update(dict.fromkeys(compiler.places.of(path) for path in paths))
                coded.append((name, compiler.gives(attribute)))
            else:
                others.append((name, compiler.gives(attribute)))
        self.copies: tuple[tuple[str, int], ...] = tuple(copies)
        self.texts: tuple[tuple[str, Gives], ...] = tuple(texts)
        self.others: tuple[tuple[str, Gives], ...] = tuple(others)
        self.codes: Callable[[Values], Any] = itemgetter(*codes) if codes else _nothing
        self._coded: tuple[tuple[str, Gives], ...] = tuple(coded)
        self._known: dict[Any, dict[str, Any]] = {}

    def begin(self, values: Values) -> dict[str, Any]:
        """The attributes that follow from codes; the caller's to add to."""
        codes = self.codes(values)
        try:
            known = self._known.get(codes)
        except TypeError:  # an object where a code belongs
            return self._of_codes(values)
        if known is None:
            known = self._of_codes(values)
            if len(self._known) >= _CODES_KEPT:
                self._known.clear()
            self._known[codes] = known
        return known.copy()

    def _of_codes(self, values: Values) -> dict[str, Any]:
        found = ((name, gives(values)) for name, gives in self._coded)
        return {name: value for name, value in found if value is not None and value != ""}


def _nothing(_: Values) -> None:
    return None


_Group = tuple[int, tuple[str, ...], tuple[tuple[int, str], ...]]
"""Where to begin, the names that lead to an object, and the places of what stands in it by its names."""


class MessagePlan:
    """One shape of body."""

    def __init__(self, spec: MessageSpec, mapping: HookMapping, options: Options) -> None:
        tables = {name: {**mapping.tables.get(name, {}), **options.tables.get(name, {})}
                  for name in {*mapping.tables, *options.tables}}  # fmt: skip
        compiler = Compiler(tables, options.zone)
        self.name: str = spec.name
        self.spec: MessageSpec = spec
        self.survey: SurveyPlan | None = (
            SurveyPlan(spec.survey, compiler, tables, options.instruments) if spec.survey is not None else None
        )
        of_dicts = Compiler({}, None)
        self.recognised: Holds = of_dicts.all_of(spec.recognise) or _never
        self.recognised_by: tuple[Path, ...] = tuple(of_dicts.places.paths)
        self._recognised_at: tuple[Find, ...] = tuple(map(finder, self.recognised_by))
        places = compiler.places
        self.ids: tuple[int, ...] = tuple(places.of(path) for path in spec.id)
        self.needs: tuple[tuple[int, str], ...] = tuple((places.of(path), path.text) for path in spec.needs)
        self.instance: Gives | None = compiler.gives(spec.instance) if spec.instance is not None else None
        self.instance_at: int | None = (
            places.of(spec.instance.paths[0]) if spec.instance is not None and spec.instance.paths else None
        )
        self.kind: int | None = places.of(spec.kind) if spec.kind is not None else None
        self.each: Find | None = finder(spec.each) if spec.each is not None else None
        identifiers = (*options.identifiers.get(spec.name, ()), *spec.identifiers)
        self.identifiers: tuple[tuple[Gives, str], ...] = tuple(
            (compiler.first(one.paths), f"^{one.authority}" if one.authority else "") for one in identifiers
        )
        over = {**spec.attributes, **options.attributes.get(spec.name, {})}
        if spec.words:
            over[COMMENT] = Attribute(kind="path", paths=(Path(COMMENT, (COMMENT,)),))
        chosen = [given for given in spec.events if _is_chosen(given, mapping, options)]
        path = _kind_path(chosen)
        self._by_kind: int | None = places.of(path) if path is not None else None
        self._events: list[tuple[Holds | None, EventPlan]] = []
        for given in chosen:
            attributes: Mapping[str, Attribute] = {**given.attributes, **over}
            compiler.derived = attributes
            on = next((test for test in given.when if test.path == path and test.asked == "is"), None)
            holds = _both(compiler, tuple(test for test in given.when if test is not on), given.unless)
            plan = EventPlan(given, compiler, holds, given.time or spec.time, attributes)
            self._events.append((compiler.test(on) if on is not None else None, plan))
        self.ignore: tuple[tuple[Holds | None, str], ...] = tuple(
            (compiler.all_of(one.when), one.reason) for one in spec.ignore
        )
        self._met: dict[Any, tuple[EventPlan, ...]] = {}
        self.paths: tuple[Path, ...] = tuple(places.paths)
        self._groups, self._others = self._by_parent()

    @property
    def is_plain(self) -> bool:
        """Whether all of it can be read from a struct."""
        return (
            self.each is None
            and not self.spec.words
            and self.survey is None
            and all(path.names and path.text not in WORDS for path in self.paths)
        )

    def _where(self, path: Path) -> int:
        return _BESIDE if path.text in WORDS else _BODY if path.from_top or self.each is None else _ITEM

    def is_like(self, body: Any) -> bool:
        """Whether a body of dicts is this message."""
        return self.recognised(tuple(find(body) for find in self._recognised_at))

    def _by_parent(self) -> tuple[tuple[_Group, ...], tuple[tuple[int, Find, int], ...]]:
        """Plain paths by what they stand in, so that each object is walked to once; and all others."""
        leaves: dict[tuple[int, tuple[str, ...]], list[tuple[int, str]]] = {}
        others: list[tuple[int, Find, int]] = []
        for at, path in enumerate(self.paths):
            where = self._where(path)
            if path.names:
                leaves.setdefault((where, path.names[:-1]), []).append((at, path.names[-1]))
            else:
                others.append((where, finder(path), at))
        return tuple((*parent, tuple(names)) for parent, names in leaves.items()), tuple(others)

    def of_dicts(self, item: Any, body: Any, beside: dict[str, str | None]) -> Values:
        """The values of all paths: in the item, in the body around it, and beside it."""
        around = (item, body, beside)
        values: list[Any] = [None] * len(self.paths)
        for where, parent, leaves in self._groups:
            at: Any = around[where]
            for name in parent:
                if type(at) is not dict:
                    break
                at = at.get(name)
            if type(at) is dict:
                for place, name in leaves:
                    values[place] = at.get(name)
        for where, find, place in self._others:
            values[place] = find(around[where])
        return tuple(values)

    def events(self, values: Values) -> tuple[EventPlan, ...]:
        """The events that hang on this kind; whether they come is still to be asked of each."""
        if self._by_kind is None:
            kind: Any = None
        else:
            kind = values[self._by_kind]
            if type(kind) is not str:
                kind = None if kind is None or isinstance(kind, list | dict) else (kind, type(kind))
        known = self._met.get(kind)
        if known is None:
            known = tuple(plan for on, plan in self._events if on is None or on(values))
            if len(self._met) < _KINDS_KEPT:
                self._met[kind] = known
        return known


class Quick:
    """How a message is told and read by a struct of its own. `hints` are bytes that every such body holds, so that most
    bodies of other messages are not decoded for it; `shape` is None where it takes dicts."""

    __slots__ = ("fetch", "hints", "message", "seen", "shape")

    def __init__(self, spec: MessageSpec, message: MessagePlan) -> None:
        self.message: MessagePlan = message
        self.hints: tuple[bytes, ...] = tuple(hint for test in spec.recognise if (hint := _hint(test)))
        paths = [*message.recognised_by, *message.paths]
        told = all(path.names for path in message.recognised_by)
        self.shape: Shape | None = Shape(paths) if told and message.is_plain and not is_nested(paths) else None
        nothing: Fetch = lambda _: ()  # noqa: E731 - what is never called
        self.seen: Fetch = self.shape.fetch(message.recognised_by) if self.shape is not None else nothing
        self.fetch: Fetch = self.shape.fetch(message.paths) if self.shape is not None else nothing


def _hint(test: Test) -> bytes:
    """Bytes that stand in every body for which a test holds, as JSON is written without needless escapes."""
    if test.asked not in ("is", "present", "starts", "ends", "same_as") or not test.path.names:
        return b""
    name = test.path.names[-1]
    return f'"{name}"'.encode() if name.isascii() and name.isprintable() and not {'"', "\\"} & set(name) else b""


class Plan:
    """All shapes of a mapping, for one source."""

    def __init__(self, mapping: HookMapping, options: Options = USUAL) -> None:
        self.mapping: HookMapping = mapping
        self.options: Options = options
        self.messages: tuple[MessagePlan, ...] = tuple(MessagePlan(m, mapping, options) for m in mapping.messages)
        self.quick: tuple[Quick, ...] = () if mapping.embedded else tuple(map(Quick, mapping.messages, self.messages))
        """The way to read a body without making dicts of it; none where texts hold JSON themselves."""

    def find(self, body: Any) -> MessagePlan | None:
        """Which message a body of dicts is."""
        return next((message for message in self.messages if message.is_like(body)), None)


def _never(_: Values) -> bool:
    return False


def _is_chosen(given: Given, mapping: HookMapping, options: Options) -> bool:
    if given.choice is None:
        return True
    name, word = given.choice
    return options.choices.get(name, mapping.choices[name][0]) == word


def _kind_path(events: list[Given]) -> Path | None:
    """The path that most events hang on."""
    counts: dict[Path, int] = {}
    for given in events:
        for test in given.when:
            if test.asked == "is":
                counts[test.path] = counts.get(test.path, 0) + 1
    return max(counts, key=lambda path: counts[path], default=None)


def _both(compiler: Compiler, when: tuple[Test, ...], unless: tuple[Test, ...]) -> Holds | None:
    holds, but = compiler.all_of(when), compiler.all_of(unless)
    if but is None:
        return holds
    if holds is None:
        return lambda v: not but(v)
    return lambda v: holds(v) and not but(v)


def of_site(options: Options, zone: tzinfo | None, instruments: Mapping[str, Instrument]) -> Options:
    """The same with the site's zone where it names none, and the site's surveys."""
    return replace(options, zone=options.zone or zone, instruments=instruments)
