"""Webhooks over HTTP to a real `pxhub serve`: who may send, what is kept, what is answered."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import standardwebhooks

from tests.connectors.contact_center.bodies import AGENT, QUEUE, connect, record, twilio
from tests.faults.served import Served, ask

WHSEC = "whsec_" + base64.b64encode(b"k" * 32).decode()
OWN = """
version: 1
vendor: nurse-line
check: {kind: standard-webhooks}
messages:
  - name: call
    recognise: {call: present}
    id: "@delivery"
    time: call.at
    kind: call.what
    events:
      - {event: contact.ended, when: {call.what: over}, set: {channel: voice, abandoned: false, counted: true},
         attributes: {contact_id: call.id, queue_seconds: {number: call.waited}}}
"""
SITE = """
timezone: America/New_York
sources:
  main-line:
    hook: amazon-connect
    secret_file: connect.secret
    facility: NORTH
    identifiers: [{path: Attributes.mrn, authority: NORTH}]
    tables: {reason: {result-call: result}, outcome: {done: reached}}
  texts: {hook: twilio, secret_file: twilio.secret, url: https://hub.example.org/v1/hooks/texts}
  tickets: {hook: zendesk, secret_file: zendesk.secret}
  nurses: {hook: own.yaml, secret_file: nurses.secret}
  bench: {hook: intercom, unsigned: true}
  lax: {hook: twilio, unsigned: true}
"""
PROMISES = """
thresholds:
  - {id: hold, kind: measure, event: contact.ended, value: queue_seconds, limit: {above: 600}, severity: medium}
"""


class Hub:
    """A hub of its own process, and what a sender does."""

    def __init__(self, folder: Path) -> None:
        (folder / "site.yaml").write_text(SITE)
        (folder / "own.yaml").write_text(OWN)
        for name, secret in (("connect", "old\nnew"), ("twilio", "token"), ("zendesk", "zen"), ("nurses", WHSEC)):
            (folder / f"{name}.secret").write_text(secret + "\n")
        (folder / "t.yaml").write_text(PROMISES)
        self.store = folder / "store"
        self.served = Served(self.store, "--site", folder / "site.yaml", "--thresholds", folder / "t.yaml")
        self.client = httpx2.Client(
            base_url=f"http://127.0.0.1:{self.served.ports['http']}", trust_env=False, timeout=20
        )

    def post(self, source: str, body: bytes, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"/v1/hooks/{source}", content=body, headers=named)

    def counted(self, name: str) -> float:
        text = self.client.get("/metrics").text
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))

    def stop(self) -> None:
        self.client.close()
        assert self.served.stop() == 0


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub for all: each test counts what it did itself, or has a source of its own."""
    hub = Hub(tmp_path_factory.mktemp("hooks"))
    try:
        yield hub
    finally:
        hub.stop()


def test_a_delivery_is_taken_once_and_told_what_became_of_it(hub: Hub) -> None:
    body = connect("INITIATED")
    taken = hub.post("main-line", body, authorization="Bearer new")
    assert (taken.status_code, taken.json()) == (202, {"outcome": "accepted"})
    assert hub.post("main-line", body, authorization="Bearer old").json()["outcome"] == "duplicate"
    spaced = json.dumps(json.loads(body), indent=2).encode()
    assert hub.post("main-line", spaced, authorization="Bearer old").json()["outcome"] == "duplicate"
    other = hub.post("main-line", connect("QUEUED"), authorization="Bearer old").json()
    assert (other["outcome"], other["reason"]) == ("dead", "conflict")
    unknown = hub.post("main-line", connect("NEW_KIND", id_="e9"), authorization="Bearer old")
    assert (unknown.status_code, unknown.json()["outcome"]) == (202, "ignored")
    assert unknown.json()["reason"] == "amazon-connect: no mapping for NEW_KIND"
    nonsense = hub.post("main-line", b"{ not JSON", authorization="Bearer old")
    assert (nonsense.status_code, nonsense.json()["outcome"], nonsense.json()["reason"]) == (202, "dead", "unreadable")


def test_what_does_not_prove_its_sender_is_not_kept(hub: Hub) -> None:
    names = ("pxhub_hooks_refused_signature_total", "pxhub_hooks_refused_unsigned_total", "pxhub_messages_total")
    before = [hub.counted(name) for name in names]
    body = connect("INITIATED", id_="never")
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic new"}):
        refused = hub.post("main-line", body, **headers)
        assert refused.status_code == 401
        assert refused.headers["content-type"] == "application/problem+json"
        assert "c1" not in refused.text
    assert hub.post("nobody", body).status_code == 404
    assert hub.post("main-line", b"x" * (1 << 20) + b"x", authorization="Bearer new").status_code == 413
    assert [hub.counted(name) for name in names] == [before[0] + 2, before[1] + 1, before[2]]


def test_twilio_signs_the_url_and_the_fields(hub: Hub) -> None:
    form = b"MessageSid=SM1&AccountSid=AC0&MessageStatus=delivered&To=%2B15555550100"
    signed = "https://hub.example.org/v1/hooks/texts" + "AccountSidAC0MessageSidSM1MessageStatusdeliveredTo+15555550100"
    signature = base64.b64encode(hmac.new(b"token", signed.encode(), hashlib.sha1).digest()).decode()
    form_type = {"content_type": "application/x-www-form-urlencoded"}
    assert hub.post("texts", form, x_twilio_signature="AAAA", **form_type).status_code == 401
    assert hub.post("texts", form, x_twilio_signature=signature, **form_type).json() == {"outcome": "accepted"}
    again = hub.post("texts", form, x_twilio_signature=signature, **form_type).json()
    assert again["outcome"] == "duplicate"  # though it came at another moment
    changed = form.replace(b"delivered", b"failed")
    assert hub.post("texts", changed, x_twilio_signature=signature, **form_type).status_code == 401


def test_a_form_of_too_many_fields_is_told_so_and_not_that_it_is_not_genuine(hub: Hub) -> None:
    names = ("pxhub_hooks_refused_fields_total", "pxhub_hooks_refused_signature_total", "pxhub_messages_total")
    before = [hub.counted(name) for name in names]
    form_type = {"content_type": "application/x-www-form-urlencoded"}

    def sent(fields: int) -> httpx2.Response:
        told = sorted({"MessageSid": "SM9", "AccountSid": "AC0", "MessageStatus": "delivered"}.items())
        told += [(f"n{number:05}", "1") for number in range(fields - len(told))]
        text = "https://hub.example.org/v1/hooks/texts" + "".join(f"{name}{value}" for name, value in told)
        signature = base64.b64encode(hmac.new(b"token", text.encode(), hashlib.sha1).digest()).decode()
        body = "&".join(f"{name}={value}" for name, value in told).encode()
        return hub.post("texts", body, x_twilio_signature=signature, **form_type)

    assert sent(2000).json()["outcome"] == "accepted"
    refused = [sent(2001), hub.post("texts", b"a=1&" * 2000 + b"a=1", **form_type)]
    assert [one.status_code for one in refused] == [413, 413]
    assert {one.json()["type"] for one in refused} == {"urn:pxhub:problem:too-many-fields"}
    assert [hub.counted(name) for name in names] == [before[0] + 2, before[1], before[2] + 1]


def test_standard_webhooks_as_their_own_library_signs_them(hub: Hub) -> None:
    from datetime import UTC, datetime, timedelta

    body = json.dumps({"call": {"at": "2026-03-02T15:00:00Z", "what": "over", "id": 7, "waited": "12"}})
    signer = standardwebhooks.Webhook(WHSEC)

    def sent(at: datetime, id_: str = "m1", body: str = body) -> httpx2.Response:
        signature = signer.sign(id_, at, body)
        headers = {"webhook_id": id_, "webhook_timestamp": str(int(at.timestamp())), "webhook_signature": signature}
        return hub.post("nurses", body.encode(), **headers)

    now = datetime.now(tz=UTC)  # noqa: TID251 - the other process reads it too
    assert sent(now).json() == {"outcome": "accepted"}
    assert sent(now).json()["outcome"] == "duplicate"
    stale = sent(now - timedelta(minutes=6), "m2")
    assert stale.status_code == 401
    assert stale.json()["type"] == "urn:pxhub:problem:stale-delivery"
    assert hub.counted("pxhub_hooks_refused_stale_total") == 1
    other = hub.post(
        "nurses", b"{}", webhook_id="m3", webhook_timestamp=str(int(now.timestamp())), webhook_signature="v1,x"
    )
    assert other.status_code == 401


def test_an_hmac_is_declared_by_the_mapping(hub: Hub) -> None:
    from datetime import UTC, datetime

    body = json.dumps({"ticket_id": 7, "status": "new", "updated_at": "2026-03-02T15:00:00Z"}).encode()
    stamp = datetime.now(tz=UTC).isoformat()  # noqa: TID251 - as above
    signature = base64.b64encode(hmac.new(b"zen", stamp.encode() + body, hashlib.sha256).digest()).decode()
    names = {"x_zendesk_webhook_signature": signature, "x_zendesk_webhook_signature_timestamp": stamp}
    assert hub.post("tickets", body, **names).json() == {"outcome": "accepted"}
    assert hub.post("tickets", body + b" ", **names).status_code == 401
    old = {**names, "x_zendesk_webhook_signature_timestamp": "2020-01-01T00:00:00Z"}
    assert hub.post("tickets", body, **old).status_code == 401


def test_what_was_kept_is_read_again_by_a_mended_site(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    attributes = {"mrn": "4711", "reason": "result-call", "outcome": "done"}
    body = record(Queue={**QUEUE, "Duration": 700}, Agent=AGENT, Attributes=attributes)
    try:
        assert hub.post("main-line", body, authorization="Bearer new").json() == {"outcome": "accepted"}
        assert hub.post("bench", b"[]").json()["outcome"] == "ignored"
        assert hub.counted('pxhub_messages_total{outcome="accepted",source_kind="hook"}') == 1
        form = b"MessageSid=SM1&AccountSid=AC0&SmsStatus=received&From=%2B15555550100"
        assert hub.post("lax", form).json() == {"outcome": "accepted"}
    finally:
        hub.stop()
    [alert] = ask("alerts", "list", "--store", hub.store)
    assert alert["threshold"] == "hold"
    [stats] = ask("store", "stats", "--store", hub.store)
    told = {(row["source_kind"], row["outcome"]) for row in stats["by_reason"]}
    assert told == {("hook/main-line", "accepted"), ("hook/bench", "ignored"), ("hook/lax", "accepted")}
    [ended] = ask("events", "show", "--store", hub.store, "--person", "4711^NORTH")
    assert (ended["data"]["reason"], ended["data"]["outcome"], ended["facility"]) == ("result", "reached", "NORTH")
    mended = tmp_path / "mended.yaml"
    mended.write_text(SITE.replace("result-call: result", "result-call: billing"))
    [counts] = ask("store", "remap", "--store", hub.store, "--site", mended)
    assert (counts["messages"], counts["changed"]) == (3, 1)
    [ended] = ask("events", "show", "--store", hub.store, "--person", "4711^NORTH")
    assert ended["data"]["reason"] == "billing"
    ask("store", "check", "--store", hub.store)  # the state is the one of the log


def test_a_source_that_cannot_be_checked_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("timezone: UTC\nsources:\n  line: {hook: amazon-connect}\n")
    command: list[Any] = [
        sys.executable,
        "-P",
        "-m",
        "hub",
        "serve",
        "--store",
        tmp_path / "s",
        "--http",
        "127.0.0.1:0",
    ]
    done = subprocess.run([*command, "--site", tmp_path / "site.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "source line has no secret" in done.stderr
    assert not (tmp_path / "s").exists()


def test_forms_and_records_of_several_vendors_in_one_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "twilio.txt").write_bytes(twilio("task.created") + b"\n" + twilio("task.completed") + b"\n")
    (tmp_path / "in" / "connect.ndjson").write_bytes(connect("INITIATED") + record(Queue=QUEUE) + b"\n")
    (tmp_path / "in" / "array.json").write_bytes(
        b"[" + connect("QUEUED", id_="e2") + b"," + connect("X", id_="e3") + b"]"
    )
    (tmp_path / "in" / "event.json").write_text(
        '{"specversion":"1.0","id":"1","source":"s","type":"order.placed","time":"2026-03-02T15:00:00Z"}'
    )
    command = [sys.executable, "-P", "-m", "hub", "replay", tmp_path / "in", "--format", "json", "--timezone", "UTC"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert (report["messages"], report["accepted"], report["dead_letters"]) == (7, 6, 0)
    assert report["ignored_by_reason"] == {"amazon-connect: no mapping for X": 1}


def test_a_packed_body_is_refused_for_a_signature_is_of_the_body_as_it_is_read(hub: Hub) -> None:
    answer = hub.post("bench", gzip.compress(b"[]"), content_encoding="gzip")
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert answer.json()["type"] == "urn:pxhub:problem:unsupported-coding"
