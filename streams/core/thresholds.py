"""Threshold files: texts to a checked set, or to all the problems in them at once.

The lines of a threshold come from three places: its own, its file's `defaults` (shared where the kind has such a
line), and a site file's override. They are laid over each other first and read once, so an override is checked as if
it stood in the threshold; each line keeps the place where it is written.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from schemas.calendar import Calendar
from schemas.declaration import (
    Findings,
    Items,
    Leaf,
    Node,
    Place,
    Problem,
    Table,
    has_errors,
    kind_of,
    read_declaration,
    suggest,
)
from schemas.threshold import Kind, Threshold, ThresholdSet
from schemas.threshold_keys import (
    COMMON,
    FILE_KEYS,
    MODES,
    NOT_SHARED,
    OF_KIND,
    SEVERITIES,
    THEMES,
    Mode,
    Severity,
    keys_of,
)
from streams.core.declared_calendars import merged_calendar, read_calendar
from streams.core.threshold_checks import check_threshold
from streams.core.threshold_fields import as_table, check_keys, mended, read_choice, read_names, read_text
from streams.core.threshold_kinds import Lines, read_rule
from streams.core.threshold_layers import check_own_keys, items_of, laid_over
from streams.core.threshold_matches import read_event_type

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,119}")


@dataclass(slots=True)
class _File:
    """One file: what it shares and what it declares."""

    name: str
    defaults: Table | None = None
    thresholds: list[Table] = field(default_factory=list)
    calendars: dict[str, Table] = field(default_factory=dict)
    events: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


def read_thresholds(
    sources: Sequence[tuple[str, str]],
    *,
    overrides: Table | None = None,
    calendars: Table | None = None,
    default_zone: str | None = None,
    shipped: Sequence[tuple[str, str]] = (),
) -> tuple[ThresholdSet, list[Problem]]:
    """Read files that are loaded together: pairs of a file's name and its text.

    `overrides` and `calendars` are the site file's `thresholds:` and `calendars:`. `default_zone` stands for
    `timezone: site` (UTC where there is none). `shipped` are files that are known and not loaded: a line for one of
    their thresholds is no mistake, and a site may add lines to their calendars. The set holds what could be read; it
    is to be used only if no problem is an error.
    """
    findings = Findings()
    files = [file for name, text in sources if (file := _read_file(name, text, findings)) is not None]
    known = [file for name, text in shipped if (file := _read_file(name, text, Findings())) is not None]
    found = _Calendars(files, known, calendars, default_zone, findings)
    elsewhere = [_id_of(table) for _, table in _all(known)]
    lines_by_id = _read_overrides(overrides, _declared(files, findings), elsewhere, findings)
    own = tuple(word for file in files for word in (*file.events, *file.attributes))
    thresholds = []
    for file, table in _all(files):
        override = lines_by_id.get(_id_of(table))
        reader = _ThresholdReader(file, found, own, findings)
        threshold = reader.read(table, override)
        if threshold is not None:
            thresholds.append(threshold)
    return ThresholdSet(thresholds=tuple(thresholds), calendars=found.by_id()), findings.listed()


def _read_file(name: str, text: str, findings: Findings) -> _File | None:
    table = read_declaration(name, text, findings)
    if table is None:
        return None
    table = check_keys(table, FILE_KEYS, "a thresholds file", findings)
    file = _File(name)
    version = table.find("version")
    if version is not None and not (isinstance(version, Leaf) and version.text == "1"):
        findings.error(version.place, "`version` is 1")
    if table.find("thresholds") is None and table.find("calendars") is None:
        findings.error(Place(name, 1, 1), "the file declares no `thresholds` and no `calendars`")
    _read_calendar_tables(table.find("calendars"), file, findings)
    _read_defaults(table.find("defaults"), file, findings)
    _read_own_events(table.find("events"), file, findings)
    own = table.find("attributes")
    file.attributes = (read_names(own, "attributes", findings) or ()) if own is not None else ()
    listed = table.find("thresholds")
    if isinstance(listed, Items):
        for node in listed:
            if isinstance(node, Table):
                file.thresholds.append(node)
            else:
                findings.error(node.place, f"a threshold is a mapping, here is {kind_of(node)}")
    elif listed is not None:
        findings.error(listed.place, f"`thresholds` is a list, each begins with `- id:`; here is {kind_of(listed)}")
    return file


def _read_calendar_tables(node: Node | None, file: _File, findings: Findings) -> None:
    table = as_table(node, "calendars", findings) if node is not None else None
    for entry in table.entries if table is not None else ():
        calendar = as_table(entry.node, entry.key.text, findings)
        if calendar is not None:
            file.calendars[entry.key.text] = calendar


def _read_defaults(node: Node | None, file: _File, findings: Findings) -> None:
    table = as_table(node, "defaults", findings) if node is not None else None
    if table is None:
        return
    shared = dict.fromkeys((*COMMON, *(key for keys in OF_KIND.values() for key in keys)))
    file.defaults = check_keys(table, [key for key in shared if key not in NOT_SHARED], "`defaults`", findings)


def _read_own_events(node: Node | None, file: _File, findings: Findings) -> None:
    """`events:` names types of the site's own, so that one that resembles a known type is not taken for a slip."""
    if node is not None:
        nodes = node.nodes if isinstance(node, Items) else (node,)
        types = [read_event_type(item, "events", findings) for item in nodes]
        file.events = tuple(event for event in types if event is not None)


