"""What a FHIR server means by an answer that is not what was asked for. Sans-I/O; nothing of the answer is quoted.

An OperationOutcome's `diagnostics` and `details` may name a patient. Its codes are of a closed set: those are told.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from connectors.json_text import BOM, NOT_JSON

_TRANSIENT: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
_LONGEST: Final = 86_400.0  # seconds; who asks for more is asked again after a day
_MOST: Final = 4  # codes that are told
_MENDS: Final = {
    400: "the server refuses the search: it may not know `_lastUpdated` or `_sort`",
    401: "the server does not take the token: see `token_file`, or `client_id` and `key_file`",
    403: "the server does not allow it: ask for the scope, or leave the type out of `types`",
    404: "there is no such address: see `base`, or leave the type out of `types`",
    410: "the server has let go of what was asked for",
    422: "the server refuses the search: it may not know `_lastUpdated` or `_sort`",
}
ISSUE_CODES: Final = frozenset(
    ("invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired", "forbidden",
     "suppressed", "processing", "not-supported", "duplicate", "multiple-matches", "not-found", "deleted", "too-long",
     "code-invalid", "extension", "too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store",
     "exception", "timeout", "incomplete", "throttled", "informational")
)  # fmt: skip
"""The codes of issue types (R4, IssueType)."""


class _Issue(msgspec.Struct, gc=False):
    code: str = ""


class _Outcome(msgspec.Struct, gc=False, rename="camel"):
    resource_type: str = ""
    issue: list[_Issue] = []


def issue_codes(raw: bytes) -> tuple[str, ...]:
    """The codes of an OperationOutcome, each once; none where it is something else."""
    try:
        outcome = msgspec.json.decode(raw.removeprefix(BOM), type=_Outcome)
    except NOT_JSON:
        return ()
    if outcome.resource_type != "OperationOutcome":
        return ()
    return tuple(dict.fromkeys(issue.code for issue in outcome.issue if issue.code in ISSUE_CODES))[:_MOST]


def word_refusal(status: int, raw: bytes) -> str:
    """Why an answer is a refusal, with the mend where one is known."""
    codes = ", ".join(issue_codes(raw))
    told = f"it answers {status}" + (f" ({codes})" if codes else "")
    if 300 <= status < 400:
        return f"{told}: it leads elsewhere, which is not followed; name its last address as `base`"
    return f"{told}: {_MENDS[status]}" if status in _MENDS else told


def may_pass(status: int) -> bool:
    """Whether the same may be answered well some time later."""
    return status in _TRANSIENT


def read_retry_after(text: str | None, now: datetime) -> float:
    """Seconds that a server wants to be left alone; 0 where it does not say so. `now` is aware."""
    if not text:
        return 0.0
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), _LONGEST)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max((until - now).total_seconds(), 0.0), _LONGEST)
