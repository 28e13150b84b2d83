"""`POST /v1/feedback`: what a patient says, one JSON object, answered when it is durable.

The form that a patient fills in need not know the time: what came without one was said when it came.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from connectors.json_text import NOT_JSON
from hub.api.bodies import Bodies
from hub.api.events import answer_one, take
from hub.api.parameters import read_query
from hub.api.problems import Refused, bad_body
from hub.contents import FEEDBACK
from hub.serve.takes import Takes
from schemas.instant import write_instant

_TYPE: Final = "application/json"
_encode: Final = msgspec.json.Encoder().encode


class FeedbackIntake:
    """Takes feedback for an intake; `clock` tells the machine's time in microseconds."""

    def __init__(self, intake: Takes, bodies: Bodies, clock: Callable[[], int]) -> None:
        self._intake: Takes = intake
        self._bodies: Bodies = bodies
        self._clock: Callable[[], int] = clock

    async def post_feedback(self, request: Request) -> Response:
        """POST /v1/feedback"""
        read_query(request, ())
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != _TYPE:
            detail = f"send {_TYPE}"
            accept = {"Accept": _TYPE}
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-content-type", detail, headers=accept)
        async with self._bodies.read(request) as body:
            [verdict] = await take(self._intake, FEEDBACK, [self._timed(body)])
        return answer_one(verdict, "no-feedback", "this is no feedback")

    def _timed(self, body: bytes) -> bytes:
        """The body with a time. Raises Refused where it says what the hub says, as the id of another's comment."""
        try:
            said: Any = msgspec.json.decode(body)
        except NOT_JSON:
            return body
        if not isinstance(said, dict):
            return body
        for ours in ("comment_id", "received"):
            if ours in said:
                raise bad_body("the hub writes this itself", f"/{ours}")
        return body if said.get("time") else _encode(said | {"received": write_instant(self._clock())})
