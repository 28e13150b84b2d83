"""Sending over TLS, to a real hub that asks for a certificate."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.listen.access import read_tls
from hub.send.tls import read_client_tls
from schemas.errors import WrongUse
from tests.hub.mllp_hub import adt, dead, hub, sign


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sign(tmp_path_factory.mktemp("tls"), "hub", "sender", "stranger")


def command(word: str, *arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["hl7", word, *arguments])
    return int(stopped.value.code or 0)


def options(folder: Path, *, ca: str = "hub", name: str | None = "sender") -> list[str]:
    given = ["--tls", "--ca", str(folder / f"{ca}.pem")]
    return given if name is None else [*given, "--certificate", f"{folder / name}.pem", "--key", f"{folder / name}.key"]


def told_to_a_hub(folder: Path, certificates: Path, word: str, *arguments: str) -> tuple[str, list[tuple[str, str]]]:
    """What the command says, in a process of its own for it listens to signals; and what the hub has then."""

    async def told() -> tuple[str, list[tuple[str, str]]]:
        tls = read_tls(certificates / "hub.pem", certificates / "hub.key", certificates / "sender.pem")
        async with asyncio.timeout(60), hub(folder, tls=tls) as there:
            line = [sys.executable, "-P", "-m", "hub", "hl7", word, *arguments]
            process = await asyncio.create_subprocess_exec(
                *line, "--to", f"127.0.0.1:{there.listener.port}", stdout=subprocess.PIPE
            )
            said, _ = await process.communicate()
            return f"{process.returncode} {said.decode()}", there.outcomes()

    return asyncio.run(told())


def test_with_both_certificates_everything_is_there(tmp_path: Path, certificates: Path) -> None:
    (tmp_path / "messages.hl7").write_bytes(adt("1") + dead("2") + adt("3"))
    said, outcomes = told_to_a_hub(
        tmp_path, certificates, "send", str(tmp_path / "messages.hl7"), *options(certificates)
    )
    assert said.startswith("0 ")
    assert outcomes == [("1", "accepted"), ("2", "dead"), ("3", "accepted")]


def test_a_receiver_that_is_not_trusted_gets_nothing(tmp_path: Path, certificates: Path) -> None:
    (tmp_path / "messages.hl7").write_bytes(adt("1"))
    arguments = [str(tmp_path / "messages.hl7"), *options(certificates, ca="stranger"), "--format", "json"]
    said, outcomes = told_to_a_hub(tmp_path, certificates, "send", *arguments)
    assert said.startswith("1 ")
    assert "signed by nobody that is trusted" in json.loads(said[2:])["stopped"]
    assert outcomes == []


@pytest.mark.parametrize("name", [None, "stranger"])
def test_a_sender_without_a_known_certificate_fails(tmp_path: Path, certificates: Path, name: str | None) -> None:
    (tmp_path / "messages.hl7").write_bytes(adt("1"))
    arguments = [str(tmp_path / "messages.hl7"), *options(certificates, name=name), "--retry-for", "0"]
    said, outcomes = told_to_a_hub(tmp_path, certificates, "send", *arguments)
    assert said.startswith("75 ")  # it is closed behind the handshake without a word, as a hub that stops closes it
    assert outcomes == []


def test_a_watched_folder_goes_over_tls_too(tmp_path: Path, certificates: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "a.hl7").write_bytes(adt("1"))
    arguments = [str(folder), "--once", "--every", "0.01", *options(certificates)]
    said, outcomes = told_to_a_hub(tmp_path, certificates, "watch", *arguments)
    assert said.startswith("0 ")
    assert outcomes == [("1", "accepted")]
    assert (folder / "done" / "a.hl7").exists()


def test_tls_that_cannot_be_is_told(certificates: Path, tmp_path: Path) -> None:
    for wrong in (
        (tmp_path / "none.pem", None, None),
        (certificates / "hub.key", None, None),
        (None, certificates / "sender.pem", None),
        (None, certificates / "sender.pem", certificates / "hub.key"),
        (None, None, certificates / "hub.key"),
    ):
        with pytest.raises(WrongUse, match=r"--(ca|certificate|key) "):
            read_client_tls(*wrong)
    assert command("send", str(tmp_path), "--to", "h:1", "--ca", str(certificates / "hub.pem")) == 2
