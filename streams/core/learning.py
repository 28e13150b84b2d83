"""What the directory learns from events: how somebody is reached, what they are called, which numbers are theirs."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from schemas.event import Event
from schemas.identity import Point
from streams.core.directory import Directory, Known, key_of, point
from streams.core.identity import named
from streams.core.likeness import birth_date_of
from streams.core.scoring import name_of, texts
from streams.core.standing import FACT_TYPES, PROXY_TYPES, learn_standing

_TOGETHER: Final = frozenset(("person.merged", "person.linked"))
_APART: Final = frozenset(("person.unmerged", "person.unlinked"))
_TOLD_IN: Final = (
    (Point.PHONE, "phones"),
    (Point.EMAIL, "emails"),
    (Point.MEMBER_ID, "member_id"),
    (Point.PORTAL_ACCOUNT, "portal_account"),
    (Point.PROXY_PHONE, "proxy_phone"),
)
LEARNS: Final = frozenset((
    "person.updated", "identity.renumbered", "identity.moved", *_TOGETHER, *_APART, *FACT_TYPES, "outreach.failed",
))  # fmt: skip
"""Events that the directory learns from."""
PARTS: Final = frozenset((*_APART, "identity.moved"))
"""Those after which numbers that were one may be so no longer."""


def learn(directory: Directory, event: Event) -> None:
    """Take in what an event tells of a person; what is older than what is known fills only what was not told yet."""
    type_ = event.type
    if type_ in _TOGETHER or type_ in _APART:
        if not event.data.get("contact_id"):
            _change_edges(directory, event, together=type_ in _TOGETHER)
    elif type_ == "identity.renumbered":
        if event.data.get("kind", "mrn") == "mrn":
            _change_edges(directory, event, together=True)
    elif type_ == "identity.moved":
        if event.data.get("kind") == "mrn":
            _move(directory, event)
    elif type_ == "outreach.failed":
        _unlearn_number(directory, event)
    elif event.identifiers:
        if type_ == "person.updated":
            _learn_person(directory, event)
        elif type_ in PROXY_TYPES:
            _learn_proxy(directory, event)
        learn_standing(directory, event)


def _learn_person(directory: Directory, event: Event) -> None:
    names = event.identifiers
    key = key_of(names[0])
    known = directory.find(key) or Known(names[0], time=-(2**62))
    is_latest = event.time >= known.time
    points = list(known.points)
    for kind, attribute in _TOLD_IN:
        values = [_plain(kind, value) for value in texts(event.data.get(attribute))]
        if kind is Point.MEMBER_ID:
            values += names[1:]
        if not values:
            continue  # no news
        had = [found for found in points if found & 7 == kind]
        if had and not is_latest:
            continue
        told = [point(kind, value) for value in values]
        for gone in had:
            if gone not in told:
                points.remove(gone)
                directory.release(gone, key)
        for new in told:
            if new not in points:
                points.append(new)
                directory.hold(new, key)
    name, born = name_of(event.data), birth_date_of(event.data.get("birth_date"))
    directory.put(
        key,
        msgspec.structs.replace(
            known,
            time=max(known.time, event.time),
            name=(name or known.name) if is_latest else (known.name or name),
            birth_date=(born or known.birth_date) if is_latest else (known.birth_date or born),
            points=tuple(points),
        ),
    )
    for other in names[1:]:
        tie(directory, names[0], other, together=True)


def _learn_proxy(directory: Directory, event: Event) -> None:
    """The numbers of who speaks for a person lead to that person too, until nobody does any more."""
    key = key_of(event.identifiers[0])
    known = directory.find(key) or Known(event.identifiers[0], time=-(2**62))
    over = event.type == "proxy.withdrawn" or event.data.get("status") == "inactive"
    told = [point(Point.PROXY_PHONE, value) for value in texts(event.data.get("phones"))]
    changed = tuple(p for p in known.points if p not in told) + (() if over else tuple(told))
    for found in told:
        (directory.release if over else directory.hold)(found, key)
    if changed != known.points:
        directory.put(key, msgspec.structs.replace(known, points=changed))


def _plain(kind: Point, value: str) -> str:
    return value.strip().casefold() if kind is Point.EMAIL else value


def tie(directory: Directory, one: str, other: str, *, together: bool) -> None:
    """Let two identifiers be one person's, or no longer."""
    if one != other:
        (directory.tie if together else directory.untie)(key_of(one), key_of(other))


def _change_edges(directory: Directory, event: Event, *, together: bool) -> None:
    surviving = named(event.data.get("surviving")) or event.identifiers
    for keep in surviving[:1] if together else surviving:
        for gone in named(event.data.get("retired")):
            tie(directory, keep, gone, together=together)


def _move(directory: Directory, event: Event) -> None:
    """A number that is another person's now: all that it was near to is another's."""
    surviving = named(event.data.get("surviving"))
    for number in named(event.data.get("retired")) if surviving else ():
        key = key_of(number)
        for near in tuple(directory.near(key)):
            directory.untie(key, near)
        tie(directory, surviving[0], number, together=True)


def _unlearn_number(directory: Directory, event: Event) -> None:
    """Somebody else answers there: the number leads to this person no longer, until it is told of them again."""
    data: dict[str, Any] = event.data
    address = data.get("address")
    if data.get("reason") not in ("wrong_number", "disconnected_number") or not isinstance(address, str):
        return
    for name in event.identifiers:
        key = key_of(name)
        known = directory.find(key)
        gone = {point(Point.PHONE, address), point(Point.PROXY_PHONE, address)}
        if known is None or gone.isdisjoint(known.points):
            continue
        for found in gone.intersection(known.points):
            directory.release(found, key)
        directory.put(key, msgspec.structs.replace(known, points=tuple(p for p in known.points if p not in gone)))
