"""The FHIR routes: what comes to a base, and how it is answered.

`/fhir` is the base of senders that have no name, `/fhir/from/{source}` that of a server of the site file: the source of
its events and the authority of its references. A base takes bundles, and a resource alone for rest-hooks that post it
there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.fhir.kept import write_kept
from connectors.fhir.notification import Notification, read_notification
from connectors.json_text import is_json
from hub.api.bodies import Bodies
from hub.api.fhir.bundles import Bundle, read_bundle
from hub.api.fhir.capability import capability, terminology
from hub.api.fhir.conditions import searched
from hub.api.fhir.followed import Followed
from hub.api.fhir.messages import answer_of, read_header
from hub.api.fhir.outcomes import FhirRefused, answer, answer_refusal, refusal, told, unavailable, well
from hub.api.fhir.planning import Planning
from hub.api.fhir.requests import (
    ID,
    TYPE,
    Asked,
    Method,
    check_headers,
    check_type,
    read_asked,
    read_if_match,
    read_if_none_match,
    read_members,
    read_prefer,
)
from hub.api.fhir.subscriptions import content_of
from hub.api.fhir.take import Taken, Taker, etag_of, location_of, representation
from hub.api.problems import Refused
from hub.contents import FHIR
from hub.serve.takes import Takes
from hub.serve.writer import Stopped
from hub.site_fhir import FhirServer
from schemas.errors import StoreFailed, Unreadable

PREFIX: Final = "/fhir"
_CODES: Final = {400: "invalid", 408: "timeout", 413: "too-costly", 415: "not-supported", 503: "transient"}
_NOTIFYING: Final = frozenset(("history", "subscription-notification"))
Endpoint = Callable[[Request], Awaitable[Response]]


class FhirDoor:
    """Takes FHIR. `servers` are those of the site file; `followed` keeps what is to be known of those that tell of
    changes, None where there is no store for it."""

    def __init__(
        self,
        intake: Takes,
        planning: Planning,
        bodies: Bodies,
        clock: Callable[[], int],
        *,
        servers: Mapping[str, FhirServer] | None = None,
        followed: Followed | None = None,
        version: str = "0",
    ) -> None:
        self._bodies: Bodies = bodies
        self._taker: Taker = Taker(intake, planning, clock)
        self._servers: Mapping[str, FhirServer] = servers or {}
        self._followed: Followed | None = followed
        self._version: str = version
        self._date: str = self._taker.now

    @property
    def numbers(self) -> Mapping[str, float]:
        """What /metrics tells of it."""
        return self._followed.numbers if self._followed is not None else {}

    async def start(self) -> None:
        """Begin what goes on beside requests."""
        if self._followed is not None:
            await self._followed.start(self._take_answer)

    async def close(self) -> None:
        """End it."""
        if self._followed is not None:
            await self._followed.close()

    def routes(self) -> list[Route]:
        """The routes, those of named servers first."""
        hook = Route(f"{PREFIX}/from/{{source}}/notify/{{id}}", self._guarded(self._knock), methods=["POST"])
        return [hook] + [
            route
            for prefix in (f"{PREFIX}/from/{{source}}", PREFIX)
            for route in (
                Route(prefix, self._guarded(self._post_base), methods=["POST"]),
                Route(f"{prefix}/", self._guarded(self._post_base), methods=["POST"]),  # as some clients call a base
                Route(f"{prefix}/metadata", self._guarded(self._metadata), methods=["GET"]),
                Route(f"{prefix}/$process-message", self._guarded(self._post_message), methods=["POST"]),
                Route(f"{prefix}/{{type}}", self._guarded(self._take_of_type), methods=["POST", "PUT"]),
                Route(f"{prefix}/{{type}}/{{id}}", self._guarded(self._put_one), methods=["PUT"]),
            )
        ]

    def _guarded(self, endpoint: Callable[[Request, str], Awaitable[Response]]) -> Endpoint:
        """An endpoint of its own that answers in FHIR whatever is refused."""

        async def guarded(request: Request) -> Response:
            try:
                return await endpoint(request, self._source(request))
            except FhirRefused as wrong:
                return answer_refusal(wrong)
            except Refused as wrong:
                status = HTTPStatus(wrong.problem.status)
                detail = wrong.problem.detail or status.phrase
                code = _CODES.get(status.value, "processing")
                return answer_refusal(FhirRefused(status, code, detail, headers=wrong.headers))
            except (StoreFailed, TimeoutError):
                return answer_refusal(unavailable("the store cannot be used now"))
            except Stopped:
                return answer_refusal(unavailable("the hub is being stopped"))

        return guarded

    def _source(self, request: Request) -> str:
        """Whose base a request came to. Raises FhirRefused."""
        source: str | None = request.path_params.get("source")
        if source is not None and source not in self._servers:
            raise FhirRefused(HTTPStatus.NOT_FOUND, "not-found", "the site file names no FHIR server so")
        return source or FHIR

    # -- the endpoints

    async def _metadata(self, request: Request, source: str) -> Response:
        check_headers(request.headers, request.query_params, has_body=False)
        mode = request.query_params.get("mode", "full")
        if mode == "terminology":
            return answer(HTTPStatus.OK, terminology(self._date))
        if mode not in ("full", "normative"):
            raise FhirRefused(HTTPStatus.BAD_REQUEST, "value", "mode is full, normative or terminology")
        return answer(HTTPStatus.OK, self._capability(_base(request, source)))

    def _capability(self, base: str) -> dict[str, Any]:
        return capability(base, self._version, self._date, keeps=self._followed is not None)

    async def _take_of_type(self, request: Request, source: str) -> Response:
        """POST [base]/{Type}, with or without If-None-Exist; PUT [base]/{Type}?identifier="""
        type_, query = request.path_params["type"], searched(request.url.query)
        check_type(type_)
        condition = request.headers.get("if-none-exist") if request.method == "POST" else None
        condition = condition if condition is not None else query or None
        if request.method == "PUT" and condition is None:
            told_ = "an update names its resource: Type/id or Type?identifier="
            raise FhirRefused(HTTPStatus.METHOD_NOT_ALLOWED, "not-supported", told_, headers={"Allow": "POST"})
        return await self._take(request, source, type_, None, condition)

    async def _put_one(self, request: Request, source: str) -> Response:
        """PUT [base]/{Type}/{id}"""
        check_type(request.path_params["type"])
        return await self._take(request, source, request.path_params["type"], request.path_params["id"], None)

    async def _take(
        self, request: Request, source: str, type_: str, id_: str | None, condition: str | None
    ) -> Response:
        check_headers(request.headers, request.query_params)
        method: Method = "PUT" if request.method == "PUT" else "POST"
        if_match = read_if_match(request.headers.get("if-match")) if method == "PUT" else None
        is_new = method == "PUT" and read_if_none_match(request.headers.get("if-none-match"))
        async with self._bodies.read(request) as body:
            members = await self._members(source, body)
            asked = read_asked(method, type_, members, id_=id_, condition=condition, if_match=if_match, is_new=is_new)
            return _answered(request, source, asked, await self._taker.one(source, asked))

    async def _post_base(self, request: Request, source: str) -> Response:
        """POST [base]: a bundle; or a resource alone, as some rest-hooks have it."""
        check_headers(request.headers, request.query_params)
        async with self._bodies.read(request) as body:
            members = await self._members(source, body)
            type_ = _type_of(members)
            if type_ != "Bundle":
                if not TYPE.fullmatch(type_):
                    raise refusal(await self._taker.keep(write_kept(body, system=source)))
                check_type(type_)
                asked = read_asked("POST", type_, members)
                return _answered(request, source, asked, await self._taker.one(source, asked))
            bundle = await self._bundle(source, members, body)
            if bundle.type == "message":
                return await self._answer_message(request, source, bundle)
            notification = await self._notification(source, bundle, body)
            found = await self._taker.bundle(source, _base(request, source), bundle)
            if notification is None:
                return answer(HTTPStatus.OK, found)
            if self._followed is not None:
                await self._followed.hear(source, notification, content_of(notification, bundle))
            return answer(HTTPStatus.OK, well("the notification is taken"))

    async def _post_message(self, request: Request, source: str) -> Response:
        """POST [base]/$process-message"""
        check_headers(request.headers, request.query_params)
        async with self._bodies.read(request) as body:
            members = await self._members(source, body)
            if _type_of(members) == "Bundle":
                bundle = await self._bundle(source, members, body)
                if bundle.type == "message":
                    return await self._answer_message(request, source, bundle)
        told_ = "a Bundle of type message is expected"
        raise FhirRefused(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", told_, expression="Bundle.type")

    async def _knock(self, request: Request, source: str) -> Response:
        """POST [base]/notify/{id}: the server's Subscription of this id has something."""
        server, id_ = self._servers[source], request.path_params["id"]
        if server.base is None or not ID.fullmatch(id_):
            told_ = "the site file names no base of this server, or this is no id of a Subscription"
            raise FhirRefused(HTTPStatus.NOT_FOUND, "not-found", told_)
        if self._followed is None:
            told_ = "this hub keeps no knocks: subscribe with a payload (full-resource)"
            raise FhirRefused(HTTPStatus.NOT_IMPLEMENTED, "not-supported", told_)
        await self._followed.knock(server, id_)
        return answer(HTTPStatus.OK, well("the server will be asked what has changed"))

    async def _answer_message(self, request: Request, source: str, bundle: Bundle) -> Response:
        header, base = read_header(bundle), _base(request, source)
        try:
            await self._taker.bundle(source, base, bundle, header["id"])
        except FhirRefused as wrong:
            is_transient = wrong.status == HTTPStatus.SERVICE_UNAVAILABLE
            status = wrong.status if is_transient else HTTPStatus.OK
            code: Any = "transient-error" if is_transient else "fatal-error"
            body = answer_of(header, code, wrong.outcome, base, self._taker.now)
            return answer(status, body, wrong.headers)
        return answer(HTTPStatus.OK, answer_of(header, "ok", well("taken"), base, self._taker.now))

    # -- what they share

    async def _members(self, source: str, body: bytes) -> dict[str, msgspec.Raw]:
        """The members of the body's object. What is none is kept as a dead letter, and refused."""
        members, is_whole = read_members(body), is_json(body)
        if members is not None and is_whole:
            return members
        if not body.strip():
            raise FhirRefused(HTTPStatus.BAD_REQUEST, "structure", "the body is empty; a resource is expected")
        # what has members may look like an envelope of ours, though a text or a number in it cannot be read
        kept = body if members is None and not is_whole else write_kept(body, system=source)
        raise refusal(await self._taker.keep(kept))

    async def _bundle(self, source: str, members: dict[str, msgspec.Raw], body: bytes) -> Bundle:
        """The bundle of a body. One that is no bundle of FHIR's is kept as a dead letter, and refused."""
        try:
            return await asyncio.to_thread(read_bundle, members)  # a large one takes seconds
        except FhirRefused as wrong:
            if wrong.status == HTTPStatus.BAD_REQUEST:
                await self._taker.keep(write_kept(body, system=source))
            raise

    async def _notification(self, source: str, bundle: Bundle, body: bytes) -> Notification | None:
        """The notification that a bundle is; None where it is none. One that cannot be read is kept, and refused."""
        first = bundle.entries[0].members.get("resource") if bundle.entries else None
        if bundle.type not in _NOTIFYING or first is None:
            return None
        try:
            found = read_notification(first)
        except Unreadable as wrong:
            await self._taker.keep(write_kept(body, system=source))
            mend = f"{wrong.mend}; what was sent is kept as a dead letter"
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            raise FhirRefused(status, "invalid", mend, expression="Bundle.entry[0].resource") from wrong
        bundle.is_notification = found is not None
        return found

    async def _take_answer(self, source: str, body: bytes) -> None:
        """Take what a server answered to `$events`. Raises FhirRefused, StoreFailed and Stopped."""
        members = read_members(body)
        bundle = read_bundle(members if members is not None else {})
        first = bundle.entries[0].members.get("resource") if bundle.entries else None
        told_ = read_notification(first) if first is not None else None
        bundle.is_notification = told_ is not None
        await self._taker.bundle(source, "", bundle)
        if told_ is not None and self._followed is not None:
            await self._followed.hear(source, told_, content_of(told_, bundle))


