"""Sending over MLLP: to a real hub, and to receivers that answer late, wrongly or not at all."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.hl7.ack import acknowledge, control_of
from connectors.hl7.mllp import Framer, write_frame
from hub.__main__ import main
from hub.send.messages import Outgoing, with_cr
from hub.send.run import SendSettings, Sent, send_all
from schemas.errors import WrongUse
from schemas.message import Outcome, Verdict
from tests.faults.served import Served, ask
from tests.hub.mllp_hub import adt, dead, hub

Answering = Callable[["Receiver", asyncio.StreamWriter, bytes], Awaitable[None]]


class Receiver:
    """A receiver that answers as a story has it. `met` are the control ids in the order they came, `lines` how many
    connections were made."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.met: list[str] = []
        self.lines = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines += 1
        framer = Framer()
        try:
            while data := await reader.read(1 << 16):
                for message in framer.feed(data):
                    self.met.append(control_of(message))
                    await self._answering(self, writer, message)
        except ConnectionError:
            pass  # a sender that gave up
        finally:
            writer.close()


@asynccontextmanager
async def receiver(answering: Answering) -> AsyncIterator[Receiver]:
    there = Receiver(answering)
    server = await asyncio.start_server(there.serve, "127.0.0.1", 0)
    there.port = server.sockets[0].getsockname()[1]
    try:
        yield there
    finally:
        server.close()
        await server.wait_closed()


def answer(writer: asyncio.StreamWriter, message: bytes) -> None:
    for one in acknowledge(message, Verdict(Outcome.ACCEPTED, 1)):
        writer.write(write_frame(one))


def sent_to(answering: Answering, messages: list[bytes], **options: Any) -> tuple[Sent, Receiver]:
    async def told() -> tuple[Sent, Receiver]:
        async with asyncio.timeout(60), receiver(answering) as there:
            settings = SendSettings(host="127.0.0.1", port=there.port, back_off=0.01, **options)
            return await send_all(messages, settings), there

    return asyncio.run(told())


def counts(sent: Sent) -> dict[str, int]:
    names = ("sent", "accepted", "error", "rejected", "failed", "unasked", "repeated", "late")
    return {name: count for name in names if (count := getattr(sent, name))}


def test_to_a_hub_everything_is_there_in_its_order(tmp_path: Path) -> None:
    async def told() -> None:
        async with asyncio.timeout(60), hub(tmp_path) as there:
            settings = SendSettings(host="127.0.0.1", port=there.listener.port)
            messages = [*(adt(str(n)) for n in range(50)), dead("50"), adt("7")]
            sent = await send_all(messages, settings)
            assert counts(sent) == {"sent": 52, "accepted": 51, "error": 1}
            assert sent.is_well
            assert len(sent.waited) == 52
            assert [id_ for id_, _ in there.outcomes()] == [str(n) for n in range(51)]

    asyncio.run(told())


def test_over_several_connections_everything_is_there_once(tmp_path: Path) -> None:
    async def told() -> None:
        async with asyncio.timeout(60), hub(tmp_path) as there:
            settings = SendSettings(host="127.0.0.1", port=there.listener.port, connections=8)
            sent = await send_all((adt(str(n)) for n in range(400)), settings)
            assert counts(sent) == {"sent": 400, "accepted": 400}
            assert there.listener.opened == 8
            assert sorted(int(id_) for id_, _ in there.outcomes()) == list(range(400))

    asyncio.run(told())


def test_who_asks_for_no_acknowledgement_waits_for_none_and_is_read(tmp_path: Path) -> None:
    async def told() -> None:
        async with asyncio.timeout(60), hub(tmp_path) as there:
            settings = SendSettings(host="127.0.0.1", port=there.listener.port)
            asks = ("NE|NE", "AL|AL", "|AL", "ER|NE", "AL|NE")
            messages = [adt(str(n), version=f"2.5.1|||{ask}") for n, ask in enumerate(asks)]
            sent = await send_all([*messages, adt("9", version="2.5.1|||NE|NE")], settings)
            assert counts(sent) == {"sent": 6, "accepted": 3, "unasked": 3}
            assert [id_ for id_, _ in there.outcomes()] == ["0", "1", "2", "3", "4", "9"]

    asyncio.run(told())


