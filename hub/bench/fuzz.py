"""Mutated messages: whatever the bytes are, the reader answers, and every byte that came in is accounted for.

Nothing is caught here: an exception out of the connector ends the run, and that is the finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from connectors.api import Reading
from connectors.hl7.files import split_messages
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader

# Bytes that mean something to a lexer of HL7 v2, so mutations meet its branches more often than chance would.
_TELLING: Final = [
    b"|",
    b"^",
    b"~",
    b"\\",
    b"&",
    b"\r",
    b"\n",
    b"\r\n",
    b'""',
    b"\x0b",
    b"\x1c",
    b"\x1b",
    b"\x00",
    b"\xff",
]
_TELLING_TEXTS: Final = [
    b"\\X",
    b"\\.br\\",
    b"MSH|^~\\&|",
    b"PID|",
    b"OBR|",
    b"BTS|9",
    b"\xef\xbb\xbf",
    b"99999999999999",
]
_LARGEST_SEED: Final = 20_000  # bytes; larger messages are covered by their tests and would slow a run down

_SEEDS: Final = tuple(
    "\r".join(lines).encode("latin-1") + b"\r"
    for lines in (
        (
            "MSH|^~\\&|A|F|B|F|20260301120000||ADT^A01^ADT_A01|1|P|2.5.1",
            "EVN|A01|20260301120000",
            "PID|1||1^^^F^MR~2^^^G&1.2&ISO^PI||Doe^J||19800101|F|||||||en",
            "PV1|1|I|W^1^2||||7^Who|||MED|||||||||V1^^^F^VN",
        ),
        (
            "MSH|^~\\&|A|F|B|F|20260301120000-0500||ORU^R01|2|P|2.5.1|||||||8859/1",
            "PID|1||1^^^F^MR",
            "ORC|RE|P1^A|F1^B",
            "OBR|1|P1^A|F1^B|C^T|||20260301110000|||||||20260301113000||||||||20260301115500||CH|F",
            "OBX|1|NM|K^K||7.1|mmol|3.5-5|HH|||F",
            "OBX|2|ED|D^D||^A^B^Base64^AAAA||||||F",
            "NTE|1||a\\.br\\b",
        ),
        (
            "MSH|^~\\&|S|F|B|F|20260301120000||SIU^S12|3|P|2.4",
            "SCH|P1^A|F1^B|||||CHK^Check|||||^^^20260310090000^20260310093000||||||||||||||Booked|O1^A|O2^B",
            "PID|1||1^^^F^MR",
            "AIS|1||X^Y|20260310090000",
            "AIL|1||CLIN^1",
            "AIP|1||7^Who",
        ),
        (
            "MSH|^~\\&|A|F|B|F|20260301120000||ADT^A40|4|P|2.3",
            "EVN|A40|20260301120000",
            "PID|1||1^^^F^MR",
            "MRG|9^^^F^MR~8^^^F^MR",
        ),
        (
            "MSH|^~\\&|A|F|B|F|20260301120000||OML^O21|5|P|2.5.1",
            "PID|1||1^^^F^MR",
            "ORC|NW|P1|||||^^^^^S||20260301110000",
            "TQ1|1||||||||A",
            "OBR|1|P1||C^T",
            "SPM|1|S1&A^S2&B||BLD|||||||||||||20260301100000^20260301100500|20260301103000",
        ),
        (
            "\x0bMSH|^~\\&|D|F|B|F|20260301||MDM^T02|6|P|2.5",
            "EVN|T02|202603011200",
            "PID|||1",
            "TXA|1|DS|TX||||||||D1|||O1^A|O2^B||LA",
            "\x1c",
        ),
    )
)


def run(count: int, seed: int, corpus: Path | None = None) -> dict[str, int]:
    """Read `count` mutated messages; returns how many were accepted, ignored and dead letters.

    `corpus` is a folder of HL7 v2 files whose messages are mutated beside the ones that stand here.
    """
    random = Random(seed)  # noqa: S311 - a run is repeated by its seed
    reader = Hl7Reader(load_mapping(), default_zone="America/New_York")
    seeds = [*_SEEDS, *_read_seeds(corpus)]
    outcome = {"messages": 0, "accepted": 0, "ignored": 0, "dead_letters": 0}
    for number in range(count):
        for reading in _readings(mutate(random.choice(seeds), random), reader, f"mutation {number}"):
            outcome["messages"] += 1
            outcome[_kind(reading)] += 1
    return outcome


def mutate(message: bytes, random: Random) -> bytes:
    """One message spoilt in one to four places: bits flipped, bytes replaced, cut, repeated, or the end lost."""
    spoilt = bytearray(message)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(spoilt) + 1)
        match random.randrange(7):
            case 0 if spoilt:
                spoilt[at % len(spoilt)] ^= 1 << random.randrange(8)
            case 1:
                del spoilt[at:]
            case 2:
                spoilt[at : at + 1] = random.choice(_TELLING)
            case 3:
                spoilt[at:at] = random.choice(_TELLING_TEXTS)
            case 4:
                del spoilt[at : at + random.randint(1, 40)]
            case 5:
                spoilt[at:at] = spoilt[at : at + random.randint(1, 200)]
            case _:
                spoilt[at : at + 1] = random.randbytes(random.randint(1, 4))
    return bytes(spoilt)


def _readings(raw: bytes, reader: Hl7Reader, place: str) -> Iterator[Reading]:
    """As a file's and as a message's bytes: both ways in must hold."""
    yield reader.read(raw, place)
    for found in split_messages([raw[:100], raw[100:]]):
        yield found if isinstance(found, Reading) else reader.read(found, place)


def _kind(reading: Reading) -> str:
    kinds = [
        name
        for name, there in (
            ("accepted", bool(reading.events)),
            ("ignored", reading.ignored is not None),
            ("dead_letters", reading.dead is not None),
        )
        if there
    ]
    if len(kinds) != 1:
        raise AssertionError(f"a reading is one of three things, this one is {kinds}")
    return kinds[0]


def _read_seeds(corpus: Path | None) -> list[bytes]:
    if corpus is None:
        return []
    files = sorted(path for path in corpus.rglob("*") if path.suffix in (".hl7", ".mllp") and path.is_file())
    seeds = []
    for path in files:
        found = [m for m in split_messages([path.read_bytes()]) if isinstance(m, bytes) and len(m) < _LARGEST_SEED]
        seeds += found[:50]  # a simulator's thousand are of a few shapes
    return seeds
