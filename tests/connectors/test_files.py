"""A stream of bytes cut into messages, however it is chunked, framed and wrapped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.api import Reading
from connectors.hl7.files import BATCH_COUNT_DIFFERS, looks_like_hl7, split_messages
from schemas.errors import Reason

ONE = b"MSH|^~\\&|A|B|||20260301||ADT^A01|1|P|2.5\rPID|1||7^^^F^MR"
TWO = b"MSH|^~\\&|A|B|||20260301||ADT^A03|2|P|2.5\rPID|1||8^^^F^MR"


def cut(*chunks: bytes, notes: Counter[str] | None = None, largest: int = 1 << 20) -> list[bytes | Reason]:
    found = split_messages(chunks, notes, largest=largest)
    return [m.dead.reason if isinstance(m, Reading) and m.dead is not None else m for m in found]  # type: ignore[misc]


@pytest.mark.parametrize(
    "between",
    [b"\r", b"\n", b"\r\n", b"\n\n", b"\r\r\n\r", b"\r\x1c\r\x0b", b"\x1c\r\x0b", b"\r \t\r", b"\n\xef\xbb\xbf"],
)
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\x0b", b"\r\n  ", b"\xef\xbb\xbf\r\n\x0b"])
@pytest.mark.parametrize("after", [b"", b"\r", b"\r\x1c\r", b"\r\x0b\r\r\n", b"\n\n\x1a"])
def test_messages_are_parted_by_anything(before: bytes, between: bytes, after: bytes) -> None:
    assert cut(before + ONE + between + TWO + after) == [ONE, TWO]


def test_an_envelope_is_no_message() -> None:
    notes: Counter[str] = Counter()
    batch = b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + ONE + b"\r" + TWO + b"\rBTS|2\rFTS|1\r"
    assert cut(batch, notes=notes) == [ONE, TWO]
    assert notes[BATCH_COUNT_DIFFERS] == 0


@pytest.mark.parametrize(
    "batch, differing",
    [
        (b"BHS|^~\\&\r" + ONE + b"\rBTS|3\r", 1),
        (b"FHS|^~\\&\rBHS|^~\\&\r" + ONE + b"\rBTS|1\rBHS|^~\\&\r" + TWO + b"\rBTS|1\rFTS|3\r", 1),
        (b"FHS|^~\\&\rBHS|^~\\&\rBTS|2\rFTS|1\r", 1),
        (b"BHS|^~\\&\r" + ONE + b"\rBTS|many\r", 0),
        (b"BHS|^~\\&\r" + ONE + b"\rBTS\r", 0),
    ],
)
def test_counts_that_lie_are_noted(batch: bytes, differing: int) -> None:
    notes: Counter[str] = Counter()
    assert Reason.UNREADABLE not in cut(batch, notes=notes)
    assert notes[BATCH_COUNT_DIFFERS] == differing


@pytest.mark.parametrize(
    "stream, wanted",
    [
        (b"PID|1||7\r" + ONE, [Reason.UNREADABLE, ONE]),
        (b"BHS|^~\\&\rEVN|A01\rPID|1\rBTS|1\r", [Reason.UNREADABLE]),
        (ONE + b"\rBTS|1\rFTS|1\rBHS|^~\\&\r" + TWO, [ONE, TWO]),
        (ONE + b"\x1c\rPV1|1\r" + TWO, [ONE, Reason.UNREADABLE, TWO]),
        (b"nothing of ours", [Reason.UNREADABLE]),
        (b" \r\n\x0b\x1c\x0c", []),
        (b"MSH\r" + ONE, [Reason.UNREADABLE, ONE]),
        (b"# export\r\n" + ONE, [Reason.UNREADABLE, ONE]),
        (b"\x1c\r\x0b" + ONE, [ONE]),
        (b"R|1\r\x1c\r\x0b" + ONE, [Reason.UNREADABLE, ONE]),
        (b"\x00" + ONE + b"\r\x0c", [ONE]),
        (b"BTS|3\r" + ONE, [ONE]),
        (b"", []),
    ],
)
def test_bytes_that_belong_to_no_message_are_one_that_cannot_be_read(stream: bytes, wanted: list[object]) -> None:
    assert cut(stream) == wanted


@pytest.mark.parametrize("end", [b"", b"|", b"\x00", b"\xef\xbb\xbf", b" "])
def test_a_file_without_a_last_line_end_does_not_swallow_the_next(end: bytes) -> None:
    assert cut(ONE + end + TWO + b"\r") == [ONE + end.strip(b"\x00 "), TWO]
    assert cut(*[(ONE + end + TWO + b"\r")[at : at + 1] for at in range(400)]) == [ONE + end.strip(b"\x00 "), TWO]


@pytest.mark.parametrize("quoted", [b"MSH#^~\\&#A", b"MSH|12", b"MSH|^~\\F\\|", b"MSH||||||", b"MSH", b"MSH|^~\\&"])
def test_what_a_message_quotes_is_not_a_header(quoted: bytes) -> None:
    message = ONE + b"\rNTE|1||see " + quoted
    assert cut(message + b"\r") == [message]
    assert cut(message + b"\r" + TWO) == [message, TWO]


def test_text_inside_a_message_is_not_taken_for_a_header() -> None:
    message = ONE + b"\rNTE|1||see MSH|12 and BTS\rNTE|2||MSHA\rNTE|3||x\rMSH is a header\r"
    assert cut(message + TWO) == [message.strip(), TWO]


def test_letters_at_the_end_are_not_cut_as_if_they_were_a_mark() -> None:
    assert cut("MSH|^~\\&|A\rNTE|1||so «so»".encode() + b"\r") == ["MSH|^~\\&|A\rNTE|1||so «so»".encode()]


def test_a_message_above_the_limit_is_one_dead_letter_and_the_next_is_read() -> None:
    large = ONE + b"\rOBX|1|ED|||" + b"A" * 5000
    chunks = [(large + b"\r" + TWO)[at : at + 100] for at in range(0, 6000, 100)]
    assert cut(*chunks, largest=1000) == [Reason.TOO_LARGE, TWO]
    assert cut(large + b"\r", largest=1000) == [Reason.TOO_LARGE]


def test_a_large_message_in_small_chunks_is_put_together_once() -> None:
    large = ONE + b"\rOBX|1|ED|||" + b"MSH " * 500_000
    chunks = (large[at : at + 512] for at in range(0, len(large), 512))
    assert cut(*chunks, largest=1 << 24) == [large.strip()]


def test_what_is_held_is_a_message_and_not_the_stream() -> None:
    """The messages before the one that is being read are given out before the stream ends."""

    def endless() -> Iterator[bytes]:
        for _ in range(50):
            yield ONE + b"\r"
        raise AssertionError("the stream was read to its end before its messages were given")

    found = split_messages(endless())
    assert [next(found) for _ in range(40)] == [ONE] * 40


def test_a_stream_that_breaks_says_so_after_what_was_whole() -> None:
    def broken() -> Iterator[bytes]:
        yield ONE + b"\r" + TWO[:30]
        raise EOFError

    found = split_messages(broken())
    assert next(found) == ONE
    with pytest.raises(EOFError):
        next(found)


PIECES = st.sampled_from(
    (
        *(b"x", b"\x00", b"\x0c", b"MSH|^~\\&|", b"MSH#^~\\&#"),
        *(ONE, TWO, b"\r", b"\n", b"\r\n", b"\x0b", b"\x1c\r", b"\xef\xbb\xbf", b"BHS|^~\\&\r", b"BTS|2\r"),
        *(b"FTS|1\r", b"PID|9\r", b"NTE|1||\xe9\r", b"MSH", b"\x1c", b" ", b"OBX|1|TX|||\rmore\r"),
    )
)


@given(st.lists(PIECES, max_size=12), st.integers(1, 70))
def test_chunks_change_nothing(pieces: list[bytes], size: int) -> None:
    stream = b"".join(pieces)
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    whole, parts = Counter[str](), Counter[str]()
    assert cut(*chunks, notes=parts) == cut(stream, notes=whole)
    assert parts == whole


@pytest.mark.parametrize(
    "head", [ONE, b"\xef\xbb\xbf" + ONE, b"\x0b" + ONE, b"\r\n \n" + ONE, b"FHS|^", b"BHS|^", b"\x0b\r\nMSH@"]
)
def test_hl7_is_told_by_its_content(head: bytes) -> None:
    assert looks_like_hl7(head)


@pytest.mark.parametrize(
    "before",
    [
        b"PV1|1|I\r",
        b"# export\r\n",
        b"BTS|3\r",
        b"\x00",
        b"MSH\r",
        b"\x1c\r\x0b",
        b"\x0c",
        b"I\r\x1c\r\x0b",
        b"[export 1]\n",
    ],
)
def test_it_is_told_by_a_header_behind_something_else(before: bytes) -> None:
    assert looks_like_hl7(before + ONE)


@pytest.mark.parametrize(
    "head",
    [
        b'{"specversion": "1.0", "data": "MSH|^~\\\\&|A\\rMSH|^~\\\\&|B"}\n' * 2,
        b'{"id": "1",\n"text": "spoilt\nMSH|^~\\&|A",\n"specversion": "1.0"}',
        b'"id": "1", "specversion": "1.0"}\nMSH|^~\\&|A\n',
        b'["MSH|^~\\\\&|A|B"]',
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\rMSH|^~\\&|A",
        b"a.hl7" + bytes(507) + ONE,
        b"name\nMSH------\nMSH and MSH|\n",
        b"<m>\nMSH|^~\\&amp;|A</m>",
    ],
)
def test_what_quotes_a_header_is_not_hl7(head: bytes) -> None:
    assert not looks_like_hl7(head)


@pytest.mark.parametrize(
    "head", [b"", b'{"specversion"', b"\x89PNG\r\n", b"MSH", b"MSHA", b"AAA|^~\\&|", b"PID|1", b"BTS|1"]
)
def test_other_content_is_not(head: bytes) -> None:
    assert not looks_like_hl7(head)


@pytest.mark.parametrize("blank", [b"\x00", b" ", b"\r\n", b"\t"])
def test_a_file_of_blanks_is_none_and_is_told_at_once(blank: bytes) -> None:
    assert not looks_like_hl7(blank * (1 << 15))  # it took half a minute, for each way to divide them was tried
