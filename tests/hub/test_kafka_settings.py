"""How Kafka is reached: variables that fit together, secrets from files alone, the words of each client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.kafka.settings import KafkaSettings, read_kafka_settings
from schemas.errors import WrongUse
from tests.hub.mllp_hub import sign

SECRET = "correct horse battery staple"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{SECRET}\n", encoding="utf-8")
    return path


def sasl(password: Path, protocol: str = "SASL_PLAINTEXT", **more: str) -> dict[str, str]:
    return {
        "PXHUB_KAFKA_SECURITY_PROTOCOL": protocol,
        "PXHUB_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "PXHUB_KAFKA_SASL_USERNAME": "pxhub-connect",
        "PXHUB_KAFKA_SASL_PASSWORD_FILE": str(password),
        **more,
    }


def test_without_variables_it_is_plain() -> None:
    settings = read_kafka_settings("a:9092,[::1]:9093", {"PXHUB_KAFKA_SASL_USERNAME": ""})
    assert settings == KafkaSettings(servers="a:9092,[::1]:9093")
    plain = {"bootstrap_servers": ["a:9092", "[::1]:9093"], "security_protocol": "PLAINTEXT"}
    assert settings.for_kafka_python() == settings.for_aiokafka() == plain
    assert settings.for_confluent() == {"bootstrap.servers": "a:9092,[::1]:9093", "security.protocol": "plaintext"}
    assert settings.faust_credentials() is None


def test_each_client_is_told_who_we_are_in_its_own_words(password: Path) -> None:
    settings = read_kafka_settings("a:9092", sasl(password))
    assert settings.sasl_password == SECRET
    assert SECRET not in repr(settings)
    told: dict[str, Any] = settings.for_aiokafka()
    assert (told["sasl_plain_username"], told["sasl_plain_password"]) == ("pxhub-connect", SECRET)
    assert (told["security_protocol"], told["sasl_mechanism"]) == ("SASL_PLAINTEXT", "SCRAM-SHA-512")
    assert settings.for_confluent() == {
        "bootstrap.servers": "a:9092",
        "security.protocol": "sasl_plaintext",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "pxhub-connect",
        "sasl.password": SECRET,
    }
    credentials = settings.faust_credentials()
    assert (credentials.username, credentials.password) == ("pxhub-connect", SECRET)
    assert credentials.mechanism.value == "SCRAM-SHA-512"


def test_tls_trusts_what_it_is_told_to(tmp_path: Path, password: Path) -> None:
    sign(tmp_path, "hub", "us")
    files = {
        "PXHUB_KAFKA_SSL_CAFILE": str(tmp_path / "hub.pem"),
        "PXHUB_KAFKA_SSL_CERTFILE": str(tmp_path / "us.pem"),
        "PXHUB_KAFKA_SSL_KEYFILE": str(tmp_path / "us.key"),
    }
    settings = read_kafka_settings("a:9092", sasl(password, "SASL_SSL", **files))
    assert len(settings.for_kafka_python()["ssl_context"].get_ca_certs()) == 1
    assert settings.for_confluent()["ssl.key.location"] == str(tmp_path / "us.key")
    assert settings.faust_credentials().ssl_context is not None
    alone = read_kafka_settings("a:9092", {"PXHUB_KAFKA_SECURITY_PROTOCOL": "SSL", **files})
    assert alone.faust_credentials().context is not None


def test_a_key_that_fits_no_certificate_is_told(tmp_path: Path) -> None:
    sign(tmp_path, "us", "they")
    settings = read_kafka_settings(
        "a:9092",
        {
            "PXHUB_KAFKA_SECURITY_PROTOCOL": "SSL",
            "PXHUB_KAFKA_SSL_CERTFILE": str(tmp_path / "us.pem"),
            "PXHUB_KAFKA_SSL_KEYFILE": str(tmp_path / "they.key"),
        },
    )
    with pytest.raises(WrongUse, match="a key that fits"):
        settings.ssl_context()


@pytest.mark.parametrize(
    "changed, told",
    [
        ({"SECURITY_PROTOCOL": "TLS"}, "SECURITY_PROTOCOL: one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ({"SECURITY_PROTOCOL": "PLAINTEXT"}, "SASL_MECHANISM: set PXHUB_KAFKA_SECURITY_PROTOCOL to one of SASL_PLAINT"),
        ({"SECURITY_PROTOCOL": "SSL"}, "SASL_MECHANISM: set PXHUB_KAFKA_SECURITY_PROTOCOL to one of SASL_PLAINTEXT, S"),
        ({"SASL_MECHANISM": "GSSAPI"}, "SASL_MECHANISM: one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
        ({"SASL_MECHANISM": ""}, "SASL_MECHANISM: it is needed for SASL_PLAINTEXT"),
        ({"SASL_USERNAME": ""}, "SASL_USERNAME: it is needed"),
        ({"SASL_PASSWORD_FILE": ""}, "SASL_PASSWORD_FILE: it is needed"),
        ({"SASL_PASSWORD_FILE": "/nowhere"}, "SASL_PASSWORD_FILE: the file cannot be read"),
        ({"SASL_PASSWORD_FILE": "/dev/null"}, "SASL_PASSWORD_FILE: the file is empty"),
        ({"SSL_CAFILE": "/dev/null"}, "SSL_CAFILE: set PXHUB_KAFKA_SECURITY_PROTOCOL to one of SSL, SASL_SSL"),
        ({"SECURITY_PROTOCOL": "SASL_SSL", "SSL_CAFILE": "/nowhere"}, "SSL_CAFILE: no such file"),
        ({"SECURITY_PROTOCOL": "SASL_SSL", "SSL_CERTFILE": "/dev/null"}, "SSL_KEYFILE go together"),
    ],
)
def test_what_does_not_fit_is_told_by_its_variable_and_never_by_its_value(
    password: Path, changed: dict[str, str], told: str
) -> None:
    environment = sasl(password) | {f"PXHUB_KAFKA_{name}": value for name, value in changed.items()}
    with pytest.raises(WrongUse) as wrong:
        read_kafka_settings("a:9092", environment)
    assert f"PXHUB_KAFKA_{told}" in str(wrong.value)
    assert not {value for value in environment.values() if value.startswith("/")} & set(str(wrong.value).split())


@pytest.mark.parametrize("servers", ["", "a", "a:9092,", "a:9092 b:9092", "a:x", "kafka://"])
def test_addresses_that_are_none(servers: str) -> None:
    with pytest.raises(WrongUse, match="--kafka"):
        read_kafka_settings(servers, {})
