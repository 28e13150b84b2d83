"""One clinic, three voices: sent live or replayed it comes out the same, and no voice alone sees what all three do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from rich.console import Console

from hub.deliveries import VOICES, deliveries, in_parts
from hub.demo import Week, play_week, show_week
from hub.live_demo import Played, play_live
from hub.replay import ReplayResult
from hub.simulate import CALLS_FILE, MESSAGE_FILES, PORTAL_FILE, Simulation, Told, write_clinic
from hub.unseen import calls_in_vain, evidence_of, is_broken, keys_broken, told_by, unseen_alone, voice_of
from schemas.alert import Alert, State
from streams.core.state import Wait

SIMULATION = Simulation(people=300)
FILES = {
    "hl7": [file for file in MESSAGE_FILES if file.endswith(".hl7")],
    "fhir": [PORTAL_FILE],
    "calls": [CALLS_FILE],
}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clinic")


@pytest.fixture(scope="module")
def written(clinic: Path) -> Told:
    return write_clinic(SIMULATION, clinic)


@pytest.fixture(scope="module")
def replayed(clinic: Path, written: Told) -> ReplayResult:
    assert written.said.messages
    return play_week(SIMULATION, clinic)


@pytest.fixture(scope="module")
def alone(clinic: Path, written: Told) -> dict[str, ReplayResult]:
    assert written.said.messages
    return {voice: play_week(SIMULATION, clinic, files) for voice, files in FILES.items()}


@pytest.fixture(scope="module")
def live(clinic: Path, replayed: ReplayResult) -> Played:
    assert replayed.alerts
    return play_live(SIMULATION, clinic, lambda _: None)


def standing(alerts: Iterable[Alert]) -> set[tuple[object, ...]]:
    """Alerts but for those that were taken back, which only come of what arrived late."""
    return {
        (a.id, a.threshold, a.key, a.person, a.state, a.level, a.started_at, a.due_at, a.ended_at, a.delay_seconds)
        for a in alerts
        if a.state is not State.RETRACTED
    }


def the_one(result: ReplayResult) -> tuple[Alert, Wait]:
    alert = unseen_alone(result.alerts, result.engine)[0]
    owner = result.engine.owner(alert.id)
    assert isinstance(owner, Wait)
    return alert, owner


def test_what_is_sent_live_comes_out_as_its_replay_does(replayed: ReplayResult, live: Played) -> None:
    assert standing(live.result.alerts) == standing(replayed.alerts)
    counts = ("messages", "accepted", "duplicates", "ignored", "dead_letters", "events", "persons", "waits")
    assert {name: live.result.report[name] for name in counts} == {name: replayed.report[name] for name in counts}


def test_all_three_voices_are_in_what_is_explained(replayed: ReplayResult) -> None:
    alert, wait = the_one(replayed)
    events = evidence_of(wait, replayed.engine.clock)
    assert {voice_of(event) for event in events} >= set(VOICES)
    assert calls_in_vain(events) >= 2
    assert [name for name, told in told_by(wait, replayed.engine.clock) if told != "nothing"] == [
        "HL7 v2",
        "FHIR",
        "the contact center",
    ]
    explained = "\n".join(replayed.explain(alert))
    assert all(f" from {source}" in explained for source in ("hl7/", "fhir/", "contact/"))


def test_none_of_the_three_could_see_it_alone(replayed: ReplayResult, alone: dict[str, ReplayResult]) -> None:
    """FHIR and the calls know of no result. HL7 v2 knows of no telling: it takes everybody for untold."""
    threshold = the_one(replayed)[0].threshold
    together = keys_broken(replayed.alerts, threshold)
    assert not keys_broken(alone["fhir"].alerts, threshold)
    assert not keys_broken(alone["calls"].alerts, threshold)
    raised = keys_broken(alone["hl7"].alerts, threshold)
    assert raised >= together
    assert len(raised - together) > 10 * len(together)


def test_the_demo_counts_what_each_voice_alone_would_have_raised(live: Played, alone: dict[str, ReplayResult]) -> None:
    assert live.alone is not None
    threshold = live.alone.threshold
    assert threshold == the_one(live.result)[0].threshold
    for voice in VOICES:
        assert live.alone.by_voice[voice] == keys_broken(alone[voice].alerts, threshold)
    assert live.alone.in_error("hl7") == len(live.alone.by_voice["hl7"] - live.alone.together)


@pytest.mark.parametrize("threshold", ["result.told", "result.released", "reminder.due"])
def test_what_the_other_two_voices_tell_is_mostly_kept_and_sometimes_broken(
    threshold: str, replayed: ReplayResult, alone: dict[str, ReplayResult]
) -> None:
    broken, unheard = (keys_broken(result.alerts, threshold) for result in (replayed, alone["hl7"]))
    assert broken
    assert len(broken) * 2 <= len(unheard)


def test_the_clinic_switches_no_threshold_off(replayed: ReplayResult) -> None:
    declared = {threshold.id for threshold in replayed.thresholds.thresholds}
    assert declared >= {
        *("result.told", "result.released", "reminder.due"),
        *("noshow.recovered", "discharge.contact", "discharge.pending_told"),
    }


def test_callers_are_known_by_their_numbers(replayed: ReplayResult) -> None:
    """Whom no agent has asked is found by the number that registration told, where it told one; few are not."""
    unresolved = [a for a in replayed.alerts if a.threshold == "identity.unresolved" and is_broken(a)]
    assert 0 < len(unresolved) < replayed.report["messages"] / 20


def test_deliveries_stand_in_order_of_time(clinic: Path, written: Told) -> None:
    said = list(deliveries(clinic, ZoneInfo(SIMULATION.zone)))
    assert [d.at for d in said] == sorted(d.at for d in said)
    counted = {voice: sum(d.voice == voice for d in said) for voice in VOICES}
    assert (counted["hl7"], counted["calls"]) == (written.said.hl7, written.said.calls)
    bundles = [msgspec.json.decode(d.body) for d in said if d.voice == "fhir"]
    assert sum(len(bundle["entry"]) for bundle in bundles) == written.said.fhir


def test_what_holds_one_number_is_under_way_one_after_another(clinic: Path, written: Told) -> None:
    assert written.said.messages
    said = list(deliveries(clinic, ZoneInfo(SIMULATION.zone)))
    parts = list(in_parts(said, most=64, span=600_000_000))
    assert [d for part in parts for d in part] == said
    for part in parts:
        assert len(part) <= 64
        assert part[-1].at - part[0].at < 600_000_000
        by_number: dict[bytes, set[str]] = {}
        for delivery in part:
            if delivery.number:
                by_number.setdefault(delivery.number, set()).add(delivery.voice)
        assert all(len(voices) == 1 for voices in by_number.values())


def test_the_whole_screen_names_the_three(replayed: ReplayResult, live: Played, written: Told) -> None:
    console = Console(width=118)
    week = Week(simulation=SIMULATION, said=written.said, result=live.result, seconds=1.0, alone=live.alone)
    with console.capture() as captured:
        show_week(week, console)
    screen = captured.get()
    assert "What none of the three could see alone" in screen
    assert the_one(replayed)[0].id in screen
    assert live.alone is not None
    assert f"{live.alone.in_error('hl7'):,} of them in error" in " ".join(screen.split())
