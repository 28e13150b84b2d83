"""`pxhub bench`: speed and memory on this machine, each figure beside a reference of the same run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Annotated

import msgspec
import typer

import hub.bench.engine
import hub.bench.replay
from hub.bench.figure import Figure
from hub.cli.topics import Kafka
from hub.kafka.settings import read_kafka_settings

bench_app = typer.Typer(name="bench", help="Measure speed and memory.", no_args_is_help=True, add_completion=False)
_NAME_WIDTH = 76


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


FormatOption = Annotated[Format, typer.Option("--format", help="table for people, json or ndjson for machines.")]


@bench_app.command("engine")
def engine(
    events: Annotated[int, typer.Option(min=100, help="How many events.")] = hub.bench.engine.EVENTS,
    waits: Annotated[int, typer.Option(min=10, help="How many open waits at most.")] = hub.bench.engine.OPEN_WAITS[-1],
    format_: FormatOption = Format.TABLE,
) -> None:
    """The engine with the whole starter pack: events a second, its cost among many waits and thresholds, memory."""
    open_waits = (*(count for count in hub.bench.engine.OPEN_WAITS if count < waits), waits)
    _write(hub.bench.engine.run(events, open_waits=open_waits), format_)


@bench_app.command("replay")
def replay(
    events: Annotated[int, typer.Option(min=100, help="How many CloudEvents.")] = hub.bench.replay.EVENTS,
    format_: FormatOption = Format.TABLE,
) -> None:
    """A replay of CloudEvents from a file, as a process of its own."""
    _write(hub.bench.replay.run(events), format_)


@bench_app.command("store")
def store(
    events: Annotated[int, typer.Option(min=2000, help="How many CloudEvents.")] = 200_000,
    waits: Annotated[int, typer.Option(min=1, help="How many open waits to open a store again with.")] = 100_000,
    format_: FormatOption = Format.TABLE,
) -> None:
    """CloudEvents into a store, durable and judged, beside a bare SQLite; a store opened again; then over HTTP, beside
    a bare server."""
    import hub.bench.http  # noqa: PLC0415 - it loads the server
    import hub.bench.recovery  # noqa: PLC0415 - as above
    import hub.bench.store  # noqa: PLC0415 - it loads the service

    figures = chain(hub.bench.store.run(events), hub.bench.recovery.run(waits), hub.bench.http.run(events))
    _write(figures, format_)


@bench_app.command("due")
def due(
    waits: Annotated[int, typer.Option(min=1, help="How many open waits.")] = 100_000,
    format_: FormatOption = Format.TABLE,
) -> None:
    """From due to the line of the alert on the stream, beside a bare server's timers."""
    import hub.bench.due  # noqa: PLC0415 - it loads the server

    _write(hub.bench.due.run(waits), format_)


@bench_app.command("mllp")
def mllp(
    messages: Annotated[int, typer.Option(min=100, help="How many messages.")] = 40_000,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Messages over MLLP, acknowledged when durable, beside a bare server that keeps nothing."""
    import hub.bench.mllp  # noqa: PLC0415 - it loads what no other benchmark needs

    _write(hub.bench.mllp.run(messages), format_)


@bench_app.command("identity")
def identity(
    persons: Annotated[int, typer.Option(min=100, help="How many persons are known.")] = 1_000_000,
    contacts: Annotated[int, typer.Option(min=100, help="How many contacts are resolved.")] = 200_000,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Contacts that name nobody, resolved among all persons known, beside a plain dict."""
    import hub.bench.identity  # noqa: PLC0415 - it loads what no other benchmark needs

    _write(hub.bench.identity.run(persons, contacts), format_)


@bench_app.command("distributed")
def distributed(
    kafka: Kafka,
    redis: Annotated[str, typer.Option("--redis", metavar="URL", help="A Redis that is the benchmark's own.")],
    events: Annotated[int, typer.Option(min=100, help="How many events.")] = 1_000_000,
    only: Annotated[
        str, typer.Option(metavar="PARTS", help="Some of a,b,c,d,e,f (docs/benchmarks.md).")
    ] = "a,b,c,d,e,f",
    profile: Annotated[
        Path | None, typer.Option(metavar="FILE", help="cProfile of the first correlate worker.")
    ] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """The distributed runtime on a Kafka and a Redis of its own, beside Faust and Bytewax. It deletes what is there."""
    import hub.bench.distributed  # noqa: PLC0415 - it loads Kafka's clients and Faust

    settings = read_kafka_settings(kafka, os.environ)
    _write(hub.bench.distributed.run(settings, redis, events, only, profile), format_)


@bench_app.command("hl7")
def hl7(format_: FormatOption = Format.TABLE) -> None:
    """HL7 v2 bytes to events, beside python-hl7 and hl7apy."""
    import hub.bench.hl7  # noqa: PLC0415 - it loads the libraries that it is compared with

    _write((Figure(*figure) for figure in hub.bench.hl7.run()), format_)


@bench_app.command("contact")
def contact(
    events: Annotated[int, typer.Option(min=100, help="How many bodies of each kind.")] = 60_000,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Webhooks of contact centers, bytes to events, beside json.loads and jmespath for the same paths."""
    import hub.bench.contact  # noqa: PLC0415 - it loads what no other benchmark needs

    _write(hub.bench.contact.run(events), format_)


@bench_app.command("fhir")
def fhir(
    resources: Annotated[int, typer.Option(min=100, help="How many resources.")] = 40_000,
    format_: FormatOption = Format.TABLE,
) -> None:
    """FHIR bytes to events, beside the models of fhir.resources."""
    import hub.bench.fhir  # noqa: PLC0415 - it loads the models that it is compared with

    _write(hub.bench.fhir.run(resources), format_)


def _write(figures: Iterable[Figure], format_: Format) -> None:
    """Each figure as soon as it is there, or all of them as JSON."""
    if format_ is Format.TABLE:
        for figure in figures:
            goal = f"   goal: {figure.goal}" if figure.goal else ""
            typer.echo(f"{figure.name:<{_NAME_WIDTH}} {_number(figure.figure):>12} {figure.unit:<12}{goal}".rstrip())
        return
    lines = [figure._asdict() for figure in figures]
    if format_ is Format.JSON:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(lines), indent=2).decode() + "\n")
    else:
        sys.stdout.writelines(msgspec.json.encode(line).decode() + "\n" for line in lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
