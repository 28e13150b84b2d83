"""A decoder of the fields that a mapping reads and of no others, and what stands at its plain paths in one look.

Theory. To build a dict of all that a vendor sends costs more than all the rest. So the plain paths of a mapping become
nested msgspec structs, whose fields may hold anything: what nobody reads is passed by without being made, and
`operator.attrgetter` fetches all paths of a message in one call. A part that is null where an object was expected is
walked with care; a part of another type makes the decoder refuse, and the body is then read as dicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final

import msgspec

from connectors.contact_center.path import Path

Tree = dict[str, "Tree"]
Fetch = Callable[[Any], tuple[Any, ...]]
_NONE: Final[tuple[Any, ...]] = ()


class Shape:
    """The struct of some plain paths. `decode` raises what msgspec raises."""

    def __init__(self, paths: Iterable[Path]) -> None:
        tree: Tree = {}
        for path in paths:
            at = tree
            for name in path.names:
                at = at.setdefault(name, {})
        self._fields: dict[tuple[str, ...], str] = {}
        type_ = self._struct(tree, ())
        self.decode: Callable[[bytes], Any] = msgspec.json.Decoder(type_).decode
        self.encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode

    def _struct(self, tree: Tree, above: tuple[str, ...]) -> type[msgspec.Struct]:
        fields: list[tuple[str, Any, Any]] = []
        names: dict[str, str] = {}
        for number, (name, below) in enumerate(tree.items()):
            field = f"f{number}"
            names[field] = name
            self._fields[*above, name] = field
            if below:
                inner = self._struct(below, (*above, name))
                fields.append((field, inner | None, msgspec.field(default_factory=inner)))
            else:
                fields.append((field, Any, None))
        return msgspec.defstruct("Shape", fields, rename=names, gc=False, omit_defaults=True)

    def fetch(self, paths: tuple[Path, ...]) -> Fetch:
        """What stands at these paths of a decoded body."""
        walks = tuple(tuple(self._field(path.names, depth) for depth in range(len(path.names))) for path in paths)
        if not walks:
            return lambda _: _NONE
        careful = _careful(walks)
        if len(walks) == 1:
            return careful
        quick = attrgetter(*(".".join(walk) for walk in walks))

        def fetched(body: Any) -> tuple[Any, ...]:
            try:
                values: tuple[Any, ...] = quick(body)
            except AttributeError:  # null where an object might stand
                return careful(body)
            return values

        return fetched

    def _field(self, names: tuple[str, ...], depth: int) -> str:
        return self._fields[names[: depth + 1]]


def _careful(walks: tuple[tuple[str, ...], ...]) -> Fetch:
    def fetched(body: Any) -> tuple[Any, ...]:
        found: list[Any] = []
        for walk in walks:
            at = body
            for field in walk:
                at = getattr(at, field, None)
                if at is None:
                    break
            found.append(at)
        return tuple(found)

    return fetched


def is_nested(paths: Iterable[Path]) -> bool:
    """Whether one path ends where another goes on: such paths are read from dicts."""
    names = {path.names for path in paths}
    return any(one[:length] in names for one in names for length in range(1, len(one)))
