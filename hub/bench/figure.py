"""A measured figure, the clock that it is measured by, and the reference that it stands beside."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import msgspec

from schemas.event import Event


class Figure(NamedTuple):
    """`goal` is what issue and design ask for, as text; empty where the figure is there to compare with."""

    name: str
    figure: float
    unit: str
    goal: str = ""


def json_reference() -> tuple[str, Callable[[bytes], Any]]:
    """The `loads` of orjson where it is installed (it comes with `pxhub[dev]`), else msgspec's, and its name."""
    if find_spec("orjson") is None:
        return "msgspec.json.decode", msgspec.json.decode
    loads: Callable[[bytes], Any] = import_module("orjson").loads
    return "orjson.loads", loads


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the cyclic garbage collector, as a replay runs."""
    was_collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_collecting:
            gc.enable()


def seconds_of(work: Callable[[Any], object], items: Iterable[Any]) -> float:
    """CPU seconds of this process for doing something to each: what others do beside it does not count."""
    began = time.process_time()
    for item in items:
        work(item)
    return max(time.process_time() - began, 1e-9)


def drive(apply: Callable[[Event], object], advance: Callable[[int], object], events: Iterable[Event]) -> float:
    """CPU seconds for putting events to an engine by event time."""
    began = time.process_time()
    for event in events:
        advance(event.time - 1)
        apply(event)
    return max(time.process_time() - began, 1e-9)
