"""The shipped mapping, and a site's over it."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Final

from connectors.hl7.derived import DERIVED
from connectors.hl7.languages import language_codes
from connectors.mapping.read import read_mapping
from connectors.mapping.spec import MappingSpec
from schemas.declaration import Findings, Node, Table, WrongDeclaration, has_errors, read_declaration

_SHIPPED: Final = (("connectors.hl7", "mapping.yaml"), ("connectors.fhir", "tables.yaml"))
"""What is shipped, each laid over those before it: FHIR's tables ask for the codes that HL7 v2 has too."""


class WrongMapping(WrongDeclaration):
    """A mapping with mistakes in it."""


def load_mapping(*overrides: tuple[str, str] | Node | None) -> MappingSpec:
    """The shipped mapping with overrides laid over it in order: (file name, text), or a node of a site file.

    Raises WrongMapping with all problems.
    """
    findings = Findings()
    mapping = shipped_mapping()
    for override in overrides:
        if override is None:
            continue
        root = read_declaration(*override, findings) if isinstance(override, tuple) else override
        if isinstance(root, Table):
            nested = root.find("mapping") if isinstance(override, tuple) else None
            mapping = read_mapping(nested if isinstance(nested, Table) else root, DERIVED, mapping, findings)
        elif root is not None:
            findings.error(root.place, "a mapping has tables, groups, events, messages, add or off")
    problems = findings.listed()
    if has_errors(problems):
        raise WrongMapping(problems)
    return mapping


@lru_cache(maxsize=1)
def shipped_mapping() -> MappingSpec:
    """What the standards say, as data."""
    findings = Findings()
    mapping = MappingSpec(tables={"language": language_codes()})
    for package, name in _SHIPPED:
        text = files(package).joinpath(name).read_text(encoding="utf-8")
        root = read_declaration(name, text, findings)
        mapping = read_mapping(root, DERIVED, mapping, findings) if root is not None else mapping
    if has_errors(findings.listed()):
        raise WrongMapping(findings.listed())
    return mapping
