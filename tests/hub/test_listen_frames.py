"""What is in a frame, and what the hub cannot keep of a batch: each message is answered for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.hl7.mllp import cut_messages
from hub.serve.intake import Intake, Stopped
from hub.serve.reading import LiveReader
from hub.serve.service import machine_time
from schemas.event import Event
from schemas.message import Message, Outcome
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store
from tests.hub.mllp_hub import Hub, adt, dead, hub, thresholds


def run(folder: Path, story: Callable[[Hub], Awaitable[None]], **settings: Any) -> None:
    async def told() -> None:
        async with asyncio.timeout(60), hub(folder, **settings) as standing:
            await story(standing)

    asyncio.run(told())


BATCH = b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + adt("1") + dead("2") + adt("3") + b"BTS|3\rFTS|1\r"


@pytest.mark.parametrize(
    "frame", [adt("1") + dead("2") + adt("3"), BATCH, BATCH.replace(b"\r", b"\r\n")], ids=["bare", "batch", "crlf"]
)
def test_several_messages_in_a_frame_are_taken_and_answered_each(tmp_path: Path, frame: bytes) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender()
        await sender.send(frame, adt("4"))
        assert await sender.answers(4) == [("AA", "1"), ("AE", "2"), ("AA", "3"), ("AA", "4")]
        assert hub.outcomes() == [("1", "accepted"), ("2", "dead"), ("3", "accepted"), ("4", "accepted")]
        assert hub.listener.frames == 2
        assert hub.listener.held == 0

    run(tmp_path, story)


def test_more_messages_in_a_frame_than_go_to_the_intake_at_once(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender()
        await sender.send(b"".join(adt(str(n)) for n in range(1000)))
        assert await sender.answers(1000) == [("AA", str(n)) for n in range(1000)]

    run(tmp_path, story)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"no HL7",
        b"FHS|^~\\&|A\rBHS|^~\\&|A\rBTS|0\rFTS|1\r",
        b"lost\r" + adt("1") + adt("2"),
        adt("1"),
        adt("1") + b"NTE|1||a MSH in a text\r",
        b"\n" + adt("1"),
    ],
)
def test_what_is_one_message_or_none_stays_as_it_came(frame: bytes) -> None:
    assert cut_messages(frame) == [frame]


def test_one_message_of_a_batch_is_cut_out_of_it() -> None:
    assert cut_messages(b"BHS|^~\\&|A\r" + adt("1") + b"BTS|1\r") == [adt("1").rstrip(b"\r")]


def test_an_answer_of_refusal_is_given_once_and_is_no_failure(tmp_path: Path) -> None:
    told: list[str] = []

    async def story(hub: Hub) -> None:
        hub.listener.tell = lambda fact, **_: told.append(fact)
        for _ in range(3):
            sender = await hub.sender()
            await sender.send(adt("1") + b"x" * 3000)
            assert await sender.answers(1) == [("AR", "1")]
            sender.writer.write_eof()  # while the hub lingers
            assert await sender.answers(1) == [("closed", "")]
        assert hub.listener.closed == {"too_large": 3}

    run(tmp_path, story, largest=1000)
    assert told == ["mllp.closed"] * 3


class Spoiling(LiveReader):
    """Reads messages that are their own ids; `odd` gets one that no database takes."""

    def __init__(self) -> None:
        pass

    def read(self, kind: str, raw: bytes) -> Message:
        id_ = raw.decode() if raw != b"odd" else "\ud800"
        event = Event(id_, "test", "visit.started", machine_time(), {"mrn": "1"}, ("1^N",), "NORTH")
        return Message(kind, raw, "test", id_, raw, (event,))


@pytest.mark.parametrize("kind", ["hl7", "cloudevents"])
def test_of_a_batch_that_cannot_be_kept_only_the_message_at_fault_is_a_dead_letter(tmp_path: Path, kind: str) -> None:
    async def story() -> None:
        store = Store.open(tmp_path / "store")
        intake = Intake(Runtime(store, thresholds(), now=machine_time()), Spoiling(), machine_time)
        taking = asyncio.create_task(intake.run())
        verdicts = await asyncio.gather(*(intake.take(kind, [raw]) for raw in (b"a", b"odd", b"b")))
        assert [v.outcome for [v] in verdicts] == [Outcome.ACCEPTED, Outcome.DEAD, Outcome.ACCEPTED]
        assert verdicts[1][0].reason == "invalid"
        assert store.raw(2) == b"odd"
        [again] = await intake.take(kind, [b"odd"])
        assert (again.outcome, again.seq) == (Outcome.DUPLICATE, 2)
        await intake.stop()
        await taking
        for asked in (intake.take(kind, [b"c"]), intake.ask(lambda _: None)):
            with pytest.raises(Stopped):
                await asked
        store.close()

    asyncio.run(asyncio.wait_for(story(), 30))
