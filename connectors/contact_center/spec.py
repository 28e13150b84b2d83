"""What a mapping file of a webhook declares, as values. `declared` reads them, `plan` makes them quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.contact_center.path import Path

Scalar = str | int | float | bool
Asked = Literal["is", "present", "absent", "starts", "ends", "above", "below", "same_as"]
Kind = Literal["path", "number", "time", "between", "flag", "when", "choose", "value"]


@dataclass(frozen=True, slots=True)
class Test:
    """A condition on one path. `words` for `is` (one of them), `starts`, `ends`; `bound` for `above` and `below`."""

    path: Path
    asked: Asked
    words: tuple[Scalar, ...] = ()
    bound: float = 0.0
    other: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """Where an attribute stands and what is done with it. Of `paths` the first that holds something counts; `between`
    has two, and gives the seconds from one to the other. `last`: what stands behind the last of these letters;
    `split` and `part`: the part of that number, from 1, between such letters."""

    kind: Kind
    paths: tuple[Path, ...] = ()
    value: Scalar | None = None
    tests: tuple[Test, ...] = ()
    cases: tuple[tuple[tuple[Test, ...], Attribute], ...] = ()
    table: str | None = None
    strict: bool = False
    lower: bool = False
    last: str | None = None
    split: str | None = None
    part: int = 1
    divide: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An event that a message gives when all of `when` holds and not all of `unless`; under one choice of the source
    where `choice` names it. `time` are its own paths, else the message's count. `event_id`: the event goes by what
    stands there and its type, whichever message tells it, for it happens once."""

    event: str
    when: tuple[Test, ...] = ()
    unless: tuple[Test, ...] = ()
    time: tuple[Path, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    choice: tuple[str, str] | None = None
    event_id: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedBy:
    """A kind of message that is known and gives nothing, with the reason that is counted."""

    reason: str
    when: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """A number of the person: `value^authority`, or the value alone."""

    paths: tuple[Path, ...]
    authority: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Where somebody's own words stand: in the objects at `within` (the message itself where it is None), the members
    of these `names`, and those whose names end in one of `ends`; and where names begin with one of `begins`, those that
    hold a text which is no number."""

    within: Path | None = None
    names: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()

    def are_in(self, name: str, value: object) -> bool:
        if name in self.names or name.endswith(self.ends):
            return True
        return name.startswith(self.begins) and isinstance(value, str) and not value.strip().isdecimal()


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """How answers stand in a message. `instrument` gives its name; at `answers` stands a list of objects, with the
    item's name at the first of `item` and the answer at each of `answer`; or one object whose members are the items.
    `items` is the table that maps names to the instrument's."""

    instrument: Attribute
    answers: Path
    item: tuple[Path, ...] = ()
    answer: tuple[Path, ...] = ()
    items: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSpec:
    """One shape of body. `each` leads to a list, whose items give events each for itself, by paths from the item;
    `kind` is the path that names what kind of event it is, for the count of what nothing maps."""

    name: str
    recognise: tuple[Test, ...]
    root: tuple[str, ...] = ()
    each: Path | None = None
    id: tuple[Path, ...] = ()
    time: tuple[Path, ...] = ()
    instance: Attribute | None = None
    kind: Path | None = None
    needs: tuple[Path, ...] = ()
    events: tuple[Given, ...] = ()
    ignore: tuple[PassedBy, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    words: tuple[Words, ...] = ()
    survey: Survey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How a delivery proves who sent it. `signed` is a template of `{body}`, `{timestamp}` and `{id}`."""

    kind: Literal["token", "hmac", "twilio", "standard-webhooks"]
    header: str = "authorization"
    scheme: str = ""
    algorithm: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    signed: str = "{body}"
    timestamp: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HookMapping:
    """A whole mapping file. `choices` names what a site may choose, the first being what holds without a word;
    `embedded` are paths of texts that hold JSON themselves; `contact_ids` names the system that its contacts are
    counted in, where it is not its own."""

    vendor: str
    messages: tuple[MessageSpec, ...]
    check: Check | None = None
    tables: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    embedded: tuple[str, ...] = ()
    contact_ids: str | None = None


def fold(code: object) -> str:
    """A code as it is compared: without case and outer blanks."""
    return str(code).strip().casefold()
