"""The compose files: images by version, nothing open beyond loopback unasked, the broker that we test with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from deploy.services.running import free_port
from deploy.services.services import _broker
from tests.project.places import ROOT
from tests.services import own_kafka

FILES = sorted((ROOT / "deploy" / "compose").glob("*.yaml"))


def load(path: Path) -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


DISTRIBUTED = load(ROOT / "deploy" / "compose" / "distributed.yaml")


def properties() -> dict[str, str]:
    """The broker's settings as the image makes them of its environment: KAFKA_A_B is a.b."""
    environment = DISTRIBUTED["services"]["kafka"]["environment"]
    others = {"KAFKA_HEAP_OPTS"}
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in environment.items()
        if name.startswith("KAFKA_") and name not in others
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_image_has_a_version_and_every_service_comes_back(path: Path) -> None:
    for service in load(path)["services"].values():
        image = service.get("image", "pxhub")
        assert image == "pxhub" or image.rpartition(":")[2][:1].isdigit(), image
        assert service["restart"] in ("unless-stopped", "on-failure")


def test_what_asks_for_no_password_is_reached_from_nowhere_outside() -> None:
    assert DISTRIBUTED["networks"]["inside"]["internal"] is True
    for name, service in DISTRIBUTED["services"].items():
        for published in service.get("ports", []):
            assert published.startswith("${PXHUB_BIND:-127.0.0.1}:"), name
        if "doors" in service["networks"]:
            assert name == "serve"


def test_the_broker_is_the_one_that_we_test_with() -> None:
    here, there = properties(), _broker(Path("/"), 1, 2)
    ours = {"auto.create.topics.enable", "group.initial.rebalance.delay.ms", "message.max.bytes"}
    ours |= {key for key in there if key.startswith(("offsets.", "transaction."))}
    assert {key: here[key] for key in ours} == {key: there[key] for key in ours}


@pytest.mark.slow
def test_a_broker_starts_by_these_settings(tmp_path: Path) -> None:
    port, controller = free_port(), free_port()
    settings = properties()
    for key in ("controller.quorum.voters", "listeners", "advertised.listeners"):
        here = settings[key].replace("//:", "//127.0.0.1:").replace("kafka:", "127.0.0.1:")
        settings[key] = here.replace("9092", str(port)).replace("9093", str(controller))
    settings["log.dirs"] = str(tmp_path / "kafka" / "data")
    settings |= {"authorizer.class.name": "", "super.users": ""}
    with own_kafka(tmp_path / "kafka", settings, port=port) as broker:
        assert broker.answers(port)
