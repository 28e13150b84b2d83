"""The webhooks file: who is told of which alerts, and by which secret the telling is signed."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from hub.deliver.address import is_literal, is_public
from schemas.declaration import (
    Findings,
    Items,
    Node,
    Place,
    Problem,
    Table,
    WrongDeclaration,
    has_errors,
    kind_of,
    read_declaration,
    suggest,
)
from streams.core.threshold_fields import as_table, check_keys, read_text

FILE_KEYS: Final = ("version", "webhooks")
WEBHOOK_KEYS: Final = ("name", "url", "secret_file", "thresholds", "allow_private", "sensitive")
PREFIX: Final = "whsec_"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_SHORTEST, _LONGEST = 24, 64  # bytes of a secret, by Standard Webhooks


class WrongWebhooks(WrongDeclaration):
    """A webhooks file with mistakes in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One subscriber. `secrets` sign each delivery, several while keys are changed; `thresholds` are those whose
    alerts it is told of, None for all; `allow_private` are hosts that may stand in a private network; `sensitive` are
    the labels of alerts that may be told here, which go nowhere else; `place` is where its `url` stands.
    """

    name: str
    url: str
    secrets: tuple[str, ...]
    thresholds: frozenset[str] | None = None
    allow_private: frozenset[str] = frozenset()
    sensitive: frozenset[str] = frozenset()
    place: Place = field(default=Place(""), compare=False)

    def __repr__(self) -> str:
        return f"Webhook({self.name})"  # secrets stand in no trace


def read_webhooks(path: Path, known: Collection[str]) -> list[Webhook]:
    """Read a webhooks file; `known` are the ids of the thresholds there are. Raises WrongWebhooks with all mistakes."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise WrongWebhooks([Problem(Place(str(path), 1, 1), "this is no text in UTF-8")]) from None
    except OSError as error:
        raise WrongWebhooks([Problem(Place(str(path)), f"cannot be read: {error.strerror}")]) from None
    findings = Findings()
    found: list[Webhook] = []
    table = read_declaration(str(path), text, findings)
    if table is not None:
        table = check_keys(table, FILE_KEYS, "a webhooks file", findings)
        version = table.find("version")
        if version is not None and read_text(version, "version", findings) not in (None, "1"):
            findings.error(version.place, "`version` is 1")
        found = _read_all(table, path.parent, known, findings)
    problems = findings.listed()
    if has_errors(problems):
        raise WrongWebhooks(problems)
    return found


def check_hosts(
    webhooks: Collection[Webhook], look_up: Callable[[Iterable[str]], Mapping[str, list[str]]]
) -> list[str]:
    """See where the webhooks lead, before anything is sent; `look_up` gives the addresses of hosts, as far as they are
    known. Returns the names of webhooks whose host is unknown for now. Raises WrongWebhooks for those that lead into a
    private network and are not allowed to."""
    host_of = {webhook.name: (urlsplit(webhook.url).hostname or "").lower() for webhook in webhooks}
    asked = [webhook for webhook in webhooks if host_of[webhook.name] not in webhook.allow_private]
    known = look_up({host_of[webhook.name]: None for webhook in asked if not is_literal(host_of[webhook.name])})
    findings = Findings()
    unknown: list[str] = []
    for webhook in asked:
        host = host_of[webhook.name]
        addresses = [host] if is_literal(host) else known.get(host)
        if not addresses:
            unknown.append(webhook.name)
        elif not any(map(is_public, addresses)):
            mend = f"name `{host}` in `allow_private` if it may be reached"
            findings.error(webhook.place, f"`url` leads to a private address: {mend}")
    if has_errors(problems := findings.listed()):
        raise WrongWebhooks(problems)
    return unknown


def _read_all(table: Table, folder: Path, known: Collection[str], findings: Findings) -> list[Webhook]:
    listed = table.find("webhooks")
    if not isinstance(listed, Items) or not listed.nodes:
        place = table.place if listed is None else listed.place
        told = "missing" if listed is None else "empty" if isinstance(listed, Items) else kind_of(listed)
        findings.error(place, f"`webhooks` is a list of one or more webhooks, here it is {told}")
        return []
    found: dict[str, Webhook] = {}
    for item in listed:
        lines = as_table(item, "webhooks", findings)
        if lines is None:
            continue
        webhook = _read_one(check_keys(lines, WEBHOOK_KEYS, "a webhook", findings), folder, known, findings)
        if webhook is None:
            continue
        if webhook.name in found:
            findings.error(lines.place_of("name"), f"`{webhook.name}` is the name of another webhook too")
        found[webhook.name] = webhook
    return list(found.values())


