"""Webhooks: a receiver by the Standard Webhooks library, an outbox that survives, and no way into a private network."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Receiver
from standardwebhooks import WebhookVerificationError

from hub.deliver.address import Forbidden, choose_address, is_public
from hub.deliver.attempt import read_wait
from hub.deliver.webhook import WebhookCounts, webhook_id
from schemas.alert import Alert, Level, State
from tests.hub.api.live_hub import cloud_event, running
from tests.hub.webhook_endpoint import SECRET, Endpoint, delivering, machine_time, measured, outbox, settled

pytestmark = pytest.mark.anyio
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_each_transition_is_told_signed_and_in_order(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with endpoint.listening(), running(tmp_path) as hub, delivering(hub, endpoint.webhook()):
        await hub.take(cloud_event("result.final", 0, order_id="a"), cloud_event("order.placed", 0, order_id="s"))
        hub.move(40)
        await endpoint.until(1)
        hub.move(40)  # the shadow's wait is breached too, and nobody is told
        await endpoint.until(2)
        await hub.take(cloud_event("result.viewed", 70, order_id="a"))
        await endpoint.until(3)
        await settled(hub)
        bodies = [body for _, body in endpoint.got]
        assert [body["type"] for body in bodies] == ["alert.warning", "alert.breached", "alert.resolved"]
        assert [body["data"]["state"] for body in bodies] == ["warning", "breached", "resolved"]
        assert {body["data"]["threshold"] for body in bodies} == {"told"}
        assert all(body["timestamp"] == body["data"]["at"] for body in bodies)
        assert len({id_ for id_, _ in endpoint.got}) == 3
        assert endpoint.heads[0][""] == "POST /hook?x=1 HTTP/1.1"
        assert endpoint.heads[0]["host"] == f"127.0.0.1:{endpoint.port}"


async def test_a_failed_try_comes_again_under_the_same_id(tmp_path: Path) -> None:
    answers = ("500 No", "hang up", "302 Found\r\nlocation: http://127.0.0.1:1/", "404 No")
    endpoint, counts = Endpoint(*answers), WebhookCounts()
    async with endpoint.listening(), running(tmp_path) as hub, delivering(hub, endpoint.webhook(), counts=counts):
        await measured(hub, 0, 1)
        await endpoint.until(5)
        await settled(hub)
        assert len({id_ for id_, _ in endpoint.got}) == 1
        assert len({json.dumps(body) for _, body in endpoint.got}) == 1
        assert (counts.attempts, counts.delivered, counts.given_up) == (5, 1, 0)


async def test_after_its_schedule_a_delivery_is_given_up_and_kept_and_the_rest_goes_on(tmp_path: Path) -> None:
    endpoint, counts = Endpoint(*["400 No"] * 6), WebhookCounts()
    async with endpoint.listening(), running(tmp_path) as hub, delivering(hub, endpoint.webhook(), counts=counts):
        await measured(hub, 0, 1)
        await endpoint.until(6)
        await measured(hub, 1, 1)
        await endpoint.until(7)
        assert endpoint.accepted == [endpoint.got[-1][0]]
        async with asyncio.timeout(10):
            while len(rows := await hub.intake.ask(outbox)) != 1:
                pass
        assert rows == [("ops", 1, 6, "failed", "status_400")]
        assert counts.given_up == 1


async def test_a_refused_message_does_not_hold_up_the_others(tmp_path: Path) -> None:
    endpoint = Endpoint("400 No")
    async with endpoint.listening(), running(tmp_path) as hub:
        async with delivering(hub, endpoint.webhook(), schedule=(3600.0,)):
            await measured(hub, 0, 3)
            await endpoint.until(3)
        assert [hub.cursors.read(body["data"]["cursor"]) for _, body in endpoint.got] == [1, 2, 3]
        assert [row[1:4] for row in await hub.intake.ask(outbox)] == [(1, 1, "open")]


async def test_a_receiver_that_is_down_is_not_asked_once_a_message(tmp_path: Path) -> None:
    endpoint = Endpoint("503 No\r\nretry-after: 3600")
    async with endpoint.listening(), running(tmp_path) as hub:
        async with delivering(hub, endpoint.webhook()):
            await measured(hub, 0, 5)
            await endpoint.until(1)
            await measured(hub, 5, 5)
        assert len(endpoint.got) == 1
        rows = hub.store.reader().rows("SELECT due FROM outbox WHERE cursor = 1")
        assert rows[0][0] > machine_time() + 3_500_000_000
        async with delivering(hub, endpoint.webhook()):  # the pause is of this run; each message's own wait is not
            await endpoint.until(10)
        assert sorted(hub.cursors.read(body["data"]["cursor"]) for _, body in endpoint.got[1:]) == list(range(2, 11))


async def test_gone_switches_off_for_good_until_the_address_is_another(tmp_path: Path) -> None:
    endpoint, counts = Endpoint("410 Gone"), WebhookCounts()
    async with endpoint.listening(), running(tmp_path) as hub:
        async with delivering(hub, endpoint.webhook(), counts=counts) as door:
            await measured(hub, 0, 2)
            await asyncio.wait_for(asyncio.gather(*door._tasks), 10)
        async with delivering(hub, endpoint.webhook()) as door:
            await asyncio.wait_for(asyncio.gather(*door._tasks), 10)
        assert len(endpoint.got) == counts.off == 1
        moved = endpoint.webhook(url=f"http://127.0.0.1:{endpoint.port}/new")
        async with delivering(hub, moved):
            await endpoint.until(3)
        assert len(endpoint.accepted) == 2


async def test_nothing_is_passed_over_by_a_restart(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with endpoint.listening() as receiver:
        async with running(tmp_path) as hub, delivering(hub, receiver.webhook()):
            await measured(hub, 0, 3)
            await receiver.until(1)  # stopped with the others under way
        async with running(tmp_path) as hub:
            await measured(hub, 3, 4)  # while nobody delivers
            await hub.alerts(7)
        async with running(tmp_path) as hub, delivering(hub, receiver.webhook()):
            await measured(hub, 7, 1)
            async with asyncio.timeout(10):
                while len(set(receiver.accepted)) < 8:
                    await receiver.until(len(receiver.got) + 1)
            cursors = {id_: hub.cursors.read(body["data"]["cursor"]) for id_, body in receiver.got}
            assert sorted(cursors.values()) == list(range(1, 9))


async def test_a_new_webhook_begins_with_what_comes_and_hears_of_its_thresholds(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with endpoint.listening(), running(tmp_path) as hub:
        await measured(hub, 0, 3)
        await hub.alerts(3)
        asked = endpoint.webhook(thresholds=frozenset(("told",)))
        async with delivering(hub, asked, endpoint.webhook(name="all")):
            await measured(hub, 3, 1)
            await hub.take(cloud_event("result.final", 0, order_id="a"))
            hub.move(40)
            await endpoint.until(3)
            await settled(hub)
        told = [body["data"] for _, body in endpoint.got]
        assert sorted((hub.cursors.read(data["cursor"]), data["threshold"]) for data in told) == [
            (4, "hold"),
            (5, "told"),
            (5, "told"),
        ]
        assert len({id_ for id_, _ in endpoint.got}) == 3  # a webhook's ids are its own


def some_alert(**given: Any) -> Alert:
    fields: dict[str, Any] = {
        "id": "al-1", "threshold": "t", "key": "k", "person": None, "journey": None, "state": State.BREACHED,
        "level": Level.BREACHED, "severity": "low", "mode": "live", "started_at": 0, "due_at": 0, "fired_at": 0,
        "ended_at": None, "delay_seconds": None, "facility": None, "late_start": False, "reason": "",
    }  # fmt: skip
    return Alert(**(fields | given))


def test_an_id_is_that_of_one_webhook_and_one_transition() -> None:
    rows = [(1, 5, some_alert()), (2, 5, some_alert()), (1, 6, some_alert()), (1, 5, some_alert(id="al-2"))]
    ids = {webhook_id(name, row) for name in ("a", "b") for row in rows}
    assert len(ids) == 8
    assert all("." not in id_ for id_ in ids)
    assert webhook_id("a", rows[0]) == webhook_id("a", (1, 5, some_alert()))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::a00:1", "2002:a00:1::1", "2001:0:1::1", "ff02::1", "fe80::1%eth0", "nonsense",
    ],
)  # fmt: skip
def test_no_way_leads_into_a_private_network(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(Forbidden):
        choose_address([address], allowed=False)
    assert choose_address([address, "93.184.216.34"], allowed=False) == "93.184.216.34"


def test_public_addresses_are_public() -> None:
    assert all(is_public(address) for address in ("93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"))


async def test_a_name_that_leads_home_is_refused_and_tried_again_later(tmp_path: Path) -> None:
    endpoint, asked = Endpoint(), asyncio.Event()

    async def rebinding(host: str, port: int) -> list[str]:
        assert (host, port) == ("hooks.example", endpoint.port)
        asked.set()
        return ["127.0.0.1"]

    async with endpoint.listening(), running(tmp_path) as hub:
        url = f"https://hooks.example:{endpoint.port}/"
        async with delivering(hub, endpoint.webhook(url=url), resolve=rebinding, schedule=(3600.0,)):
            await measured(hub, 0, 1)
            await asyncio.wait_for(asked.wait(), 10)
            async with asyncio.timeout(10):
                while [row[2:] for row in await hub.intake.ask(outbox)] != [(1, "open", "address_forbidden")]:
                    pass
        assert endpoint.got == []


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate for hooks.example, signed by itself."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, certificate


async def test_over_tls_the_checked_address_must_prove_the_name(tmp_path: Path) -> None:
    key, certificate = make_certificate(tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    endpoint = Endpoint()

    async def home(_: str, __: int) -> list[str]:
        return ["127.0.0.1"]

    async with endpoint.listening(tls=serving), running(tmp_path / "store") as hub:
        names = ("hooks.example", "other.example")
        hooks = [
            endpoint.webhook(name=f"n{n}", url=f"https://{name}:{endpoint.port}/", allow_private=frozenset(names))
            for n, name in enumerate(names)
        ]
        async with delivering(hub, *hooks, resolve=home, verify=trusting, schedule=(3600.0,)):
            await measured(hub, 0, 1)
            await endpoint.until(1)
            async with asyncio.timeout(10):
                while [row[::3] for row in await hub.intake.ask(outbox)] != [("n1", "open")] or not [
                    row for row in await hub.intake.ask(outbox) if row[2]
                ]:
                    pass
            assert await hub.intake.ask(outbox) == [("n1", 1, 1, "open", "ConnectError")]
        assert endpoint.heads[0]["host"] == f"hooks.example:{endpoint.port}"


def test_two_secrets_sign_while_keys_are_changed_and_a_third_does_not() -> None:
    at = datetime.now(tz=UTC)  # noqa: TID251 - the receiver's library looks at the machine's clock
    signatures = " ".join(Receiver(secret).sign("msg_1", at, "{}") for secret in (SECRET, OTHER))
    head = {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signatures}
    for secret in (SECRET, OTHER):
        assert Receiver(secret).verify(b"{}", head) == {}
    with pytest.raises(WebhookVerificationError):
        Receiver("whsec_" + base64.b64encode(b"3" * 32).decode()).verify(b"{}", head)


def test_retry_after_is_read_in_both_forms() -> None:
    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert read_wait("120", now) == 120
    assert read_wait(format_datetime(now + timedelta(minutes=5), usegmt=True), now) == 300
    assert read_wait("9" * 50, now) == 86_400
    assert [read_wait(text, now) for text in (None, "soon", "-5", "1.5")] == [0, 0, 0, 0]
