"""The site file's `fhir:`: the FHIR servers that are asked, and that send.

What came of a server is of kind `fhir/{name}`: so that its references are read by the server's own base whenever it is
read, now or again, and `Patient/17` of two servers is two persons.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from connectors.fhir.read import READ_TYPES, FhirReader
from schemas.declaration import Findings, Items, Node, Table, kind_of, suggest
from schemas.duration_text import exact_seconds
from schemas.event import MINUTE, SECOND
from schemas.instant import read_instant
from streams.core.declared_calendars import read_zone
from streams.core.threshold_fields import as_table, check_keys, read_exact_span, read_text

FHIR_KEYS: Final = ("servers",)
SERVER_KEYS: Final = (
    "base",
    "zone",
    "types",
    "every",
    "overlap",
    "since",
    "token_file",
    "client_id",
    "key_file",
    "scopes",
    "download_hosts",
)
OVERLAP: Final = 10 * MINUTE
"""How far a search goes back behind what was seen last, in microseconds: servers make a resource findable a while
after its `lastUpdated`."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_LOOPBACK: Final = frozenset(("localhost", "127.0.0.1", "::1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirServer:
    """One server. `base` is its FHIR URL without a slash at the end; `zone` is for days and for stamps without an
    offset; `types` are those asked for, all that are read where none is named; `every`, `overlap` and `since` in
    microseconds, without `every` it is not polled by itself. It is asked with the bearer token that `token_file`
    holds, or signs in by SMART Backend Services as `client_id` with the private key of `key_file` for `scopes`.
    `download_hosts` are other hosts that its exports may lie on: they are never shown a token.
    """

    name: str
    base: str
    zone: str | None = None
    types: tuple[str, ...] = ()
    every: int | None = None
    overlap: int = OVERLAP
    since: int | None = None
    token_file: Path | None = None
    client_id: str | None = None
    key_file: Path | None = None
    scopes: tuple[str, ...] = ()
    download_hosts: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """The kind of its messages."""
        return f"fhir/{self.name}"


def server_reader(server: FhirServer, zone: str | None) -> FhirReader:
    """The reader of a server's resources; `zone` is the site's, for a server that has none of its own."""
    return FhirReader(system=server.name, base=server.base, zone=server.zone or zone)


def readers_of(servers: Mapping[str, FhirServer], zone: str | None) -> dict[str, FhirReader]:
    """The readers of all servers, by the kind of their messages."""
    return {server.kind: server_reader(server, zone) for server in servers.values()}


def read_servers(node: Node | None, findings: Findings) -> dict[str, FhirServer]:
    """The servers of a site file's `fhir:`. Paths of files are seen from the site file's folder."""
    table = as_table(node, "fhir", findings) if node is not None else None
    listed = check_keys(table, FHIR_KEYS, "`fhir`", findings).find("servers") if table is not None else None
    servers = as_table(listed, "servers", findings) if listed is not None else None
    found: dict[str, FhirServer] = {}
    for entry in servers.entries if servers is not None else ():
        name = entry.key.text
        if not _NAME.fullmatch(name):
            findings.error(entry.key.place, "a server's name is made of small letters, digits, `-` and `_`, at most 40")
            continue
        if not isinstance(entry.node, Table):
            wanted = "needs a mapping such as {base: https://fhir.example/r4}"
            findings.error(entry.node.place, f"the server `{name}` {wanted}, here is {kind_of(entry.node)}")
            continue
        server = _read_server(name, check_keys(entry.node, SERVER_KEYS, "a FHIR server", findings), findings)
        if server is not None:
            if any(server.base == other.base for other in found.values()):
                findings.error(entry.node.place, f"`{name}` has the base of another server: one server is one name")
            found[name] = server
    return found


