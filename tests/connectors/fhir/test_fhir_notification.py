"""Notifications of subscriptions, and what is missing of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.fhir.heard import MOST_RANGES, Heard, hear
from connectors.fhir.notification import Notification, Notified, heartbeat_period, read_notification, read_status
from schemas.errors import Unreadable

_KIT = Path("shared", "corpus", "fhir", "inferno-framework_subscriptions-test-kit")
CORPUS = next((place for folder in Path(__file__).parents if (place := folder / _KIT).is_dir()), _KIT)


def parameters(kind: str, *numbers: int, since: str | None = None, focus: str | None = None) -> bytes:
    told: list[dict[str, Any]] = [
        {"name": "subscription", "valueReference": {"reference": "https://ehr.example/fhir/Subscription/s1"}},
        {"name": "type", "valueCode": kind},
    ]
    if since is not None:
        told.append({"name": "events-since-subscription-start", "valueString": since})
    for number in numbers:
        part: list[dict[str, Any]] = [{"name": "event-number", "valueString": str(number)}]
        if focus:
            part.append({"name": "focus", "valueReference": {"reference": focus}})
        told.append({"name": "notification-event", "part": part})
    return json.dumps({"resourceType": "Parameters", "parameter": told}).encode()


def test_r4_says_it_by_parameters() -> None:
    assert read_notification(parameters("event-notification", 7, since="7", focus="Patient/1")) == Notification(
        "s1", "event-notification", 7, (Notified(7, "Patient/1"),)
    )


def test_r4b_says_it_by_a_subscription_status() -> None:
    status = {
        "resourceType": "SubscriptionStatus",
        "type": "event-notification",
        "subscription": {"reference": "Subscription/s1"},
        "eventsSinceSubscriptionStart": "3",
        "notificationEvent": [{"eventNumber": "3", "focus": {"reference": "Patient/1"}}],
    }
    assert read_notification(json.dumps(status).encode()) == Notification(
        "s1", "event-notification", 3, (Notified(3, "Patient/1"),)
    )


@pytest.mark.parametrize("raw", [b"{", b"7", b'{"resourceType": "Patient"}', b'{"resourceType": "Parameters"}'])
def test_what_is_none_is_none(raw: bytes) -> None:
    assert read_notification(raw) is None


@pytest.mark.parametrize(
    "raw, place",
    [
        (parameters("shouting"), "type"),
        (parameters("heartbeat", since="PATIENT"), "events-since-subscription-start"),
        (parameters("heartbeat").replace(b"Subscription/s1", b""), "subscription"),
        (parameters("event-notification", 1).replace(b'"1"', b'"-1"'), "event-number"),
    ],
)
def test_what_cannot_be_read_says_where_and_quotes_nothing(raw: bytes, place: str) -> None:
    with pytest.raises(Unreadable) as wrong:
        read_notification(raw.replace(b"https://ehr.example/fhir/", b""))
    assert wrong.value.place.endswith(place)
    assert "PATIENT" not in str(wrong.value)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")
def test_those_of_the_corpus_are_read() -> None:
    kinds = {}
    for path in sorted(CORPUS.glob("*bundle_example.json")):
        [first, *_] = json.loads(path.read_text())["entry"]
        told = read_notification(json.dumps(first["resource"]).encode())
        assert told is not None
        kinds[path.name.removesuffix("_bundle_example.json")] = told.kind
    assert kinds["handshake"] == "handshake"
    assert kinds["heartbeat"] == "heartbeat"
    assert kinds["full_resource_notification"] == kinds["id_only_notification"] == "event-notification"


def told(*numbers: int, kind: str = "event-notification", since: int | None = None) -> Notification:
    return Notification("s1", kind, since, tuple(Notified(number) for number in numbers))


def test_a_handshake_begins() -> None:
    assert hear(None, told(kind="handshake", since=0), frozenset()) == Heard(0)


def test_what_came_before_the_first_is_not_missed() -> None:
    assert hear(None, told(5), frozenset({5})) == Heard(5)


def test_a_gap_is_missing_until_it_comes() -> None:
    heard = hear(Heard(3), told(6), frozenset({6}))
    assert heard == Heard(6, ((4, 5),))
    assert heard.count == 2
    heard = hear(heard, told(4, kind="query-event"), frozenset({4}))
    assert hear(heard, told(5), frozenset({5})) == Heard(6)


def test_a_number_without_its_content_is_missing() -> None:
    assert hear(Heard(3), told(4), frozenset()) == Heard(4, ((4, 4),))


def test_a_heartbeat_tells_of_what_did_not_come() -> None:
    assert hear(Heard(3), told(kind="heartbeat", since=5), frozenset()) == Heard(5, ((4, 5),))
    assert hear(Heard(3), told(kind="heartbeat", since=3), frozenset()) == Heard(3)


def test_a_handshake_with_a_smaller_number_begins_again() -> None:
    assert hear(Heard(9, ((2, 4),)), told(kind="handshake", since=0), frozenset()) == Heard(0)


def test_ranges_are_bounded() -> None:
    heard = Heard(0)
    for number in range(2, 4 * MOST_RANGES, 2):
        heard = hear(heard, told(number), frozenset({number}))
    assert len(heard.missing) == MOST_RANGES


@given(st.permutations(range(1, 9)), st.lists(st.integers(1, 8), max_size=6), st.sets(st.integers(1, 8)))
def test_order_and_repetition_leave_nothing_missing_that_came(
    order: list[int], again: list[int], without: set[int]
) -> None:
    heard = hear(None, told(kind="handshake", since=0), frozenset())
    for number in [*order, *again]:
        heard = hear(heard, told(number), frozenset({number} - without))
    assert heard.last == 8
    missing = {number for begin, end in heard.missing for number in range(begin, end + 1)}
    assert missing == without


_URL = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-heartbeat-period"


@pytest.mark.parametrize(
    "said, seconds",
    [
        ({"channel": {"extension": [{"url": "x"}, {"url": _URL, "valueUnsignedInt": 60}]}}, 60),
        ({"extension": [{"url": _URL, "valueUnsignedInt": 30}]}, 30),
        ({"heartbeatPeriod": 20}, 20),
        ({"channel": {"type": "rest-hook"}}, None),
        ({"channel": {"extension": [{"url": _URL, "valueUnsignedInt": 0}]}}, None),
        ({"channel": {"extension": [{"url": _URL, "valueUnsignedInt": True}]}}, None),
        ({"channel": {"extension": [7]}}, None),
        ({"resourceType": "Patient", "heartbeatPeriod": 20}, None),
    ],
)
def test_a_subscription_says_how_often_it_is_heard_of(said: dict[str, Any], seconds: int | None) -> None:
    assert heartbeat_period(json.dumps({"resourceType": "Subscription", **said}).encode()) == seconds
    assert heartbeat_period(b"no json") is None


def test_a_status_is_the_answer_to_the_question_that_was_asked() -> None:
    alone = parameters("query-status", since="9")
    other = {"resource": {"resourceType": "OperationOutcome"}}
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [other, {"resource": json.loads(alone)}, 7]}
    for body in (alone, json.dumps(bundle).encode()):
        assert read_status(body, "s2") == Notification("s2", "query-status", 9)
    assert read_status(b'{"resourceType": "OperationOutcome"}', "s2") is None
    assert read_status(b"no json", "s2") is None
