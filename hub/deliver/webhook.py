"""Alerts by webhook: each durable transition of a live alert, at least once, under an id of its own.

The outbox in the store is the only memory: what is not yet delivered stands there with the time of its next try, so a
restart changes nothing. A receiver that is down is asked seldom, and not once a message; when it is up again, what
waits goes out in order, except what it refused, which keeps its own schedule.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from hub.alert_line import AlertChange, Time, alert_change
from hub.api.cursor import Cursors, cursors_of
from hub.api.reads import Reads
from hub.bearing import bearing_on
from hub.deliver.address import Resolve, resolve
from hub.deliver.attempt import Result, Sender
from hub.deliver.backfill import without_backfill
from hub.deliver.declared_webhooks import Webhook
from hub.serve.intake import Intake
from schemas.alert import Alert
from schemas.event import SECOND
from schemas.instant import to_datetime, write_instant
from streams.core.directory import Directory
from streams.embedded import outbox
from streams.embedded.directory import StoredDirectory
from streams.embedded.following import Ahead, Gone, Row, check_cursor, read_page
from streams.embedded.reader import Reader
from streams.embedded.store import Store

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

SCHEDULE: Final = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds between tries, as Standard Webhooks advises: about three days in all."""
_PAUSES: Final = (5.0, 300.0)  # seconds, the first and the longest, in which a receiver that is down is left alone
_AGAIN: Final = 5.0  # seconds until a store that fails is asked again
_LAST_WORD: Final = 5.0  # seconds that an attempt under way has at a stop
_PAGE: Final = 500
WITHHELD: Final = "sensitive"
"""Why a delivery was not made: the alert has a label that the webhook does not declare."""
_encode: Final = msgspec.json.Encoder().encode


class Delivery(msgspec.Struct, kw_only=True):
    """The body of a delivery."""

    type: str
    timestamp: Time
    data: AlertChange


class WebhookCounts:
    """What all webhooks together did, for /metrics."""

    def __init__(self) -> None:
        self.attempts: int = 0
        self.delivered: int = 0
        self.given_up: int = 0
        self.withheld: int = 0
        self.off: int = 0

    def numbers(self) -> Mapping[str, float]:
        """By their Prometheus names."""
        return {
            "pxhub_webhook_attempts_total": self.attempts,
            "pxhub_webhook_delivered_total": self.delivered,
            "pxhub_webhook_given_up_total": self.given_up,
            "pxhub_webhook_withheld_total": self.withheld,
            "pxhub_webhooks_off": self.off,
        }