def _all(files: Sequence[_File]) -> list[tuple[_File, Table]]:
    return [(file, table) for file in files for table in file.thresholds]


def _id_of(table: Table) -> str:
    node = table.find("id")
    return node.text.strip() if isinstance(node, Leaf) else ""


def _declared(files: Sequence[_File], findings: Findings) -> dict[str, Place]:
    """Every id with its place. The same id twice would make alerts of two thresholds one."""
    place_by_id: dict[str, Place] = {}
    for _, table in _all(files):
        name, node = _id_of(table), table.find("id")
        if not name or node is None:
            continue
        if name in place_by_id:
            findings.error(node.place, f"`{name}` is declared twice (first at {place_by_id[name]})")
        else:
            place_by_id[name] = node.place
    return place_by_id


def _read_overrides(
    overrides: Table | None, declared: Collection[str], elsewhere: Collection[str], findings: Findings
) -> dict[str, Table]:
    """A site's lines by threshold id. What they say is checked with the threshold that they change."""
    found: dict[str, Table] = {}
    for entry in overrides.entries if overrides is not None else ():
        name = entry.key.text
        if name not in declared and name not in elsewhere:
            known = (*declared, *elsewhere)
            findings.error(entry.key.place, f"no threshold `{name}` is loaded", suggest(name, known))
            continue
        table = as_table(entry.node, name, findings)
        if table is None:
            continue
        for line in table.entries:
            if line.key.text in ("id", "kind"):
                findings.error(line.key.place, f"`{line.key.text}` of a threshold cannot be overridden")
        found[name] = table
    return found


class _Calendars:
    """All calendars loaded together. A file's own comes first, so that files which each bring one stand side by side;
    a site's comes before all.
    """

    def __init__(
        self,
        files: Sequence[_File],
        shipped: Sequence[_File],
        site: Table | None,
        default_zone: str | None,
        findings: Findings,
    ) -> None:
        self._findings = findings
        self._zone = default_zone or "UTC"
        self._site: dict[str, Calendar | None] = {}
        self._by_file: dict[str, dict[str, Calendar | None]] = {}
        tables = {name: table for file in reversed((*files, *shipped)) for name, table in file.calendars.items()}
        for entry in site.entries if site is not None else ():
            table = as_table(entry.node, entry.key.text, findings)
            whole = merged_calendar(tables.get(entry.key.text), table) if table is not None else None
            self._site[entry.key.text] = self._read(entry.key.text, whole)
        for file in files:
            read = {name: self._read(name, table) for name, table in file.calendars.items()}
            self._by_file.setdefault(file.name, {}).update(read)

    def _read(self, name: str, table: Table | None) -> Calendar | None:
        calendar = read_calendar(name, table, self._findings) if table is not None else None
        if calendar is None or calendar.timezone is not None:
            return calendar
        return replace(calendar, timezone=self._zone)

    def find(self, file: str, node: Node, findings: Findings) -> Calendar | None:
        """The calendar that a threshold of this file names."""
        name = read_text(node, "calendar", findings)
        if name is None:
            return None
        for known in (self._site, self._by_file.get(file, {})):
            if name in known:
                return known[name]
        others = [known[name] for known in self._by_file.values() if name in known]
        if not others:
            findings.error(node.place, f"no calendar `{name}` is declared", suggest(name, self.names()))
            return None
        if any(other != others[0] for other in others):
            findings.error(node.place, f"calendar `{name}` is declared in several files, each with other hours")
        return others[0]

    def names(self) -> tuple[str, ...]:
        every = (self._site, *self._by_file.values())
        return tuple(dict.fromkeys(name for known in every for name in known))

    def by_id(self) -> dict[str, Calendar]:
        found: dict[str, Calendar] = {}
        for known in (self._site, *self._by_file.values()):
            for name, calendar in known.items():
                if calendar is not None:
                    found.setdefault(name, calendar)
        return found


