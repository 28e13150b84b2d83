"""`pxhub serve` as its user meets it: a real process, real sockets, a store that outlives both."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.faults.served import Served, answer_of, ask

THRESHOLDS = """
thresholds:
  - {id: soon, kind: wait, key: order_id, start: result.final, satisfied_by: result.viewed, within: 2s, warn_at: 50%}
"""


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "hub", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def event(id_: str, type_: str, time: datetime, **data: Any) -> dict[str, Any]:
    data = {"mrn": "M1", "assigning_authority": "NORTH"} | data
    return {"specversion": "1.0", "id": id_, "source": "s", "type": type_, "time": time.isoformat(), "data": data}


def post(served: Served, *events: dict[str, Any]) -> list[str]:
    answer = httpx2.post(
        f"http://127.0.0.1:{served.ports['http']}/v1/events",
        content=json.dumps(events),
        headers={"content-type": "application/cloudevents-batch+json"},
    )
    assert answer.status_code == 202, answer.text
    return [verdict["outcome"] for verdict in answer.json()["events"]]


def follow(served: Served, after: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Id, event and data of the stream's transitions, from the beginning or behind an id."""
    headers = {"last-event-id": after} if after else {}
    url = f"http://127.0.0.1:{served.ports['http']}/v1/alerts/stream"
    with httpx2.stream("GET", url, headers=headers, timeout=30) as stream:
        told: dict[str, str] = {}
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name in ("id", "event", "data"):
                told[name] = value
            elif not line and told:
                if told.get("event") != "opened":
                    yield told["id"], told["event"], json.loads(told["data"])
                told = {}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "t.yaml").write_text(THRESHOLDS)
    return tmp_path


def test_time_alone_fires_and_the_stream_goes_on_after_a_kill(folder: Path) -> None:
    store, options = folder / "store", ("--thresholds", folder / "t.yaml")
    served = Served(store, *options)
    now = datetime.now(tz=UTC)  # noqa: TID251 - a live hub is asked about now
    beginning = httpx2.get(f"http://127.0.0.1:{served.ports['http']}/v1/alerts").json()["next"]
    assert post(served, event("1", "result.final", now, order_id="a")) == ["accepted"]
    changes = follow(served, beginning)
    _, first, _ = next(changes)
    at, second, alert = next(changes)
    assert (first, second, alert["key"]) == ("warning", "breached", "a")
    served.kill()
    changes.close()

    served = Served(store, *options)
    late = event("2", "result.viewed", now + timedelta(seconds=1), order_id="a")
    assert post(served, late, event("1", "result.final", now, order_id="a")) == ["accepted", "duplicate"]
    _, third, alert = next(follow(served, at))
    assert (third, alert["key"]) == ("retracted", "a") or (third, alert["level"]) == ("resolved", "warning")
    shown = httpx2.get(f"http://127.0.0.1:{served.ports['http']}/v1/alerts/{alert['id']}").json()
    assert any("2s from the start" in line for line in shown["explanation"])
    assert served.stop() == 0
    assert [change["cursor"] for change in ask("alerts", "tail", "--no-follow", "--store", store)] == [1, 2, 3]


def test_a_second_server_and_a_writing_command_are_told_to_try_again(folder: Path) -> None:
    store = folder / "store"
    served = Served(store, "--thresholds", folder / "t.yaml")
    second = command("serve", "--store", store, "--mllp", "127.0.0.1:0", "--timezone", "UTC")
    assert (second.returncode, second.stdout) == (75, "")
    assert "another pxhub writes this store" in second.stderr
    assert command("dead-letters", "drop", "1", "--store", store).returncode == 75
    assert command("store", "stats", "--store", store).returncode == 0
    taken = command(
        "serve", "--store", folder / "other", "--mllp", f"127.0.0.1:{served.ports['mllp']}", "--timezone", "UTC"
    )
    assert taken.returncode == 2
    assert "cannot be listened on" in taken.stderr
    assert served.stop() == 0


