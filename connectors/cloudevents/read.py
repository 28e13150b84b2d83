"""One CloudEvent as JSON to one event. Sans-I/O: bytes in, an event or a reading out."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from hashlib import blake2b
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from connectors.api import Reading, dead
from connectors.json_text import NOT_JSON, is_json
from schemas.errors import Reason
from schemas.event import DAY, EARLIEST, HOUR, MINUTE, Event
from schemas.instant import from_datetime, read_instant, write_instant

_TIMES: Final = frozenset(
    (
        "start",
        "end",
        "previous_start",
        "requested_for",
        "requested_at",
        "promised_for",
        "attempt_by",
        "expected_end",
        "valid_until",
        "due",
        "discharged_at",
    )
)
"""Attributes of the vocabulary that are times; thresholds add those that they count from."""
_OFFSET: Final = re.compile(r"(?:[Zz]|[+-]\d\d(?::?\d\d)?)$")
_SHAPES: Final = 65_536  # a source that names its attributes by chance must not fill the memory
_PRECISIONS: Final = {"minute": MINUTE, "hour": HOUR, "day": DAY}
_MEND_TIME: Final = "an RFC 3339 time of 1970 or later is expected"
PERSON_PREFIX: Final = "\x00person\x00"  # streams.core.identity reads it: an event that names its person by id


class _Wire(msgspec.Struct, gc=False):
    """The envelope. Only what is read; unknown extensions are passed by, as CloudEvents asks."""

    id: str = ""
    source: str = ""
    type: str = ""
    specversion: str = ""
    time: str = ""
    data: dict[str, Any] | None = None
    data_base64: str | None = None
    person: str | None = None
    facility: str | None = None
    sensitivity: str | None = None


_decoder: Final = msgspec.json.Decoder(_Wire)
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class CloudEventReader:
    """Reads CloudEvents 1.0 in structured JSON.

    `zones` are the facilities' zones by name, `default_zone` serves the rest; a stamp without an offset and without
    either is taken as UTC and counted in `assumed_utc`. `times` are further attributes that hold times. `with_source`
    puts the source among the attributes, for thresholds that read it.
    """

    def __init__(
        self,
        *,
        zones: Mapping[str, str] | None = None,
        default_zone: str | None = None,
        times: frozenset[str] = frozenset(),
        with_source: bool = False,
    ) -> None:
        self._zones: dict[str, tzinfo] = {name: ZoneInfo(zone) for name, zone in (zones or {}).items()}
        self._default: tzinfo | None = ZoneInfo(default_zone) if default_zone else None
        self._times: frozenset[str] = _TIMES | times
        self._plain: dict[tuple[str, ...], bool] = {}  # names of attributes met together: nothing to settle in them
        self._identifiers: dict[tuple[str, str | None], tuple[str, ...]] = {}
        self._texts: dict[str, str] = {}  # one copy of each source, type and facility
        self._with_source: bool = with_source
        self.assumed_utc: int = 0

    def read(self, line: bytes, place: str) -> Event | Reading:
        """An event, or a reading that says why it is none. `place` names file and line."""
        try:
            wire = _decoder.decode(line)
        except NOT_JSON as wrong:
            return _refused(line, wrong, place)
        if not (wire.id and wire.source and wire.type) or wire.specversion != "1.0":
            return dead(Reason.INVALID, place, "id, source, type and specversion 1.0 are required")
        data = wire.data
        if data is None:
            data = {} if wire.data_base64 is None else _decoded(wire.data_base64)
            if data is None:
                return dead(Reason.INVALID, f"{place}, data_base64", "a JSON object in base64 is expected")
        facility = wire.facility or data.get("facility")
        try:
            time = read_instant(wire.time)
        except (ValueError, OverflowError):
            try:
                time = self._naive(wire.time, facility)
            except (ValueError, OverflowError):
                missing = not wire.time
                reason = Reason.NO_TIME if missing else Reason.BAD_TIME
                return dead(reason, f"{place}, time", _MEND_TIME)
        if time < EARLIEST:
            return dead(Reason.BAD_TIME, f"{place}, time", _MEND_TIME)
        if facility is not None and "facility" not in data:
            data["facility"] = facility
        if self._with_source and "source" not in data:
            data["source"] = wire.source
        names = tuple(data)
        plain = self._plain.get(names)
        if plain is None:
            plain = self._is_plain(names)
        precision = 0 if wire.time[16:17] == ":" else _coarseness(wire.time)
        if not plain:
            self._settle_times(data, facility)
            said = data.get("time_precision")
            precision = _PRECISIONS.get(said, precision) if isinstance(said, str) else precision
        source, type_ = wire.source, wire.type
        one = self._texts.setdefault
        return Event(
            wire.id,
            one(source, source),
            one(type_, type_),
            time,
            data,
            self._names(data, wire.person),
            one(facility, facility) if isinstance(facility, str) else None,
            precision,
            wire.sensitivity,
        )

    def _is_plain(self, names: tuple[str, ...]) -> bool:
        """Whether attributes of these names hold no time and no precision, asked once of each set of names."""
        if len(self._plain) >= _SHAPES:
            self._plain.clear()
        plain = self._plain[names] = self._times.isdisjoint(names) and "time_precision" not in names
        return plain

    def _names(self, data: dict[str, Any], person: str | None) -> tuple[str, ...]:
        listed = data.get("identifiers")
        mrn = data.get("mrn")
        if mrn == "":
            mrn = None
        if mrn is not None and listed is None:
            authority = data.get("assigning_authority")
            try:
                known = self._identifiers.get((mrn, authority))
            except TypeError:  # a list or an object where a text belongs
                return ()
            if known is None:
                known = (_identifier(mrn, authority),)
                self._identifiers[(mrn, authority)] = known
            return known
        if listed is not None:
            names = [n for n in (listed if isinstance(listed, list) else [listed]) if isinstance(n, str) and n]
            if isinstance(mrn, str | int):
                names.insert(0, _identifier(mrn, data.get("assigning_authority")))
            if names:
                return tuple(dict.fromkeys(names))
        return (PERSON_PREFIX + person,) if person else ()

    def _settle_times(self, data: dict[str, Any], facility: Any) -> None:
        """Give times without an offset the facility's zone; what is no time stays as it is and is no time."""
        for name in self._times & data.keys():
            text = data[name]
            if isinstance(text, str) and text and not text.endswith("Z"):
                try:
                    read_instant(text)
                except (ValueError, OverflowError):
                    try:
                        data[name] = write_instant(self._naive(text, facility))
                    except (ValueError, OverflowError):
                        continue

    def _naive(self, text: str, facility: Any) -> int:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return from_datetime(moment)
        zone = self._zones.get(facility) if isinstance(facility, str) else None
        zone = zone or self._default
        if zone is None:
            self.assumed_utc += 1
            zone = UTC
        aware = moment.replace(tzinfo=zone)
        # a wall clock that does not exist moves forward by the gap: fold=0 reads it with the offset before
        return from_datetime(aware)


