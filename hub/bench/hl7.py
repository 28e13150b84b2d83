"""HL7 v2 bytes to events, beside python-hl7 and hl7apy on a sample of the same messages.

The messages are ADT, SIU and ORU of 5 to 10 segments, every one of another patient, visit and second, so that nothing
remembered from one message makes the next one cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from connectors.api import Reading
from connectors.hl7.files import split_messages
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from hub.bench import fuzz
from hub.bench.figure import Figure, seconds_of, uncollected

MESSAGES: Final = 60_000
MUTATIONS: Final = 100_000
_PYTHON_HL7_SAMPLE: Final = 3_000
_HL7APY_SAMPLE: Final = 60
_CHUNK: Final = 1 << 20
_START: Final = datetime(2026, 3, 2, tzinfo=UTC)
_GOAL: Final = "30,000 or more"


def run(messages: int = MESSAGES, mutations: int = MUTATIONS) -> Iterator[Figure]:
    """Read that many messages from one stream, a sample of them by the libraries, then spoilt ones."""
    made = list(write_messages(messages))
    stream = b"".join(made)
    yield Figure("bytes a message", len(stream) / messages, "bytes")
    yield Figure("segments a message", stream.count(b"\r") / messages, "segments", "5 to 10")
    reader = Hl7Reader(load_mapping(), default_zone="America/New_York")
    chunks = [stream[at : at + _CHUNK] for at in range(0, len(stream), _CHUNK)]
    with uncollected():
        yield _rate(
            "stream cut, read and mapped to events", lambda found: _take(found, reader), _cut(chunks), messages, _GOAL
        )
        yield _rate("of which reading and mapping", lambda raw: _take(raw, reader), made, messages)
        yield from _by_type(made, reader)
        yield from _references(made)
    outcome = fuzz.run(mutations, seed=1)
    yield Figure("mutated messages read, each with an answer", outcome["messages"], "messages")
    yield Figure("  of which dead letters", outcome["dead_letters"], "messages")


def _by_type(made: list[bytes], reader: Hl7Reader) -> Iterator[Figure]:
    for name in ("ADT", "SIU", "ORU"):
        chosen = [raw for raw in made if f"|{name}^".encode() in raw[:80]]
        yield _rate(f"  {name} messages alone", lambda raw: _take(raw, reader), chosen, len(chosen))


def _references(made: list[bytes]) -> Iterator[Figure]:
    """Parsing alone: neither library knows what a message means."""
    texts = [raw.decode("ascii") for raw in made[:_PYTHON_HL7_SAMPLE]]
    if find_spec("hl7") is not None:
        parse = import_module("hl7").parse
        yield _rate("reference: python-hl7, parsing alone, a sample", parse, texts, len(texts))
    sample = texts[:_HL7APY_SAMPLE]
    parse_message = import_module("hl7apy.parser").parse_message
    parse_message(sample[0])  # it loads a version's tables at the first
    yield _rate("reference: hl7apy, parsing alone, a sample", parse_message, sample, len(sample))


def _rate(name: str, work: Callable[..., object], items: Iterable[object], count: int, goal: str = "") -> Figure:
    return Figure(name, count / seconds_of(work, items), "messages/s", goal)


def _cut(chunks: list[bytes]) -> Iterator[bytes | Reading]:
    return split_messages(chunks)


def _take(found: bytes | Reading, reader: Hl7Reader) -> None:
    reading = found if isinstance(found, Reading) else reader.read(found, "bench")
    if not reading.events:
        raise RuntimeError("a message of the bench gave no event")


def write_messages(count: int) -> Iterator[bytes]:
    """That many messages, the three kinds in turn, each with its final carriage return."""
    writers = (_admission, _appointment, _results)
    for number in range(count):
        yield "\r".join(writers[number % 3](number)).encode("ascii") + b"\r"


def _stamp(number: int, minutes: int = 0) -> str:
    return (_START + timedelta(seconds=37 * number, minutes=minutes)).strftime("%Y%m%d%H%M%S")


def _patient(number: int) -> str:
    return (
        f"PID|1||{5_000_000 + number}^^^NORTH^MR~9{number:09d}^^^NATIONAL&2.16.1&ISO^NI||Doe{number}^Jo^Q^^Ms||19610412"
        f"|F|||{number} Main St^^Springfield^NY^12345^US^H||(555)555-{number % 10000:04d}|||en|||A{number}^^^NORTH^AN"
    )


def _visit(number: int, class_: str) -> str:
    return (
        f"PV1|1|{class_}|W{number % 9}^{number % 40}^1^NORTH|E|||1{number % 300:03d}^Welby^Marcus^^^Dr^^^NORTH|||MED|||"
        f"||||||V{number}^^^NORTH^VN|||||||||||||||||||||||||{_stamp(number)}"
    )


def _admission(number: int) -> list[str]:
    kind = ("A01", "A02", "A03", "A08")[number // 3 % 4]
    return [
        f"MSH|^~\\&|ADT|NORTH|HUB|NORTH|{_stamp(number)}||ADT^{kind}^ADT_A01|M{number}|P|2.5.1",
        f"EVN|{kind}|{_stamp(number)}||||{_stamp(number)}",
        _patient(number),
        "PD1|||NORTH CLINIC^^1234|2003^Kildare^James^^^Dr",
        "NK1|1|Doe^Sam|SPO||(555)555-0100",
        _visit(number, "I"),
        "DG1|1||J18.9^Pneumonia^I10|||A",
    ]


def _appointment(number: int) -> list[str]:
    kind = ("S12", "S13", "S14", "S15")[number // 3 % 4]
    start, end, none = _stamp(number, 4000), _stamp(number, 4030), "|" * 14
    return [
        f"MSH|^~\\&|SCH|NORTH|HUB|NORTH|{_stamp(number)}||SIU^{kind}^SIU_S12|M{number}|P|2.5.1",
        f"SCH|P{number}^SCH|F{number}^SCH||||ROUTINE^Routine|OFFV^Office visit|||30|min^^^{start}^{end}{none}Booked",
        _patient(number),
        _visit(number, "O"),
        "RGS|1|A",
        f"AIS|1|A|OFFV^Office visit|{start}",
        f"AIL|1|A|CARD{number % 7}^Room 2^^NORTH",
        f"AIP|1|A|1{number % 300:03d}^Welby^Marcus^^^Dr",
    ]


def _results(number: int) -> list[str]:
    status = "PFFC"[number // 3 % 4]
    return [
        f"MSH|^~\\&|LAB|NORTH|HUB|NORTH|{_stamp(number, 90)}||ORU^R01^ORU_R01|M{number}|P|2.5.1",
        _patient(number),
        _visit(number, "O"),
        f"ORC|RE|P{number}^EHR|F{number}^LAB||CM||||{_stamp(number)}",
        _observation(number, status),
        f"OBX|1|NM|2823-3^Potassium^LN||{3 + number % 5}.1|mmol/L|3.5-5.1|{'HNL'[number % 3]}|||{status}",
        f"OBX|2|NM|2951-2^Sodium^LN||{130 + number % 20}|mmol/L|136-145|N|||{status}",
        f"OBX|3|NM|2160-0^Creatinine^LN||0.{number % 90}|mg/dL|0.6-1.2||||{status}",
        "NTE|1|L|Specimen slightly haemolysed",
    ]


def _observation(number: int, status: str) -> str:
    return (
        f"OBR|1|P{number}^EHR|F{number}^LAB|CHEM7^Basic panel^L|||{_stamp(number, 5)}|||||||{_stamp(number, 20)}||"
        f"1{number % 300:03d}^Welby^Marcus||||||{_stamp(number, 85)}||CH|{status}|||||||"
    )
