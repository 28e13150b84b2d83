"""CloudEvents as they come: who they name, and when."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.cloudevents.read import PERSON_PREFIX, CloudEventReader
from schemas.event import Event


def read(reader: CloudEventReader | None = None, *, time: str = "2026-03-02T08:00:00Z", **fields: Any) -> Event:
    told = {"specversion": "1.0", "id": "1", "source": "s", "type": "x.a", "time": time} | fields
    event = (reader or CloudEventReader()).read(json.dumps(told).encode(), "here")
    assert isinstance(event, Event)
    return event


@pytest.mark.parametrize(
    "data, names",
    [
        ({"mrn": "7", "assigning_authority": "A"}, ("7^A",)),
        ({"mrn": 7}, ("7",)),
        ({"mrn": 7, "assigning_authority": "A", "identifiers": ["8^B"]}, ("7^A", "8^B")),
        ({"mrn": ""}, (PERSON_PREFIX + "pn-1",)),
        ({"mrn": None}, (PERSON_PREFIX + "pn-1",)),
        ({"mrn": ["7"]}, ()),
        ({"identifiers": "8^B"}, ("8^B",)),
    ],
)
def test_whom_an_event_names(data: dict[str, Any], names: tuple[str, ...]) -> None:
    assert read(person="pn-1", data=data).identifiers == names


def test_letters_of_a_stamp_may_be_small() -> None:
    assert read(time="2026-03-02t08:00:00z").time == read().time


def test_the_source_is_an_attribute_where_thresholds_read_it() -> None:
    assert "source" not in read(data={}).data
    assert read(CloudEventReader(with_source=True), data={}).data["source"] == "s"
