"""`sources:` of a site file: which webhooks are taken, by which mapping, and how their senders prove themselves.

    sources:
      main-line: {hook: amazon-connect, instance: north, secret_file: /run/secrets/connect, facility: NORTH}
      chat: {hook: mappings/chat.yaml, secret_env: CHAT_SECRET, zone: America/Denver}

`hook` names a shipped mapping, or a file beside the site file. What stands under `tables`, `attributes` and
`identifiers` is laid over the mapping for this source alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from connectors.contact_center.declared import WrongHook
from connectors.contact_center.declared_check import read_check
from connectors.contact_center.declared_values import Values
from connectors.contact_center.plan import Options
from connectors.contact_center.shipped import read_hook_text, shipped_hook, shipped_names
from connectors.contact_center.signature import Signed
from connectors.contact_center.spec import Check, HookMapping
from schemas.declaration import Findings, Leaf, Node, Table, suggest
from schemas.errors import WrongUse
from streams.core.declared_calendars import read_zone

_KEYS: Final = (
    "hook", "instance", "contact_ids", "facility", "zone", "secret_file", "secret_env", "unsigned", "url", "check",
    "choices", "tables", "attributes", "identifiers",
)  # fmt: skip
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,47}\Z")
_INSTANCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSource:
    """One source. Its secrets are read when a hub is started, and by nobody else."""

    name: str
    mapping: HookMapping
    options: Options
    check: Check | None = None
    secret_file: Path | None = None
    secret_env: str | None = None
    unsigned: bool = False
    url: str = ""
    place: str = ""  # file, line and column of it

    def signed(self) -> Signed | None:
        """What checks its deliveries; None for one that is taken as it comes. Raises WrongUse."""
        if self.unsigned:
            return None
        if self.check is None:
            raise WrongUse(f"{self._named}: its mapping has no `check`; name one in the source, or `unsigned: true`")
        if self.check.kind == "twilio" and not self.url:
            raise WrongUse(f"{self._named}: Twilio signs the URL it calls: name it (`url: https://...`)")
        try:
            return Signed(self.check, self._secrets(), self.url)
        except ValueError as wrong:
            raise WrongUse(f"{self._named}: {wrong}") from None

    @property
    def _named(self) -> str:
        return f"{self.place}: source {self.name}" if self.place else f"source {self.name}"

    def _secrets(self) -> list[bytes]:
        if self.secret_env is not None:
            text = os.environ.get(self.secret_env, "").encode()
            if not text.strip():
                raise WrongUse(f"{self._named}: {self.secret_env} is not in the environment, or is empty")
        elif self.secret_file is not None:
            try:
                text = self.secret_file.read_bytes()
            except (OSError, ValueError) as wrong:  # the latter: no system has such a path
                why = wrong.strerror if isinstance(wrong, OSError) else "this is no path"
                raise WrongUse(f"{self._named}: {self.secret_file} cannot be read ({why})") from None
            if not text.strip():
                raise WrongUse(f"{self._named}: {self.secret_file} is empty; write the secret into it")
        else:
            raise WrongUse(
                f"{self._named} has no secret: name `secret_file:` or `secret_env:`, or say `unsigned: true`, "
                "which is taken on loopback alone"
            )
        return [line.strip() for line in text.splitlines() if line.strip()]


@dataclass(frozen=True, slots=True)
class HookSources:
    """All sources of a site, by name."""

    by_name: Mapping[str, HookSource] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.by_name)


def read_sources(node: Node | None, findings: Findings, folder: Path | None) -> HookSources:
    """The sources that a site file declares; `folder` is where it lies. All problems go to `findings`."""
    if node is None:
        return HookSources()
    if not isinstance(node, Table):
        findings.error(node.place, "`sources` is a mapping of names, such as main-line: {hook: amazon-connect}")
        return HookSources()
    found: dict[str, HookSource] = {}
    for entry in node.entries:
        name = entry.key.text
        if not _NAME.match(name):
            findings.error(
                entry.key.place, f"`{name}` is no name of a source: small letters, digits and `-`, at most 48"
            )
            continue
        source = _Reader(findings, folder).read(name, entry.node)
        if source is not None:
            found[name] = source
            _check_apart(source, found, entry.node, findings)
    return HookSources(found)


def _check_apart(source: HookSource, found: Mapping[str, HookSource], node: Node, findings: Findings) -> None:
    """Two sources must not count their contacts alike unawares: where no body says which contact center it is from,
    the site file does."""
    if _is_named(source):
        return
    for other in found.values():
        if other is not source and other.mapping.vendor == source.mapping.vendor and not _is_named(other):
            findings.error(
                node.place,
                f"`{other.name}` is of `{source.mapping.vendor}` too, and their bodies do not name an instance: two "
                "contacts of one id would be one. Give each source an `instance:` of its own, or both the same "
                "`contact_ids:` where they tell of the same contacts",
            )
            return


def _is_named(source: HookSource) -> bool:
    """Whether its contacts are known from those of another source of the product."""
    mapping, options = source.mapping, source.options
    if options.instance or options.contact_ids or mapping.contact_ids:
        return True
    lines = ((m, given) for m in mapping.messages for given in m.events if m.instance is None)
    return not any(
        "contact_id" in names
        for m, given in lines
        for names in (given.attributes, m.attributes, options.attributes.get(m.name, {}))
    )


class _Reader:
    def __init__(self, findings: Findings, folder: Path | None) -> None:
        self._findings: Findings = findings
        self._values: Values = Values(findings)
        self._folder: Path | None = folder

    def read(self, name: str, node: Node) -> HookSource | None:
        values = self._values
        table = values.table(node, name)
        if table is None:
            return None
        values.check_keys(table, _KEYS, "a source")
        mapping = self._mapping(table)
        if mapping is None:
            return None
        check, zone, unsigned = table.find("check"), table.find("zone"), table.find("unsigned")
        options = replace(
            self._overlaid(table, mapping),
            instance=self._instance(table),
            contact_ids=values.system(table.find("contact_ids")),
            facility=values.text(table.find("facility"), "facility"),
            zone=ZoneInfo(named) if zone is not None and (named := read_zone(zone, "zone", self._findings)) else None,
            choices=self._choices(table, mapping),
        )
        secret = values.text(table.find("secret_file"), "secret_file")
        env = values.text(table.find("secret_env"), "secret_env")
        if secret is not None and env is not None:
            values.wrong(table, "a source has `secret_file` or `secret_env`, not both")
        if unsigned is not None and not (isinstance(unsigned, Leaf) and isinstance(unsigned.value, bool)):
            values.wrong(unsigned, "`unsigned` is true or false")
        return HookSource(
            name=name,
            mapping=mapping,
            options=options,
            check=read_check(check, values) if check is not None else mapping.check,
            secret_file=self._beside(secret) if secret is not None else None,
            secret_env=env,
            unsigned=isinstance(unsigned, Leaf) and unsigned.value is True,
            url=self._url(table),
            place=str(table.place),
        )

    def _beside(self, path: str) -> Path:
        return Path(path) if self._folder is None else self._folder / path

    def _mapping(self, table: Table) -> HookMapping | None:
        node = table.find("hook")
        name = self._values.text(node, "hook")
        if node is None or name is None:
            self._values.wrong(table, f"`hook` names a mapping: {', '.join(shipped_names())}, or a file")
            return None
        try:
            return shipped_hook(name)
        except KeyError:
            pass
        if not name.endswith((".yaml", ".yml")):
            self._values.wrong(node, f"there is no shipped mapping `{name}`", suggest(name, shipped_names()))
            return None
        path = self._beside(name)
        try:
            return read_hook_text(str(path), path.read_text(encoding="utf-8-sig"))
        except WrongHook as wrong:
            for problem in wrong.problems:
                self._findings.error(problem.place, problem.text, problem.suggestion)
        except UnicodeDecodeError:
            self._values.wrong(node, f"{path} is no text in UTF-8")
        except (OSError, ValueError) as wrong:  # the latter: no system has such a path
            why = wrong.strerror if isinstance(wrong, OSError) else "this is no path"
            self._values.wrong(node, f"{path} cannot be read: {why}")
        return None

    def _instance(self, table: Table) -> str | None:
        node = table.find("instance")
        text = self._values.text(node, "instance")
        if text is not None and node is not None and not _INSTANCE.match(text):
            self._values.wrong(node, "`instance` is a name of letters, digits and `_.:-`")
            return None
        return text

    def _url(self, table: Table) -> str:
        node = table.find("url")
        text = self._values.text(node, "url") or ""
        if text and node is not None and not text.startswith(("https://", "http://")):
            self._values.wrong(node, "`url` is what the sender calls, and begins with https://")
        return text

    def _choices(self, table: Table, mapping: HookMapping) -> dict[str, str]:
        chosen = self._values.table(table.find("choices"), "choices")
        found: dict[str, str] = {}
        for entry in chosen.entries if chosen is not None else ():
            name, word = entry.key.text, self._values.text(entry.node, entry.key.text)
            words = mapping.choices.get(name)
            if words is None:
                self._values.wrong(entry.key, f"the mapping has no choice `{name}`", suggest(name, mapping.choices))
            elif word not in words:
                near = suggest(word or "", words)
                self._values.wrong(entry.node, f"`{name}` is one of {', '.join(words)}", near)
            else:
                found[name] = word
        return found

    def _overlaid(self, table: Table, mapping: HookMapping) -> Options:
        """The source's own lines, read for each message, for their paths begin at the message's root."""
        values = self._values
        values.tables = {name: dict(lines) for name, lines in mapping.tables.items()}
        known = set(values.tables)
        values.read_tables(table.find("tables"))
        own = values.table(table.find("tables"), "tables")
        for entry in own.entries if own is not None else ():
            if entry.key.text not in known and suggest(entry.key.text, known):
                self._findings.warning(
                    entry.key.place, f"the mapping has no table `{entry.key.text}`", suggest(entry.key.text, known)
                )
        identifiers, attributes = table.find("identifiers"), table.find("attributes")
        by_message, lines = {}, {}
        for message in mapping.messages:
            values.root = message.root
            by_message[message.name] = values.identifiers(identifiers)
            lines[message.name] = values.attributes(attributes)
        return Options(tables=values.tables, identifiers=by_message, attributes=lines)