def _identifier(number: Any, authority: Any) -> str:
    return f"{number}^{authority}" if authority else str(number)


def _coarseness(text: str) -> int:
    """What a stamp leaves open: a day without a time of day, an hour without minutes, a minute without seconds."""
    digits = len(_OFFSET.sub("", text[10:]).lstrip("Tt ").replace(":", ""))
    return DAY if digits == 0 else HOUR if digits <= 2 else MINUTE if digits <= 4 else 0


def content_digest(line: bytes) -> bytes:
    """A digest of what makes two events the same: type, time, subject and data, whatever their spelling in JSON."""
    try:
        event = msgspec.json.decode(line)
    except NOT_JSON:  # a part that is not read was passed by, spoilt as it is
        return blake2b(line.strip(), digest_size=16).digest()
    if not isinstance(event, dict):
        return blake2b(line.strip(), digest_size=16).digest()
    content: list[Any] = [event.get(name) for name in ("type", "time", "subject", "data", "data_base64")]
    with suppress(TypeError, ValueError, OverflowError):  # what is no instant stands as it is written
        content[1] = read_instant(content[1])  # one instant may be written in many ways
    return blake2b(_encode(content), digest_size=16).digest()


def identity_of(line: bytes) -> tuple[str, str]:
    """Source and id of an event that was read before."""
    wire = _decoder.decode(line)
    return wire.source, wire.id


def _decoded(text: str) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None
    return value if isinstance(value, dict) else None


def _refused(line: bytes, wrong: Exception, place: str) -> Reading:
    """Why a line could not be decoded. A type is objected to before the rest is looked at: what is no JSON at all is
    unreadable, whatever it began with."""
    if isinstance(wrong, RecursionError):
        return dead(Reason.UNREADABLE, place, "JSON nested so deeply is not read")
    if isinstance(wrong, msgspec.ValidationError) and is_json(line):
        return dead(Reason.INVALID, f"{place}, {_path(str(wrong))}", "send the type that CloudEvents 1.0 gives it")
    return dead(Reason.UNREADABLE, place, "one whole JSON object a line is expected")


def _path(message: str) -> str:
    """The JSON path out of msgspec's message; the rest may quote values."""
    at = message.rfind("`$")
    return message[at + 1 :].rstrip("`").lstrip("$.") or "the event" if at >= 0 else "the event"
