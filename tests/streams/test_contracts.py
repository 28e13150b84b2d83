"""The embedded runtime keeps to the contracts of streams.testing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from schemas.alert import Alert
from schemas.event import Event
from schemas.message import Message, Verdict
from schemas.threshold import ThresholdSet
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store
from streams.testing import BEGIN, RuntimeContract
from streams.testing import Runtime as Contract


class Embedded:
    """A store in a folder with little room in memory, so that persons come and go."""

    def __init__(self, folder: Path, thresholds: ThresholdSet) -> None:
        self._folder = folder
        self._thresholds = thresholds
        self._now = BEGIN
        self._open()

    def _open(self) -> None:
        self._store = Store.open(self._folder)
        self._runtime = Runtime(self._store, self._thresholds, now=self._now, most=3, tail=1)

    def take(self, messages: Sequence[Message], now: int) -> list[Verdict]:
        self._now = now
        return self._runtime.take(messages, now)

    def judge(self, now: int) -> None:
        self._now = now
        self._runtime.apply()
        self._runtime.tick(now)
        self._runtime.flush()

    def events(self) -> list[Event]:
        return [event for taken in self._store.accepted() for event in taken.events]

    def alerts(self) -> list[Alert]:
        return self._store.alerts()

    def transitions(self) -> list[Alert]:
        return [alert for _, _, alert in self._store.transitions(after=0, limit=10_000)]

    def crash(self) -> None:
        self.close()
        self._open()

    def close(self) -> None:
        self._store.close()


class TestEmbedded(RuntimeContract):
    def open_runtime(self, at: Path, thresholds: ThresholdSet) -> Contract:
        return Embedded(at / "store", thresholds)
