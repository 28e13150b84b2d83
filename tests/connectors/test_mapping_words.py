"""The words of a mapping against the vocabulary: what is nearly a known word is told, a word of one's own is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.hl7.mappings import WrongMapping, load_mapping, shipped_mapping
from schemas.vocabulary import VALUES
from streams.core import stated

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "mappings.md").read_text(encoding="utf-8"), re.DOTALL)


def told(text: str) -> list[str]:
    """Each problem as line:column, severity and what is meant; or the end of what is said, where nothing is."""
    try:
        problems = load_mapping(("m.yaml", text)).warnings
    except WrongMapping as wrong:
        problems = wrong.problems
    return [
        f"{p.place.line}:{p.place.column} {p.severity}: {p.suggestion or p.text.rpartition(': ')[2]}" for p in problems
    ]


@pytest.mark.parametrize(
    "text, problems",
    [
        ("version: 2", ["1:10 error: `version` is 1"]),
        ("tables: {appointment_status: {CHKIN: arived}}", ["1:38 error: arrived"]),
        ("tables: {appointment_status: {CHKIN: seated}}", ["1:38 warning: no shipped promise asks for `seated`"]),
        ("tables: {class: {EMERGENCY: Emergency}}", ["1:29 warning: no shipped promise asks for `Emergency`"]),
        ("tables: {class: {EMERGENCY: e}}", ["1:29 error: E"]),
        ("tables: {priority: {RUSH: X}}", ["1:27 warning: no shipped promise asks for `X`"]),
        ("tables: {disposition: {X: hospise, Y: snf}}", ["1:27 warning: hospice"]),
        ("tables: {slow: {X: yes}}", ["1:20 warning: true or false"]),
        ("tables: {slow_codes: {X: 1, Y: true}}", ["1:26 warning: true or false"]),
        ("tables: {category_of_code: {X: LABB, Y: RAD, Z: CARD}}", ["1:32 warning: LAB"]),
        ("groups: {VIST: {unit: PV1-3}}", ["1:10 error: VISIT"]),
        ("groups: {VISIT: {servce: PV1-10, mrnn: PID-3, colour: ZVS-1}}", ["1:18 error: service", "1:34 warning: mrn"]),
        ("groups: {VISIT: {unit: {value: wards}}}", ["1:32 warning: ward"]),
        ("events: {visit.ended: {attributes: {dispositon: ZVS-1}}}", ["1:37 error: disposition"]),
        ("messages: {ADT^A01: [{event: visit.started, set: {clas: O}}]}", ["1:51 error: class"]),
        ("add: {ADT^A01: {events: [{event: visit.ended, set: {disposition: Home}}]}}", ["1:66 warning: home"]),
        (
            "add: {SIU^S12: {event: appointment.missed, when: {SCH-25: {table: appointment_status, is: noshw}}}}",
            ["1:91 warning: noshow"],
        ),
    ],
)
def test_a_slip_is_told_with_its_place(text: str, problems: list[str]) -> None:
    assert told(text) == problems


@pytest.mark.parametrize(
    "text",
    [
        "events: {visit.ended: {attributes: {dispositon: ZVS-1}}}\nattributes: [dispositon]",
        "groups: {SITE: {anything: ZVS-1}}\nevents: {visit.ended: {groups: [VISIT, SITE]}}",
        "groups: {VISITS: {unit: ZVS-1}}\nevents: {visit.ended: {groups: [VISITS]}}",
        "events: {bed.cleaned: {attributes: {clas: ZVS-1}}}",
        "tables: {kinds: {X: tricare}}\ngroups: {VISIT: {payer_class: {code: IN1-15, table: kinds}}}",
        "groups: {VISIT: {observation: {value: true}}}",
        "add: {SIU^S12: {event: appointment.missed, when: {SCH-25: {table: appointment_status, is: present}}}}",
        *EXAMPLES,
    ],
)
def test_a_word_of_one_s_own_is_no_slip(text: str) -> None:
    assert told(text) == []


def test_the_shipped_mapping_uses_the_vocabulary_s_words() -> None:
    assert shipped_mapping().warnings == ()


def test_warnings_of_a_site_s_mapping_and_of_a_file_over_it_are_both_told() -> None:
    one, two = ("a.yaml", "tables: {class: {X: Q}}"), ("b.yaml", "tables: {class: {Y: W}}")
    assert [p.place.file for p in load_mapping(one, two).warnings] == ["a.yaml", "b.yaml"]


def test_the_words_are_those_of_the_catalogue_and_of_the_engine() -> None:
    catalogue = (ROOT / "THRESHOLDS.md").read_text(encoding="utf-8")
    of_several_events = {"kind"}
    listed = {name: ", ".join(values.words) for name, values in VALUES.items() if name not in of_several_events}
    assert [name for name, words in listed.items() if words not in catalogue] == []
    assert set(VALUES["status"].words) == set(stated.THINGS["appointment.stated"].stands)