class _Subscription:
    """One webhook, served."""

    def __init__(  # noqa: PLR0913 - what it stands on
        self,
        webhook: Webhook,
        sender: Sender,
        intake: Intake,
        reads: Reads,
        clock: Callable[[], int],
        *,
        cursors: Cursors,
        counts: WebhookCounts,
        schedule: Sequence[float],
        log: BoundLogger | None,
    ) -> None:
        self._webhook: Webhook = webhook
        self._sender: Sender = sender
        self._intake: Intake = intake
        self._reads: Reads = reads
        self._clock: Callable[[], int] = clock
        self._cursors: Cursors = cursors
        self._counts: WebhookCounts = counts
        self._schedule: Sequence[float] = schedule
        self._log: BoundLogger | None = log
        self._position: int = 0
        self._failures: int = 0  # one after the other, of a receiver that is down
        self._resume: int = 0  # the clock at which it is tried again
        self._stop: asyncio.Event = asyncio.Event()

    def stop_soon(self) -> None:
        """Begin nothing new."""
        self._stop.set()

    async def run(self) -> None:
        """Deliver until stopped or switched off."""
        while not self._stop.is_set():
            try:
                await self._serve()
            except Exception as wrong:  # noqa: BLE001 - a subscriber's edge: whatever it is, alerts go on going out
                self._tell("webhook.stumbled", reason=type(wrong).__name__)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), _AGAIN)
            else:
                return

    async def begin(self) -> None:
        """Take up where it was left; a webhook that is new begins with what comes from now on."""
        name = self._webhook.name
        position = await self._reads.ask(lambda reader: outbox.find_position(reader, name))
        self._position = self._intake.cursor if position is None else min(position, self._intake.cursor)
        if position is None:
            await self._put_out([], self._position)

    async def _serve(self) -> None:
        name, identity = self._webhook.name, _identity(self._webhook)
        if await self._reads.ask(lambda reader: outbox.find_switched_off(reader, name)) == identity:
            self._counts.off += 1
            self._tell("webhook.is_off")
            return
        while not self._stop.is_set():
            await self._gather()
            now = self._clock()
            waiting = await self._find_waiting(now)
            if waiting is None or now < self._resume:
                await self._rest(now)
            elif not await self._try(waiting):
                return

    async def _find_waiting(self, now: int) -> outbox.Waiting | None:
        name = self._webhook.name
        return await self._reads.ask(lambda reader: outbox.find_waiting(reader, name, now))

    async def _gather(self) -> None:
        """Put out the transitions that came since."""
        more = self._intake.cursor > self._position
        while more:
            try:
                rows, goes_on, more = await self._page()
            except (Gone, Ahead) as wrong:  # purged while it was not served; or the store is an older copy
                reader_at = await self._reads.ask(lambda reader: check_cursor(reader, 0))
                self._position = reader_at[0] - 1 if isinstance(wrong, Gone) else reader_at[1]
                self._tell("webhook.gap", reason=type(wrong).__name__)
                continue
            wanted = [row for row in rows if self._wants(row[2])]
            await self._put_out([row[0] for row in await self._worth_telling(wanted)], goes_on)
            self._position = goes_on

    async def _page(self) -> tuple[list[Row], int, bool]:
        after = self._position
        return await self._reads.ask(lambda reader: read_page(reader, after=after, limit=_PAGE))

    async def _worth_telling(self, rows: list[Row]) -> list[Row]:
        return await self._reads.ask(lambda reader: without_backfill(reader, rows)) if rows else []

    async def _put_out(self, cursors: list[int], upto: int) -> None:
        name, now = self._webhook.name, self._clock()
        await self._write(lambda store: outbox.put_out(store, name, cursors, upto, now))

    def _wants(self, alert: Alert) -> bool:
        thresholds = self._webhook.thresholds
        return alert.mode == "live" and (thresholds is None or alert.threshold in thresholds)

    async def _rest(self, now: int) -> None:
        """Until there is something to do: a transition, a try that is due, the stop."""
        name = self._webhook.name
        due = await self._reads.ask(lambda reader: outbox.find_next_due(reader, name))
        waits: list[asyncio.Task[object]] = [asyncio.create_task(self._stop.wait())]
        if now < self._resume and due is not None:
            due = max(due, self._resume)  # a receiver that is down is not told of what is new
        else:
            waits.append(asyncio.create_task(self._intake.wait_beyond(self._position)))
        seconds = None if due is None else max(0, due - now) / SECOND
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        if self._intake.stopping:
            self._stop.set()

    async def _try(self, waiting: outbox.Waiting) -> bool:
        """Try one delivery; False where the receiver wants no more."""
        name, cursor = self._webhook.name, waiting.cursor
        found = await self._reads.ask(lambda reader: self._read(reader, cursor))
        if found is None:
            await self._write(lambda store: outbox.give_up(store, name, cursor, "purged"))
            return True
        row, body, withheld = found
        if withheld:
            self._counts.withheld += 1
            await self._write(lambda store: outbox.give_up(store, name, cursor, WITHHELD))
            self._tell("webhook.withheld", reason=WITHHELD)
            return True
        self._counts.attempts += 1
        result = await self._sender.send(webhook_id(name, row), body, to_datetime(self._clock()))
        if result.delivered:
            self._counts.delivered += 1
            self._failures, self._resume = 0, 0
            await self._write(lambda store: outbox.settle(store, name, cursor))
            return True
        attempt = waiting.tries + 1
        self._tell("webhook.failed", attempt=attempt, reason=result.told, status=result.status)
        if result.off:
            self._counts.off += 1
            identity = _identity(self._webhook)
            await self._write(lambda store: outbox.switch_off(store, name, identity))
            self._tell("webhook.switched_off")
            return False
        self._pause(result)
        if attempt > len(self._schedule):
            self._counts.given_up += 1
            await self._write(lambda store: outbox.give_up(store, name, cursor, result.told))
            self._tell("webhook.gave_up", attempt=attempt, reason=result.told)
            return True
        wait = max(self._schedule[attempt - 1] * random.uniform(0.9, 1.1), result.wait)  # noqa: S311 - spreads load
        due = self._clock() + round(wait * SECOND)
        await self._write(lambda store: outbox.put_off(store, name, cursor, due, result.told))
        return True

    def _read(self, reader: Reader, cursor: int) -> tuple[Row, bytes, bool] | None:
        """A transition, its body as of now, and whether it is labelled with what this webhook does not declare."""
        row = outbox.find_transition(reader, cursor)
        if row is None:
            return None
        directory = StoredDirectory(reader)
        labels = bearing_on(row[2], directory).sensitivity
        return row, write_body(row, self._cursors, directory), not self._webhook.sensitive.issuperset(labels)

    def _pause(self, result: Result) -> None:
        first, longest = min(_PAUSES[0], self._schedule[0]), _PAUSES[1]
        if result.down:
            self._failures += 1
            pause = min(first * 2 ** min(self._failures - 1, 10), longest)
            self._resume = self._clock() + round(max(pause, result.wait) * SECOND)

    async def _write(self, write: Callable[[Store], None]) -> None:
        await self._intake.ask(lambda runtime: write(runtime.store))

    def _tell(self, fact: str, **fields: str | int | None) -> None:
        if self._log is not None:
            self._log.warning(fact, webhook=self._webhook.name, **fields)


