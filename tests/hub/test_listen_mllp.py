"""MLLP as a sender sees it: a real socket, a real store, and what is answered when."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hl7.client import MLLPClient

from connectors.hl7.mllp import write_frame
from hub.listen.access import read_tls
from hub.listen.mllp import MllpListener, MllpSettings
from schemas.errors import WrongUse
from tests.hub.mllp_hub import WAIT, Hub, Sender, adt, dead, hub, sign


def run(folder: Path, story: Callable[[Hub], Awaitable[None]], **settings: Any) -> None:
    async def told() -> None:
        async with asyncio.timeout(60), hub(folder, **settings) as standing:
            await story(standing)

    asyncio.run(told())


def test_each_outcome_is_answered_and_is_in_the_log(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender()
        for raw, code in ((adt("1"), "AA"), (dead("2"), "AE"), (adt("1"), "AA"), (dead("2"), "AE"), (b"junk", "AE")):
            await sender.send(raw)
            answer = await sender.answer()
            assert answer is not None
            assert answer.code == code
        assert hub.outcomes() == [("1", "accepted"), ("2", "dead"), ("", "dead")]
        assert hub.listener.acknowledgements == {"AA": 2, "AE": 3}
        assert hub.listener.frames == 5

    run(tmp_path, story)


def test_the_same_bytes_are_answered_by_the_same_bytes(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender()
        for raw in (adt("1"), dead("2")):
            await sender.send(raw, raw)
            assert await sender.raw_answer() == await sender.raw_answer()

    run(tmp_path, story)


def test_a_dead_letter_may_be_answered_aa(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender()
        await sender.send(dead("1"))
        assert await sender.answers(1) == [("AA", "1")]

    run(tmp_path, story, dead_letters="AA")


def test_many_frames_in_flight_are_answered_in_order(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender()
        await sender.send(*(adt(str(n)) for n in range(1500)))
        assert await sender.answers(1500) == [("AA", str(n)) for n in range(1500)]
        assert hub.listener.held == 0

    run(tmp_path, story)


def test_enhanced_mode_over_the_wire(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender()
        await sender.send(adt("1", version="2.5.1|||AL|AL"), adt("2", version="2.5.1|||NE|NE"), adt("3"))
        assert await sender.answers(3) == [("CA", "1"), ("AA", "1"), ("AA", "3")]
        assert [id_ for id_, _ in hub.outcomes()] == ["1", "2", "3"]

    run(tmp_path, story)


def test_a_sender_may_close_its_side_and_still_be_answered(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender()
        await sender.send(adt("1"), adt("2"))
        sender.writer.write_eof()
        assert await sender.answers(3) == [("AA", "1"), ("AA", "2"), ("closed", "")]

    run(tmp_path, story)


def test_a_message_without_a_frame_is_answered_ar(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender()
        sender.writer.write(adt("1"))
        sender.writer.write_eof()
        assert await sender.answers(2) == [("AR", ""), ("closed", "")]
        assert hub.outcomes() == []
        endless = await hub.sender()
        endless.writer.write(adt("1") * 1000)
        assert await endless.answers(2) == [("AR", ""), ("closed", "")]

    run(tmp_path, story)


def test_a_full_disk_is_answered_ar_and_the_connection_goes_on(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender()
        await sender.send(adt("1"))
        assert await sender.answers(1) == [("AA", "1")]
        [(pages,)] = hub.store._db.execute("PRAGMA page_count").fetchall()
        hub.store._db.execute(f"PRAGMA max_page_count = {pages}").fetchall()
        large = adt("2") + b"NTE|1||" + b"x" * 200_000 + b"\r"
        await sender.send(large)
        assert await sender.answers(1) == [("AR", "2")]
        hub.store._db.execute("PRAGMA max_page_count = 1000000").fetchall()
        await sender.send(large, adt("3"))
        assert await sender.answers(2) == [("AA", "2"), ("AA", "3")]
        assert hub.outcomes() == [("1", "accepted"), ("2", "accepted"), ("3", "accepted")]

    run(tmp_path, story)


def test_a_hub_that_stops_answers_what_is_in_flight(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        idle, sender = await hub.sender(), await hub.sender()
        await sender.send(*(adt(str(n)) for n in range(500)))
        first = await sender.answers(1)
        await hub.listener.stop()
        rest = []
        while (answer := await sender.answer()) is not None:
            rest.append((answer.code, answer.control))
        answered = [*first, *rest]
        assert answered == [("AA", str(n)) for n in range(len(answered))]
        assert len(hub.outcomes()) == len(answered)
        assert await idle.answer() is None
        with pytest.raises(OSError, match="Connect call failed"):
            await hub.sender()

    run(tmp_path, story)


def test_when_the_intake_has_stopped_it_is_ar(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender()
        await hub.intake.stop()
        await sender.send(adt("1"))
        assert await sender.answers(2) == [("AR", "1"), ("closed", "")]

    run(tmp_path, story)


def test_a_message_above_the_limit_is_answered_ar_by_name_and_closed(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender()
        await sender.send(adt("1"), adt("2") + b"NTE|1||" + b"x" * 3_000_000)
        assert await sender.answers(3) == [("AA", "1"), ("AR", "2"), ("closed", "")]
        assert hub.listener.closed["too_large"] == 1

    run(tmp_path, story, largest=1_000_000)


def test_a_hundred_megabytes_without_an_end_are_not_held(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender()
        sender.writer.write(b"\x0b" + adt("9"))
        for _ in range(100):
            sender.writer.write(b"x" * 1_000_000)
            await sender.writer.drain()
            assert hub.listener.held <= 17 << 20
        assert await sender.answers(2) == [("AR", "9"), ("closed", "")]

    run(tmp_path, story)


def test_what_all_connections_hold_has_a_limit(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        senders = [await hub.sender() for _ in range(3)]
        for number, sender in enumerate(senders):
            sender.writer.write(b"\x0b" + adt(str(number)) + b"x" * 400_000)
            await sender.writer.drain()
        done, pending = await asyncio.wait(
            [asyncio.ensure_future(sender.answers(2)) for sender in senders],
            return_when=asyncio.FIRST_COMPLETED,
            timeout=WAIT,
        )
        assert len(done) == 1
        [refused] = [await task for task in done]
        assert refused[0][0] == "AR"
        assert hub.listener.held < 1_000_000
        for task in pending:
            task.cancel()

    run(tmp_path, story, held=1_000_000)


def test_a_frame_that_never_ends_is_closed_after_the_time_out(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        sender, other = await hub.sender(), await hub.sender()
        sender.writer.write(b"\x0bMSH|^~\\&|")
        await other.send(adt("1"))
        assert await other.answers(1) == [("AA", "1")]
        assert await sender.answer() is None
        assert hub.listener.closed == {"unended": 1}
        assert hub.listener.cut == 1
        await other.send(adt("2"))
        assert await other.answers(1) == [("AA", "2")]

    run(tmp_path, story, frame_seconds=0.2)


def test_a_silent_connection_is_closed_after_the_time_out(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender()
        assert await sender.answer() is None
        assert hub.listener.closed == {"idle": 1}

    run(tmp_path, story, idle_seconds=0.2)


def test_a_sender_that_never_reads_its_answers_costs_no_memory_and_is_cut_off(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        gone = asyncio.Event()
        hub.listener.tell = lambda *_, **__: gone.set()
        loop = asyncio.get_running_loop()
        with socket.create_connection(("127.0.0.1", hub.listener.port)) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            piece = write_frame(b"not HL7 at all")  # a small message, and a large answer
            sending = asyncio.ensure_future(loop.sock_sendall(deaf, piece * 400_000))
            await asyncio.wait_for(gone.wait(), 50)
            assert hub.listener.closed["unread"] == 1
            assert hub.listener.held < 5 << 20
            with pytest.raises(OSError, match=r"reset|pipe"):
                await sending

    run(tmp_path, story, write_seconds=0.5)


def test_two_thousand_connections(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        senders: list[Sender] = []
        for _ in range(20):
            senders += await asyncio.gather(*(hub.sender() for _ in range(100)))
        assert hub.listener.connections == 2000
        await senders[-1].send(adt("1"))
        assert await senders[-1].answers(1) == [("AA", "1")]
        for sender in senders:
            sender.writer.close()

    run(tmp_path, story)


def test_more_connections_than_there_is_room_for_are_refused(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        senders = [await hub.sender() for _ in range(20)]
        await senders[0].send(adt("1"))
        assert await senders[0].answers(1) == [("AA", "1")]
        assert await senders[-1].answer() is None
        assert hub.listener.refused == 4

    run(tmp_path, story, connections=16)


def test_the_client_of_python_hl7_is_answered(tmp_path: Path) -> None:
    def send(port: int) -> list[bytes]:
        with MLLPClient("127.0.0.1", port) as client:
            return [client.send_message(adt(control).decode()) for control in ("1", "2", "1")]

    async def story(hub: Hub) -> None:
        first, second, again = await asyncio.to_thread(send, hub.listener.port)
        assert first == again
        assert b"\rMSA|AA|1\r" in first
        assert b"\rMSA|AA|2\r" in second

    run(tmp_path, story)


def test_nothing_of_a_patient_is_told(tmp_path: Path) -> None:
    told: list[str] = []

    async def story(hub: Hub) -> None:
        hub.listener.tell = lambda *words, **fields: told.append(repr((words, fields)))
        sender = await hub.sender()
        await sender.send(dead("1"), adt("2") + b"x" * 2000)
        assert b"Doe" not in (await sender.raw_answer() or b"")
        assert b"Doe" not in (await sender.raw_answer() or b"")
        assert told
        assert "Doe" not in "".join(told)

    run(tmp_path, story, largest=1000)


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    async def story(hub: Hub) -> None:
        with pytest.raises(WrongUse, match="cannot be listened on"):
            await MllpListener.open(hub.intake, MllpSettings(port=hub.listener.port))

    run(tmp_path, story)


# -- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sign(tmp_path_factory.mktemp("tls"), "hub", "sender", "stranger")


def client(folder: Path, name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "hub.pem"))
    if name is not None:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


async def is_let_in(hub: Hub, tls: ssl.SSLContext) -> bool:
    try:
        sender = await hub.sender(ssl=tls)
        await sender.send(adt("9"))
        return await sender.answer() is not None
    except OSError:  # TLS 1.3 tells a client at its first read
        return False


def test_tls_takes_senders_with_a_known_certificate_alone(tmp_path: Path, certificates: Path) -> None:
    async def story(hub: Hub) -> None:
        assert hub.listener.address.startswith("mllps://")
        sender = await hub.sender(ssl=client(certificates, "sender"))
        await sender.send(adt("1"), adt("2"))
        assert await sender.answers(2) == [("AA", "1"), ("AA", "2")]
        await sender.close()
        for name in (None, "stranger"):
            assert await is_let_in(hub, client(certificates, name)) is False
        assert [id_ for id_, _ in hub.outcomes()] == ["1", "2"]

    tls = read_tls(certificates / "hub.pem", certificates / "hub.key", certificates / "sender.pem")
    run(tmp_path, story, tls=tls)


def test_too_large_over_tls_is_answered_too(tmp_path: Path, certificates: Path) -> None:
    async def story(hub: Hub) -> None:
        sender = await hub.sender(ssl=client(certificates, None))
        await sender.send(adt("1") + b"x" * 2_000_000)
        assert await sender.answers(1) == [("AR", "1")]
        await sender.close()

    run(tmp_path, story, tls=read_tls(certificates / "hub.pem", certificates / "hub.key", None), largest=100_000)


def test_tls_that_cannot_be_is_told(certificates: Path, tmp_path: Path) -> None:
    assert read_tls(None, None, None) is None
    for wrong in (
        (None, certificates / "hub.key", None),
        (None, None, certificates / "hub.pem"),
        (certificates / "hub.pem", None, None),
        (certificates / "hub.pem", certificates / "sender.key", None),
        (tmp_path / "none.pem", None, None),
        (certificates / "hub.pem", certificates / "hub.key", certificates / "hub.key"),
    ):
        with pytest.raises(WrongUse, match="--mllp-"):
            read_tls(*wrong)
