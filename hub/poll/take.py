"""What came of a FHIR server, through the durable path: kept with what stood around it, and counted by where it
ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import msgspec

from connectors.fhir.bundle import Piece
from connectors.fhir.kept import needed, write_kept, write_whole
from connectors.fhir.read import content_digest
from connectors.json_text import NOT_JSON
from hub.contents import FHIR
from hub.poll.known import find_position, put_position
from hub.poll.versions import asked_of, plan_things
from hub.serve.intake import Intake
from schemas.instant import write_instant
from schemas.message import Outcome, Thing
from streams.embedded.runtime import Runtime

Answer = TypeVar("Answer")
_NO_JSON: Final = object()
_TIMES: Final = frozenset(("since", "position", "time"))
_DELETION: Final = "deletion"
_BEFORE: Final = b'{"resourceType":"Bundle","type":"transaction","entry":['


class Came(msgspec.Struct, kw_only=True):
    """How many resources came, and what became of them; `failed` why not all of them did, `passes` whether that may go
    better some time later."""

    resources: int = 0
    accepted: int = 0
    duplicates: int = 0
    ignored: int = 0
    dead_letters: int = 0
    failed: str | None = None
    passes: bool = False

    def count(self, came: Mapping[Outcome, int]) -> None:
        """Add what became of resources."""
        self.resources += sum(came.values())
        self.accepted += came[Outcome.ACCEPTED]
        self.duplicates += came[Outcome.DUPLICATE]
        self.ignored += came[Outcome.IGNORED]
        self.dead_letters += came[Outcome.DEAD]

    def told(self) -> dict[str, Any]:
        """The fields for people and machines; times in RFC 3339."""
        fields = msgspec.structs.asdict(self)
        for name in _TIMES & fields.keys():
            fields[name] = None if fields[name] is None else write_instant(fields[name])
        return fields


class Takes(Protocol):
    """Where a poll puts what came, and how far it is."""

    async def take(self, pieces: Sequence[Piece]) -> Counter[Outcome]:
        """Take resources; they are durable when this returns."""

    async def find_position(self, server: str, type_: str) -> int | None:
        """Up to which `lastUpdated` (microseconds) a type of a server was read; None where it never was."""

    async def put_position(self, server: str, type_: str, position: int) -> None:
        """Write it down; what was read up to there is durable."""


class Taker:
    """Puts resources of one server into a hub's intake. `system` is the server's name."""

    def __init__(self, intake: Intake, system: str) -> None:
        self._intake: Intake = intake
        self._system: str = system

    async def take(self, pieces: Sequence[Piece]) -> Counter[Outcome]:
        """Take resources; they are durable when this returns. Raises StoreFailed and Stopped."""
        values = [_decoded(piece.raw) for piece in pieces]
        asked = [asked_of(piece, value) for piece, value in zip(pieces, values, strict=True)]
        things = await self.ask(lambda runtime: plan_things(runtime.store, self._system, asked))
        return await self._take([self._kept(*one) for one in zip(pieces, values, things, strict=True)])

    async def take_deletions(self, entries: Sequence[bytes]) -> Counter[Outcome]:
        """Take entries of bundles that say that something was deleted."""
        return await self._take([self._deletion(entry) for entry in entries])

    async def find_position(self, server: str, type_: str) -> int | None:
        """As `Takes` has it. Raises Stopped."""
        return await self.ask(lambda runtime: find_position(runtime.store, server, type_))

    async def put_position(self, server: str, type_: str, position: int) -> None:
        """As `Takes` has it. Raises StoreFailed and Stopped."""
        await self.ask(lambda runtime: put_position(runtime.store, server, type_, position))

    async def ask(self, question: Callable[[Runtime], Answer]) -> Answer:
        """Ask the runtime something, in its thread. Raises Stopped."""
        return await self._intake.ask(question)

    async def _take(self, raws: list[bytes]) -> Counter[Outcome]:
        if not raws:
            return Counter()
        return Counter(verdict.outcome for verdict in await self._intake.take(FHIR, raws))

    def _kept(self, piece: Piece, value: Any, things: tuple[Thing, ...]) -> bytes:
        if value is _NO_JSON:
            return bytes(piece.raw)  # as it came: it is a dead letter
        return write_kept(piece.raw, needed(value, piece.around), system=self._system, things=things)

    def _deletion(self, entry: bytes) -> bytes:
        bundle = _BEFORE + entry + b"]}"
        try:
            digest = content_digest(msgspec.json.decode(bundle))
        except NOT_JSON:
            return entry
        return write_whole(
            msgspec.Raw(bundle), "", system=self._system, name=f"{_DELETION}/{digest.hex()}", digest=digest, things=()
        )


def _decoded(raw: bytes | msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except NOT_JSON:
        return _NO_JSON
