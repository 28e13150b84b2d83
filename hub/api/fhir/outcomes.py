"""OperationOutcome: what went wrong, where, and the mend. No value of a patient stands in one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.responses import Response

from schemas.errors import PxError, Reason
from schemas.message import Outcome, Verdict

FHIR_JSON: Final = "application/fhir+json"
MEDIA_TYPE: Final = f"{FHIR_JSON}; fhirVersion=4.0"
RETRY_AFTER: Final = "5"  # seconds
_PATH: Final = re.compile(r"[A-Z][A-Za-z]*(?:\.[A-Za-z]+|\[\d+\])*")
_CODES: Final[Mapping[str, tuple[HTTPStatus, str]]] = {
    Reason.UNREADABLE: (HTTPStatus.BAD_REQUEST, "structure"),
    Reason.CONFLICT: (HTTPStatus.CONFLICT, "conflict"),
    Reason.TOO_LARGE: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-costly"),
    Reason.INVALID: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid"),
    Reason.BAD_TIME: (HTTPStatus.UNPROCESSABLE_ENTITY, "value"),
    Reason.FROM_THE_FUTURE: (HTTPStatus.UNPROCESSABLE_ENTITY, "value"),
    Reason.NO_TIME: (HTTPStatus.UNPROCESSABLE_ENTITY, "required"),
    Reason.NO_ZONE: (HTTPStatus.UNPROCESSABLE_ENTITY, "required"),
    Reason.NO_IDENTIFIER: (HTTPStatus.UNPROCESSABLE_ENTITY, "required"),
    Reason.NO_ID: (HTTPStatus.UNPROCESSABLE_ENTITY, "required"),
}
_encode: Final = msgspec.json.Encoder().encode
Json = dict[str, Any]


class FhirRefused(PxError):
    """A request, or an entry of a bundle, that is answered with an OperationOutcome."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        diagnostics: str,
        *,
        expression: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(diagnostics)
        self.status: HTTPStatus = status
        self.headers: Mapping[str, str] = headers or {}
        self.outcome: Json = outcome("error", code, diagnostics, expression)


def outcome(severity: str, code: str, diagnostics: str, expression: str | None = None) -> Json:
    """An OperationOutcome of one issue."""
    issue: Json = {"severity": severity, "code": code, "diagnostics": diagnostics}
    if expression is not None:
        issue["expression"] = [expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def well(diagnostics: str) -> Json:
    """An OperationOutcome of what went well: a client may parse what it is answered, and wants a resource."""
    return outcome("information", "informational", diagnostics)


def is_dead(verdict: Verdict) -> bool:
    """Whether a message is a dead letter, or one that was met before."""
    return verdict.outcome is Outcome.DEAD or (verdict.outcome is Outcome.DUPLICATE and verdict.reason is not None)


def refusal(verdict: Verdict) -> FhirRefused:
    """What a sender of a dead letter is told."""
    status, code = _CODES.get(verdict.reason or "", (HTTPStatus.UNPROCESSABLE_ENTITY, "processing"))
    mend = f"{verdict.mend or 'it cannot be taken'}; what was sent is kept as a dead letter"
    return FhirRefused(status, code, mend, expression=expression_of(verdict.place))


def expression_of(place: str | None) -> str | None:
    """A place as FHIRPath: `the resource, Bundle.entry[3].resource, Encounter.status` is
    `Bundle.entry[3].resource.status`."""
    parts = [part for part in (place or "").split(", ") if _PATH.fullmatch(part)]
    if not parts:
        return None
    whole, *rest = parts
    for part in rest:
        whole += part[len(part.partition(".")[0]) :] if "." in part else ""
    return whole


def told(verdict: Verdict) -> Json:
    """What a sender of something that was taken is told."""
    if verdict.outcome is Outcome.IGNORED:
        return well("it is counted, and tells the hub nothing that it acts on")
    if verdict.outcome is Outcome.DUPLICATE:
        return well("this version was taken before")
    return well("taken")


def answer(status: HTTPStatus, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    """A response in FHIR's JSON; without a body where that is None."""
    told_ = {"Cache-Control": "no-store", **(headers or {})}
    if body is None:
        return Response(b"", status, told_)
    return Response(body if isinstance(body, bytes) else _encode(body), status, told_, MEDIA_TYPE)


def answer_refusal(wrong: FhirRefused) -> Response:
    return answer(wrong.status, wrong.outcome, wrong.headers)


def unavailable(diagnostics: str) -> FhirRefused:
    """Nothing can be taken now; the sender keeps what it has and comes again."""
    headers = {"Retry-After": RETRY_AFTER}
    return FhirRefused(HTTPStatus.SERVICE_UNAVAILABLE, "transient", diagnostics, headers=headers)