def test_a_late_answer_is_nobodys() -> None:
    late: list[bytes] = []

    async def answering(there: Receiver, writer: asyncio.StreamWriter, message: bytes) -> None:
        if there.lines == 1:
            late.append(message)  # no answer in time
            return
        for one in late:
            answer(writer, one.replace(b"|1|P", b"|0|P"))  # what it has to say of an earlier one comes now
        answer(writer, message)

    sent, there = sent_to(answering, [adt("1"), adt("2")], timeout=0.1)
    assert counts(sent) == {"sent": 2, "accepted": 2, "repeated": 1, "late": 2}
    assert there.met == ["1", "1", "2"]
    assert there.lines == 2


def test_an_answer_that_names_another_message_is_none() -> None:
    async def answering(_: Receiver, writer: asyncio.StreamWriter, message: bytes) -> None:
        answer(writer, message.replace(b"|1|P", b"|other|P"))

    sent, there = sent_to(answering, [adt("1")], timeout=0.05, retry_for=0.5)
    again = there.lines - 1  # a new connection each time
    assert again
    assert counts(sent) == {"sent": 1, "failed": 1, "repeated": again, "late": again + 1}
    assert not sent.is_well


def test_a_connection_that_breaks_is_made_anew() -> None:
    async def answering(there: Receiver, writer: asyncio.StreamWriter, message: bytes) -> None:
        if len(there.met) == 2:
            writer.close()
            return
        answer(writer, message)

    sent, there = sent_to(answering, [adt("1"), adt("2"), adt("3")], timeout=5.0)
    assert counts(sent) == {"sent": 3, "accepted": 3, "repeated": 1}
    assert there.met == ["1", "2", "2", "3"]


def test_a_rejection_is_counted_and_sent_again_where_that_is_asked_for() -> None:
    async def answering(there: Receiver, writer: asyncio.StreamWriter, message: bytes) -> None:
        [one] = acknowledge(message, Verdict(Outcome.ACCEPTED, 1))
        code = b"|AR|" if len(there.met) == 1 else b"|AA|"
        writer.write(write_frame(one.replace(b"|AA|", code)))

    sent, _ = sent_to(answering, [adt("1"), adt("2")], timeout=5.0)
    assert counts(sent) == {"sent": 2, "accepted": 1, "rejected": 1}
    assert not sent.is_well
    sent, _ = sent_to(answering, [adt("1"), adt("2")], timeout=5.0, repeats_rejected=True)
    assert counts(sent) == {"sent": 2, "accepted": 2, "repeated": 1}


def test_who_cannot_be_reached_stops_the_rest() -> None:
    async def told() -> Sent:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        settings = SendSettings(host="127.0.0.1", port=port, back_off=0.01, retry_for=0.1)
        return await send_all([adt("1"), adt("2")], settings, said.append)

    said: list[str] = []
    sent = asyncio.run(told())
    assert (sent.sent, sent.failed, sent.lasting) == (1, 1, False)
    assert sent.repeated > 1
    assert "cannot be reached" in (sent.stopped or "")
    [line] = said  # once an outage, however often it is tried
    assert line.endswith("cannot be reached; trying again for 0.1 s")


