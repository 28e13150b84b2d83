"""One clock for the whole clinic, and everything that is under way in it.

A story (a visit, a test, a referral) is a generator: it sends what there is to send at the clock's time, then yields
the instant at which it goes on. The world keeps the stories in a heap and wakes the next one. So all that is in memory
is one paused generator for each thing under way, however many people and weeks there are; and everything a story says
is true at the time it says it, because it is written only then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Final

from hub.simulate.clinic import FACILITY, INTERFACES, STAFF_BY_DEPARTMENT, Clinician, Department, Interface
from hub.simulate.dice import Dice
from hub.simulate.load import Load, Outage
from hub.simulate.people import People, Person
from hub.simulate.voices import Voices
from hub.simulate.wall import DAY, MINUTE, Wall

Story = Iterator[int]
Write = Callable[[str], object]

# An acknowledgement that got lost makes the sender repeat the message, byte for byte.
_REPEATED: Final = 0.004


class Outbox:
    """Numbers the messages of each interface and writes them in its sending order.

    `write_by_file` takes whole messages, each closed by a carriage return.
    """

    def __init__(self, write_by_file: dict[str, Write], *, wall: Wall, outages: tuple[Outage, ...]) -> None:
        self.sent = 0
        self._write_by_file = write_by_file
        self._wall = wall
        self._outages = outages
        self._numbers = {interface.file: count(1) for interface in INTERFACES}
        self._held: list[tuple[int, int, str, str]] = []
        self._order = count()

    def send(self, at: int, interface: Interface, kind: str, body: str) -> str:
        """Send `body` (segments after MSH, parted by carriage returns) as a message of `kind`; return it whole."""
        self.release(at)
        number = next(self._numbers[interface.file])
        text = (
            f"MSH|^~\\&|{interface.application}|{FACILITY}|PXHUB|{FACILITY}|{self._wall.stamp(at)}||{kind}|"
            f"{interface.application}{number:07}|T|2.5.1|||AL|NE|USA|UNICODE UTF-8\r{body}\r"
        )
        self._post(at, interface.file, text)
        return text

    def repeat(self, at: int, interface: Interface, text: str) -> None:
        heappush(self._held, (at, next(self._order), interface.file, text))

    def release(self, at: int) -> None:
        """Write what was held until `at` or earlier."""
        while self._held and self._held[0][0] <= at:
            due, _, file, text = heappop(self._held)
            self._post(due, file, text)

    def _post(self, at: int, file: str, text: str) -> None:
        for outage in self._outages:
            if outage.file == file and outage.since <= at < outage.until:
                heappush(self._held, (outage.until, next(self._order), file, text))
                return
        self.sent += 1
        self._write_by_file[file](text)


class World:
    """The clock, the dice, the people and the running stories. `now` is seconds since the epoch."""

    def __init__(
        self, *, seed: int, people: People, load: Load, outbox: Outbox, voices: Voices, first: date, last: date
    ) -> None:
        self.dice = Dice(f"clinic {seed}")
        self.people = people
        self.load = load
        self.wall = load.wall
        self.outbox = outbox
        self.voices = voices
        self.first = first
        self.last = last
        self.now = self.wall.at(first)
        self.end = self.wall.at(last + timedelta(days=1))
        self._stories: list[tuple[int, int, Story]] = []
        self._begun = count()
        self._numbers = count(1)
        self._busy_until: dict[int, int] = {}
        # A step without a common divisor with the count visits everybody once before anybody comes again.
        self._step = next(step for step in range(max(1, int(people.count * 0.618)), 2 * people.count + 2)
                          if _coprime(step, people.count))  # fmt: skip
        self._next_person = self.dice.randrange(people.count)

    def begin(self, story: Story, at: int | None = None) -> None:
        """Let `story` run from `at` on (now, if not given)."""
        heappush(self._stories, (self.now if at is None else max(at, self.now), next(self._begun), story))

    def run(self) -> None:
        """Let everything happen until the last day is over; what would come later never does."""
        while self._stories and self._stories[0][0] < self.end:
            self.now, _, story = heappop(self._stories)
            wake = next(story, None)
            if wake is not None and wake < self.end:
                heappush(self._stories, (max(wake, self.now), next(self._begun), story))
        self.outbox.release(self.end)
        self.voices.close()

    def send(self, interface: Interface, kind: str, *segments: str) -> None:
        text = self.outbox.send(self.now, interface, kind, "\r".join(segments))
        if self.chance(_REPEATED):
            self.outbox.repeat(self.now + self.dice.randrange(30, 400), interface, text)

    def number(self, prefix: str) -> str:
        return f"{prefix}{next(self._numbers):07}"

    def chance(self, share: float) -> bool:
        return self.dice.chance(share)

    def minutes(self, median: float, spread: float = 0.45) -> int:
        """A delay in seconds around a median of minutes."""
        return max(1, int(self.dice.delay(median * MINUTE, spread)))

    def stamp(self, at: int | None = None) -> str:
        return self.wall.stamp(self.now if at is None else at)

    def clinician(self, department: Department) -> Clinician:
        return self.dice.choice(STAFF_BY_DEPARTMENT[department.code])

    def somebody(self, *, busy_for: int, at: int | None = None) -> Person:
        """The next person who is not in the middle of something else; nobody is at two places at once."""
        when = self.now if at is None else at
        number = self._next_person
        for _ in range(50):
            number = self._next_person
            self._next_person = (number + self._step) % self.people.count
            if self._busy_until.get(number, 0) <= when:
                break
        self.keep_busy(number, when + busy_for)
        return self.people.find(number)

    def keep_busy(self, number: int, until: int) -> None:
        self._busy_until[number] = max(until, self._busy_until.get(number, 0))

    def forget_the_idle(self) -> None:
        """Once a day: who is free again takes no memory."""
        self._busy_until = {number: until for number, until in self._busy_until.items() if until > self.now}

    def open_day(self, at: int, days: int = 0) -> date:
        """The day of `at` plus `days`, moved on to a weekday."""
        day = self.wall.day(at) + timedelta(days=days)
        while day.weekday() >= 5:
            day += timedelta(days=1)
        return day

    def in_hours(self, at: int) -> int:
        """`at`, or the next opening of the desks where they are closed then."""
        day, minute = self.wall.day(at), self.wall.minute(at)
        if minute >= 17 * 60:
            day, minute = day + timedelta(days=1), 0
        if day.weekday() >= 5:
            minute = 0
        while day.weekday() >= 5:
            day += timedelta(days=1)
        return at if minute >= 8 * 60 and day == self.wall.day(at) else self.wall.at(day, 8 * 60) + at % (45 * MINUTE)


def _coprime(one: int, other: int) -> bool:
    while other:
        one, other = other, one % other
    return one == 1


def days(amount: float) -> int:
    return int(amount * DAY)
