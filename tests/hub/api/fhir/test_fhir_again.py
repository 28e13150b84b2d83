"""What was taken is read again: by remap, as a dead letter, out of files, after a purge."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.cloudevents.read import CloudEventReader
from connectors.fhir.kept import write_whole
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from hub.enrich import Enricher
from hub.left_out import LeftOut
from hub.replay import ReplayOptions
from hub.serve.reading import LiveReader
from hub.serve.service import ServeSettings, Service
from hub.store_replay import replay_into
from hub.telemetry import start_telemetry
from schemas.message import Message
from streams.embedded.purge import Purge
from streams.embedded.things import find_thing
from streams.embedded.upkeep import open_letters, remap, replay_letters
from tests.hub.api.fhir.fhir_site import appointment, asks, bundle, events, patient, post, put
from tests.hub.api.live_hub import LiveHub, Served, served

ONE = "urn:uuid:0a5d4a0e-6b1c-4a8e-9a53-5e3d5a2f0001"


async def again(hub: LiveHub) -> dict[str, int]:
    """Read all that was taken again."""
    return await hub.intake.ask(lambda runtime: remap(runtime, hub.reader.read, 0, 2**62))


async def fill(site: Served) -> None:
    for type_ in ("transaction", "batch"):
        await post(
            site,
            "/fhir",
            bundle(
                type_,
                asks("POST", "Patient", patient(None, type_), ONE),
                asks("POST", "Appointment", appointment(None, "booked", ONE)),
            ),
        )
    await put(site, appointment("a9"))
    await put(site, appointment("a9", "arrived"))
    stamped = {"fullUrl": "https://other.example/r4/Appointment/b1", "resource": appointment("b1", of="Patient/5")}
    other = {"fullUrl": "https://other.example/r4/Patient/5", "resource": patient("5", "500")}
    await post(site, "/fhir", bundle("history", stamped, other, timestamp="2026-03-02T08:30:00Z"))


@pytest.mark.anyio
async def test_what_came_over_http_says_the_same_again(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await fill(site)
        before = events(site)
        assert len(before) == 8
        counts = await again(site.hub)
        assert (counts["messages"], counts["changed"], counts["kept"]) == (7, 0, 0)
        assert events(site) == before


@pytest.mark.anyio
async def test_a_dead_letter_of_a_bundle_still_has_its_bundle(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        later = appointment("a1", "booked", ONE, meta={"lastUpdated": "2026-03-02T11:00:00Z"})
        await post(
            site,
            "/fhir",
            bundle("batch", asks("POST", "Patient", patient(None), ONE), asks("PUT", "Appointment/a1", later)),
        )
        assert [event.type for event in events(site)] == ["person.updated"]
        with contextlib.closing(site.hub.store.reader()) as reader:
            letters = open_letters(reader)
            assert find_thing(reader, "fhir", "Appointment", "a1") is None
        site.hub.move(90)
        hub = site.hub
        [verdict] = (
            await hub.intake.ask(lambda runtime: replay_letters(runtime, hub.reader.read, letters, hub.now))
        ).values()
        assert verdict.outcome == "accepted"
        told, booked = events(site)
        assert booked.identifiers[0] == told.identifiers[0]
        # and its version is known from then on
        assert (await put(site, appointment("a1", "arrived"), **{"if-match": 'W/"1"'})).status_code == 200


def test_files_say_the_same_again(tmp_path: Path) -> None:
    entries = [
        {"fullUrl": ONE, "resource": patient(None)},
        {"fullUrl": "urn:uuid:2", "resource": appointment("f1", "booked", ONE)},
    ]
    (tmp_path / "in.json").write_text(json.dumps(bundle("collection", *entries, timestamp="2026-03-02T09:00:00Z")))
    settings = ServeSettings(store=tmp_path / "store", timezone="UTC", clock="event", takes_tests=True)
    with Service(settings, start_telemetry()) as service:
        report = replay_into(service, ReplayOptions(paths=[str(tmp_path / "in.json")], timezone="UTC"))
        assert report["accepted"] == 2
        counts = remap(service.runtime, service.reader.read, 0, 2**62)
        assert (counts["messages"], counts["changed"], counts["kept"]) == (2, 0, 0)


@pytest.mark.anyio
async def test_what_the_log_lets_go_of_is_known_no_more(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await put(site, patient())
        site.hub.move(60)
        await put(site, patient("18", "200"))
        await put(site, patient("19", "300"))
        hub = site.hub
        before = hub.now - 1
        await hub.intake.ask(lambda runtime: Purge(before).finish(runtime))
        with contextlib.closing(hub.store.reader()) as reader:
            assert find_thing(reader, "fhir", "Patient", "17") is None
            assert find_thing(reader, "fhir", "Patient", "19") is not None
            assert reader.rows("SELECT DISTINCT id FROM thing_number ORDER BY id") == [("18",), ("19",)]
        assert (await put(site, patient())).status_code == 201


def test_of_a_transaction_only_test_patients_are_left_out() -> None:
    left_out = LeftOut(frozenset({"200^urn:north"}), {})
    hl7, cloud = Hl7Reader(load_mapping(), default_zone="UTC"), CloudEventReader()
    reader = LiveReader(hl7, cloud, Enricher({}, {}, None), left_out=left_out)

    def read(*resources: dict[str, Any]) -> Message:
        entries = [{"resource": one} for one in resources]
        raw = msgspec.Raw(json.dumps(bundle("transaction", *entries)).encode())
        whole = write_whole(raw, "2026-03-02T09:00:00Z", system="fhir", name="t", digest=b"d", things=())
        return reader.read("fhir", whole)

    mixed = read(patient(), patient("18", "200"))
    assert [event.identifiers[0] for event in mixed.events] == ["Patient/17^fhir"]
    assert read(patient("18", "200")).ignored == "test_patient"
