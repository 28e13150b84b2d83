"""The query of a request: each parameter declared, read once, and refused where it is strange."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec
from starlette.requests import Request

from hub.api.cursor import OtherStore, ReadsCursors
from hub.api.problems import bad_parameter, gone
from schemas.alert import State
from schemas.declaration import suggest

LIMIT: Final = 100
MOST: Final = 1_000
_LONGEST: Final = 200  # of a threshold's id or a facility's name


class Narrowing(msgspec.Struct, frozen=True):
    """What is asked of transitions; None where all are."""

    state: str | None = None
    threshold: str | None = None
    facility: str | None = None

    def takes(self, state: str, threshold: str, facility: str | None) -> bool:
        """Whether a transition is asked for."""
        return (
            (self.state is None or self.state == state)
            and (self.threshold is None or self.threshold == threshold)
            and (self.facility is None or self.facility == facility)
        )


def read_query(request: Request, known: Collection[str]) -> dict[str, str]:
    """The parameters by name. Raises Refused for one that is not known or stands twice."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            hint = suggest(name[:_LONGEST], known)
            mend = f"did you mean {hint}?" if hint else f"known are {', '.join(sorted(known)) or 'none'}"
            raise bad_parameter(hint or "query", f"a parameter is not known; {mend}")
        if name in found:
            raise bad_parameter(name, "it stands twice")
        found[name] = value
    return {name: value for name, value in found.items() if value}  # an empty one asks for nothing


def read_narrowing(query: dict[str, str]) -> Narrowing:
    """`state`, `threshold` and `facility`."""
    state = query.get("state")
    if state is not None and state not in {known.value for known in State}:
        raise bad_parameter("state", f"it is one of {', '.join(known.value for known in State)}")
    for name in ("threshold", "facility"):
        if len(query.get(name, "")) > _LONGEST:
            raise bad_parameter(name, "it is too long")
    return Narrowing(state, query.get("threshold"), query.get("facility"))


def read_after(name: str, text: str, cursors: ReadsCursors) -> int:
    """The number that a cursor stands for; `name` says where it was given."""
    try:
        return cursors.read(text)
    except OtherStore:
        raise gone("the cursor is of another store") from None
    except ValueError:
        raise bad_parameter(name, "this is no cursor; give one as it was received, or none") from None


def read_limit(query: dict[str, str]) -> int:
    """How many are asked for at most."""
    text = query.get("limit", str(LIMIT))
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MOST):
        raise bad_parameter("limit", f"it is a number from 1 to {MOST}")
    return int(text)
