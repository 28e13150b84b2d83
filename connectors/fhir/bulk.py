"""Bulk Data Access ($export): where to begin, what its manifest says, and what its files hold. Sans-I/O.

Source: HL7 FHIR Bulk Data Access IG 2.0, "Export": kick-off with `Prefer: respond-async`, 202 with `Content-Location`,
then its manifest; the next `_since` is this one's `transactionTime`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from connectors.fhir.search import WrongAnswer, write_since
from connectors.json_text import BOM, NOT_JSON
from schemas.instant import read_instant

DELETIONS: Final = "deletions"
"""The type under which bundles of deletions stand among the files."""


class BulkFile(NamedTuple):
    """A file of an export: what it holds, where it lies, how many resources it should have (None: not said)."""

    type: str
    url: str
    resources: int | None


class Manifest(NamedTuple):
    """What an export came to. `time` in microseconds; `errors` are files of OperationOutcomes."""

    time: int
    needs_token: bool
    files: tuple[BulkFile, ...]
    errors: tuple[BulkFile, ...]


class _File(msgspec.Struct):
    url: str
    type: str = ""
    count: int | None = None


class _Manifest(msgspec.Struct, rename="camel"):
    transaction_time: str
    requires_access_token: bool = True  # left out against the rule: then no file is fetched from elsewhere
    output: list[_File] = []
    deleted: list[_File] | None = None
    error: list[_File] | None = None


class _Bundle(msgspec.Struct, gc=False):
    entry: list[msgspec.Raw] = []


_manifest: Final = msgspec.json.Decoder(_Manifest)
_bundle: Final = msgspec.json.Decoder(_Bundle)


def over_group(id_: str) -> str:
    """What an export of a group's patients is of."""
    return f"Group/{quote(id_, safe='')}"


def kick_off_url(base: str, *, over: str, types: Sequence[str], since: int | None) -> str:
    """Where an export is begun: `over` a group (`over_group`), over all patients (`Patient`), or of all that the server
    has (empty)."""
    at = f"{base}/{over}/$export" if over else f"{base}/$export"
    asked = {"_outputFormat": "application/fhir+ndjson"}
    if types:
        asked["_type"] = ",".join(types)
    if since is not None:
        asked["_since"] = write_since(since)
    return f"{at}?{urlencode(asked, safe=',:+/')}".replace("+ndjson", "%2Bndjson")


def read_manifest(raw: bytes) -> Manifest:
    """Raises WrongAnswer for what is no manifest."""
    try:
        read = _manifest.decode(raw.removeprefix(BOM))
        time = read_instant(read.transaction_time)
    except (*NOT_JSON, ValueError, OverflowError):
        raise WrongAnswer("it is no manifest of an export") from None
    files = [BulkFile(one.type, one.url, one.count) for one in read.output]
    files += [BulkFile(DELETIONS, one.url, one.count) for one in read.deleted or ()]
    errors = tuple(BulkFile(one.type, one.url, one.count) for one in read.error or ())
    return Manifest(time, read.requires_access_token, tuple(files), errors)


def deletions_of(line: bytes) -> Iterator[bytes]:
    """The entries of a line of a file of deletions, each as one message; the line itself where it is no bundle."""
    try:
        entries = _bundle.decode(line).entry
    except NOT_JSON:
        yield line
        return
    yield from map(bytes, entries)
