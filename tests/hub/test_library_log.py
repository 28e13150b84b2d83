"""What libraries warn of goes to our log without what they put into it."""

from __future__ import annotations

import io
import logging

import msgspec

from hub.library_log import LibraryLog
from hub.telemetry import start_telemetry

_PATIENT = "Doe^Jane^MRN4711"


def _logger(out: io.StringIO) -> logging.Logger:
    logger = logging.getLogger("a.library")
    logger.handlers.clear()
    logger.propagate = False
    logger.addHandler(LibraryLog(start_telemetry(out)))
    return logger


def _fail() -> None:
    raise ValueError(_PATIENT)


def test_a_warning_is_told_as_its_source_has_it() -> None:
    out = io.StringIO()
    _logger(out).warning("the record %r cannot be read", _PATIENT)
    told = msgspec.json.decode(out.getvalue())
    assert told["event"] == "library.told"
    assert told["library"] == "a.library"
    assert told["reason"] == "the record ... cannot be read"
    assert told["place"].startswith("test_library_log.py:")
    assert _PATIENT not in out.getvalue()


def test_a_text_that_was_put_together_is_not_told() -> None:
    out = io.StringIO()
    _logger(out).error(f"the record {_PATIENT} cannot be read")
    told = msgspec.json.decode(out.getvalue())
    assert told["reason"] is None
    assert _PATIENT not in out.getvalue()


def test_of_an_error_only_its_kind_and_place_are_told() -> None:
    out = io.StringIO()
    try:
        _fail()
    except ValueError as wrong:
        _logger(out).exception("[^--Agent]: Crashed reason=%r", wrong)
    told = msgspec.json.decode(out.getvalue())
    assert told["error"].startswith("ValueError at test_library_log.py:")
    assert told["level"] == "error"
    assert _PATIENT not in out.getvalue()


def test_what_is_said_again_at_once_is_said_once() -> None:
    out = io.StringIO()
    logger = _logger(out)
    for _ in range(100):
        logger.warning("again")
    assert len(out.getvalue().splitlines()) == 1


def test_what_is_no_warning_is_not_told() -> None:
    out = io.StringIO()
    _logger(out).info("all is well")
    assert not out.getvalue()
