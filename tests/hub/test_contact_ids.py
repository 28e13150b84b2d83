"""Two contact centers that count alike: their callers stay two, whoever asks for one of them."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hub.__main__ import main
from hub.replay import ReplayOptions
from hub.site import WrongSite, read_site
from hub.store_replay import replay_store
from schemas.event import Event
from streams.embedded.reader import Reader

MAPPING = """
version: 1
vendor: VENDOR
check: {kind: token}
messages:
  - name: call
    recognise: {product: VENDOR}
    id: id
    time: at
    events:
      - {event: contact.ended, attributes: {contact_id: id, address: from}, set: {abandoned: false, counted: true}}
"""
SITE = """
timezone: America/New_York
facilities: {NORTH: {region: US}}
sources:
  day: {hook: day.yaml, unsigned: true}
  night: {hook: night.yaml, unsigned: true}
"""


def call(product: str, id_: str, number: str) -> str:
    return json.dumps({"product": product, "id": id_, "at": "2026-06-01T14:00:00Z", "from": number}) + "\n"


def event(type_: str, **data: Any) -> str:
    told = {"specversion": "1.0", "id": type_, "source": "desk", "type": type_, "time": "2026-06-01T15:00:00Z"}
    return json.dumps({**told, "data": data}) + "\n"


def site(folder: Path, text: str = SITE) -> Path:
    for vendor in ("day", "night"):
        (folder / f"{vendor}.yaml").write_text(MAPPING.replace("VENDOR", vendor))
    path = folder / "site.yaml"
    path.write_text(text)
    return path


def taken(folder: Path, text: str, *events: str, by: str = SITE) -> list[Event]:
    (folder / "in").mkdir()
    (folder / "in" / "calls.ndjson").write_text(text)
    (folder / "in" / "events.ndjson").write_text("".join(events))
    report, _ = replay_store(folder / "store", ReplayOptions(paths=[str(folder / "in")], site=site(folder, by)))
    assert report["dead_letters"] == 0
    with closing(Reader.open(folder / "store")) as reader:
        return [event for entry in reader.accepted() for event in entry.events]


def explain(folder: Path, what: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    return run(capsys, "identity", "explain", what, "--store", str(folder / "store"))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = 0
    try:
        main(list(arguments))
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    return code, "".join(capsys.readouterr())


TWO = call("day", "C-1001", "+12125550100") + call("night", "C-1001", "+12125550199") + call("day", "C-2", "")
KNOWN = event("person.updated", identifiers=["100^NORTH"], phones=["+12125550100"]).replace("T15:", "T13:")


def test_who_called_one_is_not_who_called_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_hand = event("person.linked", contact_id="C-1001^day", surviving=["100^NORTH"])
    events = taken(tmp_path, TWO, KNOWN, by_hand)
    contacts = [e.data["contact_id"] for e in events if e.type == "contact.ended"]
    assert sorted(contacts) == ["C-1001^day", "C-1001^night", "C-2^day"]
    code, said = explain(tmp_path, "C-1001^day", capsys)
    assert (code, "by hand" in said) == (0, True)
    code, said = explain(tmp_path, "C-1001^night", capsys)
    assert (code, "nobody is linked" in said) == (0, True)


def test_a_contact_is_asked_for_by_what_its_source_calls_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken(tmp_path, TWO)
    assert explain(tmp_path, "C-2", capsys)[1].startswith("contact C-2^day: nobody is linked")
    code, said = explain(tmp_path, "C-1001", capsys)
    assert code == 2
    assert "as ID^SYSTEM" in said
    assert explain(tmp_path, "C-3", capsys)[0] == 1


def test_two_sources_of_the_same_contacts_are_declared(tmp_path: Path) -> None:
    events = taken(tmp_path, TWO, by=SITE.replace("unsigned: true", "unsigned: true, contact_ids: desk"))
    contacts = [e.data["contact_id"] for e in events if e.type == "contact.ended"]
    assert sorted(contacts) == ["C-1001^desk", "C-1001^desk", "C-2^desk"]


def test_what_was_linked_stays_so_where_a_mended_site_counts_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = taken(tmp_path, call("day", "C-1001", "+12125550100"), KNOWN)
    assert [e.data["rule"] for e in events if e.type == "person.linked"] == ["phone"]
    mended = site(tmp_path, SITE.replace("unsigned: true", "unsigned: true, contact_ids: desk"))
    assert run(capsys, "store", "remap", "--store", str(tmp_path / "store"), "--site", str(mended))[0] == 0
    assert explain(tmp_path, "C-1001^day", capsys)[0] == 1
    code, said = explain(tmp_path, "C-1001^desk", capsys)
    assert (code, "by rule phone" in said, "nobody is linked" in said) == (0, True, False)


def test_two_sources_of_one_product_say_how_they_differ(tmp_path: Path) -> None:
    alike = SITE.replace("night.yaml", "day.yaml")
    with pytest.raises(WrongSite) as wrong:
        read_site(site(tmp_path, alike))
    assert f"{tmp_path}/site.yaml:6:10: error: `day` is of `day` too" in str(wrong.value)
    for line in ("instance: late", "contact_ids: desk"):
        mended = alike.replace("{hook: day.yaml, unsigned: true}\n  night", f"{{hook: day.yaml, {line}}}\n  night")
        assert set(read_site(site(tmp_path, mended)).sources.by_name) == {"day", "night"}


@pytest.mark.parametrize("name", ["'a^b'", "[a, b]", "''", "a b"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongSite) as wrong:
        read_site(site(tmp_path, SITE.replace("day.yaml,", f"day.yaml, contact_ids: {name},")))
    assert "`contact_ids` is a" in str(wrong.value)
