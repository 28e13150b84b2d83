"""What counts as standing still, and what does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from faust.types import TP

from schemas.errors import TryAgain
from streams.distributed.stage import Figures, Held, Opening, Stage
from streams.distributed.transactions import Out, Transactions
from streams.distributed.watchdog import Stuck, Watchdog

ONE, TWO = TP("px.events", 0), TP("px.events", 1)


class Still:
    """Work that takes nothing."""

    def __init__(self) -> None:
        self.next: int = 7
        self.pauses: bool = False

    async def take(self, records: Sequence[Any], end: int) -> None:
        """It takes nothing."""

    def isolate(self, offset: int, raw: bytes) -> None:
        """It has nothing."""

    def collect(self, *, idle: bool) -> list[Out]:
        del idle
        return []

    def figures(self) -> Figures:
        return Figures(pauses=self.pauses)

    def end(self) -> None:
        """It waits for nothing."""


def _none(_: int) -> tuple[Still, Transactions]:
    raise AssertionError


def looked(
    change: Callable[[Stage[Still], Watchdog, list[int]], None] | None = None,
    *,
    until: int = 200,
    rebalancing: bool = False,
    step: int = 10,
) -> tuple[int, Stuck] | None:
    """Look each `step` seconds at a stage with a partition at which a record waits; when it was stuck. `change` may
    spoil the picture at each look."""

    async def run() -> tuple[int, Stuck] | None:
        stage: Stage[Still] = Stage("px.events", _none, lambda *_, **__: None)
        seen: list[int] = []

        def has_more(_: TP, offset: int) -> bool:
            seen.append(offset)
            if seen[-1] == 99:
                raise TryAgain("no broker answers")
            return True

        dog = Watchdog(stage, has_more, 40)
        stage.assigned = frozenset((ONE,))
        stage.held[ONE] = Held(ONE, Still(), None, 0)  # type: ignore[arg-type]  # nothing is written here
        for now in range(0, until, step):
            if change is not None:
                change(stage, dog, seen)
            stuck = dog.look(float(now), rebalancing=rebalancing)
            if stuck is not None:
                return now, stuck
        return None

    return asyncio.run(run())


def test_a_partition_at_which_records_wait_and_that_does_not_move_is_stuck() -> None:
    assert looked() == (50, Stuck(ONE, 7, "records wait and none is taken"))


def test_a_partition_that_moves_is_not() -> None:
    def move(stage: Stage[Still], _: Watchdog, __: list[int]) -> None:
        stage.held[ONE].work.next += 1

    assert looked(move) is None


def test_a_partition_that_nobody_holds_is_stuck() -> None:
    def fence(stage: Stage[Still], _: Watchdog, __: list[int]) -> None:
        stage.held.pop(ONE, None)

    found = looked(fence)
    assert found is not None
    assert found[1] == Stuck(ONE, -1, "nobody here holds it")


def test_what_is_stood_up_is_not() -> None:
    def reopen(stage: Stage[Still], _: Watchdog, __: list[int]) -> None:
        stage.held.pop(ONE, None)
        stage.opening[ONE] = Opening(0)

    assert looked(reopen) is None


def test_what_waits_for_a_service_that_is_away_is_not() -> None:
    def pause(stage: Stage[Still], _: Watchdog, __: list[int]) -> None:
        stage.held[ONE].work.pauses = True

    assert looked(pause) is None

    def refuse(stage: Stage[Still], _: Watchdog, __: list[int]) -> None:
        stage.held[ONE].pauses = True

    assert looked(refuse) is None


def test_no_broker_is_no_proof() -> None:
    def away(stage: Stage[Still], _: Watchdog, __: list[int]) -> None:
        stage.held[ONE].work.next = 99

    assert looked(away) is None


def test_a_rebalance_may_take_a_minute_more() -> None:
    found = looked(rebalancing=True)
    assert found is not None
    assert found[0] == 110


def test_a_process_that_stood_still_itself_proves_nothing() -> None:
    assert looked(step=30) is None


def test_what_is_no_longer_ours_is_forgotten() -> None:
    def revoke(stage: Stage[Still], _: Watchdog, __: list[int]) -> None:
        stage.assigned = frozenset()
        stage.held.clear()

    assert looked(revoke) is None
