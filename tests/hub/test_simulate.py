"""The simulated clinic: the same from the same seed, well formed, coherent, and wrong where it means to be."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
import typer
from typer.testing import CliRunner

from connectors.hl7.mappings import load_mapping
from hub.cli.simulate import simulate as simulate_command
from hub.simulate import MESSAGE_FILES, SECRET_FILE, SITE_FILE, Simulation, simulate, write_clinic
from hub.simulate.clinic import INTERFACES
from hub.simulate.wall import Wall
from hub.site import read_site
from hub.thresholds import load_thresholds
from schemas.errors import WrongUse

Segments = dict[str, list[str]]


def run(simulation: Simulation) -> dict[str, list[str]]:
    """The messages of each file, whole, in their sending order."""
    messages: dict[str, list[str]] = {interface.file: [] for interface in INTERFACES}
    simulate(simulation, {file: written.append for file, written in messages.items()})
    return messages


def read(message: str) -> Segments:
    """The first segment of each name, cut at its bars; MSH counts as HL7 does."""
    found: Segments = {}
    for segment in message.rstrip("\r").split("\r"):
        fields = segment.split("|")
        found.setdefault(fields[0], ["MSH", *fields] if fields[0] == "MSH" else fields)
    found["MSH"] = ["MSH", "|", *found["MSH"][2:]]
    return found


def field(message: Segments, segment: str, number: int) -> str:
    fields = message.get(segment, [])
    return fields[number] if len(fields) > number else ""


@pytest.fixture(scope="module")
def week() -> dict[str, list[str]]:
    return run(Simulation(people=800))


@pytest.fixture(scope="module")
def messages(week: dict[str, list[str]]) -> dict[str, list[Segments]]:
    return {file: [read(message) for message in sent] for file, sent in week.items()}


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert run(Simulation(people=60)) == run(Simulation(people=60))


def test_another_seed_gives_another_week() -> None:
    assert run(Simulation(people=60))["adt.hl7"] != run(Simulation(people=60, seed=8))["adt.hl7"]


def test_every_message_is_whole_and_names_its_system(week: dict[str, list[str]]) -> None:
    for interface in INTERFACES:
        assert week[interface.file], interface.file
        for message in week[interface.file]:
            assert message.startswith(f"MSH|^~\\&|{interface.application}|HBMC|")
            assert message.endswith("\r")
            assert "\n" not in message
            assert "\r\r" not in message


def test_only_a_repetition_carries_a_known_number(week: dict[str, list[str]]) -> None:
    for sent in week.values():
        by_number: dict[str, set[str]] = defaultdict(set)
        for message in sent:
            by_number[read(message)["MSH"][10]].add(message)
        assert all(len(contents) == 1 for contents in by_number.values())
    assert sum(len(sent) - len(set(sent)) for sent in week.values()) > 5


def test_every_kind_of_message_is_there(messages: dict[str, list[Segments]]) -> None:
    kinds = {message["MSH"][9].rpartition("^")[0] for sent in messages.values() for message in sent}
    assert kinds >= {
        *(f"ADT^A{number}" for number in ("01", "02", "03", "04", "08", "11", "13", "14", "28", "31", "40")),
        *(f"SIU^S{number}" for number in (12, 13, 14, 15, 26)),
        *("OML^O21", "ORM^O01", "ORU^R01", "MDM^T02", "REF^I12", "RRI^I12", "DFT^P03"),
    }
    controls = {field(message, "ORC", 1) for sent in messages.values() for message in sent}
    assert controls >= {"NW", "CA", "SC", "RE"}
    assert {field(message, "OBR", 25) for message in messages["results.hl7"]} >= {"P", "F", "C"}


def test_messages_stand_in_their_sending_order(messages: dict[str, list[Segments]]) -> None:
    """But for repetitions, which follow within minutes."""
    for sent in messages.values():
        stamps = [message["MSH"][7] for message in sent]
        back = sum(later < earlier for earlier, later in pairwise(stamps))
        assert back <= len(stamps) * 0.01 + 1


def test_a_visit_ends_after_it_began(messages: dict[str, list[Segments]]) -> None:
    ended = [message for message in messages["adt.hl7"] if field(message, "PV1", 45)]
    assert len(ended) > 300
    assert all(field(message, "PV1", 45) > field(message, "PV1", 44) for message in ended)


def test_no_result_without_an_order(messages: dict[str, list[Segments]]) -> None:
    ordered = {field(message, "ORC", 2) for message in messages["orders.hl7"]}
    for file in ("results.hl7", "imaging.hl7"):
        reported = {field(message, "ORC", 2) for message in messages[file]}
        assert reported
        assert reported <= ordered


def test_a_merged_number_is_used_before_and_never_after(messages: dict[str, list[Segments]]) -> None:
    sent = messages["adt.hl7"]
    merged = {field(m, "MRG", 1): at for at, m in enumerate(sent) if m["MSH"][9].startswith("ADT^A40")}
    assert len(merged) >= 3
    for number, at in merged.items():
        uses = [place for place, message in enumerate(sent) if field(message, "PID", 3) == number]
        assert uses
        assert max(uses) < at


def test_on_the_tuesday_the_laboratory_is_slow(messages: dict[str, list[Segments]]) -> None:
    wall = Wall("America/New_York")
    received: dict[str, str] = {}
    turnaround: dict[bool, list[float]] = {True: [], False: []}
    for message in messages["results.hl7"]:
        order, stat = field(message, "ORC", 2), field(message, "TQ1", 9) == "S"
        if stat and field(message, "SPM", 18):
            received[order] = field(message, "SPM", 18)
        elif field(message, "OBR", 25) == "F" and order in received:
            begun, told = (minutes(stamp) for stamp in (received[order], field(message, "OBR", 22)))
            breakdown = received[order][:8] == "20260303" and "10" <= received[order][8:10] < "14"
            turnaround[breakdown].append(told - begun)
    assert wall.zone.key == "America/New_York"
    assert median(turnaround[False]) < 45
    assert median(turnaround[True]) > 120


def minutes(stamp: str) -> float:
    """Since the start of the month; the week has no change of month."""
    return int(stamp[6:8]) * 1440 + int(stamp[8:10]) * 60 + int(stamp[10:12])


def test_no_stamp_in_the_hour_that_the_clocks_leave_out(week: dict[str, list[str]]) -> None:
    """In the default week New York's clocks go forward, on Sunday at two."""
    everything = "".join("".join(sent) for sent in week.values())
    assert "|2026030801" in everything
    assert "|2026030802" not in everything


