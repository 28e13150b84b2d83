"""Test patients: whose messages are left out, however their numbers are spelt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

_CARET: Final = "^"


class LeftOut:
    """Patients that a site names as test patients. `value^authority` means that number in every spelling of the
    authority (`spellings`: each to the authority's name); a number alone means it whoever gave it."""

    def __init__(self, patients: Iterable[str], spellings: Mapping[str, str]) -> None:
        spelt: dict[str, list[str]] = {}
        for spelling, name in spellings.items():
            spelt.setdefault(name, [name]).append(spelling)
        names: set[str] = set()
        numbers: set[str] = set()
        for patient in patients:
            number, _, authority = patient.partition(_CARET)
            if authority:
                name = spellings.get(authority, authority)
                names.update(f"{number}^{one}" for one in spelt.get(name, [name]))
            else:
                numbers.add(number)
        # spelt out beforehand, so that what comes is looked up as it stands
        self._names: frozenset[str] = frozenset(names)
        self._numbers: frozenset[str] = frozenset(numbers)

    def __bool__(self) -> bool:
        return bool(self._names or self._numbers)

    def has(self, identifiers: Iterable[str]) -> bool:
        """Whether one of a message's identifiers is a test patient's."""
        if not self._names.isdisjoint(identifiers):
            return True
        numbers = self._numbers
        return bool(numbers) and any(name.partition(_CARET)[0] in numbers for name in identifiers)
