"""How to reach Kafka: the addresses from the command line, the security from the environment, secrets from files.

The four clients that we use name the same things differently; each has a method here, and nobody else spells them.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hub.address import read_address
from schemas.errors import WrongUse

PREFIX: Final = "PXHUB_KAFKA_"
_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_FILES: Final = ("SSL_CAFILE", "SSL_CERTFILE", "SSL_KEYFILE")
_SASL: Final = ("SASL_MECHANISM", "SASL_USERNAME", "SASL_PASSWORD_FILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """`servers` is HOST:PORT, several behind commas. The rest is as Kafka calls it; the password is in no repr."""

    servers: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None

    def for_kafka_python(self) -> dict[str, Any]:
        """Arguments of a client of kafka-python."""
        return {"bootstrap_servers": self.servers.split(","), **self._for_python()}

    def for_aiokafka(self) -> dict[str, Any]:
        """Arguments of a producer or consumer of aiokafka."""
        return {"bootstrap_servers": self.servers.split(","), **self._for_python()}

    def for_confluent(self) -> dict[str, str]:
        """The configuration of a client of confluent-kafka (librdkafka)."""
        told = {
            "bootstrap.servers": self.servers,
            "security.protocol": self.security_protocol.lower(),
            "sasl.mechanisms": self.sasl_mechanism,
            "sasl.username": self.sasl_username,
            "sasl.password": self.sasl_password,
            "ssl.ca.location": self.ssl_cafile,
            "ssl.certificate.location": self.ssl_certfile,
            "ssl.key.location": self.ssl_keyfile,
        }
        return {name: str(value) for name, value in told.items() if value is not None}

    def faust_credentials(self) -> Any:
        """The `broker_credentials` of a faust.App, None where the brokers ask for none."""
        if self.security_protocol == "PLAINTEXT":
            return None
        import faust  # noqa: PLC0415 - it takes long, and only the workers need it

        if self.security_protocol == "SSL":
            return faust.SSLCredentials(self.ssl_context())
        return faust.SASLCredentials(
            username=self.sasl_username,
            password=self.sasl_password,
            ssl_context=self.ssl_context(),
            mechanism=self.sasl_mechanism,
        )

    def ssl_context(self) -> ssl.SSLContext | None:
        """What TLS is spoken with, None where none is. Raises WrongUse."""
        if "SSL" not in self.security_protocol:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile)
            if self.ssl_certfile is not None:
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
        except (OSError, ValueError) as wrong:  # an SSLError is an OSError
            raise WrongUse(f"{PREFIX}SSL_*: certificates and key in PEM are expected, and a key that fits") from wrong
        return context

    def _for_python(self) -> dict[str, Any]:
        told: dict[str, Any] = {"security_protocol": self.security_protocol}
        context = self.ssl_context()
        if context is not None:
            told["ssl_context"] = context
        if self.sasl_mechanism is not None:
            told["sasl_mechanism"] = self.sasl_mechanism
            told["sasl_plain_username"] = self.sasl_username
            told["sasl_plain_password"] = self.sasl_password
        return told


def read_kafka_settings(servers: str, environment: Mapping[str, str]) -> KafkaSettings:
    """The settings by `--kafka HOST:PORT[,HOST:PORT]` and the variables PXHUB_KAFKA_*. Raises WrongUse.

    SECURITY_PROTOCOL is PLAINTEXT where it is not set; SASL_MECHANISM, SASL_USERNAME and SASL_PASSWORD_FILE go together
    with SASL_PLAINTEXT or SASL_SSL, SSL_CAFILE, SSL_CERTFILE and SSL_KEYFILE with SSL or SASL_SSL.
    """
    if servers != "".join(servers.split()):
        raise WrongUse("--kafka: HOST:PORT is expected, several with commas alone between them")
    for server in servers.split(","):
        read_address("--kafka", server)
    said = {name: environment.get(PREFIX + name) or None for name in ("SECURITY_PROTOCOL", *_SASL, *_FILES)}
    protocol = (said["SECURITY_PROTOCOL"] or "PLAINTEXT").upper()
    if protocol not in _PROTOCOLS:
        raise WrongUse(f"{PREFIX}SECURITY_PROTOCOL: one of {', '.join(_PROTOCOLS)} is expected")
    _check_together(protocol, said)
    mechanism = None if said["SASL_MECHANISM"] is None else said["SASL_MECHANISM"].upper()
    if mechanism is not None and mechanism not in _MECHANISMS:
        raise WrongUse(f"{PREFIX}SASL_MECHANISM: one of {', '.join(_MECHANISMS)} is expected")
    return KafkaSettings(
        servers=servers,
        security_protocol=protocol,
        sasl_mechanism=mechanism,
        sasl_username=said["SASL_USERNAME"],
        sasl_password=_secret(said["SASL_PASSWORD_FILE"]),
        ssl_cafile=_file("SSL_CAFILE", said["SSL_CAFILE"]),
        ssl_certfile=_file("SSL_CERTFILE", said["SSL_CERTFILE"]),
        ssl_keyfile=_file("SSL_KEYFILE", said["SSL_KEYFILE"]),
    )


def _check_together(protocol: str, said: Mapping[str, str | None]) -> None:
    for family, names in (("SASL", _SASL), ("SSL", _FILES)):
        stray = [name for name in names if said[name] is not None]
        if stray and not re.search(rf"(?:^|_){family}(?:$|_)", protocol):
            fitting = ", ".join(known for known in _PROTOCOLS if re.search(rf"(?:^|_){family}(?:$|_)", known))
            raise WrongUse(f"{PREFIX}{stray[0]}: set {PREFIX}SECURITY_PROTOCOL to one of {fitting}, or leave it out")
    missing = [name for name in _SASL if said[name] is None]
    if protocol.startswith("SASL") and missing:
        raise WrongUse(f"{PREFIX}{missing[0]}: it is needed for {protocol}")
    if (said["SSL_CERTFILE"] is None) != (said["SSL_KEYFILE"] is None):
        raise WrongUse(f"{PREFIX}SSL_CERTFILE and {PREFIX}SSL_KEYFILE go together")


def _secret(path: str | None) -> str | None:
    if path is None:
        return None
    told = f"{PREFIX}SASL_PASSWORD_FILE"
    try:
        secret = Path(path).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as wrong:
        raise WrongUse(f"{told}: the file cannot be read as text") from wrong
    if not secret:
        raise WrongUse(f"{told}: the file is empty")
    return secret


def _file(name: str, path: str | None) -> Path | None:
    if path is None:
        return None
    if not Path(path).is_file():
        raise WrongUse(f"{PREFIX}{name}: no such file")
    return Path(path)
