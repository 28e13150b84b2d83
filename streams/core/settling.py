"""How long a clock stands after an absence, so that what senders queued meanwhile is heard first (DESIGN.md)."""

from __future__ import annotations

from typing import Final

from schemas.event import MINUTE

GAP: Final = MINUTE
"""An absence longer than this counts as one."""
SETTLE: Final = 2 * MINUTE
