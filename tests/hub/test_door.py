"""The door: whose messages are left out, and where a message stands that cannot be taken."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from hub.left_out import LeftOut
from hub.replay import ReplayOptions, ReplayResult, replay

SITE = """
facilities: {NORTH: {zone: UTC, authority: NORTH}}
authorities: {NORTH: ["urn:oid:1.2.3", N]}
"""


def event(id_: str, time: str = "2026-03-02T10:00:00Z", **data: Any) -> str:
    told = {"specversion": "1.0", "id": id_, "source": "s", "type": "result.final", "time": time}
    return json.dumps(told | {"data": {"identifiers": ["M1"]} | data}) + "\n"


def message(id_: str, pid3: str = "M1", year: str = "2026", status: str = "F") -> str:
    return (
        f"MSH|^~\\&|LAB|NORTH|||{year}0302100000||ORU^R01|{id_}|P|2.5.1\rPID|1||{pid3}||Doe^Jane\r"
        f"OBR|1|P1|F1|GLU{'|' * 18}{year}0302100000|||{status}\r"
    )


def played(folder: Path, site: str, **contents: str | bytes) -> ReplayResult:
    (folder / "site.yaml").write_text(SITE + site)
    paths = []
    for name, content in contents.items():
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        paths.append(str(path))
    return replay(ReplayOptions(paths=paths, site=folder / "site.yaml"))


@pytest.mark.parametrize("named", ["TEST1^NORTH", "TEST1^N", "TEST1^urn:oid:1.2.3", "TEST1"])
@pytest.mark.parametrize("pid3", ["TEST1^^^&urn:oid:1.2.3", "TEST1^^^N", "TEST1^^^NORTH", "TEST1"])
def test_a_test_patient_is_left_out_in_every_spelling(tmp_path: Path, named: str, pid3: str) -> None:
    hl7 = message("1", pid3) + "\r" + message("2", "TEST2^^^N")
    result = played(tmp_path, f"test_patients: [{named}]\n", a=hl7)
    assert result.report["ignored_by_reason"] == {"test_patient": 1}
    assert result.report["accepted"] == 1


@pytest.mark.parametrize("sent", ["99999", "99999^NORTH", "99999^elsewhere"])
def test_a_number_alone_means_it_whoever_gave_it(tmp_path: Path, sent: str) -> None:
    lines = event("1", identifiers=["M1", sent]) + event("2", identifiers=["199999^NORTH"])
    result = played(tmp_path, 'test_patients: ["99999"]\n', a=lines)
    assert result.report["ignored_by_reason"] == {"test_patient": 1}
    assert result.report["accepted"] == 1


def test_another_authority_s_number_is_another_patient() -> None:
    left_out = LeftOut(["TEST1^NORTH"], {"N": "NORTH"})
    assert left_out.has(["TEST1^N"])
    assert not left_out.has(["TEST1^SOUTH", "TEST1"])
    assert not LeftOut([], {"N": "NORTH"})


FAR = "2999-01-01T00:00:00Z"


def test_a_refused_message_is_told_with_its_file_and_place(tmp_path: Path) -> None:
    hl7 = message("1") + "\r" + message("2") + "\r" + message("1", status="P") + "\r" + message("4", year="2999")
    lines = event("1") + "\n" + event("1", order_id="o") + event("3", FAR) + event("4") + event("4", order_id="o")
    result = played(tmp_path, "", a=hl7, b=lines)
    assert sorted((letter.reason.value, letter.place) for letter in result.dead_letters) == [
        ("conflict", f"{tmp_path}/a message 3, id"),
        ("conflict", f"{tmp_path}/b, line 3, id"),
        ("conflict", f"{tmp_path}/b, line 6, id"),
        ("from_the_future", f"{tmp_path}/a message 4, time"),
        ("from_the_future", f"{tmp_path}/b, line 4, time"),
    ]


@pytest.mark.parametrize(
    "content, place",
    [
        (gzip.compress((event("1") + event("1", order_id="o")).encode()), "line 2"),
        ("[" + event("1") + "," + event("1", order_id="o") + "]", "event 2"),
        (event("1") + json.dumps(json.loads(event("1", order_id="o")), indent=1), "line 2"),
    ],
)
def test_a_place_is_told_where_a_file_cannot_be_read_by_offset(
    tmp_path: Path, content: str | bytes, place: str
) -> None:
    result = played(tmp_path, "", a=content)
    assert [letter.place for letter in result.dead_letters] == [f"{tmp_path}/a, {place}, id"]


def test_a_dead_letter_that_comes_again_is_a_repetition(tmp_path: Path) -> None:
    """As in a store, so that both ways count alike."""
    other, broken = message("1", status="P"), "MSH|^~\\&|LAB|NORTH|||x"
    hl7 = "\r".join((message("1"), other, other, broken, broken))
    lines = event("1") + event("1", order_id="o") + event("1", order_id="o") + event("2", order_id="o")
    result = played(tmp_path, "", a=hl7, b=lines)
    assert (result.report["accepted"], result.report["duplicates"], result.report["dead_letters"]) == (3, 3, 3)
