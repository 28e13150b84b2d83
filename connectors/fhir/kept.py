"""A resource as it is kept: with what stood around it, so that who reads it again reads the same events.

Theory. The log keeps bytes, and reads them again when a mapping was mended or a dead letter is replayed. A resource
alone has lost what its bundle said: the entries that its references lead to, its `fullUrl`, the stamps of the entry and
of the bundle. So these are kept with it, in an envelope of our own; of the entries only those that it refers to. What
is taken as one (a transaction, a message) is kept as one: the whole bundle in the envelope, under a name of its own.
A resource that nothing stood around is kept as it came. An envelope is told by its beginning; a door puts whatever is
JSON into one, so that nobody outside can write it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from connectors.api import Reading
from connectors.fhir.bundle import split_bundle
from connectors.fhir.read import FHIR_SYSTEM, FhirReader, content_digest, once
from connectors.fhir.references import ALONE, Around, restful
from connectors.json_text import BOM
from schemas.event import Event
from schemas.message import Thing

_BEGINNING: Final = b'{"kept":1,'


class Kept(msgspec.Struct, omit_defaults=True):
    """`system` is whom it came from; `name` is what a bundle that is taken as one goes by, `digest` of it as it was
    sent; `things` are the versions of what it holds, as the door counted them."""

    kept: int  # 1; it stands first
    resource: msgspec.Raw
    system: str = FHIR_SYSTEM
    name: str = ""
    digest: bytes = b""
    around: Around | None = None
    things: tuple[Thing, ...] = ()


_encode: Final = msgspec.json.Encoder().encode
_kept: Final = msgspec.json.Decoder(Kept)


def write_kept(
    raw: bytes | msgspec.Raw,
    around: Around = ALONE,
    *,
    system: str = FHIR_SYSTEM,
    things: tuple[Thing, ...] = (),
) -> bytes:
    """The bytes to keep of one resource. `raw` is JSON; `around` as `needed` gives it."""
    if isinstance(raw, bytes):
        raw = msgspec.Raw(raw.removeprefix(BOM).strip())
    return _encode(Kept(1, raw, system, around=None if around == ALONE else around, things=things))


def write_whole(
    bundle: msgspec.Raw, sent: str, *, system: str, name: str, digest: bytes, things: tuple[Thing, ...]
) -> bytes:
    """The bytes to keep of a bundle that is taken as one; `sent` is when, where it does not say itself."""
    return _encode(Kept(1, bundle, system, name, digest, Around(sent=sent), things))


def needed(resource: Any, around: Around) -> Around:
    """What of a bundle a resource needs to be read again: the entries that its references may lead to."""
    if not around.entries:
        return around
    own = restful(around.full_url)
    found = {}
    for text in _references(resource):
        at = restful(text)
        keys = [text]
        if at is not None:
            name = f"{at[1]}/{at[2]}"
            near = at[0] or (own[0] if own is not None else None) or around.home
            keys += [f"{near}/{name}", name]
        for key in keys:
            if (entry := around.entries.get(key)) is not None:
                found[key] = entry
    return around._replace(entries=found)


def with_around(raw: bytes | msgspec.Raw, around: Around) -> bytes:
    """A resource of a file as it is kept: as it stands where nothing stood around it."""
    if around == ALONE:
        return bytes(raw)
    return write_kept(raw, needed(msgspec.json.decode(raw), around))


def is_kept(raw: bytes) -> bool:
    return raw.startswith(_BEGINNING)


def open_kept(raw: bytes) -> Kept:
    """The envelope; what is none is a resource that nothing stood around. Raises msgspec.DecodeError for an envelope
    that is damaged."""
    return _kept.decode(raw) if is_kept(raw) else Kept(1, msgspec.Raw(raw))


def read_kept(raw: bytes, place: str, reader_of: Callable[[str], FhirReader]) -> tuple[Reading, tuple[Thing, ...]]:
    """What was kept, read by the reader of whom it came from; and the versions that came with it."""
    if not is_kept(raw):
        return reader_of(FHIR_SYSTEM).read(raw, place), ()
    kept = _kept.decode(raw)
    reader = reader_of(kept.system)
    if kept.name:
        return _read_whole(reader, kept, place), kept.things
    return reader.read(kept.resource, place, kept.around or ALONE), kept.things


def digest_of(raw: bytes) -> bytes:
    """A digest of what was kept says, whatever stood around it."""
    kept = open_kept(raw)
    return kept.digest or content_digest(msgspec.json.decode(kept.resource))


def _read_whole(reader: FhirReader, kept: Kept, place: str) -> Reading:
    """A bundle that is taken as one: all of its events, or what is wrong with the first entry that cannot be read."""
    events: list[Event] = []
    notes: list[str] = []
    ignored: str | None = None
    identity = (f"fhir/{kept.system}", kept.name, kept.digest)
    sent = kept.around.sent if kept.around is not None else None
    for piece in split_bundle(kept.resource, place):
        if isinstance(piece, Reading):
            found = piece
        else:
            around = piece.around
            found = reader.read(piece.raw, piece.place, around if around.sent else around._replace(sent=sent))
        notes += found.notes
        if found.dead is not None:
            return Reading(*identity, dead=found.dead, notes=once(notes))
        ignored = ignored or found.ignored
        events += found.events
    if not events:
        return Reading(*identity, ignored=ignored, notes=once(notes))
    return Reading(*identity, tuple(events), notes=once(notes))


def _references(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            text = part.get("reference")
            if isinstance(text, str):
                yield text.strip()
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
