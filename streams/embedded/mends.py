"""What to do about a message that the runtime did not take."""

from __future__ import annotations

from typing import Final

CONFLICT: Final = "the same source and id came before with other content; the sender must give a new id"
FUTURE: Final = "it lies more than an hour ahead of this machine's clock; check the sender's clock"
DATA: Final = "numbers of 64 bits and data nested 64 deep at most can be kept; write larger numbers as text"
ENGINE: Final = "the hub failed on this message and goes on without it; report it, then replay the dead letter"
