"""A mapping file of a webhook: read, and checked when it is read, with file, line and what was probably meant."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from connectors.contact_center.declared_check import read_check
from connectors.contact_center.declared_survey import read_survey, read_words
from connectors.contact_center.declared_values import Values, asked_by, with_fixed
from connectors.contact_center.path import WORDS
from connectors.contact_center.spec import Given, HookMapping, MessageSpec, PassedBy, Scalar
from connectors.hl7.languages import language_codes
from schemas.declaration import Findings, Items, Leaf, Node, Table, WrongDeclaration, suggest
from schemas.vocabulary import meant_attribute, meant_type

_KEYS: Final = (
    "version", "vendor", "title", "check", "embedded", "choices", "tables", "groups", "identifiers", "contact_ids",
    "messages",
)  # fmt: skip
_MESSAGE_KEYS: Final = (
    "name", "like", "recognise", "root", "each", "id", "time", "instance", "kind", "needs", "identifiers",
    "attributes", "words", "survey", "events", "ignore",
)  # fmt: skip
_EVENT_KEYS: Final = ("event", "when", "unless", "time", "groups", "set", "attributes", "choice", "event_id")
_VENDOR: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,47}\Z")
_EVENT: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+\Z")


_ALWAYS: Final = {
    "contact.queued": ("first",),
    "contact.answered": ("first",),
    "contact.ended": ("abandoned", "counted"),
}
"""Flags that these events always tell (THRESHOLDS.md): what counts calls must not guess what a missing one means."""


class WrongHook(WrongDeclaration):
    """A mapping file of a webhook with mistakes in it."""


def read_hook(root: Table, findings: Findings) -> HookMapping | None:
    """The mapping of a file; None where it cannot be used. All problems go to `findings`."""
    return _Reader(findings).read(root)


class _Reader:
    def __init__(self, findings: Findings) -> None:
        self._values: Values = Values(findings)
        self._values.tables["language"] = {code.casefold(): tag for code, tag in language_codes().items()}
        self._groups: dict[str, Table] = {}
        self._choices: dict[str, tuple[str, ...]] = {}
        self._messages: dict[str, Table] = {}

    def read(self, root: Table) -> HookMapping | None:
        values = self._values
        values.check_keys(root, _KEYS, "a webhook's mapping")
        version = root.find("version")
        if not isinstance(version, Leaf) or version.text != "1":
            values.wrong(version or root, "`version: 1` is expected")
        vendor = values.text(root.find("vendor"), "vendor")
        if vendor is None or not _VENDOR.match(vendor):
            values.wrong(root.find("vendor") or root, "`vendor` is a name of small letters, digits and `-`")
        values.read_tables(root.find("tables"))
        self._read_choices(root.find("choices"))
        groups = values.table(root.find("groups"), "groups")
        for entry in groups.entries if groups is not None else ():
            table = values.table(entry.node, entry.key.text)
            if table is not None:
                self._groups[entry.key.text] = table
        messages = root.find("messages")
        if not isinstance(messages, Items) or not messages.nodes:
            values.wrong(messages or root, "`messages` is a list of the bodies that the vendor sends")
            return None
        check = root.find("check")
        found = [one for node in messages if (one := self._read_message(node, root.find("identifiers"))) is not None]
        if vendor is None or not found:
            return None
        return HookMapping(
            vendor=vendor,
            messages=tuple(found),
            check=read_check(check, values) if check is not None else None,
            tables=values.tables,
            choices=self._choices,
            embedded=values.texts(root.find("embedded"), "embedded"),
            contact_ids=values.system(root.find("contact_ids")),
        )

    def _read_choices(self, node: Node | None) -> None:
        table = self._values.table(node, "choices")
        for entry in table.entries if table is not None else ():
            words = self._values.texts(entry.node, entry.key.text)
            if len(words) < 2:
                self._values.wrong(entry.node, "a choice has two words or more, the usual one first")
            self._choices[entry.key.text] = words

    def _read_message(self, node: Node, identifiers: Node | None) -> MessageSpec | None:
        values = self._values
        if not isinstance(node, Table):
            values.wrong(node, "a message is a mapping with `name`, `recognise` and `events`")
            return None
        values.check_keys(node, _MESSAGE_KEYS, "a message")
        name = values.text(node.find("name"), "name") or ""
        if not name or name in self._messages:
            values.wrong(node.find("name") or node, "each message has a `name` of its own")
        whole = self._laid_over(node)
        self._messages[name] = whole
        values.root = ()
        recognise = values.tests(whole.find("recognise"), "recognise")
        if not recognise:
            values.wrong(node, "`recognise` says by which content a body is this message, as {detail-type: ...}")
        each = values.path(whole.find("each"))
        root = values.path(whole.find("root"))
        values.root = root.names if root is not None else ()
        if root is not None and not root.names:
            values.wrong(whole.find("root") or node, "`root` is a plain path, names joined by dots")
        kind, instance = whole.find("kind"), whole.find("instance")
        message = MessageSpec(
            name=name,
            recognise=recognise,
            root=values.root,
            each=each,
            id=values.paths(whole.find("id")),
            time=values.paths(whole.find("time")),
            instance=values.attribute(instance) if instance is not None else None,
            kind=values.path(kind),
            needs=values.paths(whole.find("needs")),
            events=self._read_events(whole.find("events")),
            ignore=self._read_ignored(whole.find("ignore")),
            identifiers=(*values.identifiers(identifiers), *values.identifiers(whole.find("identifiers"))),
            attributes=values.attributes(whole.find("attributes")),
            words=read_words(whole.find("words"), values),
            survey=read_survey(whole.find("survey"), values),
        )
        if not message.events and not message.ignore:
            values.wrong(node, "a message gives `events`, or says under `ignore` why it gives none")
        self._check_times(message, node)
        return message

    def _laid_over(self, node: Table) -> Table:
        """A message with what it takes from another one, its own lines above."""
        like = self._values.text(node.find("like"), "like")
        if like is None:
            return node
        other = self._messages.get(like)
        if other is None:
            text = f"no message `{like}` stands above this one"
            self._values.wrong(node.find("like") or node, text, suggest(like, self._messages))
            return node
        own = set(node.keys())
        taken = tuple(entry for entry in other.entries if entry.key.text not in own and entry.key.text != "root")
        return replace(node, entries=(*node.entries, *taken))

    def _check_times(self, message: MessageSpec, node: Table) -> None:
        for given in message.events:
            if not given.time and not message.time:
                self._values.wrong(node, f"no `time` says when {given.event} happened (@received: when it came)")

    def _read_events(self, node: Node | None) -> tuple[Given, ...]:
        found: list[Given] = []
        for item in node.nodes if isinstance(node, Items) else () if node is None else (node,):
            if not isinstance(item, Table):
                self._values.wrong(item, "an event is {event: contact.started, when: {...}, attributes: {...}}")
                continue
            given = self._read_event(item)
            if given is not None:
                found.append(given)
        return tuple(found)

    def _read_event(self, node: Table) -> Given | None:
        values = self._values
        values.check_keys(node, _EVENT_KEYS, "an event")
        event = values.text(node.find("event"), "event")
        if event is None:
            values.wrong(node, "`event` names what happened, such as contact.started")
            return None
        near = meant_type(event)
        if near is not None or not _EVENT.match(event):
            values.wrong(node.find("event") or node, f"there is no event `{event}`", near)
        named = values.texts(node.find("groups"), "groups")
        groups = [values.attributes(group) for name in named if (group := self._group(name, node)) is not None]
        given = Given(
            event=event,
            when=values.tests(node.find("when")),
            unless=values.tests(node.find("unless"), "unless"),
            time=values.paths(node.find("time")),
            attributes=values.attributes(node.find("attributes")),
            choice=self._read_choice(node.find("choice")),
            event_id=values.paths(node.find("event_id")),
        )
        given = with_fixed(given, self._read_set(node.find("set")), groups)
        self._check_names(event, given.attributes, node)
        self._check_derived(given, node)
        lacking = [flag for flag in _ALWAYS.get(event, ()) if flag not in given.attributes]
        if lacking:
            values.wrong(
                node, f"{event} always tells {' and '.join(lacking)}: say when it is true, `{{when: {{...}}}}`"
            )
        return given

    def _check_names(self, event: str, attributes: Any, node: Table) -> None:
        for name in attributes:
            near = meant_attribute(event, name)
            if near is not None:
                self._values.wrong(node, f"{event} has no attribute `{name}`", near)

    def _check_derived(self, given: Given, node: Table) -> None:
        """`@name` in a condition means an attribute of the same event."""
        for test in asked_by(given):
            name = test.path.text.removeprefix("@")
            if name != test.path.text and test.path.text not in WORDS and name not in given.attributes:
                text = f"`{test.path.text}` means an attribute of this event, and there is none of this name"
                self._values.wrong(node, text, suggest(name, given.attributes))

    def _group(self, name: str, node: Table) -> Table | None:
        group = self._groups.get(name)
        if group is None:
            self._values.wrong(node, f"there is no group `{name}`", suggest(name, self._groups))
        return group

    def _read_set(self, node: Node | None) -> dict[str, Scalar]:
        table = self._values.table(node, "set")
        found: dict[str, Scalar] = {}
        for entry in table.entries if table is not None else ():
            value = entry.node.value if isinstance(entry.node, Leaf) else None
            if value is None:
                self._values.wrong(entry.node, "`set` gives an attribute a value")
            else:
                found[entry.key.text] = value
        return found

    def _read_choice(self, node: Node | None) -> tuple[str, str] | None:
        table = self._values.table(node, "choice")
        if table is None:
            return None
        for entry in table.entries:
            word = self._values.text(entry.node, "choice") or ""
            words = self._choices.get(entry.key.text)
            if words is None:
                text = f"there is no choice `{entry.key.text}`"
                self._values.wrong(entry.key, text, suggest(entry.key.text, self._choices))
            elif word not in words:
                self._values.wrong(entry.node, f"`{entry.key.text}` is one of {', '.join(words)}", suggest(word, words))
            return entry.key.text, word
        return None

    def _read_ignored(self, node: Node | None) -> tuple[PassedBy, ...]:
        found: list[PassedBy] = []
        for item in node.nodes if isinstance(node, Items) else () if node is None else (node,):
            reason = self._values.text(item.find("reason"), "reason") if isinstance(item, Table) else None
            if not isinstance(item, Table) or reason is None:
                self._values.wrong(item, "what is ignored says why: {when: {...}, reason: ...}")
                continue
            self._values.check_keys(item, ("when", "reason"), "what is ignored")
            found.append(PassedBy(reason=reason, when=self._values.tests(item.find("when"))))
        return tuple(found)
