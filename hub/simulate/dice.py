"""Chance, from a seed that is a text: the same text always throws the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Dice(Random):
    """Python's generator, with the three throws that a clinic needs. No secret ever comes from it."""

    def chance(self, share: float) -> bool:
        return self.random() < share

    def pick(self, shares: Sequence[tuple[T, int]]) -> T:
        """One of the values, each as often as its share says."""
        return self.choices([value for value, _ in shares], [share for _, share in shares])[0]

    def delay(self, median: float, spread: float) -> float:
        """A delay: lognormal, for what people wait for has a long tail and no negative times."""
        return median * self.lognormvariate(0.0, spread)
