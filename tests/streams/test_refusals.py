"""Errors of Kafka, by what is to be done about them; and what a stage does whose producer is of no use."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from confluent_kafka import KafkaError

from schemas.errors import TryAgain
from streams.distributed.refusals import Fenced, Refused, Spent, told
from streams.distributed.stage import Stage
from streams.distributed.transactions import Out
from tests.streams.test_stage import PLACE, Counting, batch

AGAIN = (
    "_TIMED_OUT", "_TRANSPORT", "_ALL_BROKERS_DOWN", "_MSG_TIMED_OUT", "COORDINATOR_NOT_AVAILABLE", "REQUEST_TIMED_OUT",
    "CONCURRENT_TRANSACTIONS", "NOT_ENOUGH_REPLICAS", "KAFKA_STORAGE_ERROR", "NOT_LEADER_FOR_PARTITION", "UNKNOWN",
)  # fmt: skip
FENCED = ("_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH")
SPENT = ("INVALID_PRODUCER_ID_MAPPING", "OUT_OF_ORDER_SEQUENCE_NUMBER", "INVALID_TXN_STATE", "UNKNOWN_PRODUCER_ID")
REFUSED = {
    "TOPIC_AUTHORIZATION_FAILED": "pxhub topics apply --acl",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": "pxhub topics apply --acl",
    "MSG_SIZE_TOO_LARGE": "max.message.bytes",
    "UNKNOWN_TOPIC_OR_PART": "pxhub topics apply",
    "_UNKNOWN_PARTITION": "pxhub topics remake",
    "INVALID_RECORD": "pxhub topics check",
    "INVALID_TRANSACTION_TIMEOUT": "pxhub topics check",
}


def error(name: str, **more: bool) -> KafkaError:
    return KafkaError(getattr(KafkaError, name), "the words of a patient", **more)


@pytest.mark.parametrize("name", AGAIN)
def test_what_may_be_taken_later_is_tried_again(name: str) -> None:
    assert type(told(error(name), "px.state")) is TryAgain
    assert type(told(error(name, retriable=True), "px.state")) is TryAgain


@pytest.mark.parametrize("name", FENCED)
def test_who_was_fenced_is(name: str) -> None:
    for fatal in (False, True):
        assert type(told(error(name, fatal=fatal), "px.state")) is Fenced


@pytest.mark.parametrize("name", SPENT)
def test_a_producer_of_no_use_is_told_apart(name: str) -> None:
    assert type(told(error(name), "px.state")) is Spent
    assert type(told(error(name, txn_requires_abort=True), "px.state")) is TryAgain  # undone, it goes on
    assert type(told(error("_TRANSPORT", fatal=True), "px.state")) is Spent


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_never_taken_names_topic_and_mend_and_no_value(name: str) -> None:
    for abort in (False, True):
        found = told(error(name, txn_requires_abort=abort), "px.state")
        assert type(found) is Refused
        assert str(found).startswith("px.state: ")
        assert REFUSED[name] in str(found)
        assert "patient" not in str(found)


def test_without_an_error_it_is_tried_again() -> None:
    assert type(told(None, "px.state")) is TryAgain


class Failing:
    """Transactions that fail so, once."""

    def __init__(self, wrong: Exception | None = None) -> None:
        self.wrong: Exception | None = wrong
        self.written: list[Out] = []

    def write(self, records: list[Out]) -> int:
        if self.wrong is not None:
            raise self.wrong
        self.written += records
        return 0

    def close(self) -> None:
        """Nothing is held."""


def worked(first: Failing) -> tuple[list[str], Failing, Stage[Any], list[int]]:
    """What a stage tells, whose first transactions fail; who stood up next, and the offsets from which was read."""
    facts: list[str] = []
    second, made, sought = Failing(), [first], []

    async def main() -> Stage[Any]:
        def opened(_: int) -> tuple[Counting, Failing]:
            if not made:
                made.append(second)
            return Counting(), made.pop()

        stage: Stage[Any] = Stage("t", opened, lambda name, **_: facts.append(name))  # type: ignore[arg-type]

        async def seek(_: Any, offset: int) -> None:
            sought.append(offset)
            if len(sought) > 1:
                await stage.take(PLACE, batch(0, 3), object())

        stage.seek, stage.ack = seek, lambda _: None
        await stage.positions({PLACE}, 1)
        await stage.stands.wait()
        await stage.take(PLACE, batch(0, 3), object())
        await stage.settle()
        for opening in list(stage.opening.values()):
            await opening.task
        await stage.settle()
        return stage

    async def run() -> Stage[Any]:
        stage = await main()
        if stage.failed.done():
            stage.failed.exception()
        return stage

    return facts, second, asyncio.run(run()), sought


def test_a_partition_whose_producer_is_spent_is_stood_up_anew() -> None:
    facts, second, stage, sought = worked(Failing(Spent("of no use")))
    assert facts == ["partition.opened", "partition.anew", "partition.opened"]
    assert (len(second.written), sought, stage.failed.done()) == (1, [0, 0], False)


def test_what_is_refused_ends_the_worker() -> None:
    facts, second, stage, _ = worked(Failing(Refused("px.state: mend it")))
    assert facts == ["partition.opened"]
    assert (second.written, stage.failed.done()) == ([], True)
