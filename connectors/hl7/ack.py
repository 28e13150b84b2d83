r"""The acknowledgement of an HL7 v2 message, from its bytes and what became of it.

It follows from these alone: the same bytes with the same outcome are answered by the same bytes, at any time and after
any restart. So MSH-10 is a digest of the message and of the code it is answered with, and MSH-7 repeats the message's
own MSH-7. Its delimiters, version, processing id and character set are the sender's too; who sent is who receives.

Codes. What is kept and well is AA: accepted, ignored, a duplicate. A dead letter is AE: it is kept, sending it again
changes nothing; a duplicate of a dead letter is answered as the first was. What was not kept is AR: send it again.
Where MSH-15 or MSH-16 says something (enhanced mode) each asks for an answer of its own: MSH-15 for CA, CE or CR,
MSH-16 for AA, AE or AR; to store is all that is asked of us, so both are given at once, in this order. AL asks always,
NE never, ER when the code is an error, SU when it is none. An acknowledgement is never acknowledged.

ERR says what is wrong by a code of table HL70357 and a place, never by a value: from version 2.5 in ERR-2, 3, 4, 7 and
8, before in ERR-1. MSA-3 stays empty (deprecated). Where there is no header to read, the answer names nobody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Final

from connectors.hl7.message import Message
from schemas.errors import Reason, Unreadable
from schemas.message import Outcome, Verdict

ACCEPT: Final = "AA"
ERROR: Final = "AE"
REJECT: Final = "AR"
_HEADER: Final = 8192  # bytes in which a header is looked for
_LONGEST: Final = 512  # characters of a field that is repeated in an answer
_BLANK: Final = b" \t\r\n\x00\x0b\x1a\x1c"
_BOM: Final = b"\xef\xbb\xbf"
_CONTROL: Final = dict.fromkeys(n for n in range(0x20) if n != 0x1B)  # an escape switches a character set
_STAMP: Final = re.compile(r"\d{4,14}(\.\d{1,4})?([+-]\d{4})?")
_PLACE: Final = re.compile(r"\b(?!HL7\b)([A-Z][A-Z0-9]{2})(?:-(\d{1,3})(?:\.(\d{1,2}))?)?\b")
_TRIGGER: Final = re.compile(r"[A-Za-z0-9_]{1,20}")
_NUMBER: Final = re.compile(r"\d+")
_UNKNOWN_VERSION: Final = (2, 5, 1)
_FORMS: Final = 1_000  # headers of senders that are remembered
_PLAIN: Final = b"MSH|^~\\&|"
_STAMP_MARK, _ID_MARK, _CONTROL_MARK = "\x01", "\x02", "\x03"  # no field holds them: they are cleaned away
_NO_HEADER: Final = "MSH|^~\\&|||||||ACK||P|2.5.1"
_ACKNOWLEDGEMENTS: Final = frozenset({"ACK", "MCF"})

# HL70357
_REQUIRED, _TYPE, _DUPLICATE, _INTERNAL, _SEQUENCE = "101", "102", "205", "207", "100"
_NAMES: Final = {
    _SEQUENCE: "Segment sequence error",
    _REQUIRED: "Required field missing",
    _TYPE: "Data type error",
    _DUPLICATE: "Duplicate key identifier",
    _INTERNAL: "Application internal error",
}
_CODES: Final = {
    Reason.UNREADABLE.value: _SEQUENCE,
    Reason.NO_ZONE.value: _TYPE,
    Reason.NO_TIME.value: _REQUIRED,
    Reason.BAD_TIME.value: _TYPE,
    Reason.NO_IDENTIFIER.value: _REQUIRED,
    Reason.NO_ID.value: _REQUIRED,
    Reason.CONFLICT.value: _DUPLICATE,
    Reason.FROM_THE_FUTURE.value: _TYPE,
    Reason.INVALID.value: _REQUIRED,
}


class Refusal(Enum):
    """Why a message was not kept: the reason, and what to do."""

    NOT_STORED = ("not_stored", "the message could not be stored: send it again later")
    STOPPING = ("stopping", "the hub shuts down: send it again later")
    BUSY = ("busy", "too much waits to be stored: send it again later")
    TOO_LARGE = ("too_large", "the message is larger than this hub takes")
    UNFRAMED = ("unframed", "a message is expected in an MLLP frame: 0x0B, the message, 0x1C 0x0D")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an acknowledgement says: its code (AA, AE, AR, CA, CE, CR), and the MSH-10 that it names."""

    code: str
    control: str


