"""Who writes a store: the lock on its folder, held for as long as the writer lives.

A reader asks whether there is a writer by trying the lock, and so has it for a moment; a writer that finds it taken
looks again before it says that another one is there.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO, Final

_LOCK: Final = "lock"
_MOMENT: Final = 0.02  # seconds: a thousand times as long as a reader has it


def take_lock(folder: Path) -> IO[bytes] | None:
    """Lock a folder for as long as what is returned stays open; None where another process has it. Raises OSError."""
    lock = os.fdopen(os.open(folder / _LOCK, os.O_CREAT | os.O_WRONLY, 0o600), "wb")
    if not _try(lock, fcntl.LOCK_EX):
        time.sleep(_MOMENT)  # noqa: TID251 - nobody tells when a lock is let go of
        if not _try(lock, fcntl.LOCK_EX):
            lock.close()
            return None
    return lock


def is_locked(folder: Path) -> bool:
    """Whether a process writes the store now; False where nobody can say."""
    try:
        lock = (folder / _LOCK).open("rb")
    except OSError:
        return False
    with lock:
        return not _try(lock, fcntl.LOCK_SH)


def _try(lock: IO[bytes], how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
