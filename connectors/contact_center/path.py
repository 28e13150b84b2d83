"""Paths into a body: JMESPath. Plain names joined by dots are told apart, for they need no interpreter.

`detail.queueInfo.queueArn`, `"a name"` (quoted where it has more than letters, digits, `_` and `-`),
`participants[?purpose=='acd'] | [0].queueId`. `$.time` begins at the top of the body where the message has a `root`.
Two words stand for what no body holds: `@received`, when the hub took it, and `@delivery`, the id that the delivery's
header gave. In a condition, `@queue_seconds` is that attribute of the same event.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError

_NAME: Final = re.compile(r'"((?:[^"\\]|\\.)+)"|([A-Za-z_][A-Za-z0-9_-]*)')
RECEIVED: Final = "@received"
DELIVERY: Final = "@delivery"
WORDS: Final = (RECEIVED, DELIVERY)
_DERIVED: Final = re.compile(r"@[a-z][a-z_]*\Z")
Find = Callable[[Any], Any]
"""A decoded body to what stands at a path; None where nothing does."""


@dataclass(frozen=True, slots=True)
class Path:
    """`names` of a plain path, empty for an expression; `from_top`: the root of the message does not apply."""

    text: str
    names: tuple[str, ...] = ()
    from_top: bool = False

    def below(self, root: tuple[str, ...]) -> Path:
        """The path as it is counted from the top of a body whose message begins at `root`."""
        if not root or self.from_top or self.text[:1] == "@":
            return self
        if self.names:
            return Path(self.text, root + self.names, from_top=True)
        before = ".".join(f'"{name}"' for name in root)
        return Path(f"{before} | {self.text}", (), from_top=True)


def read_path(text: str) -> Path:
    """Raises ValueError, which says what is wrong with it."""
    text = text.strip()
    if _DERIVED.match(text):
        return Path(text, (text,), from_top=True)
    from_top = text.startswith("$.")
    plain = text[2:] if from_top else text
    names = _names(plain)
    if names is None:
        try:
            jmespath.compile(plain)
        except JMESPathError as wrong:
            raise ValueError(f"this is no JMESPath: {' '.join(str(wrong).split())[:120]}") from None
    return Path(plain, names or (), from_top)


def _names(text: str) -> tuple[str, ...] | None:
    """The names of a plain path; None for any other expression."""
    names: list[str] = []
    at = 0
    while True:
        found = _NAME.match(text, at)
        if found is None:
            return None
        names.append(found[1] if found[1] is not None else found[2])
        at = found.end()
        if at == len(text):
            return tuple(names)
        if text[at] != ".":
            return None
        at += 1


def finder(path: Path) -> Find:
    """Looks a path up in a decoded body of dicts and lists."""
    names = path.names
    if not names:
        search = jmespath.compile(path.text).search

        def sought(body: Any) -> Any:
            try:
                return search(body)
            except JMESPathError:  # a function that was given another type than it takes
                return None

        return sought
    if len(names) == 1:
        [name] = names
        return lambda body: body.get(name) if type(body) is dict else None

    def walked(body: Any) -> Any:
        for one in names:
            if type(body) is not dict:
                return None
            body = body.get(one)
        return body

    return walked
