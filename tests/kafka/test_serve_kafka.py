"""`pxhub serve --kafka` as senders meet it: what is acknowledged is on px.inbound, whatever becomes of the broker."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections import deque
from typing import Any

import httpx2
import pytest

from streams.embedded.entries import read_events
from tests.faults.served import answer_of, control_id, send_all
from tests.hub.mllp_hub import adt, dead
from tests.kafka.serving import ServedKafka, inbound, make_topics, records
from tests.services import fresh_kafka, kafka, own_kafka, redis_run, redis_url  # noqa: F401 - fixtures

FHIR = {"content-type": "application/fhir+json"}
PATIENT = {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:x", "value": "1"}]}
WORDS = "Nobody rang me back. Ümläute too."


def event(id_: str, **data: Any) -> dict[str, Any]:
    data = {"mrn": "M1", "assigning_authority": "NORTH", "order_id": "o1"} | data
    time = "2026-11-30T10:00:00Z"
    return {"specversion": "1.0", "id": id_, "source": "s", "type": "result.final", "time": time, "data": data}


def send(served: ServedKafka, *messages: bytes) -> list[bytes]:
    """The codes that messages are acknowledged with, one after the other."""

    async def sent() -> list[bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.ports["mllp"])
        codes = []
        for message in messages:
            writer.write(b"\x0b" + message + b"\x1c\r")
            codes.append(answer_of(await reader.readuntil(b"\x1c\r"))[0])
        writer.close()
        return codes

    return asyncio.run(sent())


def command(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "hub", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stderr


def test_what_is_acknowledged_over_mllp_is_on_px_inbound(tmp_path, fresh_kafka, redis_url):  # noqa: F811
    make_topics(fresh_kafka)
    with ServedKafka(tmp_path, fresh_kafka, redis_url) as served:
        codes = send(served, adt("M1"), adt("M2"), adt("M1"), dead("M3"), adt("M4").replace(b"|P|2", b"|T|2"))
        assert codes == [b"AA", b"AA", b"AA", b"AE", b"AA"]  # identify finds the repetition, later
        told = inbound(fresh_kafka)
        assert [one.raw for one in told] == [
            adt("M1"), adt("M2"), adt("M1"), dead("M3"), adt("M4").replace(b"|P|2", b"|T|2")
        ]  # fmt: skip
        assert [one.ignored for one in told] == [None, None, None, None, "test_message"]
        assert [one.dead is not None for one in told] == [False, False, False, True, False]
        assert [len(read_events(one.events)) > 0 for one in told[:3]] == [True] * 3
        assert told[0].content == told[2].content != told[1].content
        metrics = httpx2.get(served.base + "/metrics").text
        assert 'pxhub_messages_total{outcome="accepted",source_kind="hl7"} 3.0' in metrics
        assert served.stop() == 0
    keys = [record.key for record in records(fresh_kafka, "px.inbound") if b"MSH" in (record.value or b"")]
    assert all(keys)


def test_every_door_of_http_writes_to_kafka(tmp_path, fresh_kafka, redis_url):  # noqa: F811
    make_topics(fresh_kafka)
    with ServedKafka(tmp_path, fresh_kafka, redis_url) as served, httpx2.Client(base_url=served.base) as client:
        batch = {"content-type": "application/cloudevents-batch+json"}
        answer = client.post("/v1/events", content=json.dumps([event("1"), event("2")]), headers=batch)
        assert [one["outcome"] for one in answer.json()["events"]] == ["accepted", "accepted"]
        body = {"id": "f1", "person": {"mrn": "8101", "assigning_authority": "NORTH"}, "facility": "NORTH"}
        answer = client.post("/v1/feedback", json={**body, "kind": "complaint", "comment": WORDS})
        assert (answer.status_code, answer.json()) == (202, {"outcome": "accepted"})
        put = client.put("/fhir/Patient/p1", json=PATIENT, headers=FHIR)
        assert (put.status_code, put.headers["location"]) == (200, f"{served.base}/fhir/Patient/p1")
        assert "etag" not in put.headers
        assert client.post("/fhir/Patient", json=PATIENT, headers=FHIR).status_code == 201
        entry = {"resource": PATIENT, "request": {"method": "PUT", "url": "Patient/p1"}}
        for type_ in ("transaction", "batch"):
            bundle = {"resourceType": "Bundle", "type": type_, "entry": [entry]}
            answer = client.post("/fhir", json=bundle, headers=FHIR)
            assert answer.json()["entry"][0]["response"]["status"] == "200 OK"
        told = inbound(fresh_kafka)
        assert [one.kind for one in told] == ["cloudevents", "cloudevents", "feedback", "fhir", "fhir", "fhir", "fhir"]
        [said] = records(fresh_kafka, "px.comments")
        assert json.loads(said.value or b"") == {"text": WORDS}
        [held] = read_events(told[2].events)
        assert held.data["comment_id"] == (said.key or b"").decode()
        assert not any(b"Nobody rang" in one.raw for one in told)


def test_a_condition_is_refused_and_not_claimed(tmp_path, fresh_kafka, redis_url):  # noqa: F811
    make_topics(fresh_kafka)
    with ServedKafka(tmp_path, fresh_kafka, redis_url) as served, httpx2.Client(base_url=served.base) as client:
        asked = [
            client.put("/fhir/Patient?identifier=1", json=PATIENT, headers=FHIR),
            client.post("/fhir/Patient", json=PATIENT, headers={**FHIR, "if-none-exist": "identifier=1"}),
            client.put("/fhir/Patient/p1", json=PATIENT, headers={**FHIR, "if-match": 'W/"1"'}),
            client.put("/fhir/Patient/p1", json=PATIENT, headers={**FHIR, "if-none-match": "*"}),
        ]
        assert [answer.status_code for answer in asked] == [501, 501, 412, 412]
        assert {answer.json()["resourceType"] for answer in asked} == {"OperationOutcome"}
        stated = client.get("/fhir/metadata").json()["rest"]
        assert [rest["mode"] for rest in stated] == ["server"]
        for resource in stated[0]["resource"]:
            assert resource["versioning"] == "no-version"
            assert (resource["conditionalCreate"], resource["conditionalUpdate"]) == (False, False)
        entry = {
            "resource": PATIENT, "request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=1"}
        }  # fmt: skip
        whole = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
        assert client.post("/fhir", json=whole, headers=FHIR).status_code == 501
        each = client.post("/fhir", json={**whole, "type": "batch"}, headers=FHIR).json()
        assert each["entry"][0]["response"]["status"] == "501 Not Implemented"
        assert inbound(fresh_kafka) == []


@pytest.mark.slow
def test_nothing_acknowledged_is_missing_when_the_broker_is_killed(tmp_path, redis_url):  # noqa: F811
    """Two hubs at once, and senders that send again what was not acknowledged."""
    messages = [adt(f"M{number}") for number in range(3_000)]
    acknowledged: set[bytes] = set()
    with own_kafka(tmp_path / "kafka") as broker:
        at = f"127.0.0.1:{broker.port}"
        make_topics(at)
        with ServedKafka(tmp_path, at, redis_url) as one, ServedKafka(tmp_path, at, redis_url) as other:
            waiting = deque(messages)

            def note(message: bytes, answer: bytes) -> None:
                code, id_ = answer_of(answer)
                if code == b"AA":
                    assert id_ == control_id(message)
                    acknowledged.add(id_)
                else:
                    assert code == b"AR"  # not kept: it is to be sent again
                    waiting.append(message)

            async def sent() -> None:
                sending = [asyncio.create_task(send_all(hub.ports["mllp"], waiting, note)) for hub in (one, other)]
                for count in (500, 1_500):
                    while len(acknowledged) < count:  # noqa: ASYNC110 - other processes are watched
                        await asyncio.sleep(0.01)
                    await asyncio.to_thread(broker.kill)
                    await refused(one)
                    await asyncio.to_thread(broker.start)
                await asyncio.gather(*sending)

            asyncio.run(sent())
            assert len(acknowledged) == len(messages)
            assert {one.raw for one in inbound(at)} >= set(messages)
            assert (one.stop(), other.stop()) == (0, 0)


async def refused(hub: ServedKafka) -> None:
    """Without a broker what comes is refused, and readyz says why."""
    async with httpx2.AsyncClient(base_url=hub.base) as client:
        while (ready := await client.get("/readyz")).status_code == 200:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        assert ready.json()["reason"].startswith("Kafka does not take it now")
        structured = {"content-type": "application/cloudevents+json"}
        answer = await client.post("/v1/events", content=json.dumps(event("1")), headers=structured)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:pxhub:problem:store-failed")


def test_what_is_in_flight_at_a_stop_is_answered(tmp_path, fresh_kafka, redis_url):  # noqa: F811
    make_topics(fresh_kafka)
    with ServedKafka(tmp_path, fresh_kafka, redis_url) as served:
        with socket.create_connection(("127.0.0.1", served.ports["mllp"]), timeout=30) as sender:
            sender.sendall(b"".join(b"\x0b" + adt(f"M{number}") + b"\x1c\r" for number in range(200)))
            first = sender.recv(1)  # it is at it
            served.process.terminate()
            answered = first + b"".join(iter(lambda: sender.recv(65536), b""))
        codes = [answer_of(part)[0] for part in answered.split(b"\x1c\r") if part]
        assert served.process.wait(60) == 0
    taken = codes.count(b"AA")
    assert taken >= 1
    assert len({one.raw for one in inbound(fresh_kafka)}) >= taken


def test_wrong_use_and_what_does_not_answer(fresh_kafka):  # noqa: F811
    door = ("--mllp", "127.0.0.1:0", "--timezone", "UTC", "--redis", "redis://127.0.0.1:1/0")
    code, told = command("serve", *door, "--kafka", fresh_kafka)
    assert (code, told) == (
        2,
        f"px.inbound, px.comments: no such topic; run: pxhub topics apply --kafka {fresh_kafka}\n",
    )
    assert command("serve", *door, "--kafka", fresh_kafka, "--store", "x")[0] == 2
    assert command("serve", *door[:-2], "--kafka", fresh_kafka)[0] == 2
    assert command("serve", *door, "--kafka", fresh_kafka, "--clock", "event")[0] == 2
    assert command("serve", *door[2:], "--kafka", fresh_kafka)[0] == 2
    assert command("serve", *door, "--kafka", "127.0.0.1:1")[0] == 75
