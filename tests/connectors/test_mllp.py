"""MLLP frames: what is a message, what is passed over, and that chopping a stream changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hl7.mllp import Framer, write_frame

PIECES = st.lists(
    st.sampled_from(
        [b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"\n", b"MSH|", b"MS", b"H|", b"\xef\xbb\xbf", b"BHS|", b"text", b"x" * 9]
    ),
    max_size=40,
).map(b"".join)


def counts(framer: Framer) -> tuple[int, int, int, bool]:
    return framer.skipped, framer.stray, framer.cut, framer.too_large


def test_one_frame_is_one_message() -> None:
    assert Framer().feed(b"\x0bMSH|1\r\x1c\r") == [b"MSH|1\r"]


def test_a_message_comes_when_its_last_byte_comes() -> None:
    framer = Framer()
    stream = write_frame(b"MSH|1\r")
    assert [framer.feed(stream[i : i + 1]) for i in range(len(stream) - 1)] == [[]] * (len(stream) - 1)
    assert framer.feed(stream[-1:]) == [b"MSH|1\r"]
    assert framer.held == 0


def test_several_frames_in_one_piece() -> None:
    assert Framer().feed(b"\x0bMSH|1\x1c\r\x0bMSH|2\x1c\r\x0bMSH|3") == [b"MSH|1", b"MSH|2"]


def test_bytes_between_frames_are_passed_over_and_counted() -> None:
    framer = Framer()
    assert framer.feed(b"\r\njunk\x0bMSH|1\x1c\r\r\n\x0bMSH|2\x1c\r") == [b"MSH|1", b"MSH|2"]
    assert framer.skipped == 8
    assert framer.stray == 0
    framer.feed(b"MSH|unframed\r")
    assert framer.stray == 12  # line ends are none


def test_line_ends_between_frames_are_not_stray() -> None:
    framer = Framer()
    framer.feed(b"\r\n\r\n")
    assert (framer.skipped, framer.stray) == (4, 0)


def test_a_frame_begun_anew_drops_what_came_before() -> None:
    framer = Framer()
    assert framer.feed(b"\x0bMSH|half\x0bMSH|whole\x1c\r") == [b"MSH|whole"]
    assert framer.cut == 1


def test_a_vertical_tab_in_a_text_stays() -> None:
    framer = Framer()
    assert framer.feed(b"\x0bMSH|1\rOBX|1|TX|||one\x0btwo\x1c\r") == [b"MSH|1\rOBX|1|TX|||one\x0btwo"]
    assert framer.cut == 0


def test_a_file_separator_that_ends_nothing_stays() -> None:
    assert Framer().feed(b"\x0bMSH|a\x1cb\x1c\x1c\r") == [b"MSH|a\x1cb\x1c"]


def test_an_empty_frame_is_an_empty_message() -> None:
    assert Framer().feed(b"\x0b\x1c\r") == [b""]


def test_a_message_of_the_largest_size_is_taken_and_one_above_is_not() -> None:
    assert Framer(100).feed(b"\x0b" + b"x" * 100 + b"\x1c\r") == [b"x" * 100]
    framer = Framer(100)
    assert framer.feed(b"\x0bMSH|1\x1c\r\x0b" + b"x" * 101 + b"\x1c\r\x0bMSH|2\x1c\r") == [b"MSH|1"]
    assert framer.too_large
    assert framer.head == b"x" * 101


def test_what_never_ends_is_not_held() -> None:
    framer = Framer(100_000)
    framer.feed(b"\x0bMSH|")
    for _ in range(100):
        framer.feed(b"x" * 10_000)
    assert framer.too_large
    assert framer.held == 0
    assert framer.head.startswith(b"MSH|x")
    assert len(framer.head) == 8192


def test_an_end_block_cannot_be_framed() -> None:
    with pytest.raises(ValueError, match="end block"):
        write_frame(b"MSH|\x1c\rmore")


@given(st.binary(max_size=200).filter(lambda b: b"\x1c\r" not in b and b"\x0b" not in b and not b.endswith(b"\x1c")))
def test_what_is_framed_comes_out(message: bytes) -> None:
    assert Framer().feed(write_frame(message)) == [message]


@given(PIECES, st.lists(st.integers(1, 12), max_size=60), st.sampled_from([8, 20, 1000]))
def test_chopping_changes_nothing(stream: bytes, sizes: list[int], largest: int) -> None:
    whole, chopped = Framer(largest), Framer(largest)
    expected = whole.feed(stream)
    got: list[bytes] = []
    at = 0
    for size in [*sizes, len(stream)]:
        got += chopped.feed(stream[at : at + size])
        at += size
    assert got == expected
    if not whole.too_large:
        assert counts(chopped) == counts(whole)
        assert chopped.is_open == whole.is_open
