"""A mapping as values: tables of codes, groups of attributes, events, and what each trigger gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.mapping.path import Path
from schemas.declaration import Problem

Scalar = str | int | float | bool
Kind = Literal["text", "id", "second", "code", "time", "date", "number", "list", "derive", "value"]


def fold(code: str) -> str:
    """A code as tables and conditions compare it: without case and blanks."""
    return code.upper().replace(" ", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """Where one attribute stands. `paths` are tried in order, the first that holds something counts.

    `second`: the first half of the paths are the placer's, the rest the filler's; the filler's number where the
    placer's is there too. `code`: the value through `table`; with `strict` a code that the table lacks is absent and
    counted, else it stays as sent; `pad` fills digits with leading zeros; `whole` takes a field with its components.
    `derive` names a function. Tables are asked without case and blanks.
    """

    kind: Kind = "text"
    paths: tuple[Path, ...] = ()
    table: str | None = None
    strict: bool = False
    lower: bool = False
    whole: bool = False
    pad: int = 0
    derive: str | None = None
    value: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSpec:
    """`time`: paths in order of preference; behind them stand those of the message's type, unless MSH-7 is among them.
    `own_time`: nothing else will do, the event is left out without one."""

    groups: tuple[str, ...] = ()
    time: tuple[Path, ...] = ()
    own_time: bool = False
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One line of `when`: the value at a path (or a derived attribute), through `table` where one is named, is one
    of `one_of`. None: it is merely there; empty: it is not."""

    path: Path | None
    derive: str | None
    one_of: tuple[str, ...] | None
    table: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An event that a trigger gives: all of `when` hold, and not all of `unless`."""

    event: str
    when: tuple[Test, ...] = ()
    unless: tuple[Test, ...] = ()
    set: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """`each`: MESSAGE as a whole, or once for every group: ORDER, or what begins at the segment of that name."""

    each: str = "MESSAGE"
    events: tuple[Given, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What marks a message as sensitive: the first label whose conditions hold."""

    label: str
    when: tuple[Test, ...] = ()
    unless: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingSpec:
    tables: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, Attribute]] = field(default_factory=dict)
    events: Mapping[str, EventSpec] = field(default_factory=dict)
    messages: Mapping[str, Trigger] = field(default_factory=dict)
    sensitive: tuple[Label, ...] = ()
    off: frozenset[str] = frozenset()
    warnings: tuple[Problem, ...] = ()  # what is probably a mistake and stops nothing
