"""What one resource says and another needs: the answer to a request is about the request's order, a report is as
abnormal as the observations in it, an order is of its visit's class.

Theory. Who sends both in one message says it there; whoever sends them apart leaves it to be looked up. So some events
lend attributes under a number that they carry, and others that carry the number borrow what they lack. Of several
lenders the last at or before the borrower's time counts, else the first after it: that follows from the set of events,
not from their arrival. What was judged before its lender came is judged anew.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from schemas.event import Event
from schemas.states import MOMENTS, STATUS
from streams.core.state import Person


class Loan(NamedTuple):
    """Under `key`, events `of` these types lend `attributes` to those of the types `to`."""

    key: str
    of: frozenset[str]
    to: frozenset[str]
    attributes: tuple[str, ...]


_AUTHORIZATION: Final = "authorization."
_ANSWERS: Final = "supplemented approved denied pended not_required cancelled expired appealed appeal_decided"
_REPORT: Final = "result.stated"
_OBSERVATION: Final = "observation.stated"
_VISIT: Final = "visit.stated"
PARTS: Final = "observations"
_PART: Final = "observation_id"
_FLAGS: Final = ("abnormal", "critical")
_DEEPEST: Final = 3  # panels in panels
LOANS: Final = (
    Loan(
        key="order_id",
        of=frozenset(("order.stated",)),
        to=frozenset((_REPORT, _OBSERVATION, "specimen.stated", "exam.stated")),
        attributes=("code", "category", "category_code", "priority", "slow", "screening", "visit_id"),
    ),
    Loan(
        key="authorization_id",
        of=frozenset(("authorization.stated", "authorization.requested")),
        to=frozenset(_AUTHORIZATION + word for word in _ANSWERS.split()),
        attributes=("order_id", "appointment_id", "visit_id", "payer", "payer_class", "urgent"),
    ),
    Loan(
        key="visit_id",
        of=frozenset((_VISIT,)),
        to=frozenset(("order.stated", _REPORT, _OBSERVATION, "specimen.stated", "exam.stated")),
        attributes=("class",),
    ),
)
LENT: Final = frozenset(type_ for loan in LOANS for type_ in loan.of | loan.to)
"""Events that lend or borrow."""
_Name = tuple[str, str]


def learn_loans(person: Person, event: Event) -> bool:
    """Note what an event lends and borrows. True where something that was judged before must be judged anew."""
    again = False
    for key in _lends(event):
        name = _name(person, key, str(event.data[key]))
        if person.lent is None:
            person.lent = {}
        insort(person.lent.setdefault(name, []), event, key=_moment)
        again = again or (person.borrowed is not None and name in person.borrowed)
    for name in _borrows(person, event):
        if person.borrowed is None:
            person.borrowed = set()
        if name not in person.borrowed:
            person.borrowed.add(name)
            # an observation that was told for itself is a part from now on
            again = again or (name[0] == _PART and person.lent is not None and name in person.lent)
    return again


def borrow(person: Person, event: Event, told: Event) -> Event | None:
    """What an event tells, with what it borrows; None for a part of a report, which its report tells."""
    type_, data = event.type, told.data
    if type_ == _OBSERVATION:
        number = data.get(_PART)
        of_result = data.get("order_id") or data.get("category") in ("LAB", "RAD")
        if not of_result or (person.borrowed is not None and (_PART, number) in person.borrowed):
            return None
    more: dict[str, Any] = {}
    if person.lent is not None:
        for loan in LOANS:
            if type_ in loan.to and isinstance(number := data.get(loan.key, more.get(loan.key)), str):
                more |= _lent(person, loan, number, event)
        if type_ in (_REPORT, _OBSERVATION):
            more |= _flags(person, event) | _after_discharge(person, told)
    if type_ in (_REPORT, _OBSERVATION):
        data = {name: value for name, value in data.items() if name not in (PARTS, _PART)}
    elif not more:
        return told
    return msgspec.structs.replace(told, data={**more, **data, **_raised(data, more)})


def _raised(data: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """An abnormal observation makes its report abnormal, whatever the report's sender knew of it."""
    return {flag: True for flag in _FLAGS if more.get(flag) is True and flag in data}


def _lends(event: Event) -> Iterator[str]:
    for loan in LOANS:
        if event.type in loan.of and isinstance(event.data.get(loan.key), str):
            yield loan.key
    if event.type == _OBSERVATION:
        yield _PART


def _borrows(person: Person, event: Event) -> Iterator[_Name]:
    for loan in LOANS:
        if event.type in loan.to and isinstance(number := event.data.get(loan.key), str):
            yield _name(person, loan.key, number)
    if event.type in (_REPORT, _OBSERVATION):
        for number in _numbers(event):
            yield _PART, number


def _numbers(event: Event) -> list[str]:
    """The observations that a report or a panel names."""
    numbers = event.data.get(PARTS)
    return [number for number in numbers if isinstance(number, str)] if isinstance(numbers, list) else []


def _name(person: Person, key: str, number: str) -> _Name:
    return key, person.aliases.get((key, number), number) if person.aliases else number


def _moment(event: Event) -> tuple[int, str, str]:
    return event.time, event.source, event.id


def _in_force(person: Person, name: _Name, time: int) -> Event | None:
    lenders = person.lent.get(name) if person.lent is not None else None
    if not lenders:
        return None
    return lenders[max(bisect_right(lenders, time, key=_time) - 1, 0)]


def _time(event: Event) -> int:
    return event.time


def _lent(person: Person, loan: Loan, number: str, event: Event) -> dict[str, Any]:
    lender = _in_force(person, _name(person, loan.key, number), event.time)
    if lender is None:
        return {}
    return {name: value for name in loan.attributes if (value := lender.data.get(name)) is not None}


def _flags(person: Person, event: Event) -> dict[str, Any]:
    """Whether a report is abnormal, by its observations: true where one is, false where all are known and none is."""
    told = list(_parts(person, event, event.time, _DEEPEST))
    found: dict[str, Any] = {}
    for flag in _FLAGS:
        values = [part.data.get(flag) if part is not None else None for part in told]
        if any(values):
            found[flag] = True
        elif values and all(value is False for value in values):
            found[flag] = False
    return found


def _parts(person: Person, event: Event, time: int, depth: int) -> Iterator[Event | None]:
    for number in _numbers(event):
        part = _in_force(person, (_PART, number), time)
        within = list(_parts(person, part, time, depth - 1)) if part is not None and depth else []
        if part is None or not within or part.data.get(_FLAGS[0]) is not None:
            yield part
        yield from within


def _after_discharge(person: Person, told: Event) -> dict[str, Any]:
    """Whether a result came after its visit had ended, where the visit is known."""
    number = told.data.get("visit_id")
    visit = _in_force(person, _name(person, "visit_id", number), told.time) if isinstance(number, str) else None
    if visit is None or visit.data.get(STATUS) != "finished":
        return {}
    moments = visit.data.get(MOMENTS)
    ended = moments.get("visit.ended", visit.time) if isinstance(moments, dict) else visit.time
    return {"after_discharge": told.time >= ended}
