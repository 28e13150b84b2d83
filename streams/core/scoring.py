"""What a contact tells of itself, whom that leads to, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.event import Event
from schemas.identity import IdentityRules, Point
from streams.core.directory import MANY, Directory, Known, Told, circle_of, key_of, kind_of, point
from streams.core.likeness import EXACT, birth_date_of, compare_birth_dates, compare_names, folded

NO_EVIDENCE: Final = "no_evidence"
NOBODY_KNOWN: Final = "nobody_known"
SEVERAL: Final = "several_persons"
TOO_LOW: Final = "score_too_low"
_NOT_THEIRS: Final = frozenset(("provider", "other"))  # whoever calls for somebody else calls from another's number


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whom a contact was linked to, by which rule, with which score and kinds of evidence; or why nobody."""

    identifier: str | None = None
    rule: str = ""
    score: int = 0
    evidence: tuple[str, ...] = ()
    why: str = ""
    persons: int = 0


def name_of(data: Mapping[str, Any]) -> tuple[str, str] | None:
    """Family and given name, folded: told apart, or as one text, `Doe, Jane` or `Jane Doe`."""
    family, given = data.get("family_name"), data.get("given_name")
    whole = data.get("name")
    if not (isinstance(family, str) and family) and isinstance(whole, str) and whole.strip():
        if "," in whole:
            family, _, given = whole.partition(",")
        else:
            given, _, family = whole.strip().rpartition(" ")
    first = folded(family) if isinstance(family, str) else ""
    second = folded(given.split()[0]) if isinstance(given, str) and given.strip() else ""
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
        if isinstance(address, str) and "@" in address:
            found.append(point(Point.EMAIL, address.strip().casefold()))
        elif isinstance(address, str) and address.startswith("+"):
            if caller != "proxy":
                found.append(point(Point.PHONE, address))
            if caller != "patient":
                found.append(point(Point.PROXY_PHONE, address))
        found += [point(Point.EMAIL, email.strip().casefold()) for email in texts(data.get("email"))]
    found += [point(Point.MEMBER_ID, number) for number in texts(data.get("member_id"))]
    found += [point(Point.PORTAL_ACCOUNT, account) for account in texts(data.get("portal_account"))]
    name = name_of(data)
    born = birth_date_of(data.get("birth_date"))
    if before is not None:
        found = [*before.points, *found]
        name, born = name or before.name, born or before.birth_date
    return Told(tuple(dict.fromkeys(found)), name, born)


def decide(directory: Directory, rules: IdentityRules, told: Told) -> Verdict:
    """Whom this leads to: exactly one person at or above the cut and nobody near below, or nobody."""
    if not told.points:
        return Verdict(why=NO_EVIDENCE)
    led: dict[int, dict[str, None]] = {}  # key -> the kinds of the points that lead there
    for found in told.points:
        holders = directory.holders(found)
        if len(holders) > MANY:
            return Verdict(why=SEVERAL, persons=len(holders))
        for key in holders:
            led.setdefault(key, {})[kind_of(found)] = None
    if not led:
        return Verdict(why=NOBODY_KNOWN)
    ranked = sorted(
        (_score(rules, told, persons, led) for persons in _persons(directory, led)),
        key=lambda verdict: (-verdict.score, verdict.identifier or ""),
    )
    best = ranked[0]
    if best.score < rules.link_at:
        return Verdict(why=TOO_LOW if len(ranked) == 1 else SEVERAL, persons=len(ranked), score=best.score)
    if len(ranked) > 1 and ranked[1].score > best.score - rules.clear_by:
        return Verdict(why=SEVERAL, persons=len(ranked), score=best.score)
    return best


def _persons(directory: Directory, led: dict[int, dict[str, None]]) -> list[dict[int, Known]]:
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


def _score(rules: IdentityRules, told: Told, person: dict[int, Known], led: dict[int, dict[str, None]]) -> Verdict:
    """The best rule for one person, less what is told otherwise."""
    found = {kind: kind for key in person for kind in led.get(key, ())}
    cost = dict.fromkeys(found, 0)
    lost = 0
    latest = sorted(person.values(), key=lambda known: (known.time, known.identifier), reverse=True)
    name = next((known.name for known in latest if known.name is not None), None)
    born = next((known.birth_date for known in latest if known.birth_date), "")
    for kind, likeness in (
        ("name", None if told.name is None or name is None else (compare_names(told.name, name, rules.name_alike),)),
        ("birth_date", None if not (told.birth_date and born) else (compare_birth_dates(told.birth_date, born),)),
    ):
        if likeness is None:
            continue  # one side does not tell it
        if likeness[0] is None:
            lost += rules.costs[f"{kind}_differs"]
            continue
        word = kind if likeness[0] == EXACT else f"{kind}_{likeness[0]}"
        found[kind], cost[kind] = word, rules.costs.get(word, 0)
    best = Verdict(why=TOO_LOW)
    for rule in rules.rules:
        if not rule.needs <= found.keys():
            continue
        score = max(0, rule.score - sum(cost[need] for need in rule.needs) - lost)
        if (score, len(rule.needs)) > (best.score, len(best.evidence)):
            evidence = tuple(found[need] for need in sorted(rule.needs))
            best = Verdict(rule=rule.id, score=score, evidence=evidence)
    # the identifier that a point leads to; of several the one that was told of last
    reached = next(known for known in latest if key_of(known.identifier) in led)
    return Verdict(identifier=reached.identifier, rule=best.rule, score=best.score, evidence=best.evidence, persons=1)
