"""The stage `correlate`: px.events to alerts, a partition at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import astuple

from schemas.threshold import ThresholdSet
from streams.core.alerts import Transition
from streams.distributed.counting import FORMAT, Slice, is_counted, write_slice
from streams.distributed.letters import Letter, write_letter
from streams.distributed.names import ALERTS, COUNTED, DEAD_LETTERS, EVENTS, STATE
from streams.distributed.partition import Partition
from streams.distributed.reading import last_by_key, read_topic
from streams.distributed.stage import Figures
from streams.distributed.transactions import Out, Transactions

_PREFIX: Final = "px-correlate-"
_COUNTED: Final = 2_000  # events of one record of px.counted
WriteAlert = Callable[[Transition], bytes]
"""A change of an alert as it goes onto px.alerts."""


class Correlating:
    """One partition of px.events at work."""

    piece: int = 2_000  # the loop may do something else between two

    def __init__(
        self,
        number: int,
        client: Mapping[str, Any],
        thresholds: ThresholdSet,
        name: str,
        write_alert: WriteAlert,
        *,
        by_event: bool,
        partitions: int,
    ) -> None:
        self.number: int = number
        self._client: Mapping[str, Any] = client
        self._made: tuple[ThresholdSet, str] = (thresholds, name)
        self._by_event: bool = by_event
        self._partitions: int = partitions  # of px.events
        self._write_alert: WriteAlert = write_alert
        self.partition: Partition = self._make()
        self._counts: bool = is_counted(thresholds)
        self._next: int = 0
        self._told: tuple[int, int] = (-1, -1)  # offset and clock of the last slice
        self.alerts: int = 0  # changes of alerts that were said

    @property
    def next(self) -> int:
        return self._next

    def open(self) -> tuple[Correlating, Transactions]:
        """Take the partition from whoever had it, and stand where it stood. Raises TryAgain, NewerFormat and
        OtherThresholds."""
        transactions = Transactions(self._client, f"{_PREFIX}{self.number}")
        transactions.open()
        self.recover()
        return self, transactions

    def _make(self) -> Partition:
        return Partition(*self._made, by_event=self._by_event, partitions=self._partitions)

    def recover(self, apart: tuple[int, bytes] | None = None) -> None:
        """Stand again as what is kept says, without a record on which the engine failed. Raises TryAgain and
        NewerFormat."""
        partition = self._make()
        rows = last_by_key(read_topic(self._client, STATE, self.number))
        position = partition.recover(rows.items())
        behind = read_topic(self._client, EVENTS, self.number, begin=position.tail + 1, end=position.applied + 1)
        if position.applied > position.tail:
            partition.take(behind)
        partition.applied = position.applied
        partition.end_recovery()
        if apart is not None:
            partition.set_apart(*apart)
        self.partition, self._next = partition, position.applied + 1
        self._told = (position.applied, position.clock)

    def isolate(self, offset: int, raw: bytes) -> None:
        self.recover((offset, raw))

    def figures(self) -> Figures:
        partition = self.partition
        clock, waits = max(partition.engine.clock, 0), partition.engine.counts["waits"]
        return Figures(clock, waits, partition.awaited)

    def end(self) -> None:
        """It waits for nothing."""

    async def take(self, records: Sequence[Any], end: int) -> None:
        self.partition.take(records)
        self._next = end

    def collect(self, *, idle: bool) -> list[Out]:
        partition = self.partition
        clock = max(partition.engine.clock, 0)
        changes = partition.take_transitions()
        if not changes and (partition.applied, clock) == self._told and not (idle and partition.is_behind):
            return []
        before, self._told = self._told, (partition.applied, clock)
        self.alerts += len(changes)
        write = self._write_alert
        out = [Out(ALERTS, None, change.alert.id.encode(), write(change)) for change in changes]
        out += [Out(EVENTS, *handed) for handed in partition.handed]
        for reason, place, mend, offset, raw in partition.buried:
            letter = Letter(reason, place, mend, EVENTS, self.number, offset, raw)
            out.append(Out(DEAD_LETTERS, 0, None, write_letter(letter)))
        if self._counts:
            out += self._counted(before, clock)
        out += [Out(STATE, self.number, key, value) for key, value in partition.checkpoint(idle=idle)]
        partition.handed.clear()
        partition.buried.clear()
        partition.counted.clear()
        return out

    def _counted(self, before: tuple[int, int], clock: int) -> Iterator[Out]:
        """What counts, in records that Kafka takes; the last says how far we came, those before where we were."""
        counted = self.partition.counted
        for at in range(0, max(len(counted), 1), _COUNTED):
            some = [(counts, astuple(event)) for counts, event in counted[at : at + _COUNTED]]
            is_last = at + _COUNTED >= len(counted)
            upto, now = (self._next, clock) if is_last else (before[0] + 1, max(before[1], 0))
            yield Out(COUNTED, 0, None, write_slice(Slice(FORMAT, self.number, now, upto, some)))