def _read_one(lines: Table, folder: Path, known: Collection[str], findings: Findings) -> Webhook | None:
    nodes = {entry.key.text: entry.node for entry in lines.entries}
    for key in ("name", "url", "secret_file"):
        if key not in nodes:
            findings.error(lines.place, f"a webhook has a `{key}`")
    allowed = frozenset(host.lower() for host, _ in _read_list(nodes.get("allow_private"), "allow_private", findings))
    name = _read_name(nodes.get("name"), findings)
    url = _read_url(nodes.get("url"), allowed, findings)
    secrets = _read_secrets(nodes.get("secret_file"), folder, findings)
    thresholds: set[str] = set()
    for id_, node in _read_list(nodes.get("thresholds"), "thresholds", findings):
        if id_ not in known:
            findings.error(node.place, f"`{id_}` is the id of no threshold", suggest(id_, known))
        thresholds.add(id_)
    if name is None or url is None or not secrets:
        return None
    asked = frozenset(thresholds) if "thresholds" in nodes else None
    labels = frozenset(label for label, _ in _read_list(nodes.get("sensitive"), "sensitive", findings))
    place = nodes["url"].place
    return Webhook(
        name=name,
        url=url,
        secrets=secrets,
        thresholds=asked,
        allow_private=allowed,
        sensitive=labels,
        place=place,
    )


def _read_list(node: Node | None, key: str, findings: Findings) -> list[tuple[str, Node]]:
    nodes = () if node is None else node.nodes if isinstance(node, Items) else (node,)
    if node is not None and not nodes:
        findings.error(node.place, f"`{key}` is an empty list; leave it out")
    texts = [(read_text(item, key, findings), item) for item in nodes]
    return [(text, item) for text, item in texts if text is not None]


def _read_name(node: Node | None, findings: Findings) -> str | None:
    name = read_text(node, "name", findings) if node is not None else None
    if name is not None and node is not None and not _NAME.fullmatch(name):
        findings.error(node.place, "`name` is made of small letters, digits and `-`, at most 40")
        return None
    return name


def _read_url(node: Node | None, allowed: frozenset[str], findings: Findings) -> str | None:
    url = read_text(node, "url", findings) if node is not None else None
    if url is None or node is None:
        return None
    try:
        parts: SplitResult = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.scheme not in ("http", "https"):
        findings.error(node.place, "`url` is a whole https address, as https://hooks.example/px")
    elif parts.username is not None or parts.fragment:
        findings.error(node.place, "`url` carries no user, password or fragment")
    elif parts.scheme == "http" and host.lower() not in allowed:
        findings.error(
            node.place,
            "`url` is https; http sends alerts in the clear, and is for hosts named in `allow_private` alone",
        )
    else:
        return url
    return None


def _read_secrets(node: Node | None, folder: Path, findings: Findings) -> tuple[str, ...]:
    """The secrets of a file, one a line."""
    text = read_text(node, "secret_file", findings) if node is not None else None
    if text is None or node is None:
        return ()
    path = folder / text
    try:
        lines = [line.strip() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
    except OSError as wrong:
        findings.error(node.place, f"`secret_file` {path} cannot be read: {wrong.strerror}")
        return ()
    except UnicodeDecodeError:
        lines = [""]
    if not lines or not all(_is_secret(line) for line in lines):
        findings.error(
            node.place,
            f"`secret_file` {path} holds a secret a line: {PREFIX} and {_SHORTEST} to {_LONGEST} bytes in base64",
        )
        return ()
    return tuple(lines)


def _is_secret(text: str) -> bool:
    if not text.startswith(PREFIX):
        return False
    try:
        return _SHORTEST <= len(base64.b64decode(text.removeprefix(PREFIX), validate=True)) <= _LONGEST
    except binascii.Error:
        return False
