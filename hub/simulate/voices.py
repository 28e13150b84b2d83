"""The clinic's other two voices beside its HL7 v2 interfaces: the portal (FHIR) and the contact center (webhooks).

They have dice of their own. So what the HL7 v2 interfaces say of a seed is the same, byte for byte, whether anybody
listens to the other two or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hub.simulate.connect import Connect
from hub.simulate.dice import Dice
from hub.simulate.portal import Portal
from hub.simulate.wall import MINUTE, Wall

Write = Callable[[str], object]

PORTAL_FILE: Final = "portal.ndjson"
CALLS_FILE: Final = "calls.ndjson"


@dataclass(frozen=True, slots=True)
class Habits:
    """What a person is like. `account`: has one at the portal; `looks`: reads there what is posted; `mobile`: gets
    text messages; `number_right`: the telephone number that the clinic has is theirs."""

    account: bool
    looks: bool
    mobile: bool
    number_right: bool


class Voices:
    """What is said by the portal and by the contact center, and what decides it. `died` are numbers of people whom
    nobody calls any more."""

    def __init__(self, *, seed: int, wall: Wall, write_portal: Write, write_call: Write) -> None:
        self.dice: Dice = Dice(f"voices {seed}")
        self.portal: Portal = Portal(write_portal, wall)
        self.connect: Connect = Connect(write_call, self.dice)
        self.died: set[int] = set()
        self._seed: int = seed
        self.habits: Callable[[int], Habits] = lru_cache(maxsize=8192)(self._habits)

    def chance(self, share: float) -> bool:
        return self.dice.chance(share)

    def minutes(self, median: float, spread: float = 0.45) -> int:
        """A delay in seconds around a median of minutes."""
        return max(1, int(self.dice.delay(median * MINUTE, spread)))

    def close(self) -> None:
        """Write what is held."""
        self.portal.flush()

    def _habits(self, number: int) -> Habits:
        dice = Dice(f"habits {self._seed} {number}")
        account = dice.chance(0.74)
        return Habits(account, account and dice.chance(0.86), dice.chance(0.97), dice.chance(0.97))
