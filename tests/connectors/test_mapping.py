"""The mapping language: paths, a site's lines over the shipped ones, and mistakes told with their places."""

from __future__ import annotations

import re
from pathlib import Path as FilePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hl7.mappings import WrongMapping, load_mapping, shipped_mapping
from connectors.mapping.path import Path, read_path
from schemas.declaration import Findings, read_declaration
from schemas.vocabulary import EVENT_TYPES
from tests.connectors.messages import PID, events, message, only, read

DOCUMENT = FilePath(__file__).parents[2] / "docs" / "mappings.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    "text, path",
    [
        ("PID-3", Path("PID", 3)),
        ("PID-3.4", Path("PID", 3, 4)),
        ("PID-3.4.2", Path("PID", 3, 4, 2)),
        ("PV1-19[2].1", Path("PV1", 19, repetition=2)),
        ("PID[2]-3", Path("PID", 3, number=2)),
        ("OBX[3=LP1]-5", Path("OBX", 5, having=3, equal="LP1")),
        ("ZRF-2", Path("ZRF", 2)),
        ("SCH-11.4 up to 2.6", Path("SCH", 11, 4, until="2.6")),
        ("SCH-26 from 2.4", Path("SCH", 26, since="2.4")),
    ],
)
def test_paths(text: str, path: Path) -> None:
    assert read_path(text) == path


@pytest.mark.parametrize(
    "text",
    ["", "PID", "pid-3", "PID-0", "PID-3.0", "PID-3[0]", "PID[0]-3", "OBX[0=A]-5", "PID-3.1.1.1", "PID 3", "PID-x"],
)
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(ValueError):
        read_path(text)


@given(st.text(max_size=30))
def test_a_path_is_read_or_refused(text: str) -> None:
    told = ""
    try:
        path = read_path(text)
    except ValueError as wrong:
        path, told = Path("PID", 3), str(wrong)
    assert min(path[1:6]) >= 1
    assert told == "" or "HL7 counts" in told or "is expected" in told


def test_paths_to_a_certain_segment() -> None:
    site = 'events: {visit.started: {attributes: {a: "NK1[2]-2", b: "OBX[3=X1]-5", c: "OBX[3=none]-5", d: "NK1[9]-2"}}}'
    lines = ("NK1|1|one", "NK1|2|two", "OBX|1|ST|X0||zero", "OBX|2|ST|X1^text||first", "OBX|3|ST|X1||second")
    data = only(message("ADT^A01", PID, *lines), site).data
    assert (data["a"], data["b"], "c" in data, "d" in data) == ("two", "first", False, False)


def test_every_event_of_the_shipped_mapping_is_in_the_vocabulary() -> None:
    mapped = {given.event for trigger in shipped_mapping().messages.values() for given in trigger.events}
    assert mapped - {"appointment.stated"} <= set(EVENT_TYPES)
    assert set(shipped_mapping().events) - {"appointment.stated"} <= set(EVENT_TYPES)


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"example-{n}" for n in range(1, len(EXAMPLES) + 1)])
def test_the_document_s_examples_are_read(example: str) -> None:
    assert load_mapping(("docs/mappings.md", example)) != shipped_mapping()


