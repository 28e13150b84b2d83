"""MSH-18 to a codec, and bytes to text before anything is split.

Decoding comes first because in some character sets a byte of a character can look like a delimiter (ISO-2022-JP has
`~` and `|` among its second bytes).
"""

from __future__ import annotations

import codecs
from typing import Final

_CODECS: Final = {
    "ASCII": "utf-8",  # what is declared as ASCII and is not, is mostly UTF-8
    "UNICODE UTF-8": "utf-8",
    "UNICODE": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE UTF-16": "utf-16",
    "UNICODE UTF-32": "utf-32",
    **{f"8859/{n}": f"iso8859-{n}" for n in range(1, 17) if n != 12},
    "ISO IR6": "utf-8",
    "ISO IR14": "iso2022_jp",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_2",
    "GB 18030-2000": "gb18030",
    "GB18030": "gb18030",
    "KS X 1001": "euc_kr",
    "CNS 11643-1992": "euc_tw",
    "BIG-5": "big5",
    "BIG5": "big5",
}
_BOM: Final = codecs.BOM_UTF8
GUESSED: Final = "charset_guessed"
REPLACED: Final = "charset_replaced"


def codec_of(name: str) -> str | None:
    """The Python codec of a name of table 0211, or of a codec itself; None where it is unknown."""
    known = _CODECS.get(" ".join(name.upper().split()))
    if known is None:
        try:
            known = codecs.lookup(name.strip().replace("/", "-")).name
        except (LookupError, ValueError, UnicodeError):
            return None
    try:
        return codecs.lookup(known).name
    except LookupError:  # euc_tw is not in every Python
        return None


def declared_charset(raw: bytes) -> str:
    """MSH-18, first repetition, read from the bytes: the header is ASCII in every character set that HL7 allows."""
    at = raw.find(b"MSH")
    if at < 0 or len(raw) < at + 8:
        return ""
    separator = raw[at + 3 : at + 4]
    header = raw[at : at + 4096].replace(b"\n", b"\r").partition(b"\r")[0]
    fields = header.split(separator)
    if len(fields) < 18:
        return ""
    repeat = fields[1][1:2] or b"~"
    return fields[17].split(repeat)[0].decode("ascii", "replace").strip()


def decode(raw: bytes, facility_charset: str | None = None) -> tuple[str, str | None]:
    """The text of a message, and a note where its character set had to be guessed.

    Order: MSH-18, the facility's setting, UTF-8 if it is valid, else cp1252; a byte that even that does not know
    becomes U+FFFD, for a message with a spoilt letter is still a message.
    """
    raw = raw.removeprefix(_BOM)
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii"), None
    name = declared_charset(raw)
    wanted = (codec_of(name) if name else None) or (codec_of(facility_charset) if facility_charset else None)
    if wanted is not None:
        try:
            return raw.decode(wanted), None
        except (UnicodeDecodeError, UnicodeError):
            pass  # declared wrongly: guess as if nothing were declared
    try:
        return raw.decode("utf-8"), GUESSED if name or facility_charset else None
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
        return text, REPLACED if "\ufffd" in text else GUESSED
