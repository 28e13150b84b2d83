"""The site file: facilities, authorities, mapping and calendars, test patients, rules of identity, overridden lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connectors.hl7.charset import codec_of
from connectors.surveys.instruments import Instrument, read_instruments, shipped_instruments
from hub.identity_rules import read_identity, read_region
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
)
from schemas.identity import IdentityRules
from streams.core.declared_calendars import read_zone
from streams.core.threshold_fields import as_table, check_keys, read_text

SITE_KEYS: Final = (
    "version",
    "timezone",
    "facilities",
    "authorities",
    "mapping",
    "test_patients",
    "calendars",
    "surveys",
    "thresholds",
    "identity",
)
FACILITY_KEYS: Final = ("zone", "region", "charset", "authority")


class WrongSite(WrongDeclaration):
    """A site file with mistakes in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """`zone` is where its clocks stand, `region` a country for its telephone numbers, `charset` what its messages
    are written in where they do not say, `authority` who gives its record numbers.
    """

    zone: str | None = None
    region: str | None = None
    charset: str | None = None
    authority: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a site says of itself. `spellings` maps each spelling of an authority to the name it goes by; `mapping`,
    `calendars` and `thresholds` are kept as written, with their places, for those who read them; `identity` says who is
    linked to whom.
    """

    timezone: str | None = None
    facilities: Mapping[str, Facility] = field(default_factory=dict)
    spellings: Mapping[str, str] = field(default_factory=dict)
    test_patients: frozenset[str] = frozenset()
    mapping: Node | None = None
    calendars: Table | None = None
    thresholds: Table | None = None
    identity: IdentityRules = field(default_factory=IdentityRules)

    @property
    def regions(self) -> dict[str, str]:
        """The countries of the facilities' telephone numbers, by their names."""
        return {name: facility.region for name, facility in self.facilities.items() if facility.region}

    instruments: Mapping[str, Instrument] = field(default_factory=shipped_instruments)

    @property
    def zones(self) -> dict[str, str]:
        """The facilities' zones, by their names."""
        return {name: facility.zone for name, facility in self.facilities.items() if facility.zone}

    @property
    def calendar_zone(self) -> str | None:
        """What `timezone: site` stands for in a calendar: the site's zone, else the one that all facilities share."""
        zones = {facility.zone for facility in self.facilities.values() if facility.zone is not None}
        return self.timezone or (next(iter(zones)) if len(zones) == 1 else None)


def read_site(path: Path) -> Site:
    """Read a site file. Raises WrongSite with all problems; what overrides thresholds is checked with them."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise WrongSite([Problem(Place(str(path), 1, 1), "this is no text in UTF-8")]) from None
    except OSError as error:
        raise WrongSite([Problem(Place(str(path)), f"cannot be read: {error.strerror}")]) from None
    site, problems = read_site_text(str(path), text)
    if has_errors(problems):
        raise WrongSite(problems)
    return site


def read_site_leniently(path: Path) -> Site:
    """As much of a site file as can be read, for who looks for further mistakes."""
    try:
        return read_site_text(str(path), path.read_text(encoding="utf-8-sig"))[0]
    except (UnicodeDecodeError, OSError):
        return Site()


def read_site_text(file: str, text: str) -> tuple[Site, list[Problem]]:
    """The site that a text declares, and the problems in it."""
    findings = Findings()
    table = read_declaration(file, text, findings)
    if table is None:
        return Site(), findings.listed()
    table = check_keys(table, SITE_KEYS, "a site file", findings)
    zone, version = table.find("timezone"), table.find("version")
    if version is not None and read_text(version, "version", findings) not in (None, "1"):
        findings.error(version.place, "`version` is 1")
    site = Site(
        timezone=read_zone(zone, "timezone", findings) if zone is not None else None,
        facilities=_read_facilities(table.find("facilities"), findings),
        spellings=_read_authorities(table.find("authorities"), findings),
        test_patients=_read_patients(table.find("test_patients"), findings),
        mapping=table.find("mapping"),
        calendars=_table_or_none(table, "calendars", findings),
        instruments=_read_surveys(_table_or_none(table, "surveys", findings), findings),
        thresholds=_table_or_none(table, "thresholds", findings),
        identity=read_identity(table.find("identity"), findings),
    )
    return site, findings.listed()


def _table_or_none(table: Table, key: str, findings: Findings) -> Table | None:
    node = table.find(key)
    return None if node is None else as_table(node, key, findings)


def _read_facilities(node: Node | None, findings: Findings) -> dict[str, Facility]:
    table = as_table(node, "facilities", findings) if node is not None else None
    found: dict[str, Facility] = {}
    for entry in table.entries if table is not None else ():
        if not isinstance(entry.node, Table):
            wanted = "needs a mapping such as {zone: America/Denver}"
            findings.error(entry.node.place, f"the facility `{entry.key.text}` {wanted}, here is {kind_of(entry.node)}")
            continue
        lines = check_keys(entry.node, FACILITY_KEYS, "a facility", findings)
        texts = {line.key.text: line.node for line in lines.entries}
        zone, charset = texts.get("zone"), texts.get("charset")
        region, authority = texts.get("region"), texts.get("authority")
        found[entry.key.text] = Facility(
            zone=read_zone(zone, "zone", findings) if zone is not None else None,
            region=read_region(region, findings) if region is not None else None,
            charset=_read_charset(charset, findings) if charset is not None else None,
            authority=read_text(authority, "authority", findings) if authority is not None else None,
        )
    return found


def _read_charset(node: Node, findings: Findings) -> str | None:
    text = read_text(node, "charset", findings)
    if text is not None and codec_of(text) is None:
        findings.error(node.place, f"`{text}` is no character set (HL7 table 0211, as 8859/1 or UNICODE UTF-8)")
    return text


def _read_authorities(node: Node | None, findings: Findings) -> dict[str, str]:
    """Each spelling to the authority's name. A spelling of two authorities would make them one in silence."""
    table = as_table(node, "authorities", findings) if node is not None else None
    spellings: dict[str, str] = {}
    for entry in table.entries if table is not None else ():
        name = entry.key.text
        for item, spelling in _read_list(entry.node, name, "spellings such as [urn:oid:1.2.3]", findings):
            if spelling == name:
                continue
            if spellings.setdefault(spelling, name) != name:
                findings.error(item.place, f"`{spelling}` is a spelling of `{spellings[spelling]}` already")
    for entry in table.entries if table is not None else ():
        if entry.key.text in spellings:
            other = spellings[entry.key.text]
            findings.error(entry.key.place, f"`{entry.key.text}` is a name and a spelling of `{other}` too")
    return spellings


def _read_surveys(table: Table | None, findings: Findings) -> Mapping[str, Instrument]:
    """The shipped instruments, and the site's own over them."""
    shipped = shipped_instruments()
    return shipped if table is None else read_instruments(table, shipped, findings)


def _read_patients(node: Node | None, findings: Findings) -> frozenset[str]:
    if node is None:
        return frozenset()
    of = "identifiers such as [TEST1^NORTH]"
    return frozenset(text for _, text in _read_list(node, "test_patients", of, findings))


def _read_list(node: Node, key: str, of: str, findings: Findings) -> list[tuple[Node, str]]:
    """One text or a list of them, each with its node."""
    if isinstance(node, Table):
        findings.error(node.place, f"`{key}` is a list of {of}, here is a mapping")
        return []
    read = [(item, read_text(item, key, findings)) for item in (node.nodes if isinstance(node, Items) else (node,))]
    return [(item, text) for item, text in read if text is not None]