class WebhookDoor:
    """All webhooks, served. `address` names them."""

    def __init__(self, subscriptions: list[_Subscription], senders: list[Sender], reads: Reads, names: str) -> None:
        self.address: str = f"webhooks {names}"
        self._subscriptions: list[_Subscription] = subscriptions
        self._senders: list[Sender] = senders
        self._reads: Reads = reads
        self._tasks: list[asyncio.Task[None]] = [asyncio.create_task(one.run()) for one in subscriptions]

    async def stop(self) -> None:
        """Let what is under way end, within a short time; the rest stands in the outbox."""
        for one in self._subscriptions:
            one.stop_soon()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_LAST_WORD)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for sender in self._senders:
            await sender.close()
        await self._reads.close()


async def deliver(  # noqa: PLR0913 - what it stands on
    webhooks: Sequence[Webhook],
    intake: Intake,
    open_reader: Callable[[], Reader],
    clock: Callable[[], int],
    *,
    log: BoundLogger | None = None,
    counts: WebhookCounts | None = None,
    schedule: Sequence[float] = SCHEDULE,
    resolve: Resolve = resolve,
    verify: ssl.SSLContext | None = None,
) -> WebhookDoor:
    """Serve webhooks. `clock` tells the machine's time in microseconds; `schedule` the seconds between tries."""
    counts = counts or WebhookCounts()
    reads = Reads(open_reader)
    cursors = await reads.ask(cursors_of)
    senders = [Sender(webhook, resolve, verify) for webhook in webhooks]
    subscriptions = [
        _Subscription(webhook, sender, intake, reads, clock, cursors=cursors, counts=counts, schedule=schedule, log=log)
        for webhook, sender in zip(webhooks, senders, strict=True)
    ]
    for one in subscriptions:
        await one.begin()
    return WebhookDoor(subscriptions, senders, reads, ", ".join(webhook.name for webhook in webhooks))


def webhook_id(name: str, row: Row) -> str:
    """The id of a delivery, the same on each try; no other store's transition has it."""
    cursor, at, alert = row
    content = "\x1f".join((name, str(cursor), str(at), alert.id, alert.state.value))
    return f"msg_{blake2b(content.encode(), digest_size=16).hexdigest()}"


def write_body(row: Row, cursors: Cursors, directory: Directory | None = None) -> bytes:
    """The body of a delivery: the transition as the stream tells it."""
    cursor, at, alert = row
    data = alert_change(cursors.write(cursor), at, alert, directory)
    return _encode(Delivery(type=f"alert.{alert.state.value}", timestamp=write_instant(at), data=data))


def _identity(webhook: Webhook) -> str:
    """Tells a webhook from another of its name: one that leads elsewhere is not switched off by what this one said."""
    return blake2b(webhook.url.encode(), digest_size=12).hexdigest()
