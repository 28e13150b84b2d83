"""What is larger than a record, through a real broker: a word to its sender, a dead letter, and the rest goes on."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

import httpx2
import pytest

from streams.distributed.letters import read_letter
from tests.hub.mllp_hub import adt
from tests.kafka.running import KafkaHub
from tests.kafka.serving import ServedKafka, inbound, make_topics
from tests.kafka.test_serve_kafka import FHIR, event, send
from tests.services import fresh_kafka, kafka, redis_run, redis_url

__all__ = ["fresh_kafka", "kafka", "redis_run", "redis_url"]  # pytest finds them here
pytestmark = pytest.mark.slow
MANY = 15_000_000
"""Bytes that the doors take, and that no record holds twice: as they came, and as they were read."""


def answered(served: ServedKafka, message: bytes) -> bytes:
    """All that the MLLP door says to a message, until it hangs up on it."""
    found = b""
    with socket.create_connection(("127.0.0.1", served.ports["mllp"]), timeout=60) as connection:
        with contextlib.suppress(ConnectionError):  # it need not read on
            connection.sendall(b"\x0b" + message + b"\x1c\r")
        with contextlib.suppress(ConnectionError):
            while not found.endswith(b"\x1c\r") and (told := connection.recv(1 << 16)):
                found += told
    return found


def test_the_doors_say_what_is_too_large_and_go_on(tmp_path: Path, fresh_kafka: str, redis_url: str) -> None:
    make_topics(fresh_kafka)
    with ServedKafka(tmp_path, fresh_kafka, redis_url) as served, httpx2.Client(base_url=served.base) as client:
        batch = {"content-type": "application/cloudevents-batch+json"}
        once, twice = (json.dumps([event("1", note="x" * size)]) for size in (MANY, 2 * MANY))
        told = client.post("/v1/events", content=once, headers=batch, timeout=60)
        assert [(one["outcome"], one["reason"]) for one in told.json()["events"]] == [("dead", "too_large")], told.text
        assert client.post("/v1/events", content=twice, headers=batch, timeout=60).status_code == 413
        patient = {"resourceType": "Patient", "id": "p", "text": {"div": "x" * 2 * MANY}}
        told = client.put("/fhir/Patient/p", content=json.dumps(patient), headers=FHIR, timeout=60)
        assert told.status_code == 413
        large = adt("M1") + b"NTE|1||" + b"x" * 2 * MANY + b"\r"
        assert b"|AA|" not in answered(served, large)  # the MLLP door refuses it, before Kafka hears of it
        assert send(served, adt("M2")) == [b"AA"]
        assert client.get("/readyz").status_code == 200
        assert served.stop() == 0
    assert [(one.dead or ("",))[0] for one in inbound(fresh_kafka)] == ["too_large", ""]


def test_what_is_loaded_is_too_large_and_the_rest_is_judged(tmp_path: Path, fresh_kafka: str, redis_url: str) -> None:
    lines = [event("1"), event("2", note="x" * MANY), event("3")]
    (tmp_path / "events.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    patient = {"resourceType": "Patient", "id": "p", "text": {"div": "x" * 2 * MANY}}
    (tmp_path / "patients.ndjson").write_text(json.dumps(patient) + "\n", encoding="utf-8")
    hub = KafkaHub(fresh_kafka, redis_url)
    hub.make_topics(2)
    hub.load(tmp_path / "events.ndjson", tmp_path / "patients.ndjson")
    hub.work_all()  # the dead letter of 15 MB is 20 MB in base64
    letters = [read_letter(found.value or b"") for found in hub.records("px.dead-letters", 1)]
    assert sorted((letter.reason, len(letter.raw) > MANY) for letter in letters) == [
        ("too_large", False),
        ("too_large", True),
    ]
    assert len([found for found in hub.records("px.events", 2) if b'"source":"s"' in (found.value or b"")]) == 2
