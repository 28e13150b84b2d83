"""What a contact tells of itself, whom that leads to, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from schemas.event import Event
from schemas.identity import IdentityRules, Point
from streams.core.directory import MANY, Directory, Known, Told, circle_of, key_of, kind_of, point
from streams.core.likeness import EXACT, birth_date_of, compare_birth_dates, compare_names, folded

NO_EVIDENCE: Final = "no_evidence"
NOBODY_KNOWN: Final = "nobody_known"
SEVERAL: Final = "several_persons"
TOO_LOW: Final = "score_too_low"
_DIFFERS: Final = "_differs"
_KINDS_OF: Final = {
    "name_near": "name",
    "birth_date_swapped": "birth_date",
    "birth_date_slip": "birth_date",
}
_NAMES: Final = frozenset(("family_name", "given_name", "name"))
_NOT_THEIRS: Final = frozenset(("provider", "other"))  # whoever calls for somebody else calls from another's number


class Verdict(NamedTuple):
    """Whom a contact was linked to, by which rule, with which score and kinds of evidence; or why nobody."""

    identifier: str | None = None
    rule: str = ""
    score: int = 0
    evidence: tuple[str, ...] = ()
    why: str = ""
    persons: int = 0


@lru_cache(maxsize=65_536)
def _part(name: str) -> str:
    return folded(name)


def name_of(data: Mapping[str, Any]) -> tuple[str, str] | None:
    """Family and given name, folded: told apart, or as one text, `Doe, Jane` or `Jane Doe`."""
    if _NAMES.isdisjoint(data):
        return None
    family, given = data.get("family_name"), data.get("given_name")
    whole = data.get("name")
    if not (isinstance(family, str) and family) and isinstance(whole, str) and whole.strip():
        if "," in whole:
            family, _, given = whole.partition(",")
        else:
            given, _, family = whole.strip().rpartition(" ")
    first = _part(family) if isinstance(family, str) else ""
    second = _part(given.split()[0]) if isinstance(given, str) and given.strip() else ""
    return (first, second) if first or second else None


def texts(value: Any) -> list[str]:
    """One text or a list of them."""
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str) and v]


def told_by(event: Event, before: Told | None) -> Told:
    """What an event tells of whoever it is about, with what earlier events of the contact told. Numbers are E.164
    here; what is none was left out before."""
    data = event.data
    caller = data.get("caller")
    found: list[int] = []
    if caller not in _NOT_THEIRS:
        address = data.get("address")
        if isinstance(address, str) and address:
            if address[0] == "+":
                if caller != "proxy":
                    found.append(point(Point.PHONE, address))
                if caller != "patient":
                    found.append(point(Point.PROXY_PHONE, address))
            elif "@" in address:
                found.append(point(Point.EMAIL, address.strip().casefold()))
        if "email" in data:
            found += [point(Point.EMAIL, email.strip().casefold()) for email in texts(data["email"])]
    if "member_id" in data:
        found += [point(Point.MEMBER_ID, number) for number in texts(data["member_id"])]
    if "portal_account" in data:
        found += [point(Point.PORTAL_ACCOUNT, account) for account in texts(data["portal_account"])]
    name = name_of(data)
    born = birth_date_of(data["birth_date"]) if "birth_date" in data else ""
    if before is not None:
        found = list(dict.fromkeys((*before.points, *found)))
        name, born = name or before.name, born or before.birth_date
    return Told(tuple(found), name, born)


class Scorer:
    """Decides by one set of rules. What a combination of evidence is worth is worked out once."""

    def __init__(self, rules: IdentityRules) -> None:
        self._rules: IdentityRules = rules
        self._worth: dict[tuple[str, ...], tuple[str, int, tuple[str, ...]]] = {}
        reached = (Point.PHONE, Point.PROXY_PHONE, Point.EMAIL)
        self._own: frozenset[int] = frozenset(point(kind, text) for kind in reached for text in rules.own)

    def decide(self, directory: Directory, told: Told) -> Verdict:
        """Whom this leads to: exactly one person at or above the cut and nobody near below, or nobody."""
        if not told.points:
            return Verdict(why=NO_EVIDENCE)
        led: dict[int, tuple[str, ...]] = {}  # key -> the kinds of the points that lead there
        for found in told.points:
            if found in self._own:
                continue
            holders = directory.holders(found)
            if len(holders) > MANY:
                return Verdict(why=SEVERAL, persons=len(holders))
            for key in holders:
                led[key] = (*led.get(key, ()), kind_of(found))
        if not led:
            return Verdict(why=NOBODY_KNOWN)
        if len(led) == 1:
            ((key, kinds),) = led.items()
            known = directory.find(key)
            if known is not None and not directory.near(key):  # as nearly always
                best = self._verdict(told, known.identifier, kinds, known.name, known.birth_date)
                return best if best.score >= self._rules.link_at else Verdict(why=TOO_LOW, persons=1, score=best.score)
        return self._choose([self._of_person(told, person, led) for person in _persons(directory, led)])

    def _choose(self, found: list[Verdict]) -> Verdict:
        ranked = sorted(found, key=lambda verdict: (-verdict.score, verdict.identifier or ""))
        best = ranked[0]
        if best.score < self._rules.link_at:
            why = TOO_LOW if len(ranked) == 1 else SEVERAL
            return Verdict(why=why, persons=len(ranked), score=best.score)
        if len(ranked) > 1 and ranked[1].score > best.score - self._rules.clear_by:
            return Verdict(why=SEVERAL, persons=len(ranked), score=best.score)
        return best

    def _of_person(self, told: Told, person: dict[int, Known], led: dict[int, tuple[str, ...]]) -> Verdict:
        """One person known under several identifiers: what was told last counts, and a link is to the identifier that
        a point leads to, of several to that told of last."""
        latest = sorted(person.values(), key=lambda known: (known.time, known.identifier), reverse=True)
        kinds = tuple(dict.fromkeys(kind for key in person for kind in led.get(key, ())))
        name = next((known.name for known in latest if known.name is not None), None)
        born = next((known.birth_date for known in latest if known.birth_date), "")
        reached = next(known for known in latest if key_of(known.identifier) in led)
        return self._verdict(told, reached.identifier, kinds, name, born)

    def _verdict(
        self, told: Told, identifier: str, kinds: tuple[str, ...], name: tuple[str, str] | None, born: str
    ) -> Verdict:
        if told.name is not None and name is not None:
            kinds = (*kinds, _word("name", compare_names(told.name, name, self._rules.name_alike)))
        if told.birth_date and born:
            kinds = (*kinds, _word("birth_date", compare_birth_dates(told.birth_date, born)))
        worth = self._worth.get(kinds)
        if worth is None:
            worth = self._worth[kinds] = self._weigh(kinds)
        return Verdict(identifier, *worth)

    def _weigh(self, words: tuple[str, ...]) -> tuple[str, int, tuple[str, ...]]:
        """The best rule for some evidence, its score less what is told otherwise, and the evidence that it needs."""
        costs = self._rules.costs
        found = {_KINDS_OF.get(word, word): word for word in words}
        lost = sum(costs[word] for word in words if word.endswith(_DIFFERS))
        best: tuple[str, int, tuple[str, ...]] = ("", 0, ())
        for rule in self._rules.rules:
            if not rule.needs <= found.keys():
                continue
            score = max(0, rule.score - sum(costs.get(found[need], 0) for need in rule.needs) - lost)
            if (score, len(rule.needs)) > (best[1], len(best[2])):
                best = (rule.id, score, tuple(found[need] for need in sorted(rule.needs)))
        return best


def _word(kind: str, likeness: str | None) -> str:
    """Evidence as a link names it: `birth_date`, `birth_date_swapped`; what does not agree is no evidence."""
    return f"{kind}{_DIFFERS}" if likeness is None else kind if likeness == EXACT else f"{kind}_{likeness}"


def _persons(directory: Directory, led: Iterable[int]) -> list[dict[int, Known]]:
    """The persons behind some keys: identifiers that are one person's are one."""
    persons: list[dict[int, Known]] = []
    placed: set[int] = set()
    for key in sorted(led):
        if key not in placed:
            person = dict(circle_of(directory, key))
            placed |= person.keys()
            if person:
                persons.append(person)
    return persons
