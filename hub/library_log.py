"""What the libraries say of themselves (Faust, mode, aiokafka, asyncio), as facts of our own log.

They may put into a text whatever they hold, records of patients too. So of a warning only this goes on: which library
said it, at which line of its source, what kind of error it was, and the sentence as it stands there, before anything
was put in. What is said again at the same place within a minute is counted and not said.
"""

from __future__ import annotations

import linecache
import logging
import re
import sys
import threading
import time
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

_AGAIN: Final = 60.0  # seconds in which the same is said once
_LABEL: Final = re.compile(r"\[\^[^\]]*\]+: ")  # what mode puts before a sentence
_MARKS: Final = re.compile(r"%(?:\([a-z_]+\))?[-#0 +]*[\d*]*(?:\.\d+)?[a-zA-Z]")


class LibraryLog(logging.Handler):
    """Writes warnings and errors of standard loggers to `log`."""

    def __init__(self, log: BoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._log: BoundLogger = log
        self._said: dict[tuple[str, int], float] = {}
        self._unsaid: dict[tuple[str, int], int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        place = (record.pathname, record.lineno)
        now = time.monotonic()
        if now - self._said.get(place, -_AGAIN) < _AGAIN:
            self._unsaid[place] = self._unsaid.get(place, 0) + 1
            return
        self._said[place] = now
        tell = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        tell(
            "library.told",
            library=record.name,
            place=f"{PurePath(record.pathname).name}:{record.lineno}",
            reason=_sentence(record),
            error=_kind(record.exc_info[1] if isinstance(record.exc_info, tuple) else None),
            count=1 + self._unsaid.pop(place, 0),
        )


def _sentence(record: logging.LogRecord) -> str | None:
    """The text as its source has it, without what was put in; nothing where the source does not have it so."""
    said = _LABEL.sub("", str(record.msg)).strip()
    source = linecache.getlines(record.pathname)
    literal = said.partition("\n")[0]
    is_there = bool(literal) and any(literal in line for line in source)
    return _MARKS.sub("...", literal) if is_there else None


def _kind(wrong: BaseException | None) -> str | None:
    """The error's class and where it was raised; its text may hold anything."""
    if wrong is None:
        return None
    at = wrong.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = "" if at is None else f" at {PurePath(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}"
    return f"{type(wrong).__name__}{where}"


def listen_to_libraries(log: BoundLogger) -> None:
    """From here on what libraries warn of goes to `log` and nowhere else: also errors that end a thread, which Python
    would print with all that they hold."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(LibraryLog(log))
    root.setLevel(logging.WARNING)
    logging.raiseExceptions = False
    logging.captureWarnings(capture=True)

    def ended(told: threading.ExceptHookArgs) -> None:
        log.error("thread.failed", error=_kind(told.exc_value))

    def unraisable(told: sys.UnraisableHookArgs) -> None:
        log.warning("object.failed", error=_kind(told.exc_value))

    threading.excepthook = ended
    sys.unraisablehook = unraisable


def tell_failure(log: BoundLogger, wrong: BaseException) -> None:
    """Tell of the error that the process ends of."""
    log.error("worker.failed", error=_kind(wrong))
