"""Single values of a declaration, read from their nodes: names, numbers, durations, one of several words.

Each reader gives the value, or None after it has said to the findings what is wrong and where.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Final, TypeVar

from schemas.declaration import Entry, Findings, Items, Leaf, Node, Table, kind_of, suggest
from schemas.duration import BUSINESS, Duration
from schemas.duration_text import WrongDuration, read_duration

_NAME: Final = re.compile(r"[^\W\d][\w\-]*(\.[\w\-]+)*")
_NUMBER: Final = re.compile(r"[-+]?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})([eE][-+]?[0-9]{1,2})?")

Word = TypeVar("Word", bound=str)


def as_leaf(node: Node, key: str, findings: Findings) -> Leaf | None:
    """A single value that is there."""
    if not isinstance(node, Leaf):
        findings.error(node.place, f"`{key}` is a single value, here is {kind_of(node)}")
        return None
    if node.value is None:
        findings.error(node.place, f"`{key}` has no value")
        return None
    return node


def as_table(node: Node, key: str, findings: Findings) -> Table | None:
    if isinstance(node, Table):
        return node
    findings.error(node.place, f"`{key}` needs a mapping, here is {kind_of(node)}")
    return None


def read_text(node: Node, key: str, findings: Findings) -> str | None:
    leaf = as_leaf(node, key, findings)
    if leaf is None:
        return None
    if not leaf.text.strip():
        findings.error(leaf.place, f"`{key}` has no value")
        return None
    return leaf.text.strip()


def read_name(node: Node, key: str, findings: Findings) -> str | None:
    """The name of an attribute, dotted where it reaches into one."""
    text = read_text(node, key, findings)
    if text is not None and not _NAME.fullmatch(text):
        findings.error(node.place, f"`{key}` names an attribute: letters, digits, `_`, `-`, and dots between")
        return None
    return text


def read_names(node: Node, key: str, findings: Findings) -> tuple[str, ...] | None:
    """One name or a list of different names, at least one."""
    if not isinstance(node, Items):
        name = read_name(node, key, findings)
        return None if name is None else (name,)
    if not node.nodes:
        findings.error(node.place, f"`{key}` is an empty list")
        return None
    names = [read_name(item, key, findings) for item in node]
    for n, (name, item) in enumerate(zip(names, node, strict=True)):
        if name is not None and name in names[:n]:
            findings.error(item.place, f"`{name}` stands twice in `{key}`")
    read = tuple(dict.fromkeys(name for name in names if name is not None))
    return read if None not in names else None


def read_choice(node: Node, key: str, words: Iterable[Word], findings: Findings) -> Word | None:
    text = read_text(node, key, findings)
    if text is None:
        return None
    known = tuple(words)
    for word in known:
        if word == text:
            return word
    findings.error(node.place, f"`{key}` is one of {', '.join(known)}", suggest(text, known))
    return None


def read_flag(node: Node, key: str, findings: Findings) -> bool | None:
    leaf = as_leaf(node, key, findings)
    if leaf is None:
        return None
    if isinstance(leaf.value, bool):
        return leaf.value
    meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(leaf.text.casefold())
    findings.error(leaf.place, f"`{key}` is true or false", meant or suggest(leaf.text, ("true", "false")))
    return None


def read_whole(node: Node, key: str, least: int, findings: Findings) -> int | None:
    """A whole number of at least `least`."""
    leaf = as_leaf(node, key, findings)
    if leaf is None:
        return None
    if isinstance(leaf.value, bool) or not isinstance(leaf.value, int):
        findings.error(leaf.place, f"`{key}` is a whole number")
        return None
    if leaf.value < least:
        findings.error(leaf.place, f"`{key}` is at least {least}")
        return None
    return leaf.value


def exact_number(text: str) -> Fraction | None:
    """The number that a text writes, exactly; None where it writes none."""
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def exact_share(text: str) -> Fraction | None:
    """`5%` or `2.5 %` as a share of one; None where it is no percentage."""
    number = text.strip()
    if not number.endswith("%"):
        return None
    value = exact_number(number[:-1].strip())
    return None if value is None else value / 100


def read_number(node: Node, key: str, findings: Findings) -> Fraction | None:
    leaf = as_leaf(node, key, findings)
    if leaf is None:
        return None
    number = exact_number(leaf.text)
    if number is None:
        share = exact_share(leaf.text)
        told = "a percentage is for a rate" if share is not None else "a number is expected"
        findings.error(leaf.place, f"`{key}`: {told}", leaf.text.strip(" %") if share is not None else None)
    return number


def read_share(node: Node, key: str, findings: Findings) -> Fraction | None:
    """A share of one: `5%`, or `0.05`."""
    leaf = as_leaf(node, key, findings)
    if leaf is None:
        return None
    share = exact_share(leaf.text)
    number = exact_number(leaf.text)
    if share is None and number is not None and number > 1:
        findings.error(leaf.place, f"`{key}` is a share: write it with a percent sign", f"{leaf.text}%")
        return None
    value = number if share is None else share
    if value is None:
        findings.error(leaf.place, f"`{key}` is a percentage")
    elif not 0 <= value <= 1:
        findings.error(leaf.place, f"`{key}` lies between 0% and 100%")
        return None
    return value


def read_span(node: Node, key: str, findings: Findings, *, least: int = 1) -> Duration | None:
    """Any duration."""
    leaf = as_leaf(node, key, findings)
    if leaf is None:
        return None
    try:
        return read_duration(leaf.text, least=least)
    except WrongDuration as wrong:
        findings.error(leaf.place, f"`{key}`: {wrong}", wrong.suggestion)
        return None


def read_exact_span(node: Node, key: str, findings: Findings) -> Duration | None:
    """A duration that needs no calendar."""
    duration = read_span(node, key, findings)
    if duration is not None and duration.unit in BUSINESS:
        findings.error(node.place, f"`{key}` is an elapsed time: s, m, h, days or weeks")
        return None
    return duration


def check_keys(table: Table, known: Iterable[str], of: str, findings: Findings) -> Table:
    """Say which keys of a table nobody knows. The table comes back with the keys that they likely mean."""
    words = tuple(known)
    for entry in table.entries:
        if entry.key.text not in words:
            near = suggest(entry.key.text, words)
            findings.error(entry.key.place, f"`{entry.key.text}` is no key of {of}", near)
    return mended(table, words)


def mended(table: Table, known: Collection[str]) -> Table:
    """Misspelt keys as the ones they likely mean, where those are not there: one slip is to be one error, and what
    stands behind it is read on.
    """
    lines = {entry.key.text: entry for entry in table.entries}
    if lines.keys() >= set(known):
        return table  # nothing is left that a slip could mean
    for entry in table.entries:
        near = suggest(entry.key.text, known) if entry.key.text not in known else None
        if near is not None and near not in lines:
            del lines[entry.key.text]
            lines[near] = Entry(replace(entry.key, text=near), entry.node)
    return Table(table.place, tuple(lines.values()))
