"""A message kept whole that cannot be taken, with the reason, the place and the mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.errors import Reason

MEND_CONFLICT: Final = "the same source and id came before with other content; the sender must give a new id"
MEND_DATA: Final = "numbers of 64 bits and data nested 64 deep at most can be kept; write larger numbers as text"
MEND_ENGINE: Final = "the hub failed on this message and goes on without it; report it, then replay the dead letter"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """`place` names file, segment and field (never a value); `mend` says what would make it readable."""

    reason: Reason
    place: str
    mend: str
