"""What patients said in their own words, of a hub in Kafka: kept apart from messages, and shown to who may read it."""

from __future__ import annotations

import json

import httpx2
from typer.testing import CliRunner

from hub.cli.comments import comments_app
from tests.kafka.running import KafkaHub, run
from tests.kafka.serving import ServedKafka, inbound, make_topics, records
from tests.services import fresh_kafka, kafka, redis_run, redis_url  # noqa: F401 - fixtures

WORDS = "Nobody rang me back. Ümläute too."
INSTRUMENT = """
surveys: {instruments: {ours: {items: {waiting: {scale: 1-5}}, score: waiting, low: {waiting: 2}}}}
mapping: {version: 1, tables: {fhir_instrument: {ours: ours}}}
"""
RESPONSE = {
    "resourceType": "QuestionnaireResponse",
    "id": "q1",
    "questionnaire": "https://north.example/Questionnaire/ours",
    "status": "completed",
    "subject": {"reference": "Patient/17"},
    "authored": "2026-03-02T08:00:00Z",
    "item": [
        {"linkId": "waiting", "answer": [{"valueInteger": 1}]},
        {"linkId": "why", "answer": [{"valueString": WORDS}]},
    ],
}


def test_what_patients_said_is_shown_to_who_may_read_it(tmp_path, fresh_kafka, redis_url):  # noqa: F811
    make_topics(fresh_kafka)
    with ServedKafka(tmp_path, fresh_kafka, redis_url) as served, httpx2.Client(base_url=served.base) as client:
        person = {"mrn": "8101", "assigning_authority": "NORTH"}
        for number, comment in (("f1", WORDS), ("f1", WORDS), ("f2", "Another word.")):
            body = {"id": number, "person": person, "facility": "NORTH", "kind": "complaint", "topic": "billing"}
            assert client.post("/v1/feedback", json={**body, "comment": comment}).status_code == 202
        ids = [(one.key or b"").decode() for one in records(fresh_kafka, "px.comments")]
    run("work", "all", "--kafka", fresh_kafka, "--redis", redis_url, "--until-caught-up")
    listed = [
        json.loads(line) for line in run("comments", "list", "--kafka", fresh_kafka, "--format", "ndjson").splitlines()
    ]
    assert [one["id"] for one in listed] == [ids[0], ids[2]]
    assert [(one["type"], one["facility"], one["topic"]) for one in listed] == [
        ("complaint.received", "NORTH", "billing")
    ] * 2
    assert run("comments", "show", ids[0], "--kafka", fresh_kafka) == WORDS + "\n"
    missing = CliRunner().invoke(comments_app, ["show", "cm-none", "--kafka", fresh_kafka])
    assert (missing.exit_code, missing.stderr) == (1, "there is no such comment, or it was purged\n")


def test_who_loads_keeps_them_apart_too(tmp_path, fresh_kafka, redis_url):  # noqa: F811
    site, responses = tmp_path / "site.yaml", tmp_path / "responses.ndjson"
    site.write_text(INSTRUMENT)
    responses.write_text(json.dumps(RESPONSE) + "\n")
    hub = KafkaHub(fresh_kafka, redis_url, "--site", site, "--timezone", "UTC")
    hub.make_topics(2)
    hub.load(responses)
    hub.work_all()
    assert not any(b"Nobody rang" in one.raw for one in inbound(fresh_kafka))
    [listed] = [
        json.loads(line) for line in run("comments", "list", "--kafka", fresh_kafka, "--format", "ndjson").splitlines()
    ]
    assert (listed["type"], listed["time"]) == ("survey.answered", "2026-03-02T08:00:00Z")
    assert run("comments", "show", listed["id"], "--kafka", fresh_kafka) == WORDS + "\n"
