"""MSH-18 to a codec, and bytes to text before anything is split.

Decoding comes first because in some character sets a byte of a character can look like a delimiter (ISO-2022-JP has
`~` and `|` among its second bytes).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

GUESSED: Final = "charset_guessed"  # nothing known was declared, and not all is ASCII
MISDECLARED: Final = "charset_misdeclared"  # the bytes are not what was declared
REPLACED: Final = "charset_replaced"  # a byte has no letter in any of them

_BOM: Final = b"\xef\xbb\xbf"
_JAPANESE: Final = "iso2022_jp_ext"  # ASCII with JIS X 0201, 0208 and 0212, switched by escapes
_NAME: Final = re.compile(r"[^A-Z0-9]")

# HL7 table 0211 and the spellings that are seen, without blanks and marks. What begins with the bytes "MSH" is
# neither UTF-16 nor UTF-32, whatever it says.
_CODECS: Final = {
    "ASCII": "utf_8",  # what is declared as ASCII and is not, is mostly UTF-8
    "USASCII": "utf_8",
    "ISOIR6": "utf_8",
    "UNICODE": "utf_8",
    "UNICODEUTF8": "utf_8",
    "UNICODEUTF16": "utf_8",
    "UNICODEUTF32": "utf_8",
    "UTF8": "utf_8",
    **{f"8859{n}": f"iso8859_{n}" for n in range(1, 17) if n != 12},
    **{f"ISO8859{n}": f"iso8859_{n}" for n in range(1, 17) if n != 12},
    **{f"LATIN{n}": f"iso8859_{n}" for n in range(1, 5)},
    **{f"{prefix}{n}": f"cp{n}" for n in range(1250, 1259) for prefix in ("CP", "WINDOWS")},
    "CP437": "cp437",
    "CP850": "cp850",
    "ISOIR13": "shift_jis",
    "ISOIR14": _JAPANESE,
    "ISOIR87": _JAPANESE,
    "ISOIR159": _JAPANESE,
    "ISO2022JP": _JAPANESE,
    "SHIFTJIS": "shift_jis",
    "EUCJP": "euc_jp",
    "GB180302000": "gb18030",
    "GB18030": "gb18030",
    "GB2312": "gb18030",
    "GBK": "gb18030",
    "BIG5": "big5hkscs",
    "KSX1001": "euc_kr",
    "EUCKR": "euc_kr",
}


def codec_of(name: str) -> str | None:
    """The Python codec of a name of table 0211; None where it is unknown here."""
    return _CODECS.get(_NAME.sub("", name.upper()))


def decode(raw: bytes, charsets: Mapping[str, str] | None = None) -> tuple[str, str, str | None]:
    """The text of a message, the codec it was read by, and a note where that had to be guessed.

    Order: MSH-18, the facility's setting (`charsets`, by MSH-4), UTF-8 if it is valid, else cp1252; a byte that even
    that does not know becomes U+FFFD, for a message with a spoilt letter is still a message.
    """
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii"), "utf_8", None
    raw = raw.removeprefix(_BOM)
    facility, names = _header(raw)
    codec = codec_of(names[0]) if names else None
    if b"\x1b" in raw and any(codec_of(name) == _JAPANESE for name in names):
        codec = _JAPANESE  # the first repetition is ASCII and another is switched to
    if not names and charsets:
        codec = codec_of(charsets.get(facility, ""))
    if codec is not None:
        try:
            return raw.decode(codec), codec, None
        except UnicodeDecodeError:
            text, used = _guess(raw)
            return text, used, REPLACED if "\ufffd" in text else MISDECLARED
    text, used = _guess(raw)
    return text, used, REPLACED if "\ufffd" in text else GUESSED


def _guess(raw: bytes) -> tuple[str, str]:
    try:
        return raw.decode("utf_8"), "utf_8"
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace"), "cp1252"


def _header(raw: bytes) -> tuple[str, list[str]]:
    """MSH-4.1, else MSH-4.2, and the repetitions of MSH-18, from the bytes: in all of these character sets the header
    is ASCII."""
    line = re.split(rb"[\r\n]", raw[raw.find(b"MSH") :][:4096], maxsplit=1)[0]
    fields = line.split(line[3:4]) if line[3:4] else []
    marks = fields[1] if len(fields) > 1 else b""
    parts = fields[3].split(marks[:1] or b"^", 2) if len(fields) > 3 else []
    facility = next((part for part in map(bytes.strip, parts[:2]) if part and part != b'""'), b"").decode("latin-1")
    names = fields[17].split(marks[1:2] or b"~") if len(fields) > 17 else []
    return facility, [n.decode("latin-1").strip() for n in names] if names and names[0].strip() else []
