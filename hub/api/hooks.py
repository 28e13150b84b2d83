"""`POST /v1/hooks/{source}`: bodies of webhooks in, checked, and answered once they are durable.

202 says that the body is kept, whatever became of it: a dead letter and what is ignored are kept or counted, and need
not be sent again. What does not prove who sent it is answered 401, a signed form of too many fields 413, and nothing of
it is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from connectors.contact_center.body import Kept, write_kept
from connectors.contact_center.path import WORDS
from connectors.contact_center.signature import TOO_MANY, Refusal, Signed
from connectors.contact_center.spec import HookMapping
from hub.api.bodies import Bodies, BodySettings
from hub.api.events import EventVerdict
from hub.api.problems import Refused, unavailable
from hub.hook_sources import HookSources
from hub.hooks import KIND
from hub.serve.takes import Takes
from hub.serve.writer import Stopped
from schemas.errors import StoreFailed
from schemas.instant import write_instant

HOOK_LIMIT: Final = 1024 * 1024
"""Bytes of a body; vendors send a quarter of it at most."""
_KINDS: Final = {
    "unsigned": "unsigned",
    "signature": "wrong-signature",
    "stale": "stale-delivery",
    "fields": "too-many-fields",
}
"""Why a delivery is not taken, as it is counted, and the problem that its sender is told."""
_encode: Final = msgspec.json.Encoder().encode


class HookDoor:
    """What takes the deliveries of each source. Raises WrongUse for a source that cannot be checked, so that no hub
    starts with one."""

    def __init__(self, sources: HookSources) -> None:
        self.checks: dict[str, Signed | None] = {name: one.signed() for name, one in sources.by_name.items()}
        self.keeps: dict[str, bool] = {name: _needs_line(one.mapping) for name, one in sources.by_name.items()}
        self.refused: Counter[str] = Counter()  # deliveries that nobody believed, by why

    @property
    def unsigned(self) -> list[str]:
        """Sources that anybody may send for who reaches the port."""
        return sorted(name for name, check in self.checks.items() if check is None)

    def counts(self) -> Mapping[str, float]:
        """What /metrics tells of them."""
        return {f"pxhub_hooks_refused_{why}_total": self.refused[why] for why in _KINDS}


class HookIntake:
    """Takes deliveries for an intake. `clock` is in microseconds."""

    def __init__(self, door: HookDoor, intake: Takes, clock: Callable[[], int]) -> None:
        self._door: HookDoor = door
        self._intake: Takes = intake
        self._clock: Callable[[], int] = clock
        self._bodies: Bodies = Bodies(BodySettings(limit=HOOK_LIMIT, room=16 * HOOK_LIMIT))

    async def post_hook(self, request: Request) -> Response:
        """POST /v1/hooks/{source}"""
        name = request.path_params["source"]
        if name not in self._door.checks:
            raise Refused(HTTPStatus.NOT_FOUND, "no-such-source", "no source of this name is declared in the site file")
        async with self._bodies.read(request, takes_gzip=False) as body:
            return await self._take(request, name, body)

    async def _take(self, request: Request, name: str, body: bytes) -> Response:
        signed = self._door.checks[name]
        headers = {key.lower(): value for key, value in request.headers.items()}
        now = self._clock()
        if signed is not None:
            refusal = signed.refusal(headers, request.url.query, body, now)
            if refusal is not None:
                self._door.refused[refusal.reason] += 1
                raise _refused(refusal)
        raw = body
        if self._door.keeps[name]:
            delivery = signed.delivery(headers) if signed is not None else None
            raw = write_kept(Kept(received=write_instant(now), delivery=delivery), body)
        try:
            [verdict] = await self._intake.take(f"{KIND}{name}", [raw])
        except StoreFailed as wrong:
            raise unavailable("store-failed", f"nothing of it was taken: {wrong}") from wrong
        except Stopped:
            raise unavailable("stopping", "nothing of it was taken: the hub is being stopped") from None
        told = EventVerdict(outcome=verdict.outcome, reason=verdict.reason, place=verdict.place, mend=verdict.mend)
        return Response(_encode(told), HTTPStatus.ACCEPTED, {"Cache-Control": "no-store"}, "application/json")


def _refused(refusal: Refusal) -> Refused:
    detail, kind = f"{refusal.detail}; nothing of it was kept", _KINDS[refusal.reason]
    if refusal is TOO_MANY:
        return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, kind, detail)
    return Refused(HTTPStatus.UNAUTHORIZED, kind, detail, headers={"WWW-Authenticate": "Signature"})


def _needs_line(mapping: HookMapping) -> bool:
    """Whether something is read that stands in no body: when it came, the delivery's id."""
    messages = mapping.messages
    paths = (path for m in messages for path in (*m.id, *m.time, *(p for given in m.events for p in given.time)))
    return any(path.text in WORDS for path in paths)
