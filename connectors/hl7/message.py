"""A lexer for one HL7 v2 message: segments, fields, repetitions, components; split when asked, not before.

Empty means "no news"; `""` means "delete what you hold" (HL7 v2.5.1, chapter 2). The first reads as "", the second
as DELETED, and callers that want a value get neither.
"""

from __future__ import annotations

import re
from typing import Final

from schemas.errors import Reason, Unreadable

DELETED: Final = '""'
_SEGMENT: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_LINE_ENDS: Final = re.compile(r"\r\n|\n|\r")
_SHORTEST: Final = 8  # MSH|^~\&


class Segment:
    """One segment: `name`, and its fields split at the first request. HL7 counts from 1; MSH-1 is the separator."""

    __slots__ = ("_fields", "_text", "message", "name")

    def __init__(self, message: Message, name: str, text: str) -> None:
        self.message: Message = message
        self.name: str = name
        self._text: str = text
        self._fields: list[str] | None = None

    @property
    def fields(self) -> list[str]:
        """The fields as they stand, escapes and all; index 0 is the name (MSH: index 1 is the separator)."""
        fields = self._fields
        if fields is None:
            separator = self.message.field_separator
            fields = self._text.split(separator)
            if self.name in ("MSH", "FHS", "BHS"):
                fields.insert(1, separator)
            self._fields = fields
        return fields

    def raw(self, field: int) -> str:
        """A whole field as it stands; "" where it is not there."""
        fields = self.fields
        return fields[field] if field < len(fields) else ""

    def repetitions(self, field: int) -> list[str]:
        """The repetitions of a field as they stand."""
        text = self.raw(field)
        if not text:
            return []
        repetition = self.message.repetition
        return text.split(repetition) if repetition and repetition in text else [text]

    def value(self, field: int, component: int = 1, subcomponent: int = 1, repetition: int = 1) -> str:
        """One value, unescaped and without surrounding blanks; "" where it is absent, deleted or not there."""
        fields = self.fields
        if field >= len(fields) or not (text := fields[field]):
            return ""
        message = self.message
        if message.repetition and message.repetition in text:
            repeated = text.split(message.repetition)
            if repetition > len(repeated):
                return ""
            text = repeated[repetition - 1]
        elif repetition > 1:
            return ""
        return message.part(text, component, subcomponent)


class Message:
    """A message as text, cut into segments. Raises Unreadable where there is no header to read."""

    __slots__ = (
        "component",
        "escape",
        "field_separator",
        "repetition",
        "segments",
        "subcomponent",
    )

    def __init__(self, text: str) -> None:
        at = text.find("MSH")
        if at < 0 or len(text) < at + _SHORTEST:
            raise Unreadable(Reason.UNREADABLE, place="MSH", mend="a message begins with MSH and its delimiters")
        text = text[at:]
        separator = text[3]
        if separator.isalnum() or separator in "\r\n ":
            raise Unreadable(Reason.UNREADABLE, place="MSH-1", mend="a field separator is expected after MSH")
        self.field_separator: str = separator
        encoding = text[4:16].partition(separator)[0].partition("\r")[0]
        if not encoding or encoding[0].isalnum():
            raise Unreadable(Reason.UNREADABLE, place="MSH-2", mend="encoding characters such as ^~\\& are expected")
        self.component: str = encoding[0]
        self.repetition: str = encoding[1:2]
        self.escape: str = encoding[2:3]
        self.subcomponent: str = encoding[3:4]
        self.segments: list[Segment] = self._cut(text)

    def _cut(self, text: str) -> list[Segment]:
        separator = self.field_separator
        found: list[Segment] = []
        if "\n" in text:
            text = _LINE_ENDS.sub("\r", text)
        for line in text.split("\r"):
            name = line[:3]
            if (line[3:4] == separator or len(line) == 3) and _SEGMENT.match(name):  # noqa: PLR2004
                found.append(Segment(self, name, line))
            elif line.strip() and found:
                # text that ran over the end of its line belongs to the field before it
                last = found[-1]
                last._text = f"{last._text}\r{line}"  # noqa: SLF001
        return found

    def first(self, name: str) -> Segment | None:
        """The first segment of a name."""
        for segment in self.segments:
            if segment.name == name:
                return segment
        return None

    def all(self, name: str) -> list[Segment]:
        """All segments of a name, in order."""
        return [s for s in self.segments if s.name == name]

    def part(self, text: str, component: int = 1, subcomponent: int = 1) -> str:
        """One component of one repetition, unescaped; "" where it is absent or deleted."""
        if self.component in text:
            parts = text.split(self.component, component)
            if component > len(parts):
                return ""
            text = parts[component - 1]
        elif component > 1:
            return ""
        if self.subcomponent and self.subcomponent in text:
            parts = text.split(self.subcomponent)
            if subcomponent > len(parts):
                return ""
            text = parts[subcomponent - 1]
        elif subcomponent > 1:
            return ""
        if text == DELETED:
            return ""
        if self.escape and self.escape in text:
            text = self.unescape(text)
        return text.strip()

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
                return self.subcomponent
            case "R":
                return self.repetition
            case "E":
                return self.escape
            case "P":
                return "#"
            case "H" | "N":
                return ""
            case ".br" | ".sp":
                return "\n"
        if code[:1] == "X" and len(code) > 1 and len(code) % 2 == 1:
            try:
                return bytes.fromhex(code[1:]).decode("utf-8", "replace")
            except ValueError:
                return None
        return None
