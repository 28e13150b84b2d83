"""`/v1/alerts`: transitions page by page, and an alert with its explanation."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hub.alert_line import AlertChange, AlertShown, alert_change, alert_fields
from hub.api.cursor import Cursors
from hub.api.parameters import Narrowing, read_after, read_limit, read_narrowing, read_query
from hub.api.problems import Refused, gone
from hub.api.reads import Reads
from hub.explain import explain_alert
from hub.serve.intake import Intake
from schemas.alert import Alert
from streams.embedded.directory import StoredDirectory
from streams.embedded.following import Ahead, Gone, read_page
from streams.embedded.reader import Reader
from streams.embedded.runtime import Runtime

NO_STORE: Final = {"Cache-Control": "no-store"}
WHY_GONE: Final = {
    Gone: "what follows the cursor was purged",
    Ahead: "this store has not come so far: the cursor is of before a restore",
}
KNOWN: Final = ("after", "limit", "state", "threshold", "facility")
_encode: Final = msgspec.json.Encoder().encode


class AlertPage(msgspec.Struct, kw_only=True):
    """Transitions in order. `next` is the cursor to go on from, also where the page is empty; `more` says that there
    is more to look at already: ask again at once."""

    alerts: list[AlertChange]
    next: str
    more: bool


class AlertPages:
    """The pages over transitions."""

    def __init__(self, reads: Reads, cursors: Cursors) -> None:
        self._reads: Reads = reads
        self._cursors: Cursors = cursors

    async def list_alerts(self, request: Request) -> Response:
        """GET /v1/alerts"""
        query = read_query(request, KNOWN)
        after = read_after("after", query["after"], self._cursors) if "after" in query else 0
        limit, asked = read_limit(query), read_narrowing(query)
        try:
            alerts, goes_on, more = await self._reads.ask(lambda reader: self._page(reader, after, limit, asked))
        except (Ahead, Gone) as wrong:
            raise gone(WHY_GONE[type(wrong)]) from None
        page = AlertPage(alerts=alerts, next=self._cursors.write(goes_on), more=more)
        return Response(_encode(page), headers=NO_STORE, media_type="application/json")

    def _page(self, reader: Reader, after: int, limit: int, asked: Narrowing) -> tuple[list[AlertChange], int, bool]:
        rows, goes_on, more = read_page(
            reader,
            after=after,
            limit=limit,
            state=asked.state,
            threshold=asked.threshold,
            facility=asked.facility,
        )
        directory = StoredDirectory(reader)
        alerts = [alert_change(self._cursors.write(cursor), at, alert, directory) for cursor, at, alert in rows]
        return alerts, goes_on, more


class AlertOne:
    """One alert, explained. `clock` tells the machine's time in microseconds; `zone` is what times without a calendar
    are told in."""

    def __init__(self, intake: Intake, reads: Reads, clock: Callable[[], int], zone: str) -> None:
        self._intake: Intake = intake
        self._reads: Reads = reads
        self._clock: Callable[[], int] = clock
        self._zone: str = zone

    async def show_alert(self, request: Request) -> Response:
        """GET /v1/alerts/{id}"""
        read_query(request, ())
        id_ = request.path_params["id"]
        found = await self._reads.ask(lambda reader: _with_fields(reader, id_))
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no-such-alert", "there is no alert of this id")
        stands, fields = found

        def explained(runtime: Runtime) -> list[str]:
            stood = runtime.engine.clock  # it is moved only when something is due
            now = stood if runtime.by_event else max(stood, self._clock())
            return explain_alert(stands, runtime.owner(stands), now, self._zone)

        lines = await self._intake.ask(explained)
        shown = AlertShown(explanation=lines, **fields)  # type: ignore[arg-type]
        return Response(_encode(shown), headers=NO_STORE, media_type="application/json")


def _with_fields(reader: Reader, id_: str) -> tuple[Alert, dict[str, object]] | None:
    alert = reader.alert(id_)
    return None if alert is None else (alert, alert_fields(alert, StoredDirectory(reader)))
