"""What was asked for, taken: planned in its turn, committed, answered when it is durable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import msgspec

from connectors.fhir.kept import write_kept
from connectors.fhir.references import Around
from hub.api.fhir.bundles import WHOLE, Bundle, Entry, as_one, one_by_one, response_bundle
from hub.api.fhir.outcomes import FhirRefused, expression_of, is_dead, refusal, told, unavailable, well
from hub.api.fhir.planning import Planning, Plans
from hub.api.fhir.requests import Asked
from hub.api.fhir.versions import Planned
from hub.contents import FHIR
from hub.serve.takes import Takes
from hub.serve.writer import Stopped
from schemas.errors import StoreFailed
from schemas.instant import write_instant
from schemas.message import Verdict

_LETTERS: Final = 10_000  # dead letters whose arrival is remembered


class Taken(NamedTuple):
    """One resource that was taken: what was planned of it, and what became of it; None where it was there before."""

    planned: Planned
    verdict: Verdict | None


class Taker:
    """Takes what FHIR requests hold. `clock` tells the machine's time in microseconds."""

    def __init__(self, intake: Takes, planning: Planning, clock: Callable[[], int]) -> None:
        self._intake: Takes = intake
        self._planning: Planning = planning
        self._clock: Callable[[], int] = clock
        self._letters: dict[tuple[str, bytes], str] = {}  # what was sent and is a dead letter, and when it came

    @property
    def now(self) -> str:
        return write_instant(self._clock())

    def _arrival(self, system: str, digest: bytes) -> str:
        """When something came. What is sent again, for it was refused, came when it came first: so it is the same dead
        letter, and not one more."""
        return self._letters.get((system, digest)) or self.now

    def _note_letter(self, system: str, digest: bytes, came: str) -> None:
        self._letters.pop((system, digest), None)
        self._letters[(system, digest)] = came
        if len(self._letters) > _LETTERS:
            del self._letters[next(iter(self._letters))]

    async def keep(self, raw: bytes) -> Verdict:
        """Keep what cannot be planned: it is a dead letter."""
        [verdict] = await self._take([raw])
        return verdict

    async def one(self, system: str, asked: Asked) -> Taken:
        """Take one resource. Raises FhirRefused where a condition does not hold or it cannot be read."""
        now = self._arrival(system, asked.digest)
        plan: Callable[[Plans], Planned] = lambda plans: plans.plan(asked)  # noqa: E731
        async with self._planning.planned(system, now, [asked], plan, is_bundle=False) as planned:
            if planned.kept is None:
                return Taken(planned, None)
            things = (planned.thing,) if planned.thing is not None else ()
            verdict = await self.keep(write_kept(planned.kept, Around(sent=now), system=system, things=things))
        if is_dead(verdict):
            self._note_letter(system, asked.digest, now)
            raise refusal(verdict)
        return Taken(planned, verdict)

    async def bundle(self, system: str, base: str, bundle: Bundle, name: str | None = None) -> dict[str, Any]:
        """Take a bundle: the response bundle. Raises FhirRefused where it is taken as one and cannot be."""
        if bundle.type in WHOLE:
            for entry in bundle.entries:
                if entry.wrong is not None:
                    raise entry.wrong
        now = self._arrival(system, bundle.digest)

        def plan(plans: Plans) -> list[tuple[int, bytes]]:
            return _planned(bundle, plans, name, system, now)

        asked = [entry.asked for entry in bundle.entries if entry.asked is not None]
        async with self._planning.planned(system, now, asked, plan, is_bundle=True) as kept:
            verdicts = await self._take([raw for _, raw in kept])
        if any(map(is_dead, verdicts)):
            self._note_letter(system, bundle.digest, now)
        if bundle.type in WHOLE:
            if verdicts and is_dead(verdicts[0]):
                raise refusal(verdicts[0])
            return response_bundle(bundle.type, [_response(entry, base, verdicts[:1]) for entry in bundle.entries])
        by_entry: dict[int, list[Verdict]] = {}
        for (number, _), verdict in zip(kept, verdicts, strict=True):
            by_entry.setdefault(number, []).append(verdict)
        entries = [_response(entry, base, by_entry.get(entry.number, [])) for entry in bundle.entries]
        return response_bundle("batch", entries)

    async def _take(self, raws: list[bytes]) -> list[Verdict]:
        try:
            return await self._intake.take(FHIR, raws) if raws else []
        except StoreFailed as wrong:
            raise unavailable(f"nothing of it was taken: {wrong}") from wrong
        except Stopped:
            raise unavailable("nothing of it was taken: the hub is being stopped") from None