class _ThresholdReader:
    def __init__(self, file: _File, calendars: _Calendars, own: tuple[str, ...], findings: Findings) -> None:
        self._file = file
        self._calendars = calendars
        self._own = own
        self._findings = findings

    def read(self, own: Table, override: Table | None) -> Threshold | None:
        """The threshold; None if anything about it is wrong."""
        mine = Findings()  # so that one threshold's mistakes do not spoil the others
        try:
            return self._read(own, override, mine)
        finally:
            self._findings.add(mine)

    def _read(self, own: Table, override: Table | None, findings: Findings) -> Threshold | None:
        kind = _read_kind(mended(own, ("kind",)), findings)
        if kind is None:
            known = dict.fromkeys(key for each in OF_KIND for key in keys_of(each))
            _read_id(check_keys(own, known, "a threshold", findings), findings)
            return None
        own = check_own_keys(own, kind, findings)
        override = check_own_keys(override, kind, findings) if override is not None else None
        name = _read_id(own, findings)
        whole = laid_over(own, self._file.defaults, override, kind)
        lines = Lines(whole, findings)
        rule = read_rule(kind, whole, findings)
        check_threshold(kind, lines, self._own, self._calendars.names())
        calendar_node = whole.find("calendar")
        calendar = self._calendars.find(self._file.name, calendar_node, findings) if calendar_node is not None else None
        severity: Severity | None = lines.read("severity", _read_severity)
        mode: Mode | None = lines.read("mode", _read_mode)
        theme = lines.read("theme", read_text)
        if theme is not None and theme not in THEMES:
            findings.warning(lines.place("theme"), f"`theme` is one of {', '.join(THEMES)}", suggest(theme, THEMES))
        title, audience = lines.read("title", read_text), lines.read("audience", _read_texts)
        next_step, source = lines.read("next_step", read_text), lines.read("source", read_text)
        if rule is None or name is None:
            return None
        threshold = Threshold(
            id=name,
            kind=kind,
            rule=rule,
            title=title or _title_of(name),
            theme=theme,
            severity="medium" if severity is None else severity,
            mode="live" if mode is None else mode,
            audience=audience or (),
            next_step=next_step,
            source=source or "",
            calendar=calendar,
            pack=_pack_of(self._file.name),
            place=f"{own.place.file}:{own.place.line}",
        )
        return None if has_errors(findings.listed()) else threshold


def _read_id(own: Table, findings: Findings) -> str | None:
    node = own.find("id")
    if node is None:
        findings.error(own.place, "a threshold needs an `id`")
        return None
    name = read_text(node, "id", findings)
    if name is not None and not _ID.fullmatch(name):
        findings.error(node.place, "an `id` is made of letters, digits, `.`, `_` and `-`, at most 120")
        return None
    return name


def _read_kind(own: Table, findings: Findings) -> Kind | None:
    node = own.find("kind")
    if node is None:
        findings.error(own.place, f"a threshold needs a `kind`: {', '.join(OF_KIND)}")
        return None
    kind = read_choice(node, "kind", OF_KIND, findings)
    if kind is None and isinstance(node, Leaf):
        near = suggest(node.text, OF_KIND)
        return next((known for known in OF_KIND if known == near), None)  # its lines are checked as of that kind
    return kind


def _read_severity(node: Node, key: str, findings: Findings) -> Severity | None:
    return read_choice(node, key, SEVERITIES, findings)


def _read_mode(node: Node, key: str, findings: Findings) -> Mode | None:
    return read_choice(node, key, MODES, findings)


def _read_texts(node: Node, key: str, findings: Findings) -> tuple[str, ...] | None:
    texts = [read_text(item, key, findings) for item in items_of(node)]
    return tuple(dict.fromkeys(text for text in texts if text is not None))


def _title_of(name: str) -> str:
    words = re.sub(r"[._\-]+", " ", name).strip()
    return words[:1].upper() + words[1:]


def _pack_of(file: str) -> str:
    name = re.split(r"[/\\]", file)[-1]
    return re.sub(r"\.ya?ml$", "", name)
