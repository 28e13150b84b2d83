"""A subscription's notification: who notifies, of which kind it is, and which numbers it bears.

Subscriptions R5 Backport 1.1: the first entry of the bundle is a Parameters (R4) or a SubscriptionStatus (R4B, R5), and
its events are numbered from 1 without a gap.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from connectors.json_text import NOT_JSON
from schemas.errors import Reason, Unreadable

KINDS: Final = frozenset(("handshake", "heartbeat", "event-notification", "query-status", "query-event"))
ASKED: Final = frozenset(("query-status", "query-event"))
"""Kinds that a server gives when it is asked, and never by itself."""
_HIGHEST: Final = 2**53
_HEARTBEAT: Final = "/backport-heartbeat-period"
_LONGEST: Final = 366 * 86_400  # seconds: no heartbeat is that rare


class Notified(msgspec.Struct, frozen=True):
    """One event of a notification. `focus` is a reference, None where the payload names none."""

    number: int
    focus: str | None = None


class Notification(msgspec.Struct, frozen=True):
    """`subscription` is its id; `since_start` is how many events there were since it began, where that is said."""

    subscription: str
    kind: str
    since_start: int | None = None
    events: tuple[Notified, ...] = ()


def read_notification(first: bytes | msgspec.Raw) -> Notification | None:
    """The notification that a bundle's first resource tells of; None where it is no such resource. Raises
    Unreadable."""
    try:
        value = msgspec.json.decode(first)
    except NOT_JSON:
        return None
    if not isinstance(value, dict):
        return None
    type_ = value.get("resourceType")
    if type_ == "Parameters":
        told = _parts(value.get("parameter"))
        if "subscription" not in told or "type" not in told:
            return None
        events = [_parts(part.get("part")) for part in _list(value.get("parameter")) if _is_event(part)]
        return _read(told, [_event(event.get("event-number"), event.get("focus")) for event in events])
    if type_ == "SubscriptionStatus":
        told = {"events-since-subscription-start": value.get("eventsSinceSubscriptionStart"), **value}
        noted = [event for event in _list(value.get("notificationEvent")) if isinstance(event, dict)]
        return _read(told, [_event(event.get("eventNumber"), event.get("focus")) for event in noted])
    return None


def read_status(body: bytes, id_: str) -> Notification | None:
    """What a server answered to `$status` of a subscription: a bundle of its status, or the status alone; None for what
    is none. Raises Unreadable."""
    try:
        value = msgspec.json.decode(body)
    except NOT_JSON:
        return None
    found = [value]
    if isinstance(value, dict) and value.get("resourceType") == "Bundle":
        found = [entry.get("resource") for entry in _list(value.get("entry")) if isinstance(entry, dict)]
    told = next((told for one in found if (told := read_notification(msgspec.json.encode(one))) is not None), None)
    return Notification(id_, "query-status", told.since_start) if told is not None else None


def heartbeat_period(body: bytes) -> int | None:
    """The seconds in which a Subscription promises to be heard of: the extension of its channel (R4), or R5's element;
    None where it promises nothing."""
    try:
        value = msgspec.json.decode(body)
    except NOT_JSON:
        return None
    if not isinstance(value, dict) or value.get("resourceType") != "Subscription":
        return None
    channel = value.get("channel")
    extensions = [
        *_list(channel.get("extension") if isinstance(channel, dict) else None),
        *_list(value.get("extension")),
    ]
    told = [value.get("heartbeatPeriod")] + [
        extension.get("valueUnsignedInt")
        for extension in extensions
        if isinstance(extension, dict) and str(extension.get("url")).endswith(_HEARTBEAT)
    ]
    return next((n for n in told if isinstance(n, int) and not isinstance(n, bool) and 0 < n <= _LONGEST), None)


def _read(told: dict[str, Any], events: list[Notified]) -> Notification:
    reference = told.get("subscription")
    text = reference.get("reference") if isinstance(reference, dict) else None
    id_ = text.rstrip("/").rpartition("/")[2] if isinstance(text, str) else ""
    if not id_:
        raise _wrong("subscription", "name the subscription by Subscription/id")
    kind = told.get("type")
    if kind not in KINDS:
        raise _wrong("type", "one of the kinds of notification of Subscriptions R5 Backport is expected")
    since = told.get("events-since-subscription-start")
    counted = None if since is None else _number(since, "events-since-subscription-start")
    return Notification(id_, str(kind), counted, tuple(events))


def _event(number: Any, focus: Any) -> Notified:
    text = focus.get("reference") if isinstance(focus, dict) else None
    return Notified(_number(number, "event-number"), text if isinstance(text, str) else None)


def _number(value: Any, name: str) -> int:
    """A number, which R4's Parameters have as a string, and which others write as one."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdecimal() and len(text) <= 16 and int(text) <= _HIGHEST):
        raise _wrong(name, "a whole number is expected")
    return int(text)


def _is_event(part: Any) -> bool:
    return isinstance(part, dict) and part.get("name") == "notification-event"


def _parts(parameters: Any) -> dict[str, Any]:
    """Parameters by their names, whatever the type of their value."""
    found: dict[str, Any] = {}
    for part in _list(parameters):
        if isinstance(part, dict) and isinstance(name := part.get("name"), str):
            value = next((value for key, value in part.items() if key.startswith("value")), None)
            found.setdefault(name, value)
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _wrong(name: str, mend: str) -> Unreadable:
    return Unreadable(Reason.INVALID, place=f"Bundle.entry[0].resource, {name}", mend=mend)