def test_the_document_names_every_shipped_table_and_way_to_read() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([a-z_]+)`", text, re.MULTILINE))
    assert set(shipped_mapping().tables) <= told
    assert {"text", "code", "id", "second", "time", "date", "number", "list", "value", "derive"} <= told


def test_codes_of_a_site_are_added_to_the_shipped_ones() -> None:
    site = EXAMPLES[0]
    assert only(message("ADT^A01", PID, "PV1|1|emergency"), site).data["class"] == "E"
    assert only(message("ADT^A01", PID, "PV1|1|I"), site).data["class"] == "I"
    assert only(message("SIU^S14", "SCH|P1" + "|" * 24 + "Chk In", PID), site).data["status"] == "arrived"
    assert only(message("MDM^T02", PID, "TXA|1|DISCH" + "|" * 15 + "LA"), site).data["kind"] == "DS"


def test_attributes_of_a_site() -> None:
    site = EXAMPLES[1]
    visit = only(message("ADT^A01", PID, "PV1|1|E|EDU^1", "IN1|1||X" + "|" * 12 + "MCR"), site).data
    assert (visit["unit"], visit["payer_class"]) == ("ed", "medicare")
    assert "unit" not in only(message("ADT^A01", PID, "PV1|1|E|XYZ"), site).data
    appointment = only(message("SIU^S15", "SCH|P1|||||DRAW", PID, "AIL|1||CARD", "ZRF|1|R7^EHR"), site).data
    assert (appointment["by"], appointment["specialty"], appointment["referral_id"]) == ("provider", "CARD", "R7^EHR")
    obx = ("OBX|1|CE|NOTE||BR5", "OBX|2|CE|ASSESS||BR4^Suspicious")
    result = only(message("ORU^R01", PID, "OBR|1|P1||IMG401" + "|" * 21 + "F", *obx), site).data
    assert (result["screening"], result["birads"]) == ("mammogram", "4")
    assert only(message("ADT^A03", PID, "ZVS|1||high"), site).data["complexity"] == "high"


def test_events_of_a_site() -> None:
    site = EXAMPLES[2]
    assert events(message("ADT^A02", "EVN||20260302||ROOM", PID), site).keys() == {
        "visit.moved",
        "visit.roomed",
    }
    pv1 = "PV1|1|O" + "|" * 48 + "P1^^^SCH"
    arrived = only(message("ADT^A10", PID, pv1), site)
    assert (arrived.type, arrived.data["appointment_id"]) == ("appointment.arrived", "P1^SCH")
    assert events(message("ADT^A04", PID, pv1), site).keys() == {"visit.started", "appointment.arrived"}
    assert events(message("ADT^A03", PID, pv1), site).keys() == {"visit.ended", "appointment.completed"}
    assert only(message("ADT^A03", PID, "PV1|1|E" + "|" * 34 + "LWBS"), site).type == "visit.left"
    assert only(message("ADT^A03", PID, "PV1|1|E" + "|" * 34 + "01"), site).type == "visit.ended"
    assert only(message("MDM^T02", PID, "TXA|1|MOON"), site).data["kind"] == "moon"
    assert only(message("RPA^I10", PID, "ZAU||A4"), site).data["for_papers"] is True
    assert read(message("DFT^P03", PID, "FT1|1"), site).ignored == "nothing mapped in DFT^P03"
    called = events(message("ORU^R01", PID, "OBR|1|P1", "ZCR|1|20260302090000||Y"), site)["result.called"]
    assert (called.time, called.data["order_id"]) == (1_772_460_000_000_000, "P1")


def test_a_site_s_own_labels_come_first() -> None:
    raw = message("ADT^A01", PID, "PV1|1|I||||||||PSY||||||VIP")
    assert only(raw, EXAMPLES[3]).sensitivity == "behavioral"
    assert only(raw).sensitivity == "vip"


def test_conditions() -> None:
    site = """
        messages:
          ADT^A01:
            - {event: x.both, when: {PV1-2: [I, E], PV1-10: present}}
            - {event: x.neither, when: {PV1-10: absent}, unless: {PV1-2: I}}
            - {event: x.through, when: {PV1-2: {table: class, is: E}}}
            - {event: x.known, when: {PV1-4: {table: admission_type}}}
            - {event: x.derived, when: {derived.category: LAB}}
    """

    def told(*lines: str) -> set[str]:
        return set(events(message("ADT^A01", PID, *lines), site))

    assert told("PV1|1|I||||||||MED") == {"x.both"}
    assert told("PV1|1|EMER||1") == {"x.neither", "x.through", "x.known"}
    assert told("SPM|1", "PV1|1|I") == {"x.derived"}


def test_a_group_for_every_segment_of_a_name() -> None:
    site = "messages: {ADT^A01: {each: ZVS, events: [visit.triaged]}}\ngroups: {VISIT: {acuity: ZVS-2}}"
    found = read(message("ADT^A01", PID, "ZVS|1|red", "ZVS|2|green"), site).events
    assert [e.data["acuity"] for e in found] == ["red", "green"]


def test_an_event_s_own_attribute_is_not_replaced_by_its_group_s() -> None:
    site = "events: {visit.ended: {attributes: {service: ZVS-9}}}"
    raw = message("ADT^A03", PID, "PV1|1|I||||||||MED")
    assert only(raw).data["service"] == "MED"
    assert "service" not in only(raw, site).data
    assert "service" not in only(raw.replace(b"PV1|", b"ZVS|1\rPV1|"), site).data


@pytest.mark.parametrize("name, near", [("clas", "class"), ("langauge", "language"), ("slow_code", "slow_codes")])
def test_a_table_that_nothing_asks_for_and_is_nearly_a_known_one_is_a_slip(name: str, near: str) -> None:
    text = f"tables:\n  {name}: {{X: E}}\n"
    with pytest.raises(WrongMapping, match=f"site.yaml:2:.*nothing asks for a table {name}.*{near}"):
        load_mapping(("site.yaml", text))
    asked = f"groups: {{VISIT: {{acuity: {{code: PV1-2, table: {name}}}}}}}"
    assert load_mapping(("site.yaml", text + asked)).tables[name] == {"X": "E"}
    labelled = f"sensitive: [{{label: x, when: {{PV1-2: {{table: {name}}}}}}}]"
    assert load_mapping(("site.yaml", text + labelled)).tables[name] == {"X": "E"}


def test_a_table_of_one_s_own_may_wait_for_the_file_that_asks_for_it() -> None:
    assert load_mapping(("site.yaml", "tables: {colours: {X: red}}")).tables["colours"] == {"X": "red"}


def test_later_lines_lie_over_earlier_ones() -> None:
    one, two = ("a.yaml", "tables: {class: {X: E}}"), ("b.yaml", "tables: {class: {X: O, Y: I}}")
    tables = load_mapping(one, two).tables["class"]
    assert (tables["X"], tables["Y"], tables["I"]) == ("O", "I", "I")
    assert load_mapping(two, one).tables["class"]["X"] == "E"


def test_a_node_of_a_site_file_and_a_file_with_the_section_s_name_are_read_alike() -> None:
    root = read_declaration("site.yaml", "mapping: {tables: {class: {X: E}}}", Findings())
    assert root is not None
    assert load_mapping(root.find("mapping")) == load_mapping(("m.yaml", "mapping: {tables: {class: {X: E}}}"))
    assert load_mapping(None) == shipped_mapping()


MISTAKES = """\
tabels: {class: {X: E}}
tables: {class: {X: [E]}, units: nothing}
groups:
  VISIT:
    unit: {code: PV1-3, tabel: class}
    ward: {code: PV-3}
    bed: {code: PV1-3, table: clas}
    room: {text: PV1-3, code: PV1-3}
events:
  visit.ended: {groups: [VIST]}
  Visit.Ended: {}
messages:
  ADT-A01: [visit.started]
  ADT^A02: [visit.startd]
  ADT^A03: {each: every, events: [visit.ended]}
  ADT^A04: [{event: visit.started, wen: {PV1-2: I}}]
  ADT^A05: [{event: visit.started, when: {derived.categry: LAB}}]
  ADT^A06: [{event: visit.moved, when: {PV1-2: {table: clss, is: E}}}]
off: [visit.endet]
sensitive: [{when: {PV1-2: I}}]
"""


def test_all_mistakes_are_told_at_once_each_with_its_place() -> None:
    with pytest.raises(WrongMapping) as caught:
        load_mapping(("site.yaml", MISTAKES))
    places = [(p.place.line, p.suggestion) for p in caught.value.problems if p.severity == "error"]
    assert places == [
        (1, "tables"),
        (2, None),
        (2, None),
        (5, "table"),
        (6, None),
        (7, "class"),
        (8, None),
        (10, "VISIT"),
        (11, None),
        (13, "ADT^A01"),
        (14, "visit.started"),
        (15, None),
        (16, "when"),
        (17, "category"),
        (18, "class"),
        (19, "visit.ended"),
        (20, None),
    ]
    assert all(p.place.column > 0 and p.place.file == "site.yaml" for p in caught.value.problems)
    assert str(caught.value).startswith("site.yaml:1:1: error: a mapping has no key tabels (did you mean `tables`?)")


@pytest.mark.parametrize(
    "text", ["", "[]", "- a", "tables: 7", "events: [a]", "messages: {ADT^A01: {when: 1}}", "\x00", "a: b: c"]
)
def test_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(WrongMapping):
        load_mapping(("site.yaml", text))


@given(st.text(alphabet="tablesgroupsev nm:{}[]-,'\"\n^ADT01|0", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    problems: tuple[object, ...] = ()
    try:
        mapping = load_mapping(("site.yaml", text))
    except WrongMapping as wrong:
        mapping, problems = shipped_mapping(), wrong.problems
    assert mapping.messages
    assert mapping is shipped_mapping() or not problems
