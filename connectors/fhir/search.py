"""Asking a FHIR server what changed, a type at a time: the first URL, the next page, and what to remember. Sans-I/O.

Law: a search goes back behind the latest `lastUpdated` seen, by the overlap, for a server may make a resource findable
some time after its stamp; what comes twice changes nothing. What is remembered moves on only over what was durable:
page by page where the server says in its self link that it sorts as asked for (`_sort=_lastUpdated`; R4, Search,
"Server Conformance") and no stamp contradicts it, else once all pages were read.
A next link is followed on the origin of the base alone, and not twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import msgspec

from connectors.fhir.bundle import Piece, split_bundle, type_of
from connectors.fhir.references import Around
from connectors.json_text import BOM, NOT_JSON
from schemas.errors import PxError
from schemas.event import HOUR, SECOND
from schemas.instant import read_instant, write_instant

COUNT: Final = 250  # resources of a page, as far as the server goes along
ELSEWHERE: Final = (
    "its next link leads to another host, which is not asked; a server behind a proxy must be told the address that it "
    "is called by"
)
ENDLESS: Final = "its pages begin again, so its search has no end"
_ALIKE: Final = 3  # pages one after the other that say only what was said before
_PORTS: Final = {"http": 80, "https": 443}


class WrongAnswer(PxError):
    """What a server answered is not what it was asked for. The text holds nothing of it."""


class Page(NamedTuple):
    """A page of a search. `pieces` are its resources as they came, of whatever type; `next` is the URL of the page
    that follows. `first` and `latest` are the least and the largest `lastUpdated` of the asked type (microseconds),
    None without one; `ordered` whether they never went back; `undated` how many resources of the type had none;
    `remarks` how many entries hold none; `made` when the server searched, by its own clock;
    `sorts` whether its self link says that it sorts by `_lastUpdated`."""

    pieces: tuple[Piece, ...]
    next: str | None
    first: int | None
    latest: int | None
    ordered: bool
    undated: int
    remarks: int
    made: int | None
    sorts: bool


class _Link(msgspec.Struct, gc=False):
    relation: str = ""
    url: str = ""


class _Entry(msgspec.Struct, gc=False):
    resource: msgspec.Raw = msgspec.Raw()


class _Meta(msgspec.Struct, gc=False, rename="camel"):
    last_updated: str | None = None


class _Page(msgspec.Struct, rename="camel"):
    resource_type: str
    meta: _Meta | None = None
    link: list[_Link] = []
    entry: list[msgspec.Raw] | None = None


class _Head(msgspec.Struct, gc=False, rename="camel"):
    resource_type: str = ""
    meta: _Meta | None = None


_page: Final = msgspec.json.Decoder(_Page)
_entry: Final = msgspec.json.Decoder(_Entry)
_head: Final = msgspec.json.Decoder(_Head)


def first_url(base: str, type_: str, since: int | None, *, count: int = COUNT) -> str:
    """Where a search for what changed since then (microseconds) begins; without it, for all there is."""
    asked = {"_sort": "_lastUpdated", "_count": str(count)}
    if since is not None:
        asked = {"_lastUpdated": f"ge{write_since(since)}", **asked}
    return f"{base}/{type_}?{urlencode(asked, safe=':')}"


def write_since(since: int) -> str:
    """A moment as servers take it: to the second, and not after it."""
    return write_instant(since - since % SECOND)


def read_page(raw: bytes, base: str, type_: str, now: int) -> Page:
    """A page of a search for a type. A stamp more than an hour ahead of `now` is not believed. Raises WrongAnswer."""
    try:
        page = _page.decode(raw.removeprefix(BOM))
    except NOT_JSON:
        raise WrongAnswer("it is no Bundle in FHIR JSON, or was cut short") from None
    if page.resource_type != "Bundle":
        raise WrongAnswer("it is another resource than a Bundle")
    known = {piece.place: piece.around for piece in split_bundle(raw, "") if isinstance(piece, Piece)}
    pieces: list[Piece] = []
    first = latest = None
    ordered, undated, remarks = True, 0, 0
    for number, text in enumerate(page.entry or ()):
        found = _resource_of(text)
        if found is None or type_of(found) == "OperationOutcome":
            remarks += 1
            continue
        place = f", Bundle.entry[{number}].resource"
        pieces.append(Piece(place, found, known.get(place) or Around(home=base)))
        stamp = _stamp_in(found, type_)
        if stamp is None:
            continue
        if stamp == 0:
            undated += 1
        elif stamp <= now + HOUR:
            ordered = ordered and (latest is None or stamp >= latest)
            first = stamp if first is None else min(first, stamp)
            latest = stamp if latest is None else max(latest, stamp)
    following = next((link.url for link in page.link if link.relation == "next" and link.url), None)
    sorts = any(link.relation == "self" and _is_sorted(link.url) for link in page.link)
    made = _stamp_of(page.meta) or None
    if made is not None and made > now + HOUR:
        made = None
    return Page(tuple(pieces), following, first, latest, ordered, undated, remarks, made, sorts)


def _is_sorted(url: str) -> bool:
    try:
        asked = parse_qs(urlsplit(url).query)
    except ValueError:
        return False
    return asked.get("_sort", [""])[0].partition(",")[0] == "_lastUpdated"


def _resource_of(text: msgspec.Raw) -> bytes | None:
    """What an entry holds; the entry itself where it is spoilt, so that it is kept; None for nothing."""
    try:
        entry = _entry.decode(text)
    except NOT_JSON:
        return bytes(text)
    resource = bytes(entry.resource)
    return None if resource in (b"", b"null") else resource


def _stamp_in(resource: bytes, type_: str) -> int | None:
    """When a resource of this type was last changed; 0 where it does not say so, None for another type."""
    try:
        head = _head.decode(resource)
    except NOT_JSON:
        return None
    return _stamp_of(head.meta) if head.resource_type == type_ else None


def _stamp_of(meta: _Meta | None) -> int:
    """`lastUpdated` in microseconds; 0 where it is not said."""
    try:
        return read_instant(meta.last_updated) if meta is not None and meta.last_updated else 0
    except (ValueError, OverflowError):
        return 0


def origin_of(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a URL; None for what is no web address."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        return None
    if scheme not in _PORTS or not host:
        return None
    return scheme, host.lower(), port or _PORTS[scheme]


class Walk:
    """One search, from its first page to its last. `since` is where it began (microseconds), None for everything."""

    def __init__(self, base: str, type_: str, since: int | None) -> None:
        self.url: str | None = first_url(base, type_, since)
        """The page to ask for; None when there is none."""
        self.fault: str | None = None
        """Why it cannot go on, though the server says that there is more."""
        self.pages: int = 0
        self._base: str = base
        self._type: str = type_
        self._asked: set[bytes] = {_digest(self.url)}
        self._read: set[bytes] = set()
        self._alike: int = 0
        self._ordered: bool = False  # as far as the server says, and was seen
        self._latest: int | None = None
        self._made: int | None = None  # when the server began to search
        self._dated: bool = True

    def read(self, raw: bytes, now: int) -> Page:
        """Take the page that was asked for. Raises WrongAnswer, and then the same page is still to be asked for."""
        page = read_page(raw, self._base, self._type, now)
        if self.pages == 0:
            self._made, self._ordered = page.made, page.sorts
        if page.latest is not None and page.first is not None:
            self._ordered = self._ordered and page.ordered and (self._latest is None or page.first >= self._latest)
            self._latest = page.latest if self._latest is None else max(self._latest, page.latest)
        if page.undated:
            self._dated = False
        self.pages += 1
        self.url = self._following(page)
        return page

    @property
    def position(self) -> int | None:
        """Up to which `lastUpdated` all was read, once what was read is durable; None where that is not known."""
        if self.url is None and self.fault is None:
            if not self._dated:
                return self._latest  # what has no stamp is not found again by one: nothing but stamps is gone by
            # all that the server had when it searched: who is quiet for long is not asked for the same for ever
            return max((t for t in (self._latest, self._made) if t is not None), default=None)
        return self._latest if self._ordered else None

    def _following(self, page: Page) -> str | None:
        if page.next is None or self.url is None:
            return None
        try:
            url = urljoin(self.url, page.next).partition("#")[0]
        except ValueError:
            url = ""
        if origin_of(url) != origin_of(self._base):
            self.fault = ELSEWHERE
            return None
        mark = _digest(url)
        if mark in self._asked or self._says_the_same(page):
            self.fault = ENDLESS
            return None
        self._asked.add(mark)
        return url

    def _says_the_same(self, page: Page) -> bool:
        """Whether some pages one after the other said nothing that pages before did not."""
        content = blake2b(digest_size=16)
        for piece in page.pieces:
            content.update(piece.raw)
        mark = content.digest()
        self._alike = self._alike + 1 if mark in self._read else 0
        self._read.add(mark)
        return self._alike >= _ALIKE


def _digest(url: str) -> bytes:
    return blake2b(url.encode("utf-8", "replace"), digest_size=16).digest()


def types_served(raw: bytes) -> frozenset[str] | None:
    """The types that a CapabilityStatement says can be searched; None where it says nothing of it."""
    try:
        read = _statement.decode(raw.removeprefix(BOM))
    except NOT_JSON:
        return None
    found = frozenset(_searchable(read))
    return found or None


class _Coded(msgspec.Struct, gc=False):
    code: str = ""


class _Type(msgspec.Struct, gc=False):
    type: str = ""
    interaction: list[_Coded] | None = None


class _Rest(msgspec.Struct, gc=False):
    resource: list[_Type] = []


class _Statement(msgspec.Struct, gc=False):
    rest: list[_Rest] = []


_statement: Final = msgspec.json.Decoder(_Statement)


def _searchable(statement: _Statement) -> Iterator[str]:
    for rest in statement.rest:
        for one in rest.resource:
            if one.interaction is None or any(told.code == "search-type" for told in one.interaction):
                yield one.type
