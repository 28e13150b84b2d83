"""`/v1/alerts` out of the views in Redis: first every alert as it stands, then what changed since.

The stream in Redis holds the last transitions alone. So who begins without a cursor is given each alert once, in the
order of the ids, and then the transitions since that began: some twice, and none missed.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hub.alert_line import AlertChange, AlertSaid, AlertShown
from hub.api.alerts import KNOWN, NO_STORE, AlertPage
from hub.api.parameters import Narrowing, read_after, read_limit, read_narrowing, read_query
from hub.api.problems import Refused, bad_parameter, gone
from hub.api.view_feed import STANDING, StreamIds, change_of
from streams.distributed.view_reads import ViewReads, read_id, write_id

_SCANNED: Final = 5_000  # alerts that one request looks through
_STEP: Final = 500
_PLACE: Final = re.compile(r"([0-9]+-[0-9]+)~(al-[0-9a-f]{1,64})", re.ASCII)
_WHY_GONE: Final = "what follows the cursor is not held any more"
_said: Final = msgspec.json.Decoder(AlertSaid).decode
_encode: Final = msgspec.json.Encoder().encode


class ViewAlerts:
    """The pages, and one alert."""

    def __init__(self, reads: ViewReads) -> None:
        self._reads: ViewReads = reads

    async def list_alerts(self, request: Request) -> Response:
        """GET /v1/alerts"""
        query = read_query(request, KNOWN)
        limit, asked, text = read_limit(query), read_narrowing(query), query.get("after")
        if text is None:
            _, begin = await self._reads.reach()
            page = await self._standing(begin, "", limit, asked)
        elif STANDING in text:
            place = _PLACE.fullmatch(text)
            if place is None:
                raise bad_parameter("after", "this is no cursor; give one as it was received, or none")
            page = await self._standing(read_id(place[1]), place[2], limit, asked)
        else:
            page = await self._changed(read_after("after", text, StreamIds()), limit, asked)
        return Response(_encode(page), headers=NO_STORE, media_type="application/json")

    async def show_alert(self, request: Request) -> Response:
        """GET /v1/alerts/{id}"""
        read_query(request, ())
        value = await self._reads.alert(request.path_params["id"])
        if value is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no-such-alert", "there is no alert of this id")
        said = _said(value)
        shown = AlertShown(
            **{name: getattr(said, name) for name in AlertShown.__struct_fields__ if hasattr(said, name)}
        )
        return Response(_encode(shown), headers=NO_STORE, media_type="application/json")

    async def _standing(self, begin: int, after: str, limit: int, asked: Narrowing) -> AlertPage:
        """Alerts as they stand, behind an id; when there are no more, the transitions since `begin` come next."""
        alerts: list[AlertChange] = []
        start = write_id(begin)
        for _ in range(0, _SCANNED, _STEP):
            found, goes_on = await self._reads.page(after, _STEP)
            for id_, value in found:
                after = id_
                change = change_of(value, f"{start}{STANDING}{id_}")
                if change is not None and asked.takes(change.state, change.threshold, change.facility):
                    alerts.append(change)
                if len(alerts) == limit:
                    return AlertPage(alerts=alerts, next=f"{start}{STANDING}{after}", more=True)
            if goes_on is None:
                _, last = await self._reads.reach()
                return AlertPage(alerts=alerts, next=start, more=last > begin)
            after = goes_on
        return AlertPage(alerts=alerts, next=f"{start}{STANDING}{after}", more=True)

    async def _changed(self, after: int, limit: int, asked: Narrowing) -> AlertPage:
        first, found = await self._reads.changes(after, _STEP)
        if after < first:
            raise gone(_WHY_GONE)
        alerts: list[AlertChange] = []
        for entry in found:
            if len(alerts) == limit:
                return AlertPage(alerts=alerts, next=write_id(after), more=True)
            after = entry.cursor
            if entry.value is None:
                continue
            change = change_of(entry.value, write_id(entry.cursor))
            if change is not None and asked.takes(change.state, change.threshold, change.facility):
                alerts.append(change)
        return AlertPage(alerts=alerts, next=write_id(after), more=len(found) == _STEP)
