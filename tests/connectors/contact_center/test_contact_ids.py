"""Whose count a contact's id is of: which ids stand alone, and what makes the others differ."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contact_center.contacts import is_unique, whole_id
from connectors.contact_center.plan import USUAL, Options
from connectors.contact_center.read import HookReader
from connectors.contact_center.shipped import read_hook_text

TEXT = """
version: 1
vendor: {vendor}
{more}messages:
  - name: call
    recognise: {{kind: call}}
    id: id
    time: at
    instance: {{path: center}}
    events: [{{event: call.told, attributes: {{contact_id: call}}}}]
"""


def told(call: object, vendor: str = "acme", more: str = "", options: Options = USUAL, **body: str) -> str:
    mapping = read_hook_text("acme.yaml", TEXT.format(vendor=vendor, more=more))
    raw = json.dumps({"kind": "call", "id": "1", "at": "2026-03-02T15:00:00Z", "call": call, **body}).encode()
    [event] = HookReader(mapping, options).read(raw, "a body").events
    return str(event.data["contact_id"])


@given(st.uuids(version=4))
def test_a_uuid_is_nobody_elses(contact: UUID) -> None:
    assert is_unique(str(contact))
    assert is_unique(str(contact).upper())


@pytest.mark.parametrize(
    "contact",
    [
        "CA" + "0a" * 16,  # a call of Twilio
        "WT" + "9f" * 16,
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "arn:aws:connect:us-east-1:111122223333:instance/6f1c7f3e/contact/c1",
    ],
)
def test_other_forms_that_nobody_else_gives(contact: str) -> None:
    assert is_unique(contact)
    assert told(contact) == contact


@pytest.mark.parametrize(
    "contact",
    [
        "777",
        "C-1001",
        "00000000-0000-0000-0000-000000001001",  # a counter, written as a UUID is
        "CA" + "0A" * 16,
        "0000000000000000000000C100",  # a counter as long as a ULID
        "01" + "2" * 24,
        "arn:aws:connect:us-east-1::instance/x",
        "5f0c8a4e-0b1d-4c55-9d0e-6a2f6f3f2c11\n",
        "C-1001^other",
        "a" * 32,
    ],
)
def test_an_id_that_another_may_give_too_tells_its_system(contact: str) -> None:
    assert told(contact) == f"{contact}^acme"
    assert told(contact, "other") == f"{contact}^other"
    assert told(contact, center="north") == f"{contact}^acme/north"
    assert told(contact, options=Options(instance="south")) == f"{contact}^acme/south"


@given(
    st.text(max_size=40), st.sampled_from(["a", "a/b", "b"]), st.text(max_size=40), st.sampled_from(["a", "a/b", "b"])
)
def test_ids_of_two_systems_meet_only_where_nobody_else_gives_them(one: str, its: str, other: str, whose: str) -> None:
    if its != whose and not is_unique(one):
        assert whole_id(one, its) != whole_id(other, whose)


def test_products_that_tell_of_the_same_contacts_say_so() -> None:
    shared = "contact_ids: nurse-line/north\n"
    assert told("C-1", "forms", shared, center="x") == "C-1^nurse-line/north"
    assert told("C-1", "nurse-line", center="north") == "C-1^nurse-line/north"
    of_site = Options(instance="y", contact_ids="desk")  # the site's line goes before the mapping's
    assert told("C-1", "forms", shared, of_site) == "C-1^desk"
    assert told("CA" + "0a" * 16, "forms", shared) == "CA" + "0a" * 16
