"""The simulated clinic through the hub: nothing is lost, what is found is what was done, and the screen says it.

What one voice alone would have said is in test_story."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console
from typer.testing import CliRunner

from connectors.hl7.files import split_messages
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from hub.__main__ import app
from hub.bottleneck import block_of, find_bottlenecks
from hub.demo import Week, play_week, show_week
from hub.replay import ReplayResult
from hub.simulate import Said, Simulation, write_clinic
from hub.site import read_site
from schemas.alert import State
from schemas.instant import read_instant
from tests.project.places import ROOT

NEW_YORK = ZoneInfo("America/New_York")
SIMULATION = Simulation(people=600)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clinic")
    write_clinic(SIMULATION, folder)
    return folder


@pytest.fixture(scope="module")
def result(clinic: Path) -> ReplayResult:
    return play_week(SIMULATION, clinic)


@pytest.fixture(scope="module")
def screen(result: ReplayResult) -> str:
    console = Console(width=118)
    said = Said(hl7=8000, fhir=2000, calls=1500)
    with console.capture() as captured:
        show_week(Week(simulation=SIMULATION, said=said, result=result, seconds=1.0), console)
    return captured.get()


def test_every_message_is_taken(result: ReplayResult) -> None:
    report = result.report
    assert report["dead_letters"] == 0
    # a call that goes on as a callback is over once
    assert list(report["ignored_by_reason"]) == ["amazon-connect: the contact goes on in another leg"]
    assert report["assumed_utc"] == 0
    assert report["duplicates"] > 5
    assert report["messages"] == report["accepted"] + report["duplicates"] + report["ignored"]


def test_nobody_is_counted_twice_after_the_merges(result: ReplayResult) -> None:
    assert 0 < result.report["persons"] <= 600


def test_the_codes_of_the_clinic_become_events(clinic: Path) -> None:
    site = read_site(clinic / "site.yaml")
    reader = Hl7Reader(load_mapping(site.mapping), zones={"HBMC": "America/New_York"}, default_zone=None, charsets={})
    events = [
        event
        for path in sorted(clinic.glob("*.hl7"))
        for raw in split_messages([path.read_bytes()])
        for event in reader.read(raw, path.name).events
    ]
    assert {event.type for event in events} >= {
        *("visit.roomed", "visit.triaged", "visit.provider_seen", "visit.left", "visit.admit_decided"),
        *("visit.discharge_cancelled", "visit.cancelled", "exam.completed", "result.called", "result.corrected"),
        *("appointment.requested", "appointment.stated", "appointment.missed", "appointment.cancelled"),
        *("appointment.rescheduled", "order.scheduled", "specimen.rejected", "charge.posted", "person.merged"),
        *("referral.requested", "referral.accepted", "referral.closed", "document.signed"),
    }
    said = {(name, value) for event in events for name, value in event.data.items() if isinstance(value, str | bool)}
    assert said >= {
        *(("unit", "ed"), ("unit", "ward"), ("kind", "DS"), ("kind", "CN"), ("by", "patient"), ("by", "provider")),
        *(("status", "arrived"), ("status", "complete"), ("visit_kind", "imaging"), ("specialty", "cardiology")),
        *(("screening", "mammogram"), ("birads", "1"), ("payer_class", "medicare"), ("after_discharge", True)),
    }


def test_stat_results_that_were_late_are_found_and_no_others(clinic: Path, result: ReplayResult) -> None:
    """Counted again from the messages themselves: from the specimen to the final result, an hour at most."""
    received: dict[str, str] = {}
    late = set()
    for message in (clinic / "results.hl7").read_bytes().decode().split("MSH|")[1:]:
        segments = {line[:3]: line.split("|") for line in reversed(message.split("\r"))}
        order, specimen = segments["ORC"][2], segments.get("SPM", [])
        if segments.get("TQ1", [""] * 10)[9] == "S" and specimen:
            received[order] = "" if len(specimen) > 21 else received.get(order) or specimen[18]
        elif segments["OBR"][-1] == "F" and received.get(order):
            took = seconds(segments["OBR"][22]) - seconds(received.pop(order))
            late |= {order} if took > 3600 else set()
    found = {a.key for a in result.alerts if a.threshold == "result.turnaround_stat" and a.state is State.RESOLVED}
    assert len(late) > 20
    assert found == late


def seconds(stamp: str) -> int:
    """Of `YYYYMMDDHHMMSS+ZZZZ`."""
    day, clock, offset = stamp[:8], stamp[8:14], f"{stamp[14:17]}:{stamp[17:]}"
    text = f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}{offset}"
    return read_instant(text) // 1_000_000


def test_the_worst_bottleneck_is_the_laboratory_on_tuesday(result: ReplayResult) -> None:
    worst = find_bottlenecks(result.engine, NEW_YORK)[0]
    assert worst.threshold.id == "result.turnaround_stat"
    assert worst.department == "ED"
    assert (worst.start.year, worst.start.month, worst.start.day, worst.start.hour) == (2026, 3, 3, 12)
    assert worst.awaited == ("result.final", "hl7/HBLAB/HBMC")
    assert worst.late > len(worst.waits) / 2
    assert sum(wait.late for wait in worst.usual) < len(worst.usual) / 4


def test_four_hours_hold_the_instants_of_their_wall_clock() -> None:
    assert block_of(read_instant("2026-03-03T17:00:00Z"), NEW_YORK).hour == 12
    assert block_of(read_instant("2026-03-03T16:59:59Z"), NEW_YORK).hour == 8
    assert block_of(read_instant("2026-03-08T07:30:00Z"), NEW_YORK).hour == 0  # the clocks went forward at 2 h


def test_the_screen_has_all_parts(screen: str) -> None:
    unseen = "What none of the three could see alone"
    for part in ("Promises broken", "The worst of them", unseen, "The worst bottleneck", "Next"):
        assert part in screen
    assert "Emergency Department, Tuesday 12:00 to 16:00" in screen
    assert screen.count("pxhub ") >= 3


def test_the_screen_names_nobody(clinic: Path, screen: str) -> None:
    names = {
        part
        for message in (clinic / "adt.hl7").read_bytes().decode().split("\rPID|")[1:]
        for part in message.split("|")[4].split("^")[:2]
        if len(part) > 3
    }
    assert len(names) > 50
    assert [name for name in names if name in screen.split()] == []


def test_the_command_shows_plain_text_without_a_terminal() -> None:
    done = CliRunner().invoke(app, ["demo"])
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout
    assert "The worst bottleneck" in done.stdout
    assert all(line == line.rstrip() for line in done.stdout.splitlines())
    # What the README shows first is what the demo ends with, line by line.
    first = (ROOT / "README.md").read_text(encoding="utf-8").split("```text\n")[1].split("```")[0]
    shown = {line.strip() for line in done.stdout.splitlines()}
    assert [line for line in first.splitlines() if line.strip() not in shown] == []
