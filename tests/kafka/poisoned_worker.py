"""A worker of `pxhub work` whose engine fails on one event.

`python -m tests.kafka.poisoned_worker EVENT-ID work correlate ...`
It stands for whatever fault of the engine one record may bring out.
"""

from __future__ import annotations

import sys

from hub.__main__ import main
from schemas.event import Event
from streams.core.engine import Engine

_apply = Engine.apply


def poison(id_: str) -> None:
    """From here on the engine fails on the event of this id."""

    def apply(self: Engine, event: Event, at: int | None = None) -> None:
        if event.id == id_:
            raise ZeroDivisionError
        _apply(self, event, at)

    Engine.apply = apply  # type: ignore[method-assign]  # it stands for a fault in it


if __name__ == "__main__":
    poison(sys.argv[1])
    main(sys.argv[2:])
