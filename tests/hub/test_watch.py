"""The folder watcher: taken once, moved to where it ends, sent again after a kill and there once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from hub.send.run import SendSettings
from hub.send.watch import Watched, watch
from schemas.errors import TryAgain, WrongUse
from tests.hub.mllp_hub import WAIT, Hub, adt, hub
from tests.hub.test_send import Receiver, answer, receiver

EVERY = 0.02
ROOT = Path(__file__).resolve().parents[2]
PATH = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != ".lock")


def settings(port: int, **options: float) -> SendSettings:
    return SendSettings(host="127.0.0.1", port=port, back_off=0.01, timeout=5.0, repeats_rejected=True, retry_for=0.1)


async def started(folder: Path, port: int, *options: str) -> asyncio.subprocess.Process:
    command = ["-P", "-m", "hub", "hl7", "watch", str(folder), "--to", f"127.0.0.1:{port}", "--every", "0.05"]
    return await asyncio.create_subprocess_exec(
        sys.executable, *command, *options, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env={**os.environ, **PATH}
    )


async def watched_once(folder: Path, there: Hub) -> tuple[bool, list[str]]:
    said: list[str] = []
    well = await watch(folder, settings(there.listener.port), every=EVERY, once=True, say=said.append)
    return well, said


def test_files_are_sent_and_end_in_their_places(inbox: Path, tmp_path: Path) -> None:
    (inbox / "DOE-JANE.hl7").write_bytes(adt("1") + adt("2"))
    (inbox / "picture.png").write_bytes(b"\x89PNG and so on")
    (inbox / "growing.hl7.part").write_bytes(adt("3"))
    (inbox / "growing.tmp").write_bytes(adt("3"))
    (inbox / ".hidden").write_bytes(adt("3"))
    (inbox / "empty.hl7").write_bytes(b"")

    async def told() -> None:
        async with asyncio.timeout(60), hub(tmp_path) as there:
            well, said = await watched_once(inbox, there)
            assert not well
            assert names(inbox / "done") == ["DOE-JANE.hl7"]
            assert names(inbox / "failed") == ["empty.hl7", "picture.png"]
            assert names(inbox / ".taken") == []
            assert names(inbox) == [".hidden", "growing.hl7.part", "growing.tmp"]
            assert [id_ for id_, _ in there.outcomes()] == ["1", "2"]
            assert "DOE" not in "".join(said)
            assert sorted(said) == [
                "done: 2 messages, 2 accepted",
                "failed: 0 messages, 0 accepted, 1 empty file",
                "failed: 0 messages, 0 accepted, not HL7 v2",
            ]

    asyncio.run(told())


def test_a_name_that_comes_again_finds_its_own_place(inbox: Path, tmp_path: Path) -> None:
    async def told() -> None:
        async with asyncio.timeout(60), hub(tmp_path) as there:
            for control in ("1", "2", "3"):
                (inbox / "same.hl7").write_bytes(adt(control))
                assert (await watched_once(inbox, there))[0]
            assert names(inbox / "done") == ["same-1.hl7", "same-2.hl7", "same.hl7"]

    asyncio.run(told())


def test_a_file_that_grows_between_two_looks_is_left(inbox: Path) -> None:
    watched = Watched(inbox)
    file = inbox / "a.hl7"
    file.write_bytes(b"MSH|")
    assert watched.settled() == []
    file.write_bytes(b"MSH|more")
    assert watched.settled() == []
    assert watched.settled() == [file]
    watched.close()


def test_an_empty_file_is_given_time_to_be_written_to(inbox: Path) -> None:
    watched = Watched(inbox)
    first, second = inbox / "a.hl7", inbox / "b.hl7"
    first.touch()
    second.touch()
    assert [watched.settled() for _ in range(5)] == [[]] * 5
    second.write_bytes(b"MSH|")
    assert [watched.settled() for _ in range(5)] == [[], [second], [second], [second], [first, second]]
    watched.close()


def test_links_and_pipes_are_left_alone_and_told_of_once(inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "DOE.hl7").write_bytes(adt("1"))
    (inbox / "DOE.hl7").symlink_to(tmp_path / "elsewhere" / "DOE.hl7")
    (inbox / "nowhere.hl7").symlink_to(tmp_path / "none")
    (inbox / "folder").symlink_to(tmp_path / "elsewhere")
    (inbox / "theirs.tmp").symlink_to(tmp_path / "none")
    os.mkfifo(inbox / "pipe.hl7")
    (inbox / "a folder").mkdir()
    watched = Watched(inbox)
    assert [watched.strangers() for _ in range(3)] == [4, 0, 0]
    (inbox / "another.hl7").symlink_to(tmp_path / "none")
    assert [watched.strangers() for _ in range(2)] == [1, 0]
    watched.close()

    async def told() -> None:
        async with asyncio.timeout(60), hub(tmp_path) as there:
            well, said = await watched_once(inbox, there)
            assert (well, said) == (True, ["left alone: 5 links or pipes; put the files themselves there"])
            assert (inbox / "DOE.hl7").is_symlink()
            assert there.outcomes() == []

    asyncio.run(told())


def test_a_folder_is_watched_by_one(inbox: Path) -> None:
    watched = Watched(inbox)
    with pytest.raises(TryAgain):
        Watched(inbox)
    watched.close()
    Watched(inbox).close()
    with pytest.raises(WrongUse):
        Watched(inbox / "none")


def test_a_file_that_was_written_to_while_it_was_sent_is_sent_again(inbox: Path) -> None:
    late = (inbox / "a.hl7").open("ab", buffering=0)  # open beyond the rename, as a slow writer is
    late.write(adt("1"))

    async def answering(there: Receiver, writer: asyncio.StreamWriter, message: bytes) -> None:
        if len(there.met) == 1:
            late.write(adt("2"))
        answer(writer, message)

    async def told() -> None:
        async with asyncio.timeout(60), receiver(answering) as there:
            assert await watch(inbox, settings(there.port), every=EVERY, once=True, say=lambda _: None)
            assert there.met[-2:] == ["1", "2"]
            assert names(inbox / "done") == ["a.hl7"]

    asyncio.run(told())
    late.close()


def test_a_receiver_that_cannot_be_reached_is_waited_for(inbox: Path, tmp_path: Path) -> None:
    (inbox / "a.hl7").write_bytes(adt("1"))
    said: list[str] = []

    async def told() -> None:
        async with asyncio.timeout(60):
            server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            server.close()
            await server.wait_closed()
            refused = asyncio.Event()

            def say(line: str) -> None:
                said.append(line)
                refused.set()

            watching = asyncio.ensure_future(watch(inbox, settings(port), every=EVERY, once=False, say=say))
            await asyncio.wait_for(refused.wait(), WAIT)
            assert names(inbox / ".taken") == ["a.hl7"]
            watching.cancel()
            with pytest.raises(asyncio.CancelledError):
                await watching
            async with hub(tmp_path) as there:
                assert (await watched_once(inbox, there))[0]
                assert there.outcomes() == [("1", "accepted")]

    asyncio.run(told())
    assert "cannot be reached" in said[0]
    assert "a.hl7" not in "".join(said)


def test_after_a_kill_everything_is_there_once(inbox: Path, tmp_path: Path) -> None:
    (inbox / "a.hl7").write_bytes(b"".join(adt(str(n)) for n in range(20)))
    halfway = asyncio.Event()

    async def told() -> None:
        async with asyncio.timeout(60), hub(tmp_path) as there:

            async def answering(first: Receiver, writer: asyncio.StreamWriter, message: bytes) -> None:
                await there.intake.take("hl7", [message])
                if len(first.met) < 10:
                    answer(writer, message)
                else:
                    halfway.set()  # the tenth is there, and nobody says so

            async with receiver(answering) as first:
                watching = await started(inbox, first.port)
                await asyncio.wait_for(halfway.wait(), WAIT)
                watching.kill()
                await watching.wait()
            assert names(inbox / ".taken") == ["a.hl7"]
            again = await started(inbox, there.listener.port, "--once")
            assert await again.wait() == 0
            assert names(inbox / "done") == ["a.hl7"]
            assert there.outcomes() == [(str(n), "accepted") for n in range(20)]

    asyncio.run(told())


def test_sigterm_ends_it(inbox: Path, tmp_path: Path) -> None:
    async def told() -> None:
        async with asyncio.timeout(60), hub(tmp_path) as there:
            (inbox / "a.hl7").write_bytes(adt("1"))
            watching = await started(inbox, there.listener.port)
            assert watching.stdout is not None
            assert await watching.stdout.readline() == b"done: 1 messages, 1 accepted\n"
            watching.send_signal(signal.SIGTERM)
            assert await watching.wait() == 0

    asyncio.run(told())