def _planned(bundle: Bundle, plans: Plans, name: str | None, system: str, now: str) -> list[tuple[int, bytes]]:
    """Plan each entry, and write what is kept. Raises FhirRefused where a condition of what is taken as one does not
    hold, Moved where the turn is not enough."""
    named: set[tuple[str, str]] = set()
    for entry in bundle.entries:
        if entry.asked is None:
            continue
        entry.planned = entry.wrong = None
        try:
            entry.planned = plans.plan(entry.asked)
            if bundle.type == "transaction" and entry.planned.kept is not None:
                _check_once(named, (entry.asked.type, entry.planned.id))
        except FhirRefused as wrong:
            wrong.outcome["issue"][0]["expression"] = [f"Bundle.entry[{entry.number}]"]
            if bundle.type in WHOLE:
                raise
            entry.wrong = wrong
    if bundle.type in WHOLE:
        return [(0, as_one(bundle, name, system, now))]
    return list(one_by_one(bundle, system, now))


def _check_once(named: set[tuple[str, str]], name: tuple[str, str]) -> None:
    """Raises FhirRefused for a resource that a transaction writes twice: it must fail as a whole (R4, 3.1.0.11.2)."""
    if name in named:
        raise FhirRefused(HTTPStatus.BAD_REQUEST, "duplicate", "a transaction writes each resource once")
    named.add(name)


def location_of(base: str, type_: str, planned: Planned) -> str:
    """Where a version, or the resource, would stand; nobody reads it back here."""
    whole = f"{base}/{type_}/{planned.id}"
    return f"{whole}/_history/{planned.version}" if planned.version else whole


def etag_of(planned: Planned) -> dict[str, str]:
    """The version as a header; none where none is known."""
    return {"ETag": f'W/"{planned.version}"'} if planned.version else {}


def _response(entry: Entry, base: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """`Bundle.entry.response` of one entry."""
    wrong = entry.wrong or next((refusal(verdict) for verdict in verdicts if is_dead(verdict)), None)
    if wrong is not None:
        return {"status": _line(wrong.status), "outcome": _placed(wrong.outcome, entry.number)}
    outcome = told(verdicts[0]) if verdicts else well("nothing was to be taken")
    if entry.asked is None or entry.planned is None:
        return {"status": _line(HTTPStatus.OK), "outcome": outcome}
    return {
        "status": _line(entry.planned.status),
        "location": location_of(base, entry.asked.type, entry.planned),
        **{name.lower(): text for name, text in etag_of(entry.planned).items()},
        "outcome": outcome,
    }


def _placed(outcome: dict[str, Any], number: int) -> dict[str, Any]:
    """An outcome whose place names the entry."""
    issue = outcome["issue"][0]
    said = (issue.get("expression") or [""])[0]
    if not said.startswith("Bundle."):
        whole = f"Bundle.entry[{number}].resource"
        issue["expression"] = [expression_of(f"{whole}, {said}") or whole if said else whole]
    return outcome


def _line(status: HTTPStatus) -> str:
    return f"{status.value} {status.phrase}"


def representation(planned: Planned) -> bytes:
    """The resource as it was taken, with its version."""
    value = msgspec.json.decode(planned.kept or b"{}")
    meta = value.get("meta")
    if planned.version:
        value["meta"] = {**(meta if isinstance(meta, dict) else {}), "versionId": planned.version}
    return msgspec.json.encode(value)
