"""An export of a FHIR server (Bulk Data): begun, waited for, fetched file by file, each line durable.

Law: where an export is asked about is written down when it is begun, and the moment from which the next one begins
when all of its files are durable. So after a kill the same export is gone on with, and fetched again from its first
file; what comes twice changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from connectors.fhir.answers import read_retry_after
from connectors.fhir.bulk import DELETIONS, BulkFile, Manifest, deletions_of, kick_off_url, read_manifest
from connectors.fhir.bundle import Piece
from connectors.fhir.references import Around
from connectors.fhir.search import WrongAnswer
from hub.poll.client import FhirClient
from hub.poll.known import Export, find_export, put_export
from hub.poll.take import Came, Taker
from hub.poll.wire import LARGEST, Answer, Failed
from schemas.event import SECOND
from schemas.instant import to_datetime

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

NDJSON: Final = "application/fhir+ndjson"
_ASYNC: Final = {"Prefer": "respond-async"}
_AT_ONCE: Final = 500  # lines that are made durable together
_LOOKS: Final = (1.0, 60.0)  # seconds between two looks at an export that names none: the first, and the longest
_GONE: Final = frozenset((404, 410))


class Exported(Came):
    """What came of an export. `since` is from when it tells, `time` up to when (microseconds)."""

    since: int | None = None
    time: int | None = None
    files: int = 0
    errors: int = 0


class Exporter:
    """Exports one server; `over` is as `kick_off_url` has it. `within` is how many seconds it may take to be made;
    `looks` the seconds between two looks where the server names none."""

    def __init__(  # noqa: PLR0913 - what is asked for
        self,
        client: FhirClient,
        taker: Taker,
        clock: Callable[[], int],
        *,
        over: str = "",
        since: int | None = None,
        within: float = 6 * 3600.0,
        looks: tuple[float, float] = _LOOKS,
        log: BoundLogger | None = None,
    ) -> None:
        self._client: FhirClient = client
        self._taker: Taker = taker
        self._clock: Callable[[], int] = clock
        self._over: str = over
        self._since: int | None = since
        self._within: float = within
        self._looks: tuple[float, float] = looks
        self._log: BoundLogger | None = log

    async def export(self) -> Exported:
        """One export, gone on with where one is under way. Raises StoreFailed and Stopped."""
        name, over, key = self._client.server.name, self._over, self._client.key
        kept = await self._taker.ask(lambda runtime: find_export(runtime.store, key, over))
        done = Exported(since=self._since if self._since is not None else kept.time or self._client.server.asks.since)
        try:
            manifest, status = await self._made(kept, done)
            await self._fetch_all(manifest, done)
        except Failed as wrong:
            done.failed, done.passes = str(wrong), wrong.passes
            if self._log is not None:
                self._log.warning("fhir.export_failed", server=name, reason=done.failed, status=wrong.status)
            return done
        done.time = manifest.time
        await self._keep(Export(time=manifest.time))
        await self._let_go(status)
        return done

    async def _made(self, kept: Export, done: Exported) -> tuple[Manifest, str]:
        """The export's manifest, and where it was had."""
        if kept.status is not None:
            try:
                return await self._manifest(kept.status), kept.status
            except Failed as wrong:
                if wrong.status not in _GONE:
                    raise
        status = await self._begin(done.since)
        await self._keep(Export(time=kept.time, status=status))
        return await self._manifest(status), status

    async def _begin(self, since: int | None) -> str:
        server = self._client.server
        url = kick_off_url(self._client.base, over=self._over, types=server.asks.types, since=since)
        answer = await self._client.fetch(url, headers=_ASYNC, expected=(202,))
        at = answer.headers.get("content-location")
        if not at:
            raise Failed("it began an export and does not say where it is asked about (Content-Location)")
        return urljoin(url, at)

    async def _manifest(self, status: str) -> Manifest:
        """What the export came to, once it is made."""
        until = self._clock() + round(self._within * SECOND)
        look, longest = self._looks
        while True:
            answer = await self._client.fetch(status, headers={"Accept": "application/json"}, expected=(200, 202))
            if answer.status == 200:
                break
            wait = self._wait(answer) or look
            look = min(look * 2, longest)
            if self._clock() + wait * SECOND > until:
                raise Failed("its export is not made in time; ask again later, it is gone on with", passes=True)
            await asyncio.sleep(wait)
        try:
            return read_manifest(answer.body)
        except WrongAnswer as wrong:
            await self._keep(Export(time=self._since))
            raise Failed(str(wrong)) from None

    def _wait(self, answer: Answer) -> float:
        return read_retry_after(answer.headers.get("retry-after"), to_datetime(self._clock()))

    async def _fetch_all(self, manifest: Manifest, done: Exported) -> None:
        for file in manifest.files:
            # from its beginning again where it broke off
            await self._client.repeated(partial(self._fetch, file, done, with_token=manifest.needs_token))
            done.files += 1
        done.errors = len(manifest.errors)
        if done.errors and self._log is not None:
            self._log.warning("fhir.export_incomplete", server=self._client.server.name, count=done.errors)

    async def _fetch(self, file: BulkFile, done: Exported, *, with_token: bool) -> None:
        around = Around(home=self._client.base)
        batch: list[Piece] = []
        async for line in lines_of(self._client.parts(file.url, NDJSON, with_token=with_token)):
            if file.type == DELETIONS:
                done.count(await self._taker.take_deletions(tuple(deletions_of(line))))
                continue
            batch.append(Piece("", line, around))
            if len(batch) >= _AT_ONCE:
                done.count(await self._taker.take(batch))
                batch = []
        done.count(await self._taker.take(batch))

    async def _keep(self, export: Export) -> None:
        key, over = self._client.key, self._over
        await self._taker.ask(lambda runtime: put_export(runtime.store, key, over, export))

    async def _let_go(self, status: str) -> None:
        """The server need not keep the files any longer. One that does not know of this keeps them as long as it
        likes."""
        try:
            await self._client.fetch(status, method="DELETE", expected=range(200, 600))
        except Failed:
            return


async def lines_of(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of a file that comes in parts, without blank ones. Raises Failed for one that is too large."""
    held: list[bytes] = []
    size = 0
    async for part in parts:
        *whole, rest = part.split(b"\n")
        for end in whole:
            line = b"".join((*held, end)).strip()
            held, size = [], 0
            if line:
                yield line
        held.append(rest)
        size += len(rest)
        if size > LARGEST:
            raise Failed(f"a file has a line larger than {LARGEST >> 20} MiB")
    if line := b"".join(held).strip():
        yield line
