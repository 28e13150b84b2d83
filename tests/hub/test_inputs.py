"""Inputs cut into messages: where lines stand, what is too large, and what stands before a damaged part."""

from __future__ import annotations

import gzip
import io
import os
import socket
from pathlib import Path
from random import Random

import pytest

from connectors.cloudevents.read import CloudEventReader, content_digest
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from hub import cloudevent_files
from hub.bench.workload import write_lines
from hub.inputs import digest_at, find_inputs
from hub.messages import Message
from hub.unpacked import Unpacked
from schemas.errors import Reason


def messages(path: Path) -> list[Message]:
    found = find_inputs([str(path)])
    return [m for i in found for m in i.messages(Hl7Reader(load_mapping(None)), CloudEventReader())]


@pytest.mark.parametrize("seed", range(40))
def test_lines_and_their_offsets_whatever_the_pieces(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudevent_files, "LARGEST", 50)
    random = Random(seed)
    for _ in range(50):
        lengths = [random.choice([0, 1, 5, 20, 49, 50, 51, 80, 200]) for _ in range(random.randint(0, 6))]
        data = b"\n".join(b"x" * length for length in lengths) + random.choice([b"", b"\n"])
        told = []
        for offset, lines in cloudevent_files.split_lines(
            io.BufferedReader(io.BytesIO(data), random.choice([1, 7, 16, 64]))
        ):
            for line in lines:
                told.append((offset, min(len(line), 50)))
                offset += len(line) + 1
        starts = [sum(lengths[:n]) + n for n in range(len(lengths))]
        wanted = [(start, min(length, 50)) for start, length in zip(starts, lengths, strict=True) if length]
        assert [line for line in told if line[1]] == wanted


def test_an_overlong_line_is_one_dead_letter_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = write_lines(2)
    monkeypatch.setattr(cloudevent_files, "LARGEST", 2_000)
    path = tmp_path / "events.ndjson"
    path.write_bytes(first + b'{"id":"' + b"x" * 5_000_000 + b'"}\n' + second)
    read, large, last = messages(path)
    assert read.event is not None
    assert large.reading is not None
    assert large.reading.dead is not None
    assert large.reading.dead.reason is Reason.TOO_LARGE
    assert large.reading.dead.place.endswith("line 2")
    assert last.event is not None
    assert digest_at(path, last.place) == content_digest(second)


def test_a_dead_letter_says_its_line_and_what_in_it(tmp_path: Path) -> None:
    first, second = write_lines(2)
    path = tmp_path / "events.ndjson"
    path.write_bytes(first + b"\r\n" + second.replace(b"2026-03-02T", b"yesterday "))
    _, dead = messages(path)
    assert dead.reading is not None
    assert dead.reading.dead is not None
    assert dead.reading.dead.place == f"{path}, line 3, time"


def test_what_stands_before_the_cut_of_a_gzip_is_read(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress(b"".join(write_lines(2_000)))[:20_000])
    *whole, last = messages(path)
    assert len(whole) > 100
    assert all(message.event is not None for message in whole)
    assert last.reading is not None
    assert last.reading.dead is not None
    assert last.reading.dead.reason is Reason.UNREADABLE


HL7 = "MSH|^~\\&|A|B|||2026030{0}||ADT^A01|{0}|P|2.5\rPID|1||7^^^F^MR\rPV1|1|I\r"


def told(found: list[Message]) -> list[str]:
    """What each message became: its event's type, why it is passed by, or where it is dead."""
    readings = [message.reading for message in found]
    assert None not in readings
    return [
        r.dead.place if r.dead is not None else r.ignored or ",".join(e.type for e in r.events)
        for r in readings
        if r is not None
    ]


@pytest.mark.parametrize("before", ["PV1|1|I\r", "# export\r\n", "MSH\r", "R|1\x1c\r\x0b"])
def test_a_line_before_the_first_message_costs_itself_alone(tmp_path: Path, before: str) -> None:
    path = tmp_path / "a.hl7"
    path.write_text(before + HL7.format(1) + HL7.format(2))
    place = f"{path} message 1, between messages"
    assert told(messages(path)) == [place, "visit.started", "visit.started"]


@pytest.mark.parametrize(
    "spoil", [lambda z: z + b"junk behind it", lambda z: z[:-8], lambda z: z[:-3], lambda z: z[:-8] + bytes(8)]
)
def test_what_is_wrong_behind_the_data_of_a_gzip_costs_no_message(tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.hl7.gz"
    path.write_bytes(spoil(gzip.compress((HL7.format(1) + HL7.format(2)).encode())))
    assert told(messages(path)) == ["visit.started", "visit.started", str(path)]
    lines = tmp_path / "b.ndjson.gz"
    lines.write_bytes(spoil(gzip.compress(b"".join(write_lines(2)).rstrip())))
    assert [message.event is not None for message in messages(lines)] == [True, True, False]


def test_a_message_that_was_cut_with_its_gzip_is_not_taken_in_part(tmp_path: Path) -> None:
    path = tmp_path / "a.hl7.gz"
    packed = gzip.compress((HL7.format(1) + HL7.format(2)).encode(), 0)
    path.write_bytes(packed[:-20])
    assert told(messages(path)) == ["visit.started", str(path)]


@pytest.mark.parametrize("size", [1, 7, 100, 5_000])
def test_members_of_a_gzip_are_one_file(size: int) -> None:
    one, other = b"MSH|x\r" * 50, bytes(range(256)) * 20
    named = io.BytesIO()
    with gzip.GzipFile("a name.hl7", "wb", fileobj=named) as file:
        file.write(other)
    packed = gzip.compress(one) + bytes(9) + named.getvalue() + gzip.compress(b"") + bytes(3)
    unpacked = Unpacked(io.BufferedReader(io.BytesIO(packed), size))
    assert io.BufferedReader(unpacked, size).read() == one + other  # type: ignore[type-var]  # typeshed wants a FileIO
    assert not unpacked.is_damaged


def test_a_folder_s_links_are_followed_once_and_what_is_no_file_is_told(tmp_path: Path) -> None:
    folder, other = tmp_path / "in", tmp_path / "other"
    (other / "deep").mkdir(parents=True)
    folder.mkdir()
    (other / "deep" / "a.hl7").write_text(HL7.format(1))
    (folder / "link").symlink_to(other)
    (folder / "link again").symlink_to(other)
    (folder / "round").symlink_to(folder)
    (other / "up").symlink_to(folder)
    (folder / "broken").symlink_to(tmp_path / "nowhere")
    (folder / "itself").symlink_to(folder / "itself")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(folder / "socket"))
        found = told(messages(folder))
    assert found == [
        "a link that leads nowhere",  # broken
        "a link that leads nowhere",  # itself
        "visit.started",
        "a pipe, a socket or a device",
        "a pipe, a socket or a device",
    ]
