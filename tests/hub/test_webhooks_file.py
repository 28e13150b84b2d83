"""The webhooks file: what it says is read, and each mistake is told with its place."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

import pytest

from hub.deliver import address
from hub.deliver.declared_webhooks import Webhook, WrongWebhooks, check_hosts, read_webhooks

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()


def write_file(folder: Path, text: str) -> Path:
    (folder / "secret").write_text(SECRET + "\n", encoding="ascii")
    (folder / "two").write_text(f"{SECRET}\n{OTHER}\n", encoding="ascii")
    (folder / "short").write_text("whsec_YWJj\n", encoding="ascii")
    path = folder / "webhooks.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_webhooks_file_is_read(tmp_path: Path) -> None:
    text = """
webhooks:
  - {name: ops, url: "https://hooks.example/px", secret_file: secret}
  - name: inside
    url: http://Pager.local:8080/
    secret_file: two
    thresholds: [told, hold]
    allow_private: pager.local
"""
    ops, inside = read_webhooks(write_file(tmp_path, text), {"told", "hold"})
    assert ops == Webhook(name="ops", url="https://hooks.example/px", secrets=(SECRET,))
    assert inside.secrets == (SECRET, OTHER)
    assert inside.thresholds == {"told", "hold"}
    assert inside.allow_private == {"pager.local"}
    assert SECRET not in repr(ops)


@pytest.mark.parametrize(
    "line, told",
    [
        ("{name: ops, url: https://h.example, secret_file: secret, treshold: told}", "`thresholds`"),
        ("{name: ops, url: https://h.example, secret_file: secret, thresholds: [tolt]}", "did you mean `told`"),
        ("{name: ops, url: https://h.example, secret_file: secret, thresholds: []}", "empty list"),
        ("{name: ops, url: https://h.example, secret_file: none}", "cannot be read"),
        ("{name: ops, url: https://h.example, secret_file: short}", "24 to 64 bytes"),
        ("{name: ops, url: http://h.example, secret_file: secret}", "https"),
        ("{name: ops, url: 'https://u:p@h.example', secret_file: secret}", "no user"),
        ("{name: ops, url: 'https://h.example:99999', secret_file: secret}", "whole https address"),
        ("{name: ops, url: h.example, secret_file: secret}", "whole https address"),
        ("{name: Ops!, url: https://h.example, secret_file: secret}", "small letters"),
        ("{url: https://h.example, secret_file: secret}", "has a `name`"),
        ("ops", "mapping"),
    ],
)
def test_a_mistake_in_a_webhooks_file_is_told_with_its_place(tmp_path: Path, line: str, told: str) -> None:
    path = write_file(tmp_path, f"webhooks:\n  - {line}\n")
    with pytest.raises(WrongWebhooks) as wrong:
        read_webhooks(path, {"told"})
    assert told in str(wrong.value)
    assert str(wrong.value).startswith(f"{path}:2:")


def test_a_name_stands_once_and_a_list_is_not_empty(tmp_path: Path) -> None:
    line = "{name: ops, url: https://h.example, secret_file: secret}"
    for text, told in (
        (f"webhooks: [{line}, {line}]", "another webhook"),
        ("webhooks: []", "empty"),
        ("{}", "missing"),
    ):
        with pytest.raises(WrongWebhooks, match=told):
            read_webhooks(write_file(tmp_path, text), set())


KNOWN = {
    "inside.example": ["10.0.0.1", "fd00::1"],
    "both.example": ["10.0.0.1", "93.184.216.34"],
    "2130706433": ["127.0.0.1"],
}


def look_up(hosts: Iterable[str]) -> dict[str, list[str]]:
    return {host: KNOWN[host] for host in hosts if host in KNOWN}


@pytest.mark.parametrize(
    "host", ["10.1.2.3", "[::1]", "[::ffff:10.0.0.1]", "169.254.169.254", "INSIDE.example", "2130706433"]
)
def test_a_webhook_that_leads_into_a_private_network_is_told_before_anything_is_sent(tmp_path: Path, host: str) -> None:
    line = f"{{name: ops, url: 'https://{host}/px', secret_file: secret}}"
    with pytest.raises(WrongWebhooks) as wrong:
        check_hosts(read_webhooks(path := write_file(tmp_path, f"webhooks:\n  - {line}\n"), ()), look_up)
    assert str(wrong.value).startswith(f"{path}:2:")
    bare = host.strip("[]").lower()
    assert f"name `{bare}` in `allow_private`" in str(wrong.value)
    allowed = line.replace("secret}", f"secret, allow_private: ['{bare}']}}")
    assert check_hosts(read_webhooks(write_file(tmp_path, f"webhooks: [{allowed}]"), ()), look_up) == []


def test_a_name_that_nobody_knows_now_or_that_is_public_too_stops_nobody(tmp_path: Path) -> None:
    hosts = {"ops": "nowhere.example", "both": "both.example", "public": "93.184.216.34"}
    lines = (f"{{name: {name}, url: 'https://{host}/', secret_file: secret}}" for name, host in hosts.items())
    webhooks = read_webhooks(write_file(tmp_path, f"webhooks: [{', '.join(lines)}]"), ())
    assert check_hosts(webhooks, look_up) == ["ops"]


def test_the_systems_resolver_is_asked_for_no_longer_than_one_can_wait() -> None:
    assert "127.0.0.1" in address.look_up(["localhost"])["localhost"]
    assert address.look_up(["a" * 70 + ".example", "no.such.name.invalid"], patience=0.5) == {}