def acknowledge(raw: bytes, verdict: Verdict, *, dead_letters: str = ERROR) -> tuple[bytes, ...]:
    """The answers to a message that was kept: mostly one; none where the sender wants none.

    `dead_letters` is AE, or AA for a sender that repeats for ever what is answered otherwise."""
    reason = verdict.reason or ""
    # a duplicate of a dead letter says why the first was one
    is_dead = verdict.outcome is Outcome.DEAD or (verdict.outcome is Outcome.DUPLICATE and reason != "")
    if not is_dead or dead_letters == ACCEPT:
        quick = _accepted_as_before(raw)
        return quick if quick is not None else _answers(raw, ACCEPT, None)
    wrong = _Wrong(_CODES.get(reason, _INTERNAL), reason, verdict.place or "", verdict.mend or "")
    return _answers(raw, ERROR, wrong)


def refuse(raw: bytes, refusal: Refusal) -> tuple[bytes, ...]:
    """The answers to a message that was not kept. `raw` may be its beginning alone, or nothing."""
    reason, mend = refusal.value
    code = _SEQUENCE if refusal is Refusal.UNFRAMED else _INTERNAL
    return _answers(raw, REJECT, _Wrong(code, reason, "", mend))


def is_answered(raw: bytes) -> bool:
    """Whether a message that is kept and well is acknowledged at all; some senders ask for none (MSH-15, MSH-16)."""
    return bool(_asked(_header(raw), ACCEPT))


def control_of(raw: bytes) -> str:
    """MSH-10 as an acknowledgement names it; empty where it cannot be read."""
    header = _header(raw)
    return _field(header, 10) if header is not None else ""


def code_of(answer: bytes) -> str:
    """The code of an answer that was made here."""
    at = answer.find(b"\rMSA")
    return answer[at + 5 : at + 7].decode()


def find_answer(raw: bytes) -> Answer | None:
    """What an acknowledgement says; None for what is none."""
    try:
        message = Message(raw.decode("latin-1"))
    except Unreadable:
        return None
    fields = message.first("MSA")
    code = message.value(fields, 1).upper()
    if len(code) != 2 or code[0] not in "AC" or code[1] not in "AER":
        return None
    return Answer(code, _clean(fields[2]) if len(fields) > 2 else "")


@dataclass(frozen=True, slots=True)
class _Wrong:
    code: str
    reason: str
    place: str
    mend: str


def _answers(raw: bytes, code: str, wrong: _Wrong | None) -> tuple[bytes, ...]:
    header = _header(raw)
    codes = _asked(header, code)
    if not codes:
        return ()
    known = header is not None
    header = header or Message(_NO_HEADER)
    digest = blake2b(raw, digest_size=16).digest()
    return tuple(_write(header, known, one, digest, wrong) for one in codes)


class _Form:
    """An acknowledgement AA (or CA) but for the three things that differ from message to message of a sender."""

    __slots__ = ("begin", "code", "control", "end", "id")

    def __init__(self, header: Message, code: str) -> None:
        self.code: bytes = code.encode()
        text = _text(header, [_head(header, (_STAMP_MARK, _ID_MARK)), ["MSA", code, _CONTROL_MARK]])
        self.begin, rest = text.split(_STAMP_MARK.encode())
        self.id, rest = rest.split(_ID_MARK.encode())
        self.control, self.end = rest.split(_CONTROL_MARK.encode())

    def write(self, stamp: bytes, control: bytes, digest: bytes) -> bytes:
        id_ = blake2b(digest + self.code, digest_size=10).hexdigest().encode()
        return b"".join((self.begin, stamp, self.id, id_, self.control, control, self.end))


_forms: dict[bytes, tuple[_Form, ...]] = {}
"""What of a header an acknowledgement follows from, without time and control id -> the forms of its answers."""


def _accepted_as_before(raw: bytes) -> tuple[bytes, ...] | None:
    """The answers to a message that is well, where the same sender's header was answered before but for its time and
    its control id, and these are plain; None for all others."""
    if not raw.startswith(_PLAIN):
        return None
    line = raw[:_LONGEST].partition(b"\r")[0]
    fields = line.split(b"|", 18)
    if len(fields) < 12 or len(line) == _LONGEST or b"\n" in line:
        return None
    stamp, control = fields[6], fields[9]
    if not (stamp.isdigit() and 4 <= len(stamp) <= 14 and control and control.isalnum()):
        return None
    key = b"|".join((*fields[2:6], fields[8], fields[10], fields[11], *fields[14:18]))
    forms = _forms.get(key)
    if forms is None:
        header = _header(raw)
        if header is None:
            return None
        if len(_forms) >= _FORMS:
            _forms.clear()
        forms = _forms[key] = tuple(_Form(header, code) for code in _asked(header, ACCEPT))
    if not forms:
        return ()
    digest = blake2b(raw, digest_size=16).digest()
    return tuple([form.write(stamp, control, digest) for form in forms])