def _answered(request: Request, source: str, asked: Asked, taken: Taken) -> Response:
    planned, verdict = taken
    headers = {
        "Location": location_of(_base(request, source), asked.type, planned),
        **etag_of(planned),
    }
    prefer = read_prefer(request.headers)
    outcome = told(verdict) if verdict is not None else well("the search found one that was known before")
    if prefer == "minimal":
        return answer(planned.status, None, headers)
    if prefer == "representation" and planned.kept is not None:
        return answer(planned.status, representation(planned), headers)
    return answer(planned.status, outcome, headers)


def _base(request: Request, source: str) -> str:
    """The base that a request came to, as its sender calls it."""
    origin = f"{request.url.scheme}://{request.url.netloc}{PREFIX}"
    return origin if source == FHIR else f"{origin}/from/{source}"


def _type_of(members: Mapping[str, msgspec.Raw]) -> str:
    value = msgspec.json.decode(members.get("resourceType", msgspec.Raw(b"null")))
    return value if isinstance(value, str) else ""


def is_fhir(request: Request) -> bool:
    """Whether a request came to a base."""
    return request.url.path == PREFIX or request.url.path.startswith(f"{PREFIX}/")


def failed() -> Response:
    """The answer where the hub itself failed."""
    return answer_refusal(
        FhirRefused(HTTPStatus.INTERNAL_SERVER_ERROR, "exception", "the hub failed on this request: report it")
    )


def answers_in_fhir(other: Callable[[Request, Exception], Awaitable[Response]]) -> Any:
    """The handler of what the router refuses: in FHIR below a base, by another one elsewhere."""

    async def handler(request: Request, wrong: Exception) -> Response:
        if not is_fhir(request) or not isinstance(wrong, HTTPException):
            return await other(request, wrong)
        status = HTTPStatus(wrong.status_code)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            told_ = "this is not supported; the Allow header names what is"
            return answer_refusal(FhirRefused(status, "not-supported", told_, headers=wrong.headers))
        return answer_refusal(FhirRefused(status, "not-found", "there is nothing at this path", headers=wrong.headers))

    return handler
