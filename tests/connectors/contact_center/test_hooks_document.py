"""The example of docs/hooks.md is a mapping, and means what the page says; the site file's example is one."""

from __future__ import annotations

import json
import re
from pathlib import Path

from connectors.contact_center.declared_values import KINDS
from connectors.contact_center.read import HookReader
from connectors.contact_center.shipped import read_hook_text, shipped_names
from connectors.contact_center.spec import HookMapping
from hub.site import read_site

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "hooks.md").read_text(encoding="utf-8")


def example(first_line: str) -> str:
    found = re.search(rf"```yaml\n({re.escape(first_line)}\n.*?)```", PAGE, re.DOTALL)
    assert found, first_line
    return found[1]


def mapping() -> HookMapping:
    return read_hook_text("docs/hooks.md", example("# nurse-line.yaml"))


def test_the_example_means_what_it_says() -> None:
    call = {
        "id": 17,
        "step": "over",
        "at": 1772463600,
        "lang": "spa",
        "queued": "2026-03-02T14:59:00Z",
        "taken": "2026-03-02T14:59:31Z",
        "talk_ms": 90_500,
        "code": "Spoke",
        "legs": [{"kind": "transfer"}, {"kind": "first"}],
    }
    body = {"product": "nurse-line", "call": call, "caller": {"mrn": "4711"}}
    [ended] = HookReader(mapping()).read(json.dumps(body).encode(), "a body").events
    assert (ended.id, ended.type, ended.identifiers) == ("17/contact.ended", "contact.ended", ("4711^NORTH",))
    assert ended.data == {
        "origin_id": "17/over",
        "contact_id": "17^nurse-line",
        "channel": "voice",
        "direction": "inbound",
        "language": "es",
        "queue_seconds": 31,
        "talk_seconds": 90.5,
        "outcome": "reached",
        "transfers": 1,
        "abandoned": False,
        "counted": True,
    }
    held = {"product": "nurse-line", "call": {**call, "step": "held"}}
    assert HookReader(mapping()).read(json.dumps(held).encode(), "b").ignored == (
        "nurse-line: a step that nobody waits for"
    )


def test_the_site_of_the_page_is_one(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(example("# site.yaml"))
    sources = read_site(path).sources.by_name
    assert set(sources) == {"main-line", "texts"}


def test_the_page_tells_of_every_shipped_mapping_and_kind() -> None:
    assert all(f"`{name}`" in PAGE for name in shipped_names())
    assert all(f"{{{kind}: " in PAGE for kind in KINDS)
