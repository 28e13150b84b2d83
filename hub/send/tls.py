"""TLS to a receiver: whom we trust, and who we say we are."""

from __future__ import annotations

import ssl
from pathlib import Path

from schemas.errors import WrongUse


def read_client_tls(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later to a receiver whose certificate names its host and is signed by `ca`, or by whom the system
    trusts; with a certificate of our own where one is named. Raises WrongUse."""
    if key is not None and certificate is None:
        raise WrongUse("--key needs --certificate")
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as wrong:
        raise WrongUse(f"--ca {ca}: no certificates in PEM can be read") from wrong
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        try:
            # an empty passphrase instead of a question on the terminal that a service has not
            context.load_cert_chain(certificate, key, password="")
        except (OSError, ValueError) as wrong:
            raise WrongUse(f"--certificate {certificate}: no certificate with its key, in PEM, can be read") from wrong
    return context
