"""Calls: patients who call the clinic, callbacks that are promised to them, and calls by which a result is told.

On the overloaded Tuesday more people call than can be answered: many wait for minutes, some give up, and of the
callbacks that are promised then a third comes late, for the nurses who make them sit on the lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Final

from hub.simulate.connect import (
    BILLING,
    LEFT_MESSAGE,
    NO_ANSWER,
    NURSE_LINE,
    PASSED_ON,
    REACHED,
    RESOLVED,
    RESULT,
    SCHEDULING,
    WRONG_NUMBER,
    Call,
)
from hub.simulate.people import Person
from hub.simulate.wall import HOUR, MINUTE

if TYPE_CHECKING:
    from hub.simulate.world import World

Story = Iterator[int]

# For each person who belongs to the clinic, how many calls in a week; from eight o'clock on, shares of a day.
_CALLS: Final = 0.4
_BY_HOUR: Final = (16, 18, 15, 12, 8, 9, 9, 8, 5)
_QUEUES: Final = ((SCHEDULING, 62), (NURSE_LINE, 26), (BILLING, 12))
_REASONS: Final = {
    SCHEDULING: (("SCHD", 80), ("OTHR", 20)),
    NURSE_LINE: (("RFLL", 45), ("SYMP", 55)),
    BILLING: (("BILL", 100),),
}
# How many times more call, and how many times longer they wait, on the Tuesday between ten and five.
_MORE: Final = 4.8
_LONGER: Final = 14.0
_ANSWERED: Final = 0.86  # of calls from the clinic, to a number that is right


def phone_day(world: World, day: date) -> Story:
    """The calls of a weekday, each begun when its time comes."""
    voices = world.voices
    expected = world.people.count * _CALLS / 5
    count = max(0, round(voices.dice.gauss(expected, expected**0.5 * 0.6)))
    minutes = [_minute(world) for _ in range(count)]
    if day == world.load.tuesday:
        late = [minute for minute in minutes if 10 * 60 <= minute < 17 * 60]
        minutes += [voices.dice.choice(late) for _ in range(round(len(late) * (_MORE - 1)))] if late else []
    for minute in sorted(minutes):
        yield max(world.now, world.wall.at(day, minute) + voices.dice.randrange(MINUTE))
        person = world.people.find(voices.dice.randrange(world.people.count))
        if person.number not in voices.died:
            world.begin(incoming(world, person))


def _minute(world: World) -> int:
    dice = world.voices.dice
    return (8 + dice.choices(range(len(_BY_HOUR)), _BY_HOUR)[0]) * 60 + dice.randrange(60)


def _is_crowded(world: World) -> bool:
    return world.wall.day(world.now) == world.load.tuesday and 10 * 60 <= world.wall.minute(world.now) < 17 * 60


def incoming(world: World, person: Person) -> Story:
    """Somebody calls: is answered, gives up, or takes the offer to be called back."""
    voices, connect = world.voices, world.voices.connect
    queue = voices.dice.pick(_QUEUES)
    crowded = _is_crowded(world)
    call = connect.call(person, queue, "INBOUND", world.now)
    call.queued = world.now + 20 + voices.dice.randrange(25)
    yield call.queued
    connect.tell(call, "QUEUED", world.now)
    wait = int(voices.dice.delay(15 * (_LONGER if crowded else 1.0), 0.7))
    patience = int(voices.dice.delay(260, 0.8))
    if wait > 150 and voices.chance(0.2):
        yield call.queued + 100
        yield from _promise(world, call, crowded=crowded)
        return
    if patience < wait:
        yield call.queued + patience
        call.ended, call.reason = world.now, "CUSTOMER_DISCONNECT"
        connect.record(call)
        return
    yield call.queued + wait
    yield from _talk(world, call)


def _talk(world: World, call: Call) -> Story:
    """An agent answers. Three of four are asked who they are; what the others say is known by their number alone."""
    voices = world.voices
    call.answered = world.now
    voices.connect.tell(call, "CONNECTED_TO_AGENT", world.now)
    yield world.now + voices.minutes(4, 0.6)
    call.ended = world.now
    call.reason = "CUSTOMER_DISCONNECT" if voices.chance(0.7) else "AGENT_DISCONNECT"
    reason = voices.dice.pick(_REASONS[call.queue])
    outcome = RESOLVED if voices.chance(0.86) else PASSED_ON
    call.said = {"caller": "patient", "reason": reason, "outcome": outcome, "language": call.person.language}
    if voices.chance(0.75):
        call.said["mrn"] = call.person.mrn
    voices.connect.record(call)


def _promise(world: World, first: Call, *, crowded: bool) -> Story:
    """A callback keeps the place in the queue: the contact goes on in another leg, at a time that is promised."""
    voices, connect = world.voices, world.voices.connect
    back = connect.call(first.person, first.queue, "CALLBACK", world.now)
    back.contact = back.before = first.id
    first.ended, first.next, first.reason = world.now, back.id, "CONTACT_FLOW_DISCONNECT"
    back.queued = world.now
    back.scheduled = world.now + (30 + 15 * voices.dice.randrange(5)) * MINUTE
    connect.record(first)
    connect.tell(back, "QUEUED", world.now)
    forgotten = voices.chance(0.34 if crowded else 0.04)
    late = voices.minutes(110, 0.6) if forgotten else voices.dice.randrange(-4, 12) * MINUTE
    yield max(world.now + MINUTE, back.scheduled + late)
    yield from _talk(world, back)


def call_about_result(world: World, person: Person, placer: str) -> bool:
    """The clinic calls somebody to tell a result; True when they were reached. The order is named in the contact."""
    voices, habits = world.voices, world.voices.habits(person.number)
    if not habits.number_right:
        outcome = WRONG_NUMBER
    elif voices.chance(_ANSWERED):
        outcome = REACHED
    else:
        outcome = LEFT_MESSAGE if voices.chance(0.5) else NO_ANSWER
    call = voices.connect.call(person, NURSE_LINE, "OUTBOUND", world.now - 5 * MINUTE)
    lasted = {REACHED: 200, LEFT_MESSAGE: 45, WRONG_NUMBER: 25, NO_ANSWER: 0}[outcome]
    call.ended = world.now
    call.begun = world.now - lasted - 30
    call.answered = world.now - lasted if lasted else 0
    call.reason = "AGENT_DISCONNECT"
    call.said = {"mrn": person.mrn, "caller": "patient", "reason": RESULT, "outcome": outcome, "order_id": placer}
    voices.connect.record(call)
    return outcome == REACHED


def desk_time(world: World, at: int) -> int:
    """When the clinic's own callers come to it: in office hours, and not on the Tuesday while they sit on the lines."""
    at = world.in_hours(at) + 5 * MINUTE
    if world.wall.day(at) == world.load.tuesday and world.wall.minute(at) >= 10 * 60:
        return world.wall.at(world.load.tuesday, 24 * 60 + 8 * 60 + 5) + at % HOUR
    return at
