"""Events that notifications of a subscription left out, asked for again (`$events`)."""

from __future__ import annotations

from connectors.fhir.backport import events_path
from connectors.fhir.bundle import type_of
from connectors.fhir.search import WrongAnswer
from hub.fhir_server import AsksFhir, NotAnswered


async def ask_events(asker: AsksFhir, subscription: str, first: int, last: int) -> bytes:
    """The Bundle of these events, as a notification has them; both numbers are among them. `subscription` is its id on
    the server. A server may give fewer than it was asked for. Raises NotAnswered."""
    try:
        path = events_path(subscription, first, last)
    except WrongAnswer:
        raise NotAnswered("no_subscription_id") from None
    body = await asker.ask(path)
    if type_of(body) != "Bundle":
        raise NotAnswered("no_bundle")
    return body
