"""Which addresses may be bound, and which peers may send."""

from __future__ import annotations

import pytest

from hub.listen.access import check_address, is_allowed, read_networks
from schemas.errors import WrongUse


def test_an_address_beyond_loopback_needs_networks_or_client_certificates() -> None:
    networks = read_networks("--mllp-allow", ["10.20.0.0/16"])
    assert check_address("127.0.0.1", (), has_client_certificates=False) is None
    assert check_address("::1", (), has_client_certificates=False) is None
    assert check_address("localhost", (), has_client_certificates=False) is None
    assert check_address("0.0.0.0", networks, has_client_certificates=False) is None
    assert check_address("0.0.0.0", (), has_client_certificates=True) is None
    for host in ("0.0.0.0", "::", "10.1.2.3", "hub.example"):
        assert "--mllp-allow" in (check_address(host, (), has_client_certificates=False) or "")


def test_who_is_in_no_network_is_not_allowed() -> None:
    networks = read_networks("--mllp-allow", ["10.20.0.0/16", "fd00::/8", "192.0.2.7"])
    for peer in ("10.20.3.4", "::ffff:10.20.3.4", "fd00::1", "192.0.2.7", "127.0.0.1", "::1"):
        assert is_allowed(peer, networks)
    for peer in ("10.21.3.4", "fe80::1%eth0", "192.0.2.8", "", "nobody"):
        assert not is_allowed(peer, networks)
    assert is_allowed("203.0.113.9", ())


@pytest.mark.parametrize("text", ["10.20.0.1/16", "10.20", "everybody", ""])
def test_what_is_no_network_is_told(text: str) -> None:
    with pytest.raises(WrongUse, match="--mllp-allow"):
        read_networks("--mllp-allow", [text])
