"""What the hub in Kafka concludes is what a replay in memory concludes: the same alerts, field by field."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.kafka.running import ARRIVAL, KafkaHub, comparable, replayed, run
from tests.services import fresh_kafka, kafka, redis_run, redis_url

__all__ = ["fresh_kafka", "kafka", "redis_run", "redis_url"]  # pytest finds them here
_PLACES = [folder / "shared" / "corpus" for folder in Path(__file__).parents]
CORPUS = next((place for place in _PLACES if place.is_dir()), _PLACES[-1])


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small clinic's week."""
    folder = tmp_path_factory.mktemp("clinic")
    run("simulate", "--out", folder, "--patients", 60)
    return folder


@pytest.fixture(scope="module")
def in_memory(clinic: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    alerts = replayed(tmp_path_factory.mktemp("told"), clinic, options=["--site", clinic / "site.yaml"])
    assert len(alerts) > 20
    return comparable(alerts)


@pytest.mark.slow
@pytest.mark.parametrize("partitions", [1, 4])
def test_the_clinic(
    clinic: Path, in_memory: dict[str, dict[str, Any]], fresh_kafka: str, redis_url: str, partitions: int
) -> None:
    hub = KafkaHub(fresh_kafka, redis_url, "--site", clinic / "site.yaml")
    hub.make_topics(partitions)
    hub.load(clinic)
    hub.work_all()
    assert comparable(hub.alerts()) == in_memory
    if partitions == 1:
        return
    before = {found.key: found.value for found in hub.records("px.alerts", partitions)}
    hub.load(clinic)  # twice: nothing counts twice, and nothing new is said
    hub.work_all()
    assert {found.key: found.value for found in hub.records("px.alerts", partitions)} == before


@pytest.mark.slow
def test_the_corpus(fresh_kafka: str, redis_url: str, tmp_path: Path) -> None:
    if not CORPUS.is_dir():
        pytest.skip("the corpus is not on this machine")
    options = ["--timezone", "America/New_York"]
    paths = [
        *(CORPUS / "hl7v2" / name for name in ("cosyte_hl7", "microsoft_FHIR-Converter", "kardianos_hl7")),
        *sorted((CORPUS / "hl7v2" / "google_simhospital").glob("*renal*.hl7")),
    ]
    own = ("sensitivity",)  # of a person: px.alerts does not say it, as it does not say `outreach`
    whole = comparable(replayed(tmp_path, *paths, options=options), without=own)
    assert len(whole) > 100
    hub = KafkaHub(fresh_kafka, redis_url, *options)
    hub.make_topics(4)
    hub.load(*paths)
    hub.work_all()
    assert comparable(hub.alerts(), without=own) == whole


def written(numbers: list[int], random: Random) -> list[bytes]:
    """Neutral events of some persons whose numbers are merged on the way: orders, results late and in time."""
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    found: list[dict[str, Any]] = []

    def tell(at: datetime, type_: str, **data: Any) -> None:
        id_ = f"e{len(found)}"
        found.append(
            {
                "specversion": "1.0",
                "id": id_,
                "source": "test/parity",
                "type": type_,
                "time": at.isoformat(),
                "data": data,
            }
        )

    for number in numbers:
        first, second = f"{number}^NORTH", f"{number}^SOUTH"
        at = start + timedelta(minutes=random.randrange(3000))
        for order in range(random.randrange(1, 4)):
            name = random.choice((first, second))
            kept = {"order_id": f"o{number}-{order}", "category": "LAB", "identifiers": [name]}
            tell(at, "order.placed", priority=random.choice(("stat", "routine")), **kept)
            other = random.choice((first, second))
            later = at + timedelta(minutes=random.choice((20, 300, 4000, 20000)))
            tell(later, "result.final", **{**kept, "identifiers": [other]}, abnormal=True)
            if random.random() < 0.5:
                viewed = later + timedelta(minutes=random.choice((30, 3000, 9000)))
                tell(viewed, "result.viewed", **{**kept, "identifiers": [random.choice((first, second))]})
            at += timedelta(minutes=random.randrange(1000))
        if random.random() < 0.7:
            tell(at, "person.merged", identifiers=[first], surviving=first, retired=second)
            if random.random() < 0.3:
                tell(at + timedelta(days=1), "person.unmerged", identifiers=[first], surviving=first, retired=second)
    found.sort(key=lambda event: event["time"])
    return [json.dumps(event).encode() for event in found]


@pytest.mark.slow
def test_in_two_loads_in_another_order(fresh_kafka: str, redis_url: str, tmp_path: Path) -> None:
    random = Random(8)
    lines = written(list(range(40)), random)
    (tmp_path / "whole.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    whole = comparable(replayed(tmp_path, tmp_path / "whole.ndjson"), without=ARRIVAL, standing=True)
    assert len(whole) > 20
    early = [line for line in lines if random.random() < 0.5]
    late = [line for line in lines if line not in early]
    hub = KafkaHub(fresh_kafka, redis_url)
    hub.make_topics(4)
    for name, part in (("first.ndjson", late), ("second.ndjson", early)):  # each is closed by a look at the clock
        (tmp_path / name).write_bytes(b"\n".join(part) + b"\n")
        hub.load(tmp_path / name)
    hub.work_all()
    assert comparable(hub.alerts(), without=ARRIVAL, standing=True) == whole
