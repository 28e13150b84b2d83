"""The webhooks of a site: its sources and the shipped mappings, and which of them a body belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.api import Reading, Split, dead
from connectors.contact_center.body import read_body, split_kept
from connectors.contact_center.files import first_values
from connectors.contact_center.plan import USUAL, of_site
from connectors.contact_center.read import HookReader, content_of
from connectors.contact_center.shipped import shipped_hook, shipped_names
from connectors.surveys.instruments import Instrument, shipped_instruments
from hub.hook_sources import HookSources
from schemas.errors import Reason

KIND: Final = "hook/"
"""What the kind of a webhook's message begins with; the source's name follows."""
KEPT_LINE: Final = b"#pxhub "
UNKNOWN: Final = "a webhook that no mapping knows"


class Hooks:
    """Readers of webhooks, by the name of their source. A shipped mapping serves as a source of its own name, for files
    that nobody declared a source for. `zone` is for stamps without an offset; `instruments` are the site's surveys."""

    def __init__(
        self,
        sources: HookSources | None = None,
        *,
        zone: str | None = None,
        instruments: Mapping[str, Instrument] | None = None,
    ) -> None:
        self._instruments: Mapping[str, Instrument] = shipped_instruments() if instruments is None else instruments
        self._sources: HookSources = sources or HookSources()
        self._zone: ZoneInfo | None = ZoneInfo(zone) if zone else None
        self._readers: dict[str, HookReader] = {}
        self._names: dict[str, str] = {}  # a reading's source -> the name of its source

    def reader(self, name: str) -> HookReader | None:
        """The reader of a source, or of a shipped mapping; None for a name that is neither."""
        known = self._readers.get(name)
        if known is not None:
            return known
        declared = self._sources.by_name.get(name)
        if declared is not None:
            made = HookReader(declared.mapping, of_site(declared.options, self._zone, self._instruments))
        elif name in shipped_names():
            made = HookReader(shipped_hook(name), of_site(USUAL, self._zone, self._instruments))
        else:
            return None
        self._readers[name] = made
        return made

    def find(self, body: Any) -> str | None:
        """The source that a decoded body belongs to: a declared one, of several that of its instance, else the
        shipped mapping that knows it."""
        if isinstance(body, dict) and "specversion" in body:
            return None  # a CloudEvent, whatever it carries
        declared = [name for name in self._sources.by_name if self._knows(name, body)]
        if declared:
            return next((name for name in declared if self._is_of(name, body)), declared[0])
        others = (name for name in shipped_names() if name not in self._sources.by_name)
        return next((name for name in others if self._knows(name, body)), None)

    def _knows(self, name: str, body: Any) -> bool:
        reader = self.reader(name)
        return reader is not None and reader.find(body) is not None

    def _is_of(self, name: str, body: Any) -> bool:
        declared, reader = self._sources.by_name[name], self.reader(name)
        instance = reader.instance_of(body) if reader is not None else None
        return instance is not None and declared.options.instance == instance

    # -- files

    def is_hook(self, head: bytes) -> bool:
        """Whether a file that begins so holds bodies of webhooks."""
        if head.startswith(KEPT_LINE):
            return True
        values = list(first_values(head))
        if any(self.find(value) is not None for value in values):
            return True
        if not values and head.lstrip()[:1] in (b"{", b"[") and b'"specversion"' not in head:
            return self._is_hinted(head)  # one that is longer than what is seen of it
        line = head.split(b"\n", 1)[0].strip()
        return line[:1] not in (b"{", b"[", b"") and self.is_body(line)

    def _is_hinted(self, head: bytes) -> bool:
        """Whether all that a body of some message must hold stands in a part of one. Whether it is one is asked when it
        is whole."""
        readers = (self.reader(name) for name in (*self._sources.by_name, *shipped_names()))
        return any(
            quick.hints and all(hint in head for hint in quick.hints)
            for reader in readers
            if reader is not None
            for quick in reader.plan.quick
        )

    def is_body(self, raw: bytes) -> bool:
        """Whether some mapping knows a body."""
        try:
            return self.find(read_body(split_kept(raw)[1])) is not None
        except ValueError:
            return False

    def read(self, raw: bytes, place: str) -> Reading:
        """What a body of a file is, by the source that knows it."""
        return self.split(raw, place).reading

    def split(self, raw: bytes, place: str) -> Split:
        """The same, without what was said in somebody's own words."""
        kept, body = split_kept(raw)
        try:
            value = read_body(body)
        except ValueError as wrong:
            return Split(dead(Reason.UNREADABLE, place, str(wrong)), raw)
        name = self.find(value)
        reader = self.reader(name) if name is not None else None
        if name is None or reader is None:
            return Split(Reading(ignored=UNKNOWN), raw)
        split = reader.split_value(value, kept, raw, place)
        self._names[split.reading.source] = name
        return split

    def kind_of(self, source: str) -> str:
        """The kind of a message that `read` gave this source."""
        return KIND + self._names.get(source, source.split("/")[1] if source.count("/") > 1 else "")


def content_of_hook(raw: bytes) -> bytes:
    """What a body says, however it is written and whenever it came."""
    return content_of(raw)
