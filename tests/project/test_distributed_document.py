"""docs/distributed.md says of topics, roles and variables what the code has."""

from __future__ import annotations

import re

from hub.kafka.settings import PREFIX, read_kafka_settings
from streams.distributed.topics import PARTITIONS, Role, topics
from tests.project.places import ROOT

TEXT = (ROOT / "docs" / "distributed.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    part = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_topic_is_told_as_it_is_declared() -> None:
    told = [(row[0].strip("`"), row[1], row[2]) for row in rows("Topics")]
    assert told == [
        (
            topic.name,
            "N" if topic.partitions == PARTITIONS else "1",
            "last of a key" if topic.retention is None else f"{topic.retention} days",
        )
        for topic in topics()
    ]


def test_every_role_is_told_with_what_it_reads_and_writes() -> None:
    told = {re.findall("`([a-z]+)`", row[0])[0]: (words(row[1]), words(row[2])) for row in rows("Who may do what")}
    assert told == {
        role.value: (
            {topic.name for topic in topics() if role in topic.read_by},
            {topic.name for topic in topics() if role in topic.written_by},
        )
        for role in Role
    }


def words(cell: str) -> set[str]:
    return {f"px.{word}" for word in cell.split(", ") if word}


def test_every_variable_that_is_told_is_read() -> None:
    named = {name for row in rows("Signing in to Kafka") for name in re.findall(r"`(PXHUB_KAFKA_\w+)`", row[0])}

    class Asked(dict[str, str]):
        def get(self, key: str, default: object = None) -> object:  # type: ignore[override]
            self.setdefault(key, "")
            return default

    asked = Asked()
    read_kafka_settings("a:1", asked)
    assert named == set(asked)
    assert all(name.startswith(PREFIX) for name in named)
