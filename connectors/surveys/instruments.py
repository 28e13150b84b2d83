"""Survey instruments as data: which questions, on which scale, what the score is, and when an answer is low.

The shipped ones are in the manner of public surveys (HCAHPS, CG-CAHPS) and the net promoter question; their cut-offs
are common practice, not a rule of theirs, and a site sets its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from schemas.declaration import (
    Findings,
    Items,
    Leaf,
    Node,
    Table,
    WrongDeclaration,
    has_errors,
    kind_of,
    read_declaration,
    suggest,
)

_RANGE: Final = re.compile(r"(\d{1,4})-(\d{1,4})")
_KEYS: Final = ("title", "items", "score", "low")
NPS: Final = "nps"


@dataclass(frozen=True, slots=True)
class Scale:
    """Whole numbers from `least` to `most`; `words` say them, from `least` on, where they are said in words."""

    least: int
    most: int
    words: tuple[str, ...] = ()

    def read(self, answer: object) -> int | None:
        """The number of an answer; None for what is not on the scale."""
        if isinstance(answer, str):
            word = " ".join(answer.split()).casefold()
            if word in self.words:
                return self.least + self.words.index(word)
            answer = int(word) if word.isascii() and word.isdecimal() and len(word) < 5 else None
        if isinstance(answer, bool):  # true is no 1: what was asked with yes and no is answered in those words
            return (
                self.words.index("yes" if answer else "no") + self.least if {"yes", "no"} <= set(self.words) else None
            )
        if isinstance(answer, float) and answer.is_integer():
            answer = int(answer)
        return answer if isinstance(answer, int) and self.least <= answer <= self.most else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """`items` by name; `score` names the item that stands for the whole, `low` the highest answer that is low."""

    name: str
    title: str = ""
    items: Mapping[str, Scale] = field(default_factory=dict)
    score: str | None = None
    low: Mapping[str, int] = field(default_factory=dict)

    def attributes(self, answers: Mapping[str, object]) -> tuple[dict[str, Any], list[str]]:
        """What `survey.answered` says of answers, and the names of those that are no items or not on their scale.

        An item that was not answered (null, or an empty text) is absent. `low` is absent where nothing was answered
        that could be."""
        numbers: dict[str, int] = {}
        wrong: list[str] = []
        for name, answer in answers.items():
            if answer is None or answer == "":
                continue
            scale = self.items.get(name)
            number = scale.read(answer) if scale is not None else None
            if number is None:
                wrong.append(name)
            else:
                numbers[name] = number
        told: dict[str, Any] = {"instrument": self.name}
        if numbers:
            told["item"] = numbers
        if self.score in numbers:
            told["score"] = numbers[self.score]
        if NPS in numbers:
            told["nps"] = numbers[NPS]
        judged = self.low.keys() & numbers.keys()
        if judged:
            told["low"] = any(numbers[name] <= self.low[name] for name in judged)
        return told, wrong


def read_instruments(root: Table, over: Mapping[str, Instrument], findings: Findings) -> dict[str, Instrument]:
    """Instruments laid over others, line by line. Problems go to `findings`."""
    found = dict(over)
    node = root.find("instruments")
    for key in root.keys():  # noqa: SIM118 - no mapping
        if key not in ("version", "instruments"):
            findings.error(root.place_of(key), f"`{key}` is no part of surveys", suggest(key, ("instruments",)))
    if node is not None and not isinstance(node, Table):
        findings.error(node.place, f"`instruments` is a mapping of names, here is {kind_of(node)}")
    for entry in node.entries if isinstance(node, Table) else ():
        name = entry.key.text
        if isinstance(entry.node, Table):
            found[name] = _read_instrument(name, entry.node, over.get(name, Instrument(name=name)), findings)
        else:
            findings.error(entry.node.place, f"an instrument is a mapping of {', '.join(_KEYS)}")
    return found


def _read_instrument(name: str, table: Table, before: Instrument, findings: Findings) -> Instrument:
    for entry in table.entries:
        if entry.key.text not in _KEYS:
            findings.error(
                entry.key.place, f"`{entry.key.text}` is no part of an instrument", suggest(entry.key.text, _KEYS)
            )
    items = dict(before.items)
    for item, node in _entries(table, "items", findings):
        scale = _read_scale(node, findings)
        if scale is not None:
            items[item] = scale
    low = dict(before.low)
    for item, node in _entries(table, "low", findings):
        number = items[item].read(node.value) if item in items and isinstance(node, Leaf) else None
        if item not in items:
            findings.error(node.place, f"`low` names no item of {name}: {item}", suggest(item, items))
        elif number is None:
            findings.error(node.place, f"`low` of {item} is an answer on its scale")
        else:
            low[item] = number
    title, score = table.find("title"), table.find("score")
    chosen = score.text if isinstance(score, Leaf) else before.score
    if score is not None and chosen not in items:
        findings.error(score.place, f"`score` names an item of {name}", suggest(str(chosen), items))
    named = title.text if isinstance(title, Leaf) else before.title
    return Instrument(name=name, title=named, items=items, score=chosen, low=low)


def _entries(table: Table, key: str, findings: Findings) -> list[tuple[str, Node]]:
    node = table.find(key)
    if node is None:
        return []
    if not isinstance(node, Table):
        findings.error(node.place, f"`{key}` is a mapping of items, here is {kind_of(node)}")
        return []
    return [(entry.key.text, entry.node) for entry in node.entries]


def _read_scale(node: Node, findings: Findings) -> Scale | None:
    scale = node.find("scale") if isinstance(node, Table) else None
    if isinstance(scale, Leaf) and (found := _RANGE.fullmatch(scale.text.strip())):
        least, most = int(found[1]), int(found[2])
        if least < most:
            return Scale(least, most)
    elif isinstance(scale, Items):
        words = [" ".join(item.text.split()).casefold() for item in scale if isinstance(item, Leaf)]
        if len(words) == len(list(scale)) == len(set(words)) > 1:
            return Scale(1, len(words), tuple(words))
    findings.error(
        node.place if scale is None else scale.place,
        "an item has a scale: 0-10, or a list of words from the worst to the best",
    )
    return None


@lru_cache(maxsize=1)
def shipped_instruments() -> Mapping[str, Instrument]:
    """Those that come with the hub."""
    findings = Findings()
    name = "instruments.yaml"
    root = read_declaration(name, files("connectors.surveys").joinpath(name).read_text(encoding="utf-8"), findings)
    found = read_instruments(root, {}, findings) if root is not None else {}
    if has_errors(findings.listed()):
        raise WrongDeclaration(findings.listed())
    return found
