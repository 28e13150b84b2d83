"""The compose files: images by version, nothing open beyond loopback unasked, the broker that we test with."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from deploy.services.running import free_port
from deploy.services.services import _broker
from tests.kafka.running import HUB
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
def test_what_is_started_lacks_its_services_alone(tmp_path: Path) -> None:
    """With a site file as is asked for: each command is taken as it stands, and ends because no broker is there."""
    (tmp_path / "site.yaml").write_text("facilities: {NORTH: {zone: America/New_York}}", encoding="utf-8")
    there = {
        "kafka:9092": f"127.0.0.1:{free_port()}",
        "redis:6379": f"127.0.0.1:{free_port()}",
        "0.0.0.0:2575": "127.0.0.1:0",
        "127.0.0.1:8080": "127.0.0.1:0",
        "/etc/pxhub/": f"{tmp_path}/",
    }
    running = {}
    for name, service in DISTRIBUTED["services"].items():
        if service.get("image") != "pxhub":
            continue
        command = [re.sub(r"\$\{\w+:\?.*\}", "10.20.0.0/16", part) for part in service["command"]]
        for written, meant in there.items():
            command = [part.replace(written, meant) for part in command]
        running[name] = subprocess.Popen([*HUB, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    told = {name: (one.communicate(timeout=120)[1], one.returncode) for name, one in running.items()}
    assert {name: code for name, (_, code) in told.items()} == dict.fromkeys(running, 75), told
    assert len(told) == 5


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
