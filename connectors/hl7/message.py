"""A lexer for one HL7 v2 message: segments, fields, repetitions, components; split when asked, not before.

Delimiters are those that MSH names, whatever they are (HL7 v2.5.1, chapter 2, "Message delimiters"). Decoding comes
before splitting, splitting before unescaping. Empty means "no news", `""` means "delete what you hold": the first
reads as "", the second is DELETED to who asks for the field as it stands, and callers that want a value get neither.
"""

from __future__ import annotations

import re
from typing import Final

from schemas.errors import Reason, Unreadable

DELETED: Final = '""'
LARGE_FIELD: Final = 1 << 16
"""Characters. A larger field (a scanned page in OBX-5) is passed by, not copied, and reads as absent."""

Fields = list[str]
"""The fields of one segment as they stand, escapes and all, by HL7's numbers: 0 is the name, MSH-1 the separator."""

NO_FIELDS: Final[Fields] = []
_NAMES: Final = frozenset(
    {
        "MSH",
        "EVN",
        "PID",
        "PD1",
        "PV1",
        "PV2",
        "MRG",
        "NK1",
        "AL1",
        "DG1",
        "IN1",
        "IN2",
        "GT1",
        "ORC",
        "OBR",
        "OBX",
        "NTE",
    }
    | {
        "TQ1",
        "SPM",
        "SCH",
        "RGS",
        "AIS",
        "AIG",
        "AIL",
        "AIP",
        "TXA",
        "RF1",
        "PRD",
        "AUT",
        "FT1",
        "PR1",
        "ROL",
        "PRT",
        "SFT",
    }
)
"""The names that most segments have: asked first, for every line is asked."""
_BLANK: Final = " \t\x00\x0b\x1a\x1c"
_DEFAULT: Final = "^~\\&"


