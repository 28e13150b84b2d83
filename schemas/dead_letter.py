"""A message kept whole that cannot be taken, with the reason, the place and the mend."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """`place` names file, segment and field (never a value); `mend` says what would make it readable."""

    reason: Reason
    place: str
    mend: str
