"""What came of a FHIR server, posted to a hub that runs elsewhere; how far it was read stands in a file.

Law: a page is posted before its position is written, and a hub answers when what it was sent is durable. So it is as
with a store: whatever ends a poll, the next goes on where it was.
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Final, Self

import msgspec

from connectors.fhir.answers import may_pass, read_retry_after, word_refusal
from connectors.fhir.bundle import Piece
from connectors.fhir.read import FHIR_SYSTEM
from connectors.json_text import NOT_JSON
from hub.api.fhir.outcomes import FHIR_JSON, told
from hub.poll.wire import Failed, Wire
from schemas.errors import TryAgain, WrongUse
from schemas.instant import to_datetime
from schemas.message import Outcome, Verdict

_TOO_LARGE: Final = 413
_HEADERS: Final = {"Content-Type": FHIR_JSON, "Accept": FHIR_JSON, "Prefer": "return=OperationOutcome"}
_encode: Final = msgspec.json.Encoder().encode


class _Entry(msgspec.Struct, rename="camel", omit_defaults=True):
    resource: msgspec.Raw
    full_url: str | None = None


class _Sent(msgspec.Struct, rename="camel"):
    entry: list[_Entry]
    resource_type: str = "Bundle"
    type: str = "searchset"


class _Issue(msgspec.Struct):
    severity: str = ""
    diagnostics: str = ""


class _Outcome(msgspec.Struct):
    issue: list[_Issue] = []


class _Response(msgspec.Struct):
    outcome: _Outcome = msgspec.field(default_factory=_Outcome)


class _Answered(msgspec.Struct):
    response: _Response = msgspec.field(default_factory=_Response)


class _Answer(msgspec.Struct):
    entry: list[_Answered] = []


_WORDS: Final = {
    told(Verdict(outcome))["issue"][0]["diagnostics"]: outcome
    for outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.IGNORED)
}
_answer: Final = msgspec.json.Decoder(_Answer)


class Positions:
    """Up to which `lastUpdated` (microseconds) each type of each server was read, in a file of one writer."""

    def __init__(self, path: Path, lock: IO[bytes], known: dict[str, int]) -> None:
        self._path: Path = path
        self._lock: IO[bytes] = lock
        self._known: dict[str, int] = known

    @classmethod
    def open(cls, path: Path) -> Self:
        """Raises WrongUse for a file that is none, TryAgain while another process has it."""
        try:
            lock = os.fdopen(os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_WRONLY, 0o600), "wb")
        except OSError as wrong:
            raise WrongUse(f"--state {path}: it cannot be written ({wrong.strerror})") from wrong
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise TryAgain(f"--state {path}: another poll has it") from None
        try:
            known = msgspec.json.decode(path.read_bytes(), type=dict[str, int]) if path.exists() else {}
        except (OSError, *NOT_JSON):
            lock.close()
            raise WrongUse(f"--state {path}: it does not say how far a poll was; name another file") from None
        return cls(path, lock, known)

    def close(self) -> None:
        """Let another have it."""
        self._lock.close()

    def find(self, name: str) -> int | None:
        return self._known.get(name)

    def put(self, name: str, position: int) -> None:
        """Write it down; it is on the disk when this returns. Raises TryAgain where there is no room."""
        known = {**self._known, name: position}
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            with fresh.open("wb") as file:
                file.write(_encode(known))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as wrong:
            raise TryAgain(f"--state {self._path}: it cannot be written ({wrong.strerror})") from wrong
        self._known = known


class PostTaker:
    """Posts resources of one server to a hub at `url`. `system` is the server's name there."""

    def __init__(self, url: str, system: str, positions: Positions, wire: Wire, clock: Callable[[], int]) -> None:
        self._url: str = f"{url}/fhir" if system == FHIR_SYSTEM else f"{url}/fhir/from/{system}"
        self._positions: Positions = positions
        self._wire: Wire = wire
        self._clock: Callable[[], int] = clock

    async def take(self, pieces: Sequence[Piece]) -> Counter[Outcome]:
        """Take resources; they are durable when this returns. Raises Failed."""
        if not pieces:
            return Counter()
        entries = [_Entry(msgspec.Raw(bytes(piece.raw)), piece.around.full_url) for piece in pieces]
        body = _encode(_Sent(entries)).decode("utf-8", "replace")
        answer = await self._wire.send("POST", self._url, _HEADERS, body)
        if answer.status == _TOO_LARGE and len(pieces) > 1:
            half = len(pieces) // 2
            return await self.take(pieces[:half]) + await self.take(pieces[half:])
        if answer.status != 200:
            wait = read_retry_after(answer.headers.get("retry-after"), to_datetime(self._clock()))
            why = word_refusal(answer.status, answer.body).partition(": ")[0]
            raise Failed(f"the hub does not take it: {why}", passes=may_pass(answer.status), wait=wait)
        try:
            found = _answer.decode(answer.body).entry
        except NOT_JSON:
            found = []
        if len(found) != len(pieces):
            raise Failed("what answers at --to is no hub: it does not say what became of each resource")
        return Counter(map(_outcome, found))

    async def find_position(self, server: str, type_: str) -> int | None:
        return self._positions.find(self._name(server, type_))

    async def put_position(self, server: str, type_: str, position: int) -> None:
        self._positions.put(self._name(server, type_), position)

    def _name(self, server: str, type_: str) -> str:
        return f"{self._url} {server} {type_}"


def _outcome(answered: _Answered) -> Outcome:
    issues = answered.response.outcome.issue
    if any(issue.severity in ("error", "fatal") for issue in issues):
        return Outcome.DEAD
    return next((_WORDS[issue.diagnostics] for issue in issues if issue.diagnostics in _WORDS), Outcome.DUPLICATE)
