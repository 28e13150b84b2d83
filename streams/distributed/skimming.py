"""Reading the records of px.events fast: what concerns no threshold is passed by before its data is looked at.

Theory. Of most events thresholds read a few attributes, of many types none. So a record is skimmed first, its data left
as it stands; then, by its type, nothing of the data is decoded, the attributes that anything reads, or all of it. An
event may be passed by where its type concerns nothing, it names one identifier, and its data tells of no second number
of a thing: then the engine would keep nothing of it and conclude nothing from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypedDict, cast

import msgspec

from streams.core.engine import Engine
from streams.distributed.wire import CONTROL, Seconds

Read = Callable[[msgspec.Raw], dict[str, Any]]
_MOST: Final = 4096  # types; a source that names its types by chance must not fill the memory


class Skimmed(msgspec.Struct, gc=False):
    """An envelope with its data as it stands."""

    id: str
    source: str
    type: str
    time: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")
    subject: str | None = None
    also: str | None = None
    facility: str | None = None
    sensitivity: str | None = None
    recorded: str = ""
    precision: Seconds = 0
    following: int = 0


skim: Final = msgspec.json.Decoder(Skimmed).decode
_read_all: Final[Read] = msgspec.json.Decoder(dict[str, Any]).decode


def tells_second_number(data: msgspec.Raw) -> bool:
    """Whether data may carry another party's number of a thing."""
    raw = bytes(data)  # four looks for what is in all of SECOND_NUMBERS: a loop over them costs as much as the decoding
    return b'"filler_' in raw or b'_reference"' in raw or b'"payer_number"' in raw or b'"communication_id"' in raw


class Readers:
    """How the data of each type is read, for one engine: None where it is passed by."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Engine = engine
        self.by_type: dict[str, Read | None] = {}

    def add(self, type_: str) -> Read | None:
        """The reader of a type that was not met yet."""
        wanted = self._engine.wanted(type_)
        read = _read_all if wanted is None or type_ in CONTROL else _reader(type_, wanted) if wanted else None
        if len(self.by_type) >= _MOST:
            self.by_type.clear()
        self.by_type[type_] = read
        return read


def _reader(type_: str, wanted: frozenset[str]) -> Read:
    """Of an object the attributes that are wanted; the others are not looked into."""
    shape: Any = TypedDict(f"Data of {type_}", dict.fromkeys(sorted(wanted), Any), total=False)  # type: ignore[misc]  # made of what thresholds read
    read: Any = msgspec.json.Decoder(shape).decode
    return cast("Read", read)
