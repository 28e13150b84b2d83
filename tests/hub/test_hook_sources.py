"""`sources:` of a site file: what is declared, what is refused, and with which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.cloudevents.read import CloudEventReader
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from hub.api.hooks import HookDoor
from hub.hooks import Hooks
from hub.inputs import find_inputs
from hub.site import WrongSite, read_site
from schemas.errors import WrongUse
from tests.connectors.contact_center.bodies import INSTANCE, connect, record

TWO = """
sources:
  north: {hook: amazon-connect, instance: 6f1c7f3e, unsigned: true, facility: NORTH}
  south: {hook: amazon-connect, instance: other, unsigned: true, facility: SOUTH}
"""


def written(folder: Path, source: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(f"timezone: UTC\nsources:\n  line: {source}\n")
    return path


@pytest.mark.parametrize(
    "source, told",
    [
        (
            "{hook: amazon-conect}",
            "3:16: error: there is no shipped mapping `amazon-conect` (did you mean `amazon-connect`?)",
        ),
        ("{hook: amazon-connect, unsigned: perhaps}", "`unsigned` is true or false"),
        ("{hook: amazon-connect, choices: {contact_ended: records}}", "(did you mean `record`?)"),
        ("{hook: amazon-connect, choices: {contact_end: record}}", "(did you mean `contact_ended`?)"),
        ("{hook: none.yaml}", "cannot be read"),
        ('{hook: "a\\0.yaml"}', "cannot be read: this is no path"),
        ("{hook: amazon-connect, secrets: x}", "a source has no `secrets`"),
        ("{hook: amazon-connect, zone: America/Nowhere}", "America/Nowhere"),
        ("{hook: amazon-connect, attributes: {language: 'a['}}", "this is no JMESPath"),
        ("{hook: amazon-connect, identifiers: [{authority: N}]}", "an identifier is {path: ..., authority: ...}"),
        (
            "{hook: amazon-connect, check: {kind: hmac, header: X-S, signed: '{timestamp}{body}'}}",
            "say in which header",
        ),
        ("{hook: amazon-connect, check: {kind: hmac, header: X-S, signed: '{id}', id: X-I}}", "holds the {body}"),
        ("[amazon-connect]", "needs a mapping"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, source: str, told: str) -> None:
    with pytest.raises(WrongSite) as wrong:
        read_site(written(tmp_path, source))
    assert told in str(wrong.value)
    assert f"{tmp_path}/site.yaml:3:" in str(wrong.value)


@pytest.mark.parametrize(
    "source, told",
    [
        ("{hook: amazon-connect}", "has no secret"),
        ("{hook: amazon-connect, secret_file: none.secret}", "cannot be read"),
        ("{hook: amazon-connect, secret_file: empty.secret}", "empty.secret is empty"),
        ("{hook: amazon-connect, secret_env: PXHUB_NO_SUCH}", "not in the environment"),
        ("{hook: twilio, secret_file: a.secret}", "name it (`url: https://...`)"),
        ("{hook: amazon-connect, secret_file: a.secret, check: {kind: standard-webhooks}}", "no base64"),
    ],
)
def test_a_source_without_a_way_to_check_it_is_refused(tmp_path: Path, source: str, told: str) -> None:
    (tmp_path / "a.secret").write_text("!not base64!")
    (tmp_path / "empty.secret").write_text("\n")
    site = read_site(written(tmp_path, source))
    with pytest.raises(WrongUse) as wrong:
        HookDoor(site.sources)
    assert f"{tmp_path}/site.yaml:3:" in str(wrong.value)
    assert "source line" in str(wrong.value)
    assert told in str(wrong.value)


def test_of_two_sources_of_one_vendor_the_instance_decides(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(TWO)
    hooks = Hooks(read_site(path).sources)
    mine = hooks.read(connect("INITIATED"), "a")
    theirs = hooks.read(connect("INITIATED", instanceArn=INSTANCE.replace("6f1c7f3e", "other")), "b")
    assert [event.facility for event in (*mine.events, *theirs.events)] == ["NORTH", "SOUTH"]
    assert (hooks.kind_of(mine.source), hooks.kind_of(theirs.source)) == ("hook/north", "hook/south")


def test_lines_of_a_source_are_laid_over_its_mapping(tmp_path: Path) -> None:
    lines = "{hook: amazon-connect, unsigned: true, zone: America/Denver, tables: {queue: {q1: Scheduling}}, "
    lines += "attributes: {language: Attributes.lang, partner: {value: acme}}, "
    lines += "identifiers: [{path: Attributes.mrn, authority: N}, {path: Attributes.member}]}"
    hooks = Hooks(read_site(written(tmp_path, lines)).sources)
    queue = {"ARN": f"{INSTANCE}/queue/q1", "EnqueueTimestamp": "2026-03-02T15:00:05Z", "Duration": 3}
    said = {"lang": "es-MX", "mrn": "4711", "member": 77}
    [ended] = hooks.read(record(Queue=queue, Agent={"ConnectedToAgentTimestamp": "x"}, Attributes=said), "a").events
    assert (ended.data["queue"], ended.data["language"], ended.data["partner"]) == ("Scheduling", "es-MX", "acme")
    assert ended.identifiers == ("4711^N", "77")


def test_a_body_that_is_longer_than_what_is_seen_of_a_file_is_told_too(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    long = [{"Content": "x" * 50, "AbsoluteTime": "2026-03-02T15:00:00Z"}] * 2000
    said = {"JobStatus": "COMPLETED", "Participants": [{}], "CustomerMetadata": {"ContactId": "c1"}}
    sentiment = {"ConversationCharacteristics": {"Sentiment": {"OverallSentiment": {"CUSTOMER": -2.5}}}}
    path.write_text(json.dumps({**said, **sentiment, "Transcript": long}, indent=1))
    [message] = find_inputs([str(path)])[0].messages(Hl7Reader(load_mapping()), CloudEventReader())
    assert message.reading is not None
    assert [(e.type, e.data["sentiment"]) for e in message.reading.events] == [("contact.analysed", -0.5)]


def test_a_cloudevent_is_one_whatever_it_carries() -> None:
    event = {"specversion": "1.0", **json.loads(connect("INITIATED"))}
    assert Hooks().find(event) is None
