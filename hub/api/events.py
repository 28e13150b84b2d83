"""`POST /v1/events`: CloudEvents in, each with its verdict once it is durable.

202 says that all of it is kept, whatever the verdicts say: a dead letter is kept too, and need not be sent again. A
single event that is no CloudEvent at all (unreadable, or without what every event has) is answered 400, so that its
sender learns of it; it is kept as a dead letter all the same, and the problem says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hub.api.bodies import Bodies
from hub.api.cloudevents import read_request
from hub.api.parameters import read_query
from hub.api.problems import Problem, answer_problem, problem_type, unavailable
from hub.contents import CLOUDEVENTS
from hub.serve.takes import Takes
from hub.serve.writer import Stopped
from schemas.errors import Reason, StoreFailed
from schemas.message import Outcome, Verdict

_NO_EVENT: Final = frozenset((Reason.UNREADABLE.value, Reason.INVALID.value))
_encode: Final = msgspec.json.Encoder().encode


class EventVerdict(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Where an event ended. `reason` says why it was ignored or is a dead letter, `place` and `mend` where and what to
    do about it."""

    outcome: Outcome
    reason: str | None = None
    place: str | None = None
    mend: str | None = None


class BatchVerdicts(msgspec.Struct, kw_only=True):
    """A verdict an event, in the order of the batch."""

    events: list[EventVerdict]


class EventIntake:
    """Takes events for an intake."""

    def __init__(self, intake: Takes, bodies: Bodies) -> None:
        self._intake: Takes = intake
        self._bodies: Bodies = bodies

    async def post_events(self, request: Request) -> Response:
        """POST /v1/events"""
        read_query(request, ())
        async with self._bodies.read(request) as body:
            return await self._take(request, body)

    async def _take(self, request: Request, body: bytes) -> Response:
        events, batch = read_request(request.headers.raw, body)
        verdicts = await take(self._intake, CLOUDEVENTS, events) if events else []
        if batch:
            return accepted(BatchVerdicts(events=[told(verdict) for verdict in verdicts]))
        [verdict] = verdicts
        return answer_one(verdict, "no-cloudevent", "this is no CloudEvent")


async def take(intake: Takes, kind: str, raws: Sequence[bytes]) -> list[Verdict]:
    """What became of messages, once they are durable. Raises Refused (503) where none of them was taken."""
    try:
        return await intake.take(kind, raws)
    except StoreFailed as wrong:
        raise unavailable("store-failed", f"nothing of it was taken: {wrong}") from wrong
    except Stopped:
        raise unavailable("stopping", "nothing of it was taken: the hub is being stopped") from None


def told(verdict: Verdict) -> EventVerdict:
    """A verdict as it is sent."""
    return EventVerdict(outcome=verdict.outcome, reason=verdict.reason, place=verdict.place, mend=verdict.mend)


def accepted(what: EventVerdict | BatchVerdicts) -> Response:
    """202: all of it is kept."""
    return Response(_encode(what), HTTPStatus.ACCEPTED, {"Cache-Control": "no-store"}, "application/json")


def answer_one(verdict: Verdict, kind: str, what: str) -> Response:
    """The answer to a message that came alone: 400 where it is not at all what it should be, 202 else. `kind` names the
    problem, `what` words it."""
    if verdict.reason in _NO_EVENT and verdict.outcome in (Outcome.DEAD, Outcome.DUPLICATE):
        return _kept_and_refused(verdict, kind, what)
    return accepted(told(verdict))


def _kept_and_refused(verdict: Verdict, kind: str, what: str) -> Response:
    return answer_problem(
        Problem(
            type=problem_type(kind),
            title=HTTPStatus.BAD_REQUEST.phrase,
            status=HTTPStatus.BAD_REQUEST.value,
            detail=f"{what}; it is kept as a dead letter and need not be sent again as it is",
            outcome=verdict.outcome,
            reason=verdict.reason,
            place=verdict.place,
            mend=verdict.mend,
        )
    )
