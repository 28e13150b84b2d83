"""Whose a contact is that names nobody: who is linked, who is not, and what a link is made of."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.event import Event
from schemas.identity import RULES, IdentityRules, LinkRule
from streams.core.directory import MANY, MemoryDirectory
from streams.core.likeness import compare_birth_dates, compare_names, folded
from streams.core.linking import Linker, keep_decided, without_decided

PHONE = "+12125550100"
JANE = {"phones": [PHONE], "birth_date": "1970-03-12", "family_name": "Núñez", "given_name": "Jane"}


def event(id_: str, type_: str, *names: str, time: int = 0, **data: Any) -> Event:
    return Event(id_, "s", type_, time, dict(data), names)


def linker(rules: IdentityRules | None = None) -> Linker:
    return Linker(rules or IdentityRules(), MemoryDirectory())


def links(events: tuple[Event, ...]) -> list[tuple[Any, Any, Any]]:
    return [(e.data["surviving"], e.data["rule"], e.data["score"]) for e in events if e.type == "person.linked"]


def call(hub: Linker, id_: str = "c", contact: str = "c1", time: int = 10, **data: Any) -> tuple[Event, ...]:
    return hub.take((event(id_, "contact.ended", time=time, contact_id=contact, **data),))


def test_a_number_of_one_person_links_and_says_why_without_values() -> None:
    hub = linker()
    hub.take((event("p", "person.updated", "1^N", **JANE),))
    first, link = call(hub, address=PHONE)
    assert first.data["identified"] is True
    assert link.id == "c/linked"
    assert link.data == {
        "contact_id": "c1", "surviving": ["1^N"], "rule": "phone", "score": 80, "evidence": ["phone"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "told, rule, score, evidence",
    [
        ({"birth_date": "1970-03-12"}, "phone-and-birth-date", 95, ["birth_date", "phone"]),
        ({"birth_date": "1970-12-03"}, "phone-and-birth-date", 87, ["birth_date_swapped", "phone"]),
        ({"birth_date": "1970-03-21"}, "phone-and-birth-date", 83, ["birth_date_slip", "phone"]),
        ({"name": "Jane Nunez"}, "phone-and-name", 90, ["name", "phone"]),
        ({"name": "Nunes, Jane"}, "phone-and-name", 85, ["name_near", "phone"]),
        ({"name": "Jane"}, "phone-and-name", 85, ["name_near", "phone"]),
    ],
)
def test_weights_of_what_agrees_more_or_less(told: dict[str, str], rule: str, score: int, evidence: list[str]) -> None:
    hub = linker()
    hub.take((event("p", "person.updated", "1^N", **JANE),))
    _, link = call(hub, address=PHONE, **told)
    assert (link.data["rule"], link.data["score"], link.data["evidence"]) == (rule, score, evidence)


@pytest.mark.parametrize("told", [{"birth_date": "1999-01-01"}, {"name": "Tim Roe"}])
def test_what_is_told_otherwise_keeps_a_number_from_linking(told: dict[str, str]) -> None:
    hub = linker()
    hub.take((event("p", "person.updated", "1^N", **JANE),))
    (only,) = call(hub, address=PHONE, **told)
    assert (only.data["identified"], only.data["unidentified_because"]) == (False, "score_too_low")


def test_between_two_nobody_is_guessed_until_an_event_says_who_it_was() -> None:
    hub = linker()
    hub.take((event("p", "person.updated", "1^N", **JANE),))
    hub.take((event("q", "person.updated", "2^N", phones=[PHONE], birth_date="2001-05-06"),))
    (only,) = call(hub, address=PHONE)
    assert (only.data["identified"], only.data["unidentified_because"]) == (False, "several_persons")
    said = hub.take((event("a", "contact.analysed", "2^N", time=20, contact_id="c1"),))
    assert links(said) == [(["2^N"], "named-by-source", 100)]
    assert said[0].data["identified"] is True
    (later,) = call(hub, "d", time=30, address=PHONE)
    assert later.data["identified"] is True


def test_what_a_contact_told_before_counts_with_what_it_tells_now() -> None:
    hub = linker()
    hub.take((event("p", "person.updated", "1^N", **JANE),))
    hub.take((event("q", "person.updated", "2^N", phones=[PHONE], birth_date="2001-05-06"),))
    call(hub, address=PHONE)
    assert links(call(hub, "d", time=30, birth_date="2001-05-06")) == [(["2^N"], "phone-and-birth-date", 95)]


def test_numbers_that_are_one_person_are_one_candidate() -> None:
    hub = linker()
    hub.take((event("p", "person.updated", "1^N", "17^FHIR", **JANE),))
    hub.take((event("q", "person.updated", "17^FHIR", phones=[PHONE]),))
    assert len(links(call(hub, address=PHONE))) == 1
    hub.take((event("u", "person.unmerged", surviving=["1^N"], retired=["17^FHIR"]),))
    (only,) = call(hub, "d", "c2", address=PHONE)
    assert only.data["unidentified_because"] == "several_persons"


def test_who_calls_for_others_calls_from_another_number() -> None:
    hub = linker()
    hub.take((event("p", "person.updated", "1^N", **JANE),))
    for caller in ("provider", "other", "proxy"):
        (only,) = call(hub, caller, caller, address=PHONE, caller=caller)
        assert only.data["identified"] is False


def test_a_guardians_number_leads_to_the_child_with_its_birth_date() -> None:
    hub = linker()
    hub.take((event("p", "person.updated", "9^N", proxy_phone=PHONE, birth_date="2016-05-06"),))
    assert links(call(hub, "a", "c1", address=PHONE, caller="proxy")) == []
    told = call(hub, "b", "c2", address=PHONE, caller="proxy", birth_date="2016-05-06")
    assert links(told) == [(["9^N"], "proxy-phone-and-birth-date", 92)]


@pytest.mark.parametrize(
    "known, told, rule",
    [
        ({"emails": ["Jane@X.org"]}, {"address": "jane@x.org", "channel": "email"}, "email"),
        ({"portal_account": "jane7"}, {"portal_account": "jane7"}, "portal-account"),
        ({"member_id": "M1^PLAN"}, {"member_id": "M1^PLAN"}, "member-id"),
    ],
)
def test_other_points_that_lead_to_a_person(known: dict[str, Any], told: dict[str, Any], rule: str) -> None:
    hub = linker()
    hub.take((event("p", "person.updated", "1^N", **known),))
    assert [found[1] for found in links(call(hub, **told))] == [rule]


def test_a_new_number_takes_the_old_ones_place_and_an_older_telling_does_not() -> None:
    hub = linker()
    hub.take((event("p", "person.updated", "1^N", time=5, phones=["+12125550111"]),))
    hub.take((event("q", "person.updated", "1^N", time=1, **JANE),))
    assert links(call(hub, "a", "c1", address=PHONE)) == []
    assert len(links(call(hub, "b", "c2", address="+12125550111"))) == 1


def test_a_wrong_number_leads_to_nobody_any_more() -> None:
    hub = linker()
    hub.take((event("p", "person.updated", "1^N", **JANE),))
    hub.take((event("o", "outreach.failed", "1^N", reason="wrong_number", address=PHONE),))
    assert links(call(hub, address=PHONE)) == []


def test_what_was_undone_by_hand_is_not_linked_by_a_rule_again() -> None:
    hub = linker()
    hub.take((event("p", "person.updated", "1^N", **JANE),))
    call(hub, address=PHONE)
    hub.take((event("u", "person.unlinked", time=20, contact_id="c1"),))
    (later,) = call(hub, "d", time=30, address=PHONE)
    assert (later.data["identified"], later.data["unidentified_because"]) == (False, "undone")
    said = hub.take((event("a", "contact.analysed", "2^N", time=40, contact_id="c1"),))
    assert links(said) == [(["2^N"], "named-by-source", 100)]


def test_a_late_statement_of_the_source_outweighs_the_rule_by_time() -> None:
    hub = linker()
    hub.take((event("p", "person.updated", "1^N", **JANE),))
    call(hub, time=10, address=PHONE)
    said = hub.take((event("a", "contact.queued", "2^N", time=5, contact_id="c1"),))
    assert said[1].time > 10  # the core goes by time, and the last link decides


def test_an_event_of_a_contact_that_names_somebody_makes_no_link_while_all_do() -> None:
    hub = linker()
    named = event("a", "contact.started", "1^N", contact_id="c1")
    assert hub.take((named,)) == (named,)
    assert links(call(hub)) == [(["1^N"], "named-by-source", 100)]


def test_a_number_of_many_is_nobodys() -> None:
    hub = linker()
    for number in range(MANY + 1):
        hub.take((event(f"p{number}", "person.updated", f"{number}^N", phones=[PHONE]),))
    (only,) = call(hub, address=PHONE, birth_date="1970-03-12")
    assert only.data["unidentified_because"] == "several_persons"


def test_a_sites_rule_and_cut_decide() -> None:
    rules = IdentityRules(link_at=81)
    hub = linker(rules)
    hub.take((event("p", "person.updated", "1^N", **JANE),))
    assert links(call(hub, address=PHONE)) == []
    own = LinkRule(id="phone", needs=frozenset({"phone"}), score=85)
    hub = linker(IdentityRules(link_at=81, rules=(*RULES[:3], own)))
    hub.take((event("p", "person.updated", "1^N", **JANE),))
    assert links(call(hub, address=PHONE)) == [(["1^N"], "phone", 85)]
    hub = linker(IdentityRules(links=False))
    hub.take((event("p", "person.updated", "1^N", **JANE),))
    assert links(call(hub, address=PHONE)) == []


def test_the_clinics_own_number_leads_to_nobody_though_a_chart_holds_it() -> None:
    hub = linker(IdentityRules(own=frozenset({PHONE})))
    hub.take((event("p", "person.updated", "1^N", **JANE),))
    first, *others = call(hub, address=PHONE, name="Jane Nunez")
    assert (first.data["identified"], others) == (False, [])
    assert links(call(hub, "d", "c2", address=PHONE, member_id="x")) == []


def test_a_message_that_is_read_again_keeps_what_was_decided() -> None:
    hub = linker()
    hub.take((event("p", "person.updated", "1^N", **JANE),))
    before = call(hub, address=PHONE)
    again = (event("c", "contact.ended", time=10, contact_id="c1", address=PHONE, queue="main"),)
    kept = keep_decided(again, before)
    assert [e.id for e in kept] == ["c", "c/linked"]
    assert kept[0].data["identified"] is True
    assert without_decided(kept) == again


def test_events_that_concern_nobodys_contact_pass_as_they_are() -> None:
    events = (event("r", "result.final", "1^N", order_id="o"),)
    assert linker().take(events) is events


@pytest.mark.parametrize(
    "one, other, found",
    [("1970-03-12", "1970-03-12", ""), ("1970-03-12", "1970-12-03", "swapped"), ("1970-03-12", "1907-03-12", "slip"),
     ("1970-03-12", "1970-03-13", None), ("1970-03-12", "2070-03-12", None)],
)  # fmt: skip
def test_birth_dates(one: str, other: str, found: str | None) -> None:
    assert compare_birth_dates(one, other) == found
    assert compare_birth_dates(other, one) == found


def test_names() -> None:
    assert folded("O'Brien-Núñez") == "obriennunez"
    assert compare_names(("doe", "jane"), ("doe", "jane"), 0.9) == ""
    assert compare_names(("doe", "jane"), ("jane", "doe"), 0.9) == "near"
    assert compare_names(("doe", "jane"), ("doe", "john"), 0.9) is None
    assert compare_names(("doe", "jane"), ("", ""), 0.9) is None
