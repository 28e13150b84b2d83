"""Files of webhook bodies come apart, whatever stands around them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.api import Reading
from connectors.contact_center.files import split_bodies
from connectors.contact_center.signature import Signed
from connectors.contact_center.spec import Check
from schemas.event import SECOND


def is_body(raw: bytes) -> bool:
    return b'"ours"' in raw and raw.lstrip()[:1] == b"{"


def split(data: bytes, size: int = 1 << 20, largest: int = 1000) -> list[bytes | str]:
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    found = split_bodies(chunks, "f", is_body, largest=largest)
    return [
        (body.dead.reason.value if body.dead is not None else "?") if isinstance(body, Reading) else body
        for _, body in found
    ]


ONE, TWO = b'{"ours": [1, "}"]}', b'{"ours": {"a": "\\"{"}}'


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    "data",
    [
        ONE + b"\n" + TWO,
        ONE + TWO + b"\n\n",
        ONE + b"\r\n" + TWO + b"\r\n",
        b"[" + ONE + b",\n " + TWO + b"]",
        b"\xef\xbb\xbf" + ONE + b"\n" + TWO,
    ],
)
def test_bodies_come_apart(data: bytes, size: int) -> None:
    assert [body.strip() if isinstance(body, bytes) else body for body in split(data, size)] == [ONE, TWO]


def test_one_that_is_printed_over_lines_is_one() -> None:
    printed = json.dumps({"ours": [{"a": 1}, {}]}, indent=2).encode()
    assert [json.loads(body) for body in split(printed)] == [{"ours": [{"a": 1}, {}]}]


def test_what_is_cut_costs_itself_alone() -> None:
    assert split(b'{"ours": [1\n' + ONE + b"\nnonsense\n" + TWO) == ["unreadable", ONE, "unreadable", TWO]
    assert split(ONE + b'\n{"ours": ') == [ONE, "unreadable"]


def test_forms_and_kept_lines() -> None:
    kept = b'#pxhub {"received":"2026-03-02T15:00:00Z"}\n'
    assert split(b"A=1&B=2\n" + kept + b"A=2\n" + kept + ONE) == [b"A=1&B=2", kept + b"A=2", kept + ONE]


def test_what_is_too_large_is_passed_by() -> None:
    assert split(b'{"ours": "' + b"x" * 2000 + b'"}\n' + ONE) == ["too_large", ONE]


@given(st.binary(max_size=60), st.integers(1, 9))
def test_whatever_the_bytes_are_they_come_apart(data: bytes, size: int) -> None:
    whole = split(data)
    assert split(data, size) == whole


SECRET, NOW = b"s3cret", 1_772_463_600 * SECOND


@pytest.mark.parametrize(
    "check, headers, refused",
    [
        (Check(kind="token", scheme="Bearer"), {"authorization": "bearer s3cret"}, None),
        (Check(kind="token", scheme="Bearer"), {"authorization": "Bearer s3cret2"}, "signature"),
        (Check(kind="token", header="x-key"), {"x-key": "s3cret"}, None),
        (Check(kind="token", header="x-key"), {}, "unsigned"),
        (Check(kind="token", header="x-key"), {"x-key": "s\udce93cret"}, "signature"),
        (Check(kind="hmac", header="x-sig"), {"x-sig": "zz"}, "signature"),
        (Check(kind="hmac", header="x-sig", timestamp="x-time"), {"x-sig": "zz"}, "unsigned"),
        (Check(kind="twilio", header="x-twilio-signature"), {"x-twilio-signature": "AAAA"}, "signature"),
    ],
)
def test_checks(check: Check, headers: dict[str, str], refused: str | None) -> None:
    found = Signed(check, [b"other", SECRET], "https://hub.example.org/x").refusal(headers, "", b"a=1", NOW)
    assert (found.reason if found is not None else None) == refused


def test_twilio_signs_the_digest_of_json_in_the_url() -> None:
    import base64
    import hashlib
    import hmac

    body = b'{"a": 1}'
    query = "bodySHA256=" + hashlib.sha256(body).hexdigest()
    signature = base64.b64encode(hmac.new(SECRET, f"https://h/x?{query}".encode(), "sha1").digest()).decode()
    signed = Signed(Check(kind="twilio", header="x-twilio-signature"), [SECRET], "https://h/x")
    assert signed.refusal({"x-twilio-signature": signature}, query, body, NOW) is None
    assert signed.refusal({"x-twilio-signature": signature}, query, body + b" ", NOW) is not None