class Message:
    r"""A message as text, cut into segments. Raises Unreadable where there is no header to read.

    `lines` are the segments in order, `by_name` the same lines by segment name. `codec` is the character set that the
    text came in, for `\X..\` escapes hold its bytes.
    """

    __slots__ = (
        "by_name",
        "codec",
        "component",
        "escape",
        "field_separator",
        "header",
        "lines",
        "repetition",
        "subcomponent",
        "truncation",
    )

    field_separator: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    truncation: str

    def __init__(self, text: str, codec: str = "utf-8") -> None:
        if not text.startswith("MSH"):
            text = text.lstrip(_BLANK + "\r\n\ufeff")
            if not text.startswith("MSH"):
                raise Unreadable(Reason.UNREADABLE, place="MSH", mend="a message begins with MSH and its delimiters")
        self.codec: str = codec
        if text[3:9] == "|^~\\&|":
            self.field_separator = "|"
            self.component = "^"
            self.repetition = "~"
            self.escape = "\\"
            self.subcomponent = "&"
            self.truncation = "#"
        else:
            self._read_delimiters(text)
        self.lines: list[str] = []
        self.by_name: dict[str, list[str]] = {}
        self._cut(text)
        self.header: Fields = self.split(self.lines[0])

    def _read_delimiters(self, text: str) -> None:
        separator = text[3:4]
        if not separator or separator.isalnum() or separator.isspace() or separator == '"':
            raise Unreadable(Reason.UNREADABLE, place="MSH-1", mend="a field separator is expected after MSH")
        named = _encoding(text[4:16].partition("\r")[0].partition("\n")[0], separator)
        self.field_separator = separator
        # NUL stands for "not in use"
        self.component = named[0]
        self.repetition = named[1:2] or "\0"
        self.escape = named[2:3] or "\0"
        self.subcomponent = named[3:4] or "\0"
        self.truncation = named[4:5] or "#"

    def _cut(self, text: str) -> None:
        if "\n" in text:
            text = text.replace("\r\n", "\r").replace("\n", "\r")
        separator, lines, by_name = self.field_separator, self.lines, self.by_name
        more: list[str] = []  # lines that begin no segment, not yet put to the one before
        for line in text.split("\r"):
            name = line[:3]
            if line[3:4] == separator and (name in _NAMES or _is_name(name)):
                if more:
                    self._put(more)
                lines.append(line)
                same = by_name.get(name)
                if same is None:
                    by_name[name] = [line]
                else:
                    same.append(line)
            elif line:
                more.append(line)
        if more:
            self._put(more)

    def _put(self, more: list[str]) -> None:
        """Lines that begin no segment: bare names, or text that ran over the end of its line (seen in OBX and NTE)."""
        text = [self.lines[-1]]
        for line in more:
            name = line.strip(_BLANK)
            if _is_name(name):
                self._put_text(text)
                self.lines.append(name)
                self.by_name.setdefault(name, []).append(name)
                text = [name]
            elif name:
                text.append(line)
        self._put_text(text)
        more.clear()

    def _put_text(self, text: list[str]) -> None:
        if len(text) > 1:
            self.lines[-1] = self.by_name[text[0][:3]][-1] = "\n".join(text)

    @property
    def version(self) -> str:
        """MSH-12.1, such as `2.5.1`; "" where the message does not say."""
        return self.value(self.header, 12)

    def split(self, line: str) -> Fields:
        """The fields of one of `lines`."""
        separator = self.field_separator
        if len(line) <= LARGE_FIELD:
            fields = line.split(separator)
        else:
            fields = []
            start = 0
            while (end := line.find(separator, start)) >= 0:
                fields.append(line[start:end] if end - start <= LARGE_FIELD else "")
                start = end + 1
            fields.append(line[start:] if len(line) - start <= LARGE_FIELD else "")
        if fields[0] == "MSH":
            fields.insert(1, separator)
        return fields

    def first(self, name: str) -> Fields:
        """The first segment of a name; NO_FIELDS where there is none."""
        lines = self.by_name.get(name)
        return self.split(lines[0]) if lines else NO_FIELDS

    def all(self, name: str) -> list[Fields]:
        """All segments of a name, in order."""
        return [self.split(line) for line in self.by_name.get(name, ())]

    def repetitions(self, fields: Fields, field: int) -> list[str]:
        """The repetitions of a field as they stand."""
        text = fields[field] if field < len(fields) else ""
        return text.split(self.repetition) if text else []

    def value(self, fields: Fields, field: int, component: int = 1, subcomponent: int = 1, repetition: int = 1) -> str:
        """One value, unescaped and without surrounding blanks; "" where it is absent, deleted or not there."""
        text = fields[field] if field < len(fields) else ""
        if not text or (text.isalnum() and component == subcomponent == repetition == 1):
            return text
        if repetition != 1 or self.repetition in text:
            repeated = text.split(self.repetition)
            if repetition > len(repeated):
                return ""
            text = repeated[repetition - 1]
        return self.part(text, component, subcomponent)

    def part(self, text: str, component: int = 1, subcomponent: int = 1) -> str:
        """One component of one repetition, unescaped; "" where it is absent or deleted."""
        if component == 1:
            text = text.partition(self.component)[0]
        else:
            parts = text.split(self.component, component)
            if component > len(parts):
                return ""
            text = parts[component - 1]
        if subcomponent == 1:
            text = text.partition(self.subcomponent)[0]
        else:
            parts = text.split(self.subcomponent, subcomponent)
            if subcomponent > len(parts):
                return ""
            text = parts[subcomponent - 1]
        if self.escape in text:
            return self.unescape(text).strip()
        text = text.strip()
        return "" if text == DELETED else text

    def unescape(self, text: str) -> str:
        """Escapes to what they stand for (HL7 v2.5.1, 2.7); unknown ones stay as they are."""
        escape = self.escape
        pieces = text.split(escape)
        out = [pieces[0]]
        index = 1
        while index < len(pieces):
            if index + 1 < len(pieces) and (meaning := self._meaning(pieces[index])) is not None:
                out += (meaning, pieces[index + 1])
                index += 2
            else:
                out += (escape, pieces[index])
                index += 1
        return "".join(out)

    def _meaning(self, code: str) -> str | None:
        match code:
            case "F":
                return self.field_separator
            case "S":
                return self.component
            case "T":
                return self.subcomponent.replace("\0", "&")
            case "R":
                return self.repetition.replace("\0", "~")
            case "E":
                return self.escape
            case "P":
                return self.truncation
            case "H" | "N":
                return ""  # highlighting on and off: looks, not content
            case ".br":
                return "\n"
        return self._bytes(code[1:]) if code[:1] == "X" and len(code) > 1 else None

    def _bytes(self, digits: str) -> str | None:
        try:
            found = bytes.fromhex(digits)
        except ValueError:
            return None
        try:
            text = found.decode(self.codec)
        except UnicodeDecodeError:
            text = found.decode("latin-1")
        return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_name(name: str) -> bool:
    """Whether three letters name a segment: capitals and digits, the first a capital; those with Z are a site's."""
    return len(name) == 3 and name.isascii() and name.isalnum() and name[0].isalpha() and name.isupper()


def _encoding(named: str, separator: str) -> str:
    """MSH-2 by position: component, repetition, escape, subcomponent, truncation."""
    named = named.partition(separator)[0]
    if not named:
        return _DEFAULT.replace(separator, "\0")
    if named[0] == "_" or named[0].isalnum() or named[0].isspace():
        raise Unreadable(Reason.UNREADABLE, place="MSH-2", mend="encoding characters such as ^~\\& are expected")
    # A character named twice counts once, so that the next keeps its place (seen: `^~\\&`).
    named = "".join(dict.fromkeys(re.sub(r"[\w\s]", "", named)))
    if len(named) == 3 and named[1] == "\\" and "~" not in named:
        return f"{named[0]}~{named[1:]}"  # seen: `^\&`, a sender that repeats nothing
    return named