def _asked(header: Message | None, code: str) -> list[str]:
    """The codes to answer with, for the one that says how it went (AA, AE, AR)."""
    if header is None:
        return [code]
    if header.value(header.header, 9).upper() in _ACKNOWLEDGEMENTS:
        return []
    accept, application = (header.value(header.header, field).upper() for field in (15, 16))
    if not accept and not application:
        return [code]
    asked = [f"C{code[1]}"] if _is_asked(accept, code) else []
    return [*asked, code] if _is_asked(application, code) else asked


def _is_asked(condition: str, code: str) -> bool:
    """HL70155; what it does not know asks always."""
    if condition == "SU":
        return code == ACCEPT
    if condition == "ER":
        return code != ACCEPT
    return condition not in ("", "NE")


def _header(raw: bytes) -> Message | None:
    """The header of a message, a character a byte; None where there is none to read."""
    start = raw[:_HEADER].lstrip(_BLANK).removeprefix(_BOM).lstrip(_BLANK)
    try:
        return Message(start.replace(b"\n", b"\r").partition(b"\r")[0].decode("latin-1"))
    except Unreadable:
        return None


def _write(header: Message, known: bool, code: str, digest: bytes, wrong: _Wrong | None) -> bytes:  # noqa: FBT001
    stamp = _clean(header.value(header.header, 7))
    id_ = blake2b(digest + code.encode(), digest_size=10).hexdigest()
    told = (stamp if _STAMP.fullmatch(stamp) else "", id_)
    lines = [_head(header, told, known=known), ["MSA", code, _field(header, 10) if known else ""]]
    if wrong is not None:
        lines.append(_error(header, _version(_field(header, 12)), wrong))
    return _text(header, lines)


def _head(header: Message, told: tuple[str, str], *, known: bool = True) -> list[str]:
    """The MSH of an answer; `told` are its MSH-7 and MSH-10."""
    component = header.component
    kind = "ACK"
    trigger = header.value(header.header, 9, 2)
    if known and _TRIGGER.fullmatch(trigger):
        kind = f"ACK{component}{trigger}"
        kind += f"{component}ACK" if _version(_field(header, 12)) >= (2, 3, 1) else ""
    stamp, id_ = told
    return [
        "MSH",
        _field(header, 2) or "^~\\&",
        *(_field(header, number) for number in (5, 6, 3, 4)),
        stamp,
        "",
        kind,
        id_,
        _field(header, 11) or "P",
        _field(header, 12) or "2.5.1",
        *("", ""),
        # enhanced mode: the answer asks for none in turn
        *(("NE", "NE") if _field(header, 15) or _field(header, 16) else ("", "")),
        "",
        _field(header, 18),
    ]


def _text(header: Message, lines: list[list[str]]) -> bytes:
    separator = header.field_separator
    text = "\r".join(separator.join(line).rstrip(separator) for line in lines)
    return text.encode("latin-1", "replace") + b"\r"


def _error(header: Message, version: tuple[int, ...], wrong: _Wrong) -> list[str]:
    """The ERR segment, in the form of the version."""
    place = [part for part in _place(wrong) if part]
    name = _NAMES[wrong.code]
    if version < (2, 5):
        coded = header.subcomponent.replace("\0", " ").join((wrong.code, name, "HL70357"))
        return ["ERR", header.component.join([*(*place, "", "", "")[:3], coded])]
    coded = header.component.join((wrong.code, name, "HL70357"))
    told = f"{wrong.reason} at {wrong.place}" if wrong.place else wrong.reason
    where = header.component.join((*place[:3], "1", place[3]) if len(place) > 3 else place)
    return ["ERR", "", where, coded, "E", "", "", _escape(header, told), _escape(header, wrong.mend)]


def _place(wrong: _Wrong) -> tuple[str, ...]:
    """Segment, its sequence, field and component; nothing where no place is named."""
    if wrong.reason == Reason.CONFLICT:
        return ("MSH", "1", "10")
    found = _PLACE.search(wrong.place)
    return (found[1], "1", found[2] or "", found[3] or "") if found is not None else ()


def _escape(header: Message, text: str) -> str:
    """Our words between the sender's delimiters (HL7 v2.5.1, 2.7)."""
    escape = header.escape
    letters = {
        header.escape: "E",
        header.field_separator: "F",
        header.component: "S",
        header.repetition: "R",
        header.subcomponent: "T",
    }
    return "".join(
        (" " if escape == "\0" else f"{escape}{letters[letter]}{escape}") if letter in letters else letter
        for letter in _clean(text)
    )


def _field(header: Message, number: int) -> str:
    fields = header.header
    return _clean(fields[number]) if number < len(fields) else ""


def _clean(text: str) -> str:
    """A field that may stand in an answer: without control characters, which could end its line or its frame."""
    return text.translate(_CONTROL) if len(text) <= _LONGEST else ""


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _NUMBER.findall(text[:16])) or _UNKNOWN_VERSION
