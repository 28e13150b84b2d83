"""The parser's events of a YAML text, by libyaml, which is thirty times as quick as the parser that words mistakes.

Theory. libyaml reads YAML 1.1 and declarations are YAML 1.2; what differs is what values mean, which no event tells,
and some rare forms: other line ends, documents behind one another, `?` keys, empty values (their places), anchors,
aliases and tags, and what is no mapping. A text with any of these, and one with a mistake, is left to the careful
parser; a property test holds the two against each other for the rest.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

_LOADER: Final = getattr(yaml, "CSafeLoader", None)  # a build without libyaml has none
_FIRST: Final = 2  # the place of the first node, behind the beginnings of the stream and the document
_ODD: Final = re.compile(
    r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe]"
    r"|^(?:---|\.\.\.|%)"
    r"|(?:^|[\s,\[\]{}:\"'-])\?(?:$|[\s,\[\]{}])",
    re.MULTILINE,
)


def quick_events(text: str) -> list[Any] | None:
    """The events of a whole text; None where it is for the careful parser to read."""
    if _LOADER is None or _ODD.search(text):
        return None
    found: list[Any] = []
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.NodeEvent) and _is_odd(event, is_first=len(found) == _FIRST):
                return None
            found.append(event)
    except (yaml.YAMLError, ValueError):
        return None
    return found


def _is_odd(event: Any, *, is_first: bool) -> bool:
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None or event.tag is not None:
        return True
    if is_first and not isinstance(event, yaml.MappingStartEvent):
        return True
    return isinstance(event, yaml.ScalarEvent) and not (event.value or event.style)