def test_later_weeks_are_as_busy_as_the_first() -> None:
    by_week = Counter(read(m)["MSH"][7][:8] for m in run(Simulation(people=80, weeks=5))["adt.hl7"])
    later = sum(count for day, count in by_week.items() if day >= "20260330")
    earlier = sum(count for day, count in by_week.items() if "20260309" <= day < "20260316")
    assert 0.5 < later / earlier < 2


@pytest.mark.parametrize(
    "wrong", [{"weeks": 0}, {"people": 0}, {"zone": "Mars/Olympus"}, {"zone": "/etc"}, {"start": date(1, 1, 1)}]
)
def test_what_cannot_be_simulated_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(WrongUse):
        Simulation(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("people", [1, 2, 3, 7])
def test_a_handful_of_people_is_enough(people: int) -> None:
    assert run(Simulation(people=people)).keys() == {interface.file for interface in INTERFACES}


def test_the_site_file_is_right(tmp_path: Path) -> None:
    write_clinic(Simulation(people=5, zone="Europe/Berlin"), tmp_path)
    site = read_site(tmp_path / SITE_FILE)
    assert site.facilities["HBMC"].zone == "Europe/Berlin"
    assert load_mapping(site.mapping).messages
    modes = {threshold.id: threshold.mode for threshold in load_thresholds(None, site).thresholds}
    assert modes["visit.boarding"] == "live"
    assert modes["discharge.behavioral"] == "shadow"


def test_the_command_writes_a_folder_and_says_what_is_next(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(simulate_command)
    out = tmp_path / "clinic"
    done = CliRunner().invoke(app, ["--out", str(out), "--patients", "20", "--start", "2026-06-01", "--seed", "3"])
    assert done.exit_code == 0
    assert f"pxhub replay {out} --site {out / SITE_FILE}" in done.stdout
    assert {path.name for path in out.iterdir()} == {*MESSAGE_FILES, SITE_FILE, SECRET_FILE, "README.txt"}
    assert (out / "adt.hl7").read_bytes().startswith(b"MSH|^~\\&|HBREG|HBMC|PXHUB|HBMC|20260601")
