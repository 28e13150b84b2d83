"""How a FHIR server of the site file is asked: for what, how often, and as whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from connectors.fhir.read import READ_TYPES
from schemas.declaration import Findings, Items, Node, Table, suggest
from schemas.duration_text import exact_seconds
from schemas.event import MINUTE, SECOND
from schemas.instant import read_instant
from streams.core.threshold_fields import read_exact_span, read_text

ASK_KEYS: Final = ("types", "every", "overlap", "since", "client_id", "key_file", "scopes", "download_hosts")
OVERLAP: Final = 10 * MINUTE
"""How far a search goes back behind what was seen last, in microseconds: servers make a resource findable some time
after its `lastUpdated`."""
_LOOPBACK: Final = frozenset(("localhost", "127.0.0.1", "::1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """`types` are those asked for, all that are read where none is named; `every`, `overlap` and `since` in
    microseconds: without `every` the server is not polled by itself. With `client_id` it is signed in to by SMART
    Backend Services, with the private key of `key_file`, for `scopes`. `download_hosts` are other hosts that its
    exports may lie on: they are never shown a token."""

    types: tuple[str, ...] = ()
    every: int | None = None
    overlap: int = OVERLAP
    since: int | None = None
    client_id: str | None = None
    key_file: Path | None = None
    scopes: tuple[str, ...] = ()
    download_hosts: frozenset[str] = frozenset()


def read_asks(table: Table, base: str | None, folder: Path, findings: Findings) -> Asks:
    """Those lines of a server; paths are taken from `folder`."""
    nodes = {line.key.text: line.node for line in table.entries}
    asked = [key for key in ASK_KEYS if key in nodes]
    if asked and "base" not in nodes:
        findings.error(nodes[asked[0]].place, f"`{asked[0]}` is for asking a server: name its `base` too")
    if ("client_id" in nodes) != ("key_file" in nodes):
        findings.error(table.place, "`client_id` and `key_file` go together: who signs in, and with which private key")
    if "token_file" in nodes and "client_id" in nodes:
        findings.error(nodes["token_file"].place, "a server has a `token_file` or signs in by `client_id`, not both")
    if "scopes" in nodes and "client_id" not in nodes:
        findings.error(nodes["scopes"].place, "`scopes` are asked for at the sign-in: name `client_id` and `key_file`")
    shows = "token_file" in nodes or "client_id" in nodes
    if base is not None and shows and not is_safe(base):
        findings.error(nodes["base"].place, f"`base` {UNSAFE}")
    client, key = _text(nodes, "client_id", findings), _text(nodes, "key_file", findings)
    return Asks(
        types=_read_types(nodes.get("types"), findings),
        every=_span(nodes.get("every"), "every", findings),
        overlap=_span(nodes.get("overlap"), "overlap", findings) or OVERLAP,
        since=_read_since(nodes.get("since"), findings),
        client_id=client,
        key_file=folder / key if key else None,
        scopes=_read_list(nodes.get("scopes"), "scopes", findings),
        download_hosts=frozenset(
            host.lower() for host in _read_list(nodes.get("download_hosts"), "download_hosts", findings)
        ),
    )


UNSAFE: Final = "is https where a token is shown: over http everybody on the way reads it"


def is_safe(base: str) -> bool:
    """Whether a token may be shown to a server: over https, or on this machine."""
    parts = urlsplit(base)
    return parts.scheme == "https" or parts.hostname in _LOOPBACK


def wrong_type(names: tuple[str, ...]) -> str | None:
    """What is wrong with types that somebody asks for; None where nothing is."""
    for name in names:
        if name not in READ_TYPES:
            near = suggest(name, READ_TYPES)
            return f"{name} is no type that is read" + (f" (did you mean `{near}`?)" if near else "")
    return None


def _read_types(node: Node | None, findings: Findings) -> tuple[str, ...]:
    types = tuple(dict.fromkeys(_read_list(node, "types", findings)))
    wrong = wrong_type(types)
    if wrong is not None and node is not None:
        findings.error(node.place, f"`types`: {wrong}")
    return types


def _text(nodes: Mapping[str, Node], key: str, findings: Findings) -> str | None:
    return read_text(nodes[key], key, findings) if key in nodes else None


def _read_list(node: Node | None, key: str, findings: Findings) -> tuple[str, ...]:
    nodes = () if node is None else node.nodes if isinstance(node, Items) else (node,)
    texts = [read_text(item, key, findings) for item in nodes]
    return tuple(text for text in texts if text is not None)


def _span(node: Node | None, key: str, findings: Findings) -> int | None:
    duration = read_exact_span(node, key, findings) if node is not None else None
    seconds = exact_seconds(duration) if duration is not None else None
    return None if seconds is None else seconds * SECOND


def _read_since(node: Node | None, findings: Findings) -> int | None:
    text = read_text(node, "since", findings) if node is not None else None
    if node is None or text is None:
        return None
    try:
        return read_instant(text)
    except (ValueError, OverflowError):
        findings.error(node.place, "`since` is a time with an offset, as 2026-03-08T17:00:00Z")
        return None
