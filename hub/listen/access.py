"""Who may send: networks, TLS with client certificates, and which address may be bound without either."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from schemas.errors import WrongUse

Network = IPv4Network | IPv6Network


def read_networks(flag: str, texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks such as `10.20.0.0/16`; a single address is one too. Raises WrongUse."""
    networks: list[Network] = []
    for text in texts:
        try:
            networks.append(ip_network(text.strip(), strict=True))
        except ValueError:
            raise WrongUse(
                f"{flag} {text}: a network such as 10.20.0.0/16, with no bits behind its length, or an address is "
                "expected"
            ) from None
    return tuple(networks)


def check_address(host: str, networks: tuple[Network, ...], *, has_client_certificates: bool) -> str | None:
    """Why this address must not be bound; None where it may be."""
    if is_loopback(host) or networks or has_client_certificates:
        return None
    return (
        f"{host} can be reached from other machines, and MLLP knows no sign-in: name the senders' networks with "
        "--mllp-allow CIDR, or ask for client certificates with --mllp-certificate, --mllp-key and --mllp-client-ca; "
        "or bind 127.0.0.1"
    )


def is_loopback(host: str) -> bool:
    """Whether an address is this machine alone; of names only localhost is known to be."""
    if host == "localhost":
        return True
    try:
        return _plain(host).is_loopback
    except ValueError:
        return False


def is_allowed(peer: str, networks: tuple[Network, ...]) -> bool:
    """Whether a peer may send: from this machine, or from one of the networks; from anywhere where none is named."""
    if not networks:
        return True
    try:
        address = _plain(peer)
    except ValueError:
        return False
    return address.is_loopback or any(address in network for network in networks)


def read_tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> ssl.SSLContext | None:
    """TLS 1.2 or later as it was asked for, with client certificates if who signs them is named; None for none. Raises
    WrongUse."""
    if certificate is None:
        if key is not None or client_ca is not None:
            raise WrongUse("--mllp-key and --mllp-client-ca need --mllp-certificate")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # an empty passphrase instead of a question on the terminal that a service has not
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as wrong:
        raise WrongUse(f"--mllp-certificate {certificate}: no certificate with its key, in PEM, can be read") from wrong
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(client_ca)
        except OSError as wrong:
            raise WrongUse(f"--mllp-client-ca {client_ca}: no certificates in PEM can be read") from wrong
    return context


def _plain(text: str) -> IPv4Address | IPv6Address:
    """An address without its zone, and IPv4 where IPv6 carries it."""
    address = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