def _read_server(name: str, table: Table, findings: Findings) -> FhirServer | None:
    nodes = {line.key.text: line.node for line in table.entries}
    folder = Path(table.place.file).parent
    texts = {
        key: read_text(nodes[key], key, findings) if key in nodes else None
        for key in ("base", "token_file", "client_id", "key_file", "since")
    }
    if "base" not in nodes:
        findings.error(table.place, "a FHIR server has a `base`, as https://fhir.example/r4")
    _check_sign_in(table, nodes, findings)
    signs_in = "token_file" in nodes or "client_id" in nodes
    base = texts["base"] and checked_base(texts["base"], secret=signs_in)
    if isinstance(base, WrongBase):
        findings.error(nodes["base"].place, f"`base` {base.told}")
    if not isinstance(base, str):
        return None
    zone = nodes.get("zone")
    return FhirServer(
        name=name,
        base=base,
        zone=read_zone(zone, "zone", findings) if zone is not None else None,
        types=_read_types(nodes.get("types"), findings),
        every=_span(nodes.get("every"), "every", findings),
        overlap=_span(nodes.get("overlap"), "overlap", findings) or OVERLAP,
        since=_read_since(nodes.get("since"), texts["since"], findings),
        token_file=folder / texts["token_file"] if texts["token_file"] else None,
        client_id=texts["client_id"],
        key_file=folder / texts["key_file"] if texts["key_file"] else None,
        scopes=_read_list(nodes.get("scopes"), "scopes", findings),
        download_hosts=frozenset(host.lower() for host in _read_list(nodes.get("download_hosts"), "hosts", findings)),
    )


def _check_sign_in(table: Table, nodes: Mapping[str, Node], findings: Findings) -> None:
    if ("client_id" in nodes) != ("key_file" in nodes):
        findings.error(table.place, "`client_id` and `key_file` go together: who signs in, and with which private key")
    if "token_file" in nodes and "client_id" in nodes:
        findings.error(nodes["token_file"].place, "a server has a `token_file` or signs in by `client_id`, not both")
    if "scopes" in nodes and "client_id" not in nodes:
        findings.error(nodes["scopes"].place, "`scopes` are asked for at the sign-in: name `client_id` and `key_file`")


@dataclass(frozen=True, slots=True)
class WrongBase:
    """Why a text is no base; `told` follows on the name of what it was given for."""

    told: str


def checked_base(text: str, *, secret: bool) -> str | WrongBase:
    """A server's URL without its last slash. With a `secret` to show it must be https, or of this machine."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return WrongBase("is a whole URL, as https://fhir.example/r4")
    if not host or parts.scheme not in ("http", "https"):
        return WrongBase("is a whole URL, as https://fhir.example/r4")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        return WrongBase("carries no user, password, query or fragment")
    if secret and parts.scheme == "http" and host not in _LOOPBACK:
        return WrongBase("is https where a token is shown: over http everybody on the way reads it")
    return text.rstrip("/")


def checked_types(names: tuple[str, ...]) -> str | None:
    """What is wrong with types that somebody asks for; None where nothing is."""
    for name in names:
        if name not in READ_TYPES:
            near = suggest(name, READ_TYPES)
            return f"{name} is no type that is read" + (f" (did you mean `{near}`?)" if near else "")
    return None


def _read_types(node: Node | None, findings: Findings) -> tuple[str, ...]:
    types = tuple(dict.fromkeys(_read_list(node, "types", findings)))
    wrong = checked_types(types)
    if wrong is not None and node is not None:
        findings.error(node.place, f"`types`: {wrong}")
    return types


def _read_list(node: Node | None, key: str, findings: Findings) -> tuple[str, ...]:
    nodes = () if node is None else node.nodes if isinstance(node, Items) else (node,)
    texts = [read_text(item, key, findings) for item in nodes]
    return tuple(text for text in texts if text is not None)


def _span(node: Node | None, key: str, findings: Findings) -> int | None:
    duration = read_exact_span(node, key, findings) if node is not None else None
    seconds = exact_seconds(duration) if duration is not None else None
    return None if seconds is None else seconds * SECOND


def _read_since(node: Node | None, text: str | None, findings: Findings) -> int | None:
    if node is None or text is None:
        return None
    try:
        return read_instant(text)
    except (ValueError, OverflowError):
        findings.error(node.place, "`since` is a time with an offset, as 2026-03-08T17:00:00Z")
        return None
