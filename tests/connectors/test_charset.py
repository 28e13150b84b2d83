"""Bytes to text before anything is split."""

from __future__ import annotations

import pytest

from connectors.hl7.charset import GUESSED, MISDECLARED, REPLACED, codec_of, decode


def raw(charset: str, name: bytes) -> bytes:
    return f"MSH|^~\\&|A|FAC|||20260301||ADT^A01|1|P|2.5||||||{charset}\rPID|1||7||".encode() + name + b"\r"


@pytest.mark.parametrize(
    "charset, codec, name",
    [
        ("8859/1", "latin-1", "Müller"),
        ("8859/2", "iso8859-2", "Dvořák"),
        ("8859/5", "iso8859-5", "Иванов"),
        ("8859/15", "iso8859-15", "Œuvre"),
        ("UNICODE UTF-8", "utf-8", "山田"),
        ("ASCII", "utf-8", "Müller"),
        ("ISO IR87", "iso2022_jp", "山田太郎"),
        ("ASCII~ISO IR87", "iso2022_jp", "山田太郎"),
        ("GB 18030-2000", "gb18030", "王小明"),
        ("BIG-5", "big5", "陳大文"),
        ("KS X 1001", "euc_kr", "홍길동"),
    ],
)
def test_declared_character_sets(charset: str, codec: str, name: str) -> None:
    text, _, note = decode(raw(charset, name.encode(codec)))
    assert text.endswith(f"||{name}\r")
    assert note is None


def test_a_byte_that_looks_like_a_delimiter_is_decoded_first() -> None:
    name = next(c for c in map(chr, range(0x4E00, 0x9FFF)) if b"~" in c.encode("iso2022_jp", "ignore"))
    text, _, _ = decode(raw("ISO IR87", name.encode("iso2022_jp")))
    assert text.count("~") == 1  # the one of MSH-2
    assert name in text


def test_nothing_declared_is_the_facility_s_setting_then_utf_8_then_cp1252() -> None:
    assert decode(raw("", "Żółć".encode("iso8859-2")), {"FAC": "8859/2"})[0].endswith("Żółć\r")
    assert decode(raw("", "Żółć".encode()))[::2] == (raw("", "Żółć".encode()).decode(), GUESSED)
    text, codec, note = decode(raw("", "O’Brien".encode("cp1252")))
    assert (text[-8:-1], codec, note) == ("O’Brien", "cp1252", GUESSED)


def test_a_facility_that_is_named_by_an_id_alone_has_its_setting() -> None:
    told = raw("", "Żółć".encode("iso8859-2")).replace(b"|FAC|", b"|^1.2.3^ISO|")
    assert decode(told, {"1.2.3": "8859/2"})[0].endswith("Żółć\r")
    assert decode(told, {"": "8859/2"})[2] == GUESSED


def test_a_wrong_declaration_is_noted_and_a_spoilt_letter_is_still_a_message() -> None:
    assert decode(raw("UNICODE UTF-8", b"M\xfcller"))[2] == MISDECLARED
    text, _, note = decode(raw("UNICODE UTF-8", b"a\x81\xfe"))
    assert "\ufffd" in text
    assert note == REPLACED


def test_what_declares_utf_16_in_plain_bytes_is_not_believed() -> None:
    assert decode(raw("UNICODE UTF-16", "é".encode()))[0].endswith("é\r")


def test_a_byte_order_mark_is_cut() -> None:
    assert decode(b"\xef\xbb\xbf" + raw("", "é".encode()))[0].startswith("MSH|")


@pytest.mark.parametrize("name", ["hex", "rot13", "zip", "unicode_escape", "8859/12", "nonsense", ""])
def test_unknown_names_have_no_codec(name: str) -> None:
    assert codec_of(name) is None
