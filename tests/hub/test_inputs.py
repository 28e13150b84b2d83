"""Inputs cut into messages: where lines stand, what is too large, and what stands before a damaged part."""

from __future__ import annotations

import gzip
import io
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
