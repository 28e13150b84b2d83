"""What a FHIR server's answers mean, and what its exports are made of."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from connectors.fhir.answers import issue_codes, may_pass, read_retry_after, word_refusal
from connectors.fhir.bulk import deletions_of, kick_off_url, over_group, read_manifest
from connectors.fhir.search import WrongAnswer
from schemas.instant import read_instant

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text, seconds",
    [
        (None, 0.0),
        ("", 0.0),
        ("120", 120.0),
        (" 5 ", 5.0),
        ("Mon, 02 Mar 2026 12:01:00 GMT", 60.0),
        ("Mon, 02 Mar 2026 11:00:00 GMT", 0.0),
        ("9" * 12, 86_400.0),
        ("-1", 0.0),
        ("soon", 0.0),
    ],
)
def test_how_long_a_server_wants_to_be_left_alone(text: str | None, seconds: float) -> None:
    assert read_retry_after(text, NOW) == seconds


def test_an_outcome_is_told_by_its_codes_alone() -> None:
    issues = [
        {"severity": "error", "code": "not-found", "diagnostics": "Patient Jane Doe"},
        {"severity": "error", "code": "Jane Doe"},
        {"severity": "error", "code": "not-found"},
    ]
    raw = json.dumps({"resourceType": "OperationOutcome", "issue": issues}).encode()
    assert issue_codes(raw) == ("not-found",)
    told = word_refusal(404, raw)
    assert told.startswith("it answers 404 (not-found): ")
    assert "Jane" not in told
    assert word_refusal(418, b"<html>Jane</html>") == "it answers 418"
    assert "not followed" in word_refusal(302, b"")
    assert issue_codes(b'{"resourceType":"Patient","issue":[]}') == ()


def test_what_may_go_better_later() -> None:
    assert [status for status in (400, 401, 403, 404, 408, 429, 500, 501, 503) if may_pass(status)] == [
        408, 429, 500, 503,
    ]  # fmt: skip


def test_where_an_export_begins() -> None:
    since = read_instant("2026-03-02T09:00:00Z")
    assert kick_off_url("https://e.example", over="", types=(), since=None) == (
        "https://e.example/$export?_outputFormat=application/fhir%2Bndjson"
    )
    assert kick_off_url("https://e.example", over=over_group("a/../b"), types=("Patient", "Task"), since=since) == (
        "https://e.example/Group/a%2F..%2Fb/$export?_outputFormat=application/fhir%2Bndjson&_type=Patient,Task"
        "&_since=2026-03-02T09:00:00Z"
    )


def test_a_manifest() -> None:
    told = {
        "transactionTime": "2026-03-02T09:00:00.5+01:00",
        "requiresAccessToken": False,
        "output": [{"type": "Patient", "url": "u", "count": 3}],
        "deleted": [{"type": "Bundle", "url": "d"}],
        "error": [{"type": "OperationOutcome", "url": "e"}],
    }
    manifest = read_manifest(json.dumps(told).encode())
    assert manifest.time == read_instant("2026-03-02T08:00:00.5Z")
    assert not manifest.needs_token
    assert manifest.files == (("Patient", "u", 3), ("deletions", "d", None))
    assert manifest.errors == (("OperationOutcome", "e", None),)
    for wrong in (b"", b"{}", b'{"transactionTime":"today","output":[]}', b'{"transactionTime":"2026-03-02T09:00:00"}'):
        with pytest.raises(WrongAnswer):
            read_manifest(wrong)


def test_deletions_stand_for_themselves() -> None:
    line = b'{"resourceType":"Bundle","entry":[{"request":{"method":"DELETE"}},{}]}'
    assert list(deletions_of(line)) == [b'{"request":{"method":"DELETE"}}', b"{}"]
    assert list(deletions_of(b"spoilt")) == [b"spoilt"]
