"""What a store knows of its declarations, and its engine made again from its log, for who asks about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from hub.declared import Declared
from hub.site import Site, read_site_text
from hub.thresholds import PACKS, check_sources, read_sources
from schemas.alert import Alert
from schemas.errors import StoreFailed, WrongUse
from schemas.threshold import ThresholdSet
from streams.core.engine import Engine
from streams.core.timers import FAR
from streams.embedded.earlier import Kept
from streams.embedded.judging import Judging, Progress
from streams.embedded.lock import is_locked
from streams.embedded.purged import Base
from streams.embedded.reader import Reader
from streams.embedded.runtime import Clock
from streams.embedded.store import Store

Kind = TypeVar("Kind")
_DECLARED = "declared"
_KEPT = "kept"


class Remembered(msgspec.Struct):
    """What a store was served with: threshold files and the site file as texts, the zone, and by which clock and
    whether with messages marked as tests."""

    thresholds: list[tuple[str, str]]
    site: tuple[str, str] | None = None
    timezone: str | None = None
    mapping: str | None = None  # where the site's own mapping stood
    clock: Clock = "log"
    takes_tests: bool = False


class KeptSet(msgspec.Struct):
    """What a store was served with before, and the alerts that end under it."""

    declared: Remembered
    alerts: list[str]


def recall_kept(reader: Reader) -> list[KeptSet]:
    """The earlier sets that still have alerts to end."""
    text = reader.meta(_KEPT)
    return [] if text is None else _read(text, list[KeptSet])


def kept_sets(kept: list[KeptSet]) -> list[Kept]:
    """The same with their thresholds read."""
    return [Kept(thresholds_of(one.declared)[0], frozenset(one.alerts)) for one in kept]


def keep_on(reader: Reader, before: Remembered, *, changed: bool) -> list[KeptSet]:
    """Which alerts end under which earlier set from here on: those that stand breached as they were, and, where the
    thresholds changed, those that stand breached under the set of before."""
    breached = {id_ for (id_,) in reader.rows("SELECT id FROM alert WHERE state = 'breached'")}
    kept = [KeptSet(one.declared, [id_ for id_ in one.alerts if id_ in breached]) for one in recall_kept(reader)]
    if changed:
        own = breached.difference(*(one.alerts for one in kept))
        kept.append(KeptSet(before, sorted(own)))
    return [one for one in kept if one.alerts]


def declarations(
    thresholds: Path | None, site: Path | None, timezone: str | None, mapping: Path | None = None
) -> Remembered:
    """The texts of what was declared; they were read without a mistake before."""
    sources, _ = read_sources([PACKS if thresholds is None else thresholds])
    text = None if site is None else (str(site.resolve()), site.read_text(encoding="utf-8-sig"))
    return Remembered(sources, text, timezone, None if mapping is None else str(mapping.resolve()))


def remember(store: Store, declared: Remembered, kept: list[KeptSet]) -> None:
    """Keep it in the store, for those who ask later."""
    rows = [(_DECLARED, msgspec.json.encode(declared)), (_KEPT, msgspec.json.encode(kept))]
    store.write("INSERT OR REPLACE INTO meta VALUES (?,?)", rows)


def recall(reader: Reader) -> Remembered | None:
    """What the store was served with last; None for a store that was never served."""
    text = reader.meta(_DECLARED)
    return None if text is None else _read(text, Remembered)


def _read(text: bytes, type_: type[Kind]) -> Kind:
    try:
        return msgspec.json.decode(text, type=type_)
    except (msgspec.MsgspecError, TypeError, ValueError) as wrong:
        raise StoreFailed("what the store was served with is damaged; restore a backup") from wrong


def thresholds_of(declared: Remembered) -> tuple[ThresholdSet, Site]:
    """The set that was declared, and the site."""
    site = read_site_text(*declared.site)[0] if declared.site is not None else Site()
    loaded, _ = check_sources(list(declared.thresholds), site, default_zone=declared.timezone)
    return loaded, site


def what_changed(before: ThresholdSet, declared: Declared) -> dict[str, list[str]]:
    """The ids of thresholds that are new, gone, or judge otherwise than before."""
    old = {threshold.id: threshold for threshold in before.thresholds}
    new = {threshold.id: threshold for threshold in declared.thresholds.thresholds}
    return {
        "new": sorted(new.keys() - old.keys()),
        "gone": sorted(old.keys() - new.keys()),
        "changed": sorted(
            id_
            for id_ in new.keys() & old.keys()
            if (new[id_].rule, new[id_].calendar, new[id_].mode) != (old[id_].rule, old[id_].calendar, old[id_].mode)
        ),
    }


class Judged:
    """The engine of a store as it stood at the last commit: with the circles that the file holds, read back when they
    are asked for; or, with `whole`, made again from all of the log."""

    def __init__(self, folder: Path, progress: Progress | None = None, *, whole: bool = False) -> None:
        self.reader: Reader = Reader.open(folder)
        declared = recall(self.reader)
        if declared is None:
            raise WrongUse(f"{folder}: nothing was taken into this store yet")
        self.thresholds, self.site = thresholds_of(declared)
        self.zone: str = declared.timezone or self.site.timezone or "UTC"
        self._by_event: bool = declared.clock == "event"
        kept = kept_sets(recall_kept(self.reader))
        anew = whole or bool(kept)
        self.judging: Judging = Judging(
            self.reader,
            self.thresholds,
            kept,
            known=self.reader.alert,
            shelf=Base(self.reader) if anew else None,
            most=FAR,
        )
        position = self.reader.position()
        self.made: dict[str, Alert] = {}
        if not anew and self.judging.stands(position):
            self.judging.recover(position, progress=progress)
        else:
            self.made = self.judging.judge_all(position, progress)

    @property
    def engine(self) -> Engine:
        """The engine of the thresholds in force."""
        return self.judging.engine

    def now(self, machine: Callable[[], int]) -> int:
        """What time it is in the store, microseconds: while a hub serves it by the log's clock, the machine's, for that
        is written only when there is something to say; else where its clock stood last."""
        if self._by_event or not is_locked(self.reader.folder):
            return self.engine.clock
        return max(self.engine.clock, machine())

    def find_person(self, identifier: str) -> str | None:
        """The id of the person of an identifier or of a former id; None where nobody is known by it."""
        self.judging.admit_name(identifier)
        return self.engine.find_person(identifier)

    def admit_all(self) -> None:
        """Have everybody in memory."""
        self.judging.admit_all(self.judging.shelf.numbers())

    def close(self) -> None:
        self.reader.close()


def judge_log(reader: Reader, thresholds: ThresholdSet) -> Engine:
    """An engine that was told of all of a log, and keeps all of it."""
    engine = Engine(thresholds)
    for taken in reader.accepted(others=bool(engine.silences)):
        if taken.clock:
            engine.advance(taken.clock)
        if taken.events:
            engine.apply_together(taken.events, taken.recorded)
        else:
            engine.hear(taken.source, taken.recorded)
    engine.forget_transitions()
    return engine