def test_with_no_time_to_try_again_it_is_given_up_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "messages.hl7"
    file.write_bytes(adt("1") + adt("2"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        to = f"127.0.0.1:{listening.getsockname()[1]}"
    assert command(str(file), "--to", to, "--retry-for", "0", "--format", "json") == 75
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert (report["sent"], report["failed"], report["repeated"]) == (1, 1, 0)
    assert "cannot be reached" in report["stopped"]
    assert "trying again" not in err
    assert "1 messages got no answer; send the files again" in err


def test_a_hub_that_is_killed_amid_it_and_comes_back_has_each_message_once(tmp_path: Path) -> None:
    """A real hub; what it took and did not answer for is sent again, and answered as what it is."""
    served = Served(tmp_path / "store", "--take-tests")
    port = served.ports["mllp"]
    said: list[str] = []
    halfway = threading.Event()

    def restart() -> None:
        halfway.wait(20)
        served.kill()
        restarted.append(Served(tmp_path / "store", "--take-tests", "--mllp", f"127.0.0.1:{port}"))

    def messages() -> Iterator[bytes]:
        for number in range(200):
            if number == 100:
                halfway.set()
            yield adt(str(number))

    restarted: list[Served] = []
    restarting = threading.Thread(target=restart)
    restarting.start()
    settings = SendSettings(host="127.0.0.1", port=port, connections=2, rate=400.0)
    sent = asyncio.run(send_all(messages(), settings, said.append))
    restarting.join()
    assert (sent.sent, sent.accepted) == (200, 200)
    assert sent.repeated
    assert len(said) == 1
    assert restarted[0].stop() == 0
    [stats] = ask("store", "stats", "--store", tmp_path / "store")
    assert stats["accepted"] == 200


def test_the_rate_is_kept() -> None:
    async def answering(_: Receiver, writer: asyncio.StreamWriter, message: bytes) -> None:
        answer(writer, message)

    sent, _ = sent_to(answering, [adt(str(n)) for n in range(11)], rate=50.0)
    assert 0.2 <= sent.seconds < 2.0


def test_files_are_cut_as_a_replay_cuts_them(tmp_path: Path) -> None:
    (tmp_path / "a.hl7").write_bytes(adt("1").replace(b"\r", b"\r\n") + adt("2").replace(b"\r", b"\n"))
    (tmp_path / "b.hl7.gz").write_bytes(gzip.compress(adt("3")))
    (tmp_path / "c.mllp").write_bytes(write_frame(adt("4")) + write_frame(adt("5")))
    (tmp_path / "d.batch").write_bytes(b"FHS|^~\\&\rBHS|^~\\&\r" + adt("6") + b"BTS|1\rFTS|1\r")
    (tmp_path / "e.json").write_bytes(b'{"specversion": "1.0"}')
    (tmp_path / "f.hl7").write_bytes(adt("7") + b"\x1cstray")
    (tmp_path / "g.hl7.gz").write_bytes(gzip.compress(adt("8"))[:-4])
    outgoing = Outgoing([str(tmp_path)])
    messages = list(outgoing)
    assert [control_of(message) for message in messages][:7] == list("1234567")
    assert all(b"\n" not in message and message.endswith(b"\r") for message in messages)
    assert outgoing.passed_by == 1
    assert outgoing.unreadable == 2
    assert with_cr(b"MSH|a\nPID|b") == b"MSH|a\rPID|b\r"
    with pytest.raises(WrongUse):
        Outgoing([str(tmp_path / "none")])


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["hl7", "send", *arguments])
    return int(stopped.value.code or 0)


def test_the_command_reports_and_says_by_its_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "messages.hl7"

    async def told(raw: bytes, *options: str) -> int:
        file.write_bytes(raw)
        async with asyncio.timeout(60), hub(tmp_path) as there:
            to = f"127.0.0.1:{there.listener.port}"
            return await asyncio.to_thread(command, str(file), "--to", to, *options)

    assert asyncio.run(told(adt("1") + dead("2"), "--format", "json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert {name: report[name] for name in ("sent", "accepted", "error", "rejected", "failed")} == {
        "sent": 2, "accepted": 1, "error": 1, "rejected": 0, "failed": 0,
    }  # fmt: skip
    assert report["p50_ms"] <= report["p99_ms"]
    assert asyncio.run(told(adt("3") + b"\x1cstray")) == 1
    assert "unreadable" in capsys.readouterr().out


def test_a_named_file_without_a_message_is_told_of_and_one_in_a_folder_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    bad = inbox / "bad.txt"
    bad.write_text("Dear colleague,\n")
    (inbox / "good.hl7").write_bytes(adt("1"))

    async def told(*paths: Path) -> int:
        async with asyncio.timeout(60), hub(tmp_path) as there:
            to = f"127.0.0.1:{there.listener.port}"
            return await asyncio.to_thread(command, *map(str, paths), "--to", to, "--format", "json")

    assert asyncio.run(told(inbox)) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["files_passed_by"] == 1
    assert "bad.txt" not in err
    assert asyncio.run(told(inbox / "good.hl7", bad)) == 1
    out, err = capsys.readouterr()
    assert (json.loads(out)["files_passed_by"], json.loads(out)["sent"]) == (1, 1)
    assert f"{bad}: no HL7 v2 message is in it; nothing of it was sent" in err.splitlines()
    bad.write_bytes(b"")
    assert asyncio.run(told(inbox / "good.hl7", bad)) == 1
    assert f"{bad}: no HL7 v2 message is in it" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--to", "here"], ["--to", "h:1", "--rate", "0"], ["--to", "h:1", "--timeout", "0"]]
)
def test_wrong_use_is_a_sentence(tmp_path: Path, options: list[str]) -> None:
    assert command(str(tmp_path), *options) == 2
