"""Packs and single thresholds switched on and off by name, in a site file's `packs:`.

A list names what is on, and all else that is shipped is off; a mapping says of each name whether it is on, and what is
not named stays as it is. A threshold's own name goes before its pack's. Own files are switched by a mapping alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from schemas.declaration import Findings, Items, Leaf, Node, Table, kind_of, suggest
from schemas.threshold import Threshold, ThresholdSet

_WORDS: Final = {"on": True, "true": True, "off": False, "false": False}


def switched(loaded: ThresholdSet, packs: Node | None, shipped: ThresholdSet, findings: Findings) -> ThresholdSet:
    """The thresholds that are on. `shipped` is what comes with the hub: its names are known, loaded or not."""
    if packs is None:
        return loaded
    known = dict.fromkeys(name for t in (*loaded.thresholds, *shipped.thresholds) for name in (t.pack, t.id))
    switches = _read(packs, known, findings)
    rest = {t.id for t in shipped.thresholds} if isinstance(packs, Items) else set()
    return replace(loaded, thresholds=tuple(t for t in loaded.thresholds if _is_on(t, switches, rest)))


def _is_on(threshold: Threshold, switches: dict[str, bool], rest: Collection[str]) -> bool:
    for name in (threshold.id, threshold.pack):
        if name in switches:
            return switches[name]
    return threshold.id not in rest


def _read(packs: Node, known: Collection[str], findings: Findings) -> dict[str, bool]:
    if isinstance(packs, Leaf):
        wanted = "a list of names ([access, results]) or a mapping ({billing: off})"
        findings.error(packs.place, f"`packs` is {wanted}, here is {kind_of(packs)}")
        return {}
    found: dict[str, bool] = {}
    entries = [(e.key, e.node) for e in packs.entries] if isinstance(packs, Table) else [(n, None) for n in packs]
    for name, word in entries:
        if not isinstance(name, Leaf):
            findings.error(name.place, f"`packs` names packs and thresholds, here is {kind_of(name)}")
        elif name.text not in known:
            findings.error(name.place, f"no pack and no threshold is called `{name.text}`", suggest(name.text, known))
        elif word is None:
            found[name.text] = True
        elif isinstance(word, Leaf) and word.text.casefold() in _WORDS:
            found[name.text] = _WORDS[word.text.casefold()]
        else:
            findings.error(word.place, f"`{name.text}` is `on` or `off`")
    return found
