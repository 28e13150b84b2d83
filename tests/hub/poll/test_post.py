"""`pxhub fhir poll --to`: what a server has, posted to a hub that runs elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.__main__ import main
from hub.poll.post import Positions
from schemas.errors import TryAgain, WrongUse
from tests.faults.served import Served
from tests.hub.poll.fhir_host import FhirHost, fhir, order, patient


@pytest.fixture
def host() -> Iterator[FhirHost]:
    host = FhirHost()
    host.resources = [patient(f"p{n}", n) for n in range(6)] + [order("o1", "p1", 10)]
    with host.listening():
        yield host


def pxhub(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "hub", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))


def test_what_is_posted_is_in_the_hub_and_the_file_says_how_far_it_is(host: FhirHost, tmp_path: Path) -> None:
    site, state = tmp_path / "site.yaml", tmp_path / "state.json"
    site.write_text(f"fhir: {{ehr: {{base: '{host.base}', types: [Patient, ServiceRequest]}}}}\n")
    served = Served(tmp_path / "store", "--site", site)
    hub = f"http://127.0.0.1:{served.ports['http']}"
    options = ("--site", site, "--server", "ehr", "--to", hub, "--state", state, "--format", "json")

    def poll() -> dict[str, Any]:
        done = pxhub("fhir", "poll", *options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    first = poll()
    assert (first["resources"], first["accepted"]) == (7, 7)
    host.resources.append(order("o1", "p1", 60, version=2, status="completed"))
    spoilt = [{"resource": {"resourceType": "Patient"}}, {"resource": patient("p9", 9)}]
    host.odd.append(lambda _: fhir({"resourceType": "Bundle", "entry": spoilt}))
    second = poll()
    assert (second["accepted"], second["dead_letters"]) == (2, 1)
    again = pxhub("fhir", "poll", *options[:-2], "--type", "Patient")
    assert again.stdout == "Patient: 6 resources, 0 accepted, 6 duplicates, 0 ignored, 0 dead letters\n"
    assert served.stop() == 0
    away = pxhub("fhir", "poll", *options)
    assert away.returncode == 75
    stats = json.loads(pxhub("store", "stats", "--store", tmp_path / "store", "--format", "json").stdout)
    assert (stats["accepted"], stats["dead_letters"]) == (9, 1)
    person = pxhub("events", "show", "--store", tmp_path / "store", "--person", "p1^urn:n", "--format", "ndjson")
    assert {json.loads(line)["source"] for line in person.stdout.splitlines()} == {"fhir/ehr"}


def test_positions_outlive_a_process_and_have_one_writer(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    positions = Positions.open(path)
    with pytest.raises(TryAgain):
        Positions.open(path)
    positions.put("a b", 7)
    positions.close()
    again = Positions.open(path)
    assert again.find("a b") == 7
    assert again.find("a c") is None
    again.close()
    path.write_text("[]")
    with pytest.raises(WrongUse):
        Positions.open(path)
    with pytest.raises(WrongUse):
        Positions.open(tmp_path / "none" / "state.json")


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--to", "http://127.0.0.1:1"),
        ("--to", "http://hub.example", "--state", "s"),
        ("--to", "hub", "--state", "s"),
        ("--store", "a", "--to", "http://127.0.0.1:1", "--state", "s"),
        ("--store", "a", "--state", "s"),
    ],
)
def test_it_goes_to_one_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["fhir", "poll", "http://127.0.0.1:1", *options])
    assert ended.value.code == 2
    assert "--to" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
