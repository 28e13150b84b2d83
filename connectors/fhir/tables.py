"""Tables of codes: what a coded value means here. They are shipped as data (tables.yaml, over those of the HL7 v2
mapping), and a site's lines are laid over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from connectors.fhir.shapes import Coding, Concept
from connectors.hl7.mappings import shipped_mapping
from connectors.mapping.spec import Scalar, fold

_TABLE_0074: Final = "v2-0074"
_NONE: Final[Mapping[str, Scalar]] = {}


class Tables:
    """Asks tables for codes, `system|code` before the code alone."""

    __slots__ = ("_tables",)

    def __init__(self, tables: Mapping[str, Mapping[str, Scalar]] | None = None) -> None:
        self._tables: Mapping[str, Mapping[str, Scalar]] = shipped_mapping().tables if tables is None else tables

    def value(self, table: str, code: str | None, system: str | None = None) -> Scalar | None:
        """What a code means; None where the table lacks it, or has nothing for it."""
        if not code:
            return None
        known = self._tables.get(table, _NONE)
        if not known:
            return None
        found = known.get(fold(f"{system}|{code}")) if system else None
        if found is None:
            found = known.get(code)
            if found is None:
                found = known.get(fold(code))
        return None if found == "" else found

    def word(self, table: str, *concepts: Concept | None) -> str | None:
        """What the first code that the table knows means. A concept without codes is asked for by its text."""
        if not self._tables.get(table):
            return None
        for concept in concepts:
            if concept is None:
                continue
            for coding in concept.coding or ():
                found = self.value(table, coding.code, coding.system) if coding is not None else None
                if found is not None:
                    return str(found)
            if not concept.coding and (found := self.value(table, concept.text)) is not None:
                return str(found)
        return None

    def group(self, table: str, concepts: Iterable[Concept] | None) -> tuple[str | None, str | None]:
        """The group and the raw code of categories: the first that belongs to a group we know, else the first as sent,
        which is a group of its own only where table 0074 has it."""
        first: Coding | None = None
        for coding in codings(concepts or ()):
            found = self.value(table, coding.code, coding.system)
            if found is not None:
                return str(found), coding.code
            first = first or coding
        if first is None:
            return None, None
        return (first.code if (first.system or "").endswith(_TABLE_0074) else None), first.code


def codings(concepts: Iterable[Concept | None]) -> Iterator[Coding]:
    """The codings of concepts that carry a code."""
    for concept in concepts:
        if concept is not None and concept.coding is not None:
            for coding in concept.coding:
                if coding is not None and coding.code:
                    yield coding