@pytest.mark.parametrize(
    "options, said",
    [
        (("--mllp", "127.0.0.1:0"), "the time zone of the senders is not known"),
        (("--mllp", "127.0.0.1:0", "--timezone", "Mars/Olympus"), "Mars/Olympus"),
        (("--mllp", "0.0.0.0:0", "--timezone", "UTC"), "--mllp-allow"),
        (("--http", "0.0.0.0:0", "--timezone", "UTC"), "loopback only"),
        (("--timezone", "UTC"), "nothing would listen"),
        (("--mllp", "2575", "--timezone", "UTC"), "HOST:PORT is expected"),
    ],
)
def test_what_it_refuses_to_start_with(folder: Path, options: tuple[str, ...], said: str) -> None:
    done = command("serve", "--store", folder / "store", *options)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_facilities_without_a_zone_are_named(folder: Path) -> None:
    (folder / "site.yaml").write_text("facilities: {NORTH: {zone: America/New_York}, SOUTH: {}}\n")
    done = command("serve", "--store", folder / "store", "--mllp", "127.0.0.1:0", "--site", folder / "site.yaml")
    assert done.returncode == 2
    assert "SOUTH" in done.stderr
    assert "NORTH" not in done.stderr


def test_a_webhook_whose_host_is_unknown_now_stops_no_start_and_is_told(folder: Path) -> None:
    (folder / "secret").write_text("whsec_" + base64.b64encode(bytes(32)).decode())
    (folder / "hooks.yaml").write_text(
        "webhooks: [{name: ops, url: 'https://no.such.name.invalid/', secret_file: secret}]"
    )
    served = Served(folder / "store", "--webhooks", folder / "hooks.yaml")
    assert served.stop() == 0
    facts = [json.loads(line) for line in served.log.read_text().splitlines()]
    [told] = [fact for fact in facts if fact["event"] == "webhook.unknown_host"]
    assert (told["level"], told["webhook"]) == ("warning", "ops")


def test_changed_thresholds_are_said_and_judged(folder: Path) -> None:
    store = folder / "store"
    served = Served(store, "--thresholds", folder / "t.yaml")
    now = datetime.now(tz=UTC)  # noqa: TID251 - a live hub is asked about now
    began = now - timedelta(hours=1)
    post(served, event("1", "result.final", began, order_id="a"), event("2", "result.final", now, order_id="b"))
    assert served.stop() == 0
    assert [a["state"] for a in ask("alerts", "list", "--store", store) if a["key"] == "a"] == ["breached"]

    (folder / "t.yaml").write_text(THRESHOLDS.replace("2s", "3h"))
    served = Served(store, "--thresholds", folder / "t.yaml")
    viewed = now - timedelta(minutes=30)
    post(served, event("3", "result.viewed", viewed, order_id="a"), event("4", "result.viewed", now, order_id="c"))
    assert served.stop() == 0
    facts = [json.loads(line) for line in served.log.read_text().splitlines()]
    assert [f["threshold"] for f in facts if f["event"] == "thresholds.changed"] == ["soon"]
    ended = {a["key"]: (a["state"], a["delay_seconds"]) for a in ask("alerts", "list", "--store", store)}
    assert ended["a"] == ("resolved", 1798)  # under the set that it was raised by
    assert ended.get("b", ("retracted", None)) == ("retracted", None)  # warned of at most, and judged by the new one
    [checked] = ask("store", "check", "--store", store)
    assert checked["well"]


def test_a_sender_that_is_cut_off_gets_its_answer_again(folder: Path) -> None:
    served = Served(folder / "store", "--thresholds", folder / "t.yaml")
    now = datetime.now(tz=UTC)  # noqa: TID251 - a live hub is asked about now
    stamp = (now - timedelta(hours=6)).strftime("%Y%m%d%H%M%S")  # read in the zone of New York
    message = f"MSH|^~\\&|EHR|NORTH|HUB|HUB|{stamp}||ADT^A01|9|P|2.5.1\rPID|1||M1^^^NORTH^MR||Doe\rPV1|1|I\r".encode()
    answers = []
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", served.ports["mllp"]), timeout=10) as sender:
            sender.sendall(b"\x0b" + message + b"\x1c\r")
            answers.append(sender.recv(4096))
    assert answers[0] == answers[1]
    assert answer_of(answers[0]) == (b"AA", b"9")
    metrics = httpx2.get(f"http://127.0.0.1:{served.ports['http']}/metrics").text
    assert 'pxhub_messages_total{outcome="duplicate",source_kind="hl7"} 1.0' in metrics
    assert "pxhub_mllp_frames_total 2.0" in metrics
    assert "Doe" not in served.log.read_text() + metrics
    assert served.stop() == 0
