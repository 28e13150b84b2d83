"""Problems: what went wrong, whose fault it is, and the mend (RFC 9457). No value of a message stands in one."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from schemas.errors import PxError
from schemas.message import Outcome

MEDIA_TYPE: Final = "application/problem+json"
_encode: Final = msgspec.json.Encoder().encode


class Fault(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One mistake in a request: `pointer` into its body (JSON Pointer), or `parameter` of its query or a header."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 9457. `outcome`, `reason`, `place` and `mend` stand where a message was refused and yet is kept as a dead
    letter: it is durable and need not be sent again as it is."""

    type: Annotated[str, msgspec.Meta(extra_json_schema={"format": "uri"})]
    title: str
    status: int
    detail: str | None = None
    errors: list[Fault] = msgspec.field(default_factory=list)
    outcome: Outcome | None = None
    reason: str | None = None
    place: str | None = None
    mend: str | None = None


class Refused(PxError):
    """A request that is answered with a problem; `kind` names it."""

    def __init__(
        self,
        status: HTTPStatus,
        kind: str,
        detail: str,
        *,
        errors: tuple[Fault, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.headers: Mapping[str, str] = headers or {}
        self.problem: Problem = Problem(
            type=problem_type(kind), title=status.phrase, status=status.value, detail=detail, errors=list(errors)
        )


def problem_type(kind: str) -> str:
    """The URI that names a kind of problem; docs/http.md tells of each."""
    return f"urn:pxhub:problem:{kind}"


def bad_parameter(parameter: str, detail: str) -> Refused:
    """A parameter of the query, or a header, that is wrong."""
    return Refused(
        HTTPStatus.BAD_REQUEST,
        "bad-parameter",
        "a parameter of the request is wrong",
        errors=(Fault(parameter=parameter, detail=detail),),
    )


def bad_body(detail: str, pointer: str = "") -> Refused:
    """A body that is not what the content type says; nothing of it was kept."""
    return Refused(
        HTTPStatus.BAD_REQUEST,
        "bad-body",
        "the body is not what its content type says; nothing of it was kept",
        errors=(Fault(pointer=pointer, detail=detail),),
    )


def gone(why: str) -> Refused:
    """A cursor that nothing can be given behind any more."""
    return Refused(HTTPStatus.GONE, "cursor-gone", f"{why}; begin without one, and expect a gap")


def unavailable(kind: str, detail: str) -> Refused:
    """Nothing can be taken now; the sender keeps what it has and comes again."""
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, kind, detail, headers={"Retry-After": "5"})


def answer_problem(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The response of a problem."""
    told = {"Cache-Control": "no-store", **(headers or {})}
    return Response(_encode(problem), problem.status, told, MEDIA_TYPE)


async def answer_refused(_: Request, wrong: Exception) -> Response:
    """The handler of Refused."""
    assert isinstance(wrong, Refused)  # noqa: S101 - registered for it
    return answer_problem(wrong.problem, wrong.headers)


_DETAILS: Final = {
    404: ("not-found", "there is nothing at this path"),
    405: ("method-not-allowed", "this path does not take this method; the Allow header names those it takes"),
}


async def answer_http_exception(_: Request, wrong: Exception) -> Response:
    """The handler of what the router refuses: no such path, no such method."""
    assert isinstance(wrong, HTTPException)  # noqa: S101 - registered for it
    kind, detail = _DETAILS.get(wrong.status_code, ("refused", "the request is refused"))
    status = HTTPStatus(wrong.status_code)
    problem = Problem(type=problem_type(kind), title=status.phrase, status=status.value, detail=detail)
    return answer_problem(problem, wrong.headers)


async def answer_failure(_: Request, __: Exception) -> Response:
    """The handler of what nobody foresaw; the log says what, and the answer does not."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    problem = Problem(
        type=problem_type("failure"), title=status.phrase, status=status.value, detail="the hub failed on this request"
    )
    return answer_problem(problem)
