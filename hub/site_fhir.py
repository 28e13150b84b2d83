"""The section `fhir:` of a site file: the FHIR servers that send to the hub, or that it asks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hub.site_asks import ASK_KEYS, Asks, read_asks
from schemas.declaration import Findings, Items, Node, Table, kind_of
from streams.core.declared_calendars import read_zone
from streams.core.threshold_fields import as_table, check_keys, read_text

SERVER_KEYS: Final = ("base", "zone", "authority", "token_file", *ASK_KEYS)
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_RESERVED: Final = frozenset(("fhir",))  # what comes from no server that is named


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirServer:
    """A FHIR server. `name` is what its events' source is (`fhir/{name}`) and the authority of its references
    (`Patient/17^{name}`). `base` is its URL without a slash at the end, None for one that only sends. `zone` is for
    days and for stamps without an offset. `spellings` are other bases that its references may begin with, and other
    words for it as an authority. `token_file` holds a bearer token for who asks it; it is read anew each time, for
    tokens are changed. `asks` says for what, how often and as whom it is asked."""

    name: str
    base: str | None = None
    zone: str | None = None
    spellings: tuple[str, ...] = ()
    token_file: Path | None = None
    asks: Asks = field(default_factory=Asks)


def read_fhir_servers(
    node: Node | None, folder: Path, authorities: Mapping[str, str], findings: Findings
) -> dict[str, FhirServer]:
    """The servers by their names; paths are taken from `folder`. `authorities` are spellings that stand for something
    already: one of two would make them one in silence."""
    table = as_table(node, "fhir", findings) if node is not None else None
    found: dict[str, FhirServer] = {}
    taken = dict(authorities)
    for entry in table.entries if table is not None else ():
        name = entry.key.text
        if not _NAME.fullmatch(name) or name in _RESERVED:
            findings.error(
                entry.key.place, "a FHIR server's name is small letters, digits and `-`, at most 40, and not `fhir`"
            )
        elif not isinstance(entry.node, Table):
            wanted = "needs a mapping such as {base: https://ehr.example/fhir}"
            findings.error(entry.node.place, f"the FHIR server `{name}` {wanted}, here is {kind_of(entry.node)}")
        else:
            found[name] = _read_server(
                name, check_keys(entry.node, SERVER_KEYS, "a FHIR server", findings), folder, findings
            )
            for spelling in spellings_of({name: found[name]}):
                if taken.setdefault(spelling, name) != name:
                    findings.error(entry.key.place, f"`{spelling}` is a spelling of `{taken[spelling]}` already")
    return found


def spellings_of(servers: Mapping[str, FhirServer]) -> dict[str, str]:
    """Each server's base, and its other spellings, to its name."""
    return {
        spelling: server.name
        for server in servers.values()
        for spelling in (*((server.base,) if server.base else ()), *server.spellings)
    }


def _read_server(name: str, lines: Table, folder: Path, findings: Findings) -> FhirServer:
    nodes = {line.key.text: line.node for line in lines.entries}
    zone, authority, token = nodes.get("zone"), nodes.get("authority"), nodes.get("token_file")
    listed = authority.nodes if isinstance(authority, Items) else (authority,) if authority is not None else ()
    spellings = [read_text(item, "authority", findings) for item in listed]
    base = _read_base(nodes.get("base"), findings)
    path = read_text(token, "token_file", findings) if token is not None else None
    if path is not None and base is None and token is not None:
        findings.error(token.place, "`token_file` is for asking a server: name its `base` too")
    return FhirServer(
        name=name,
        base=base,
        zone=read_zone(zone, "zone", findings) if zone is not None else None,
        spellings=tuple(dict.fromkeys(text.rstrip("/") for text in spellings if text)),
        token_file=folder / path if path is not None else None,
        asks=read_asks(lines, base, folder, findings),
    )


def _read_base(node: Node | None, findings: Findings) -> str | None:
    text = read_text(node, "base", findings) if node is not None else None
    if text is None or node is None:
        return None
    base = checked_base(text)
    if base is None:
        wanted = "a whole address without user, password, query or fragment, as https://ehr.example/fhir"
        findings.error(node.place, f"`base` is {wanted}")
    return base


def checked_base(text: str) -> str | None:
    """A server's URL without a slash at the end; None for what is none, or carries more than an address."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.scheme not in ("http", "https"):
        return None
    return None if parts.username is not None or parts.query or parts.fragment else text.rstrip("/")
