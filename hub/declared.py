"""What is declared for a run: site, thresholds and mapping, read together, so that all mistakes are told in one go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.fhir.read import FhirReader
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from connectors.mapping.spec import MappingSpec, Scalar
from hub.site import Site, read_site, read_site_leniently
from hub.thresholds import load_with_warnings
from schemas.declaration import Problem, WrongDeclaration
from schemas.errors import WrongUse
from schemas.threshold import ThresholdSet

Read = TypeVar("Read")
Tables = Mapping[str, Mapping[str, Scalar]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A checked site, the thresholds with its overrides, the mapping, and what is probably a mistake in the two."""

    site: Site
    thresholds: ThresholdSet
    warnings: tuple[str, ...]
    mapping: MappingSpec


def read_declared(site: Path | None, thresholds: Path | None, mapping: Path | None, zone: str | None) -> Declared:
    """Read all three; `zone` is a command's `--timezone`. Raises WrongDeclaration with the problems of every file."""
    problems: list[Problem] = []

    def told(read: Callable[[], Read]) -> Read | None:
        try:
            return read()
        except WrongDeclaration as wrong:
            problems.extend(wrong.problems)
            return None

    if site is not None:
        told(lambda: read_site(site))
    known = read_site_leniently(site) if site is not None else Site()
    loaded = told(lambda: load_with_warnings(thresholds, known, default_zone=zone))
    mapped = told(lambda: site_mapping(mapping, known))
    if problems or loaded is None or mapped is None:
        raise WrongDeclaration(dict.fromkeys(problems))
    warnings = (*map(str, loaded[1]), *map(str, mapped.warnings))
    return Declared(site=known, thresholds=loaded[0], warnings=warnings, mapping=mapped)


def checked_zone(name: str) -> str:
    """A zone's name as a command was given it. Raises WrongUse for what is none."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WrongUse(f"{name} is no time zone; a name such as America/New_York is expected") from None
    return name


def hl7_reader(site: Site, mapping: MappingSpec, zone: str | None) -> Hl7Reader:
    """The reader of a site's HL7 v2 messages; `zone` goes before the site's own."""
    facilities = site.facilities.items()
    return Hl7Reader(
        mapping,
        zones=site.zones,
        default_zone=zone or site.timezone,
        charsets={name: facility.charset for name, facility in facilities if facility.charset},
        authorities={name: facility.authority for name, facility in facilities if facility.authority},
    )


def fhir_reader(site: Site, zone: str | None, tables: Tables, *, validates: bool = False) -> FhirReader:
    """The reader of a site's resources that come from no server of its own; `zone` goes before the site's own."""
    return FhirReader(zone=zone or site.timezone, validates=validates, tables=tables, instruments=site.instruments)


def site_mapping(path: Path | None, site: Site) -> MappingSpec:
    """The shipped mapping, the site's lines over it, and those of a file over both."""
    if path is None:
        return load_mapping(site.mapping)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as wrong:
        raise WrongUse(f"{path}: the mapping cannot be read ({wrong.strerror})") from wrong
    except UnicodeDecodeError as wrong:
        raise WrongUse(f"{path}: the mapping is no text in UTF-8") from wrong
    return load_mapping(site.mapping, (str(path), text))
