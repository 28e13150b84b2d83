"""`pxhub fhir` and polls of `pxhub serve`, as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from hub.__main__ import main
from tests.faults.served import Served
from tests.hub.poll.fhir_host import FhirHost, order, patient


@pytest.fixture
def host() -> Iterator[FhirHost]:
    host = FhirHost()
    host.resources = [patient(f"p{n}", n) for n in range(6)] + [order("o1", "p1", 10)]
    with host.listening():
        yield host


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-P", "-m", "hub", *map(str, arguments)]


def pxhub(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, env=dict(os.environ))


def polled(host: FhirHost, store: Path, *more: str | Path) -> dict[str, Any]:
    done = pxhub("fhir", "poll", host.base, "--store", store, "--timezone", "UTC", "--format", "json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_poll_fills_a_store(host: FhirHost, tmp_path: Path) -> None:
    report = polled(host, tmp_path / "store")
    assert (report["resources"], report["accepted"]) == (7, 7)
    again = pxhub("fhir", "poll", host.base, "--store", tmp_path / "store", "--type", "Patient")
    assert again.stdout == "Patient: 6 resources, 0 accepted, 6 duplicates, 0 ignored, 0 dead letters\n"


def test_a_poll_that_is_killed_goes_on(host: FhirHost, tmp_path: Path) -> None:
    third, killed = threading.Event(), threading.Event()

    def stands_still(_: Request) -> Response | None:
        third.set()
        killed.wait(60)
        return None

    host.odd.extend([lambda _: None, lambda _: None, stands_still])
    arguments = ("fhir", "poll", host.base, "--store", tmp_path / "store", "--timezone", "UTC", "--type", "Patient")
    with subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        assert third.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    killed.set()
    report = polled(host, tmp_path / "store", "--type", "Patient", "--overlap", "1s")
    assert (report["accepted"], report["duplicates"]) == (2, 1)


def test_two_servers_are_not_one(host: FhirHost, tmp_path: Path) -> None:
    polled(host, tmp_path / "store")
    other = FhirHost()
    other.resources = [patient("p1", 1)]
    with other.listening():
        refused = pxhub("fhir", "poll", other.base, "--store", tmp_path / "store")
        assert refused.returncode == 2
        assert "--server NAME" in refused.stderr
        assert polled(other, tmp_path / "store", "--server", "south")["accepted"] == 1


def test_a_server_that_refuses_is_1_and_one_that_is_away_is_75(host: FhirHost, tmp_path: Path) -> None:
    host.resources.clear()
    empty = pxhub("fhir", "poll", host.base, "--store", tmp_path / "store", "--timezone", "UTC", "--type", "Claim")
    assert empty.returncode == 0
    token = tmp_path / "token"
    token.write_text("secret")
    (tmp_path / "token").chmod(0o600)
    refuses = FhirHost()
    refuses.odd.extend([lambda _: Response(status_code=403)] * 9)
    with refuses.listening():
        options = ("--store", tmp_path / "other", "--timezone", "UTC", "--type", "Claim", "--token-file", token)
        done = pxhub("fhir", "poll", refuses.base, *options)
    assert done.returncode == 1
    assert "it answers 403" in done.stdout
    assert "secret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "options, told",
    [
        ((), "URL"),
        (("ehr.example",), "URL"),
        (("https://me:pw@ehr.example",), "URL"),
        (("https://ehr.example", "--server", "Fhir"), "--server"),
        (("https://ehr.example", "--type", "Pateint"), "Patient"),
        (("https://ehr.example", "--client-id", "us"), "--key-file"),
        (("http://ehr.example", "--token-file", "t"), "https"),
        (("https://ehr.example", "--every", "often"), "--every"),
        (("https://ehr.example", "--overlap", "2 business days"), "--overlap"),
        (("https://ehr.example",), "time zone"),
    ],
)
def test_wrong_use_is_2_and_touches_no_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fhir", "poll", *options, "--store", str(tmp_path / "store")])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert told in said
    assert "pw" not in said
    assert not (tmp_path / "store").exists()


def test_a_server_of_the_site_file_is_polled_by_serve(host: FhirHost, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(f"fhir:\n  ehr: {{base: '{host.base}', every: 1s, types: [Patient, ServiceRequest]}}\n")
    again = threading.Event()

    def second_poll(_: Request) -> Response | None:
        again.set()
        return None

    host.odd.extend([lambda _: None] * 4 + [second_poll])
    served = Served(tmp_path / "store", "--site", site)
    assert again.wait(60)
    busy = pxhub("fhir", "poll", "--site", site, "--server", "ehr", "--store", tmp_path / "store")
    assert busy.returncode == 75
    assert served.stop() == 0
    stats = pxhub("store", "stats", "--store", tmp_path / "store", "--format", "json")
    assert json.loads(stats.stdout)["accepted"] == 7
    log = served.log.read_text()
    assert "fhir.polled" in log
    assert host.base not in log
    report = json.loads(
        pxhub(
            "fhir", "poll", "--site", site, "--server", "ehr", "--store", tmp_path / "store", "--format", "json"
        ).stdout
    )
    assert report["accepted"] == 0


def test_a_poll_that_goes_on_ends_when_it_is_asked_to(host: FhirHost, tmp_path: Path) -> None:
    again = threading.Event()

    def later(_: Request) -> Response | None:
        again.set()
        return None

    host.odd.extend([lambda _: None] * 3 + [later])
    arguments = ("fhir", "poll", host.base, "--store", tmp_path / "store", "--timezone", "UTC", "--type", "Patient")
    with subprocess.Popen(command(*arguments, "--every", "1s"), stderr=subprocess.DEVNULL) as process:
        assert again.wait(60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_an_export_fills_a_store(host: FhirHost, tmp_path: Path) -> None:
    host.files["Patient.ndjson"] = "".join(json.dumps(patient(f"p{n}", n)) + "\n" for n in range(3))
    done = pxhub("fhir", "export", host.base, "--store", tmp_path / "store", "--timezone", "UTC", "--group", "g1")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 files, 3 resources, 3 accepted, 0 duplicates, 0 ignored, 0 dead letters\n"
    assert "POST" not in "".join(host.asked)
    assert host.asked[0].startswith("GET /fhir/Group/g1/$export?")


def test_a_key_that_is_not_there_refuses_a_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site.yaml"
    lines = "{base: 'https://ehr.example', zone: UTC, every: 5m, client_id: us, key_file: none.jwk}"
    site.write_text(f"timezone: UTC\nfhir: {{ehr: {lines}}}\n")
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--store", str(tmp_path / "store"), "--site", str(site)])
    assert ended.value.code == 2
    assert "key file" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()
