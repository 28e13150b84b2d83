"""What may be done about an alert, by what is known of the person."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from hub.thresholds import load_thresholds
from schemas.event import DAY, Event
from schemas.identity import IdentityRules
from streams.core.directory import MemoryDirectory
from streams.core.identity import id_of
from streams.core.linking import Linker
from streams.core.standing import Outreach, labels_of, outreach_to, person_known

NOW = 20_000 * DAY  # 2024-10-04


def event(type_: str, time: int = 0, sensitivity: str | None = None, **data: Any) -> Event:
    name = f"{type_}{time}{sorted(data.items())}"
    return Event(name, "s", type_, time, dict(data), ("1^N",), sensitivity=sensitivity)


def told(*events: Event, person: str = "1^N", now: int = NOW) -> Outreach | None:
    directory = MemoryDirectory()
    linker = Linker(IdentityRules(), directory)
    for one in events:
        linker.take((one,))
    return outreach_to(person_known(directory, id_of(person)), now)


def test_of_whom_nothing_is_known_nothing_is_said() -> None:
    assert told() is None
    assert told(event("person.updated", phones=["+12125550100"])) is None


def test_language_interpreter_channel_and_hours() -> None:
    found = told(
        event("person.updated", language="es", interpreter=True),
        event("preference.set", channel="portal", contact_hours="17:00-20:00"),
    )
    assert found == Outreach(
        allowed=True, channel="portal", hours="17:00-20:00", language="es", interpreter=True, ask_for="self"
    )


@pytest.mark.parametrize(
    "events, allowed, reason, channel",
    [
        ([event("person.died")], False, "deceased", None),
        ([event("person.updated", deceased=True)], False, "deceased", None),
        ([event("consent.revoked")], False, "opted_out", None),
        ([event("consent.revoked", channel="voice")], False, "do_not_call", None),
        ([event("preference.set", do_not_call=True)], False, "do_not_call", None),
        ([event("consent.revoked", channel="sms")], True, "sms_stop", None),
        ([event("consent.revoked", channel="sms"), event("preference.set", channel="sms")], True, "sms_stop", "voice"),
        ([event("consent.revoked", channel="voice"), event("preference.set", channel="portal")],
         True, "do_not_call", "portal"),
        ([event("consent.revoked", channel="voice", time=1), event("consent.given", channel="voice", time=2)],
         True, None, None),
        ([event("consent.revoked", time=1), event("consent.given", time=2)], True, None, None),
    ],
)  # fmt: skip
def test_what_is_not_to_be_done(events: list[Event], allowed: bool, reason: str | None, channel: str | None) -> None:
    for order in permutations(events):
        found = told(*order)
        assert found is not None
        assert (found.allowed, found.reason, found.channel) == (allowed, reason, channel)


def test_a_consent_for_one_purpose_names_it_and_leaves_the_rest() -> None:
    found = told(event("consent.revoked", purpose="scheduling"))
    assert found == Outreach(allowed=True, not_for=["scheduling"], ask_for="self")


def test_a_minors_proxy_is_asked_for_until_the_day_of_eighteen() -> None:
    child = event("person.updated", birth_date="2006-10-05", proxy_name="Roe, Ann", proxy_relation="mother")
    before, after = told(child, now=NOW), told(child, now=NOW + DAY)
    assert before is not None
    assert after is not None
    assert (before.ask_for, after.ask_for) == ("proxy", "self")
    alone = told(event("person.updated", birth_date="2006-10-05"))
    assert alone == Outreach(allowed=True, reason="minor", ask_for="proxy")


def test_who_speaks_for_somebody_is_named_until_nobody_does() -> None:
    child = event("person.updated", birth_date="2016-05-06")
    named = event("proxy.stated", time=1, name="Ann Roe", relation="MTH", phones=["+12125550199"], status="active")
    over = event("proxy.stated", time=2, name="Ann Roe", relation="MTH", phones=["+12125550199"], status="inactive")
    found, alone = told(child, named), told(child, named, over)
    assert found == Outreach(allowed=True, ask_for="proxy")
    assert alone == Outreach(allowed=True, reason="minor", ask_for="proxy")


def test_facts_told_under_another_number_of_the_person_count() -> None:
    link = Event("m", "s", "person.merged", 0, {"surviving": ["2^N"], "retired": ["1^N"]})
    found = told(event("consent.revoked", channel="voice"), link, person="2^N")
    assert found is not None
    assert found.reason == "do_not_call"


def test_labels() -> None:
    directory = MemoryDirectory()
    Linker(IdentityRules(), directory).take((event("person.updated", sensitivity="vip"),))
    assert labels_of(person_known(directory, id_of("1^N"))) == ["vip"]


def test_a_purpose_that_was_taken_back_closes_what_is_for_it_and_nothing_else() -> None:
    directory = MemoryDirectory()
    Linker(IdentityRules(), directory).take((event("consent.revoked", purpose="Scheduling"),))
    known = person_known(directory, id_of("1^N"))
    closed, other = (outreach_to(known, NOW, purposes) for purposes in (("result", "scheduling"), ("result",)))
    assert closed is not None
    assert (closed.allowed, closed.reason, closed.not_for) == (False, "purpose_revoked", ["scheduling"])
    assert other is not None
    assert (other.allowed, other.reason) == (True, None)


def test_what_a_threshold_is_for_is_the_outreach_it_waits_for_and_its_next_step() -> None:
    found = {threshold.id: threshold.purpose for threshold in load_thresholds(None).thresholds}
    assert found["order.booked"] == "call-to-schedule,scheduling"
    assert found["discharge.contact"] is not None
    assert "discharge" in found["discharge.contact"].split(",")
    assert "scheduling" not in str(found["result.told"])
