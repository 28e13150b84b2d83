"""`pxhub replay`: files in, explained alerts out."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from hub.alert_line import alert_fields
from hub.cli.report import report_tables
from hub.declared import checked_zone
from hub.replay import ReplayOptions, ReplayResult, replay
from hub.site import read_site_leniently
from schemas.alert import Alert, Level, State
from schemas.errors import WrongUse
from schemas.instant import from_datetime, read_instant
from streams.core.directory import Directory
from streams.embedded.directory import StoredDirectory
from streams.embedded.reader import Reader

_SEVERITIES = {"critical": 0, "high": 1, "medium": 2, "low": 3}


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


def replay_command(  # noqa: PLR0913, PLR0917 - a flag each
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files and folders; - for standard input.")],
    thresholds: Annotated[Path | None, typer.Option(help="A file or folder in place of the shipped packs.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="A mapping laid over the shipped one.")] = None,
    site: Annotated[Path | None, typer.Option(help="The site file: facilities, authorities, overrides.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="The last clock; what is later is ignored.")] = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE", help="For stamps without an offset.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="table for people, json or ndjson for machines.")] = (
        Format.TABLE
    ),
    alerts_out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write an alert a line (NDJSON).")] = None,
    explain: Annotated[
        str | None, typer.Option(metavar="ID|N", help="Explain an alert, or the N worst (broken still first), in full.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Put the files through the durable path, into this store.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if there were dead letters.")] = False,  # noqa: FBT002
    validate: Annotated[bool, typer.Option("--validate", help="Note what R4B's models refuse (fhir_invalid).")] = False,  # noqa: FBT002
) -> None:
    """Put HL7 v2, FHIR and CloudEvents files through the thresholds; event time is the clock, all in memory.

    Exit code 0 done (dead letters or not), 1 with --strict and dead letters, or an alert to explain is not there,
    2 wrong use or a wrong file.
    """
    zone = timezone or (read_site_leniently(site).timezone if site is not None else None)
    options = ReplayOptions(
        paths=paths,
        thresholds=thresholds,
        mapping=mapping,
        site=site,
        until=None if until is None else read_time("--until", until, zone),
        timezone=None if timezone is None else checked_zone(timezone),
        validate=validate,
    )
    if store is not None:
        _into_store(store, options, format_, alerts_out, strict=strict)
        return
    result = _with_progress(options)
    gc.freeze()  # all of it stays to the end: the collector need not walk it, not even when the process ends
    if alerts_out is not None:
        write_alerts(alerts_out, result.alerts, result.directory)
    explained = None if explain is None else _explained(result, explain)
    if format_ is Format.TABLE:
        _write_table(result, explained)
    else:
        report = dict(result.report)
        if explained is not None:
            report["explained"] = [{"id": alert.id, "text": lines} for alert, lines in explained]
        encoded = msgspec.json.encode(report)
        text = msgspec.json.format(encoded, indent=2) if format_ is Format.JSON else encoded
        sys.stdout.write(text.decode() + "\n")
    for warning in result.warnings:
        typer.echo(warning, err=True)
    _tell_assumed(result.assumed_utc)
    if explain is not None and not explained:
        typer.echo(f"--explain {explain}: there is no such alert", err=True)
        raise typer.Exit(1)
    if strict and result.report["dead_letters"]:
        raise typer.Exit(1)


def _into_store(store: Path, options: ReplayOptions, format_: Format, alerts_out: Path | None, *, strict: bool) -> None:
    from hub.store_replay import replay_store  # noqa: PLC0415 - what a replay in memory does not need

    report, alerts = replay_store(store, options)
    if alerts_out is not None:
        with closing(Reader.open(store)) as reader:
            write_alerts(alerts_out, alerts, StoredDirectory(reader))
    encoded = msgspec.json.encode(report)
    text = encoded if format_ is Format.NDJSON else msgspec.json.format(encoded, indent=2)
    sys.stdout.write(text.decode() + "\n")
    _tell_assumed(report["assumed_utc"])
    if strict and report["dead_letters"]:
        raise typer.Exit(1)


def _tell_assumed(times: int) -> None:
    if times:
        typer.echo(
            f"{times} times carried no offset and no zone was named for them: read as UTC. "
            "Name it with --timezone, or zone: for each facility in the site file.",
            err=True,
        )


def read_time(option: str, text: str, zone: str | None) -> int:
    """A time of an option: RFC 3339, or without an offset in the zone given, else UTC; a day is its start."""
    try:
        return read_instant(text)
    except (ValueError, OverflowError):
        pass
    where = ZoneInfo(checked_zone(zone)) if zone else ZoneInfo("UTC")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.combine(date.fromisoformat(text), datetime.min.time())
        except ValueError:
            raise WrongUse(f"{option} {text}: a time such as 2026-03-08T17:00:00Z is expected") from None
    return from_datetime(moment if moment.tzinfo is not None else moment.replace(tzinfo=where))


def _with_progress(options: ReplayOptions) -> ReplayResult:
    if not sys.stderr.isatty():
        return replay(options)
    share = TextColumn("{task.percentage:>3.0f}%")
    columns = (TextColumn("{task.description}"), BarColumn(), share, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replay", total=None)

        def tell(done: int, size: int) -> None:
            bar.update(task, completed=done, total=size or None)

        return replay(replace(options, progress=tell))


def as_line(alert: Alert, directory: Directory | None = None) -> dict[str, object]:
    """An alert as `--alerts-out` writes it: every field, what is absent as null, times in RFC 3339."""
    return {name: value for name, value in alert_fields(alert, directory).items() if value is not msgspec.UNSET}


def write_alerts(path: Path, alerts: Iterable[Alert], directory: Directory | None = None) -> None:
    """Write the alerts as NDJSON, in the order given. Raises WrongUse where the file cannot be written."""
    encode = msgspec.json.Encoder().encode
    try:
        with path.open("wb") as out:
            for alert in alerts:
                out.write(encode(as_line(alert, directory)) + b"\n")
    except OSError as wrong:
        raise WrongUse(f"--alerts-out {path}: it cannot be written ({wrong.strerror})") from wrong


def worst(alerts: Iterable[Alert], clock: int, count: int) -> list[Alert]:
    """The worst alerts that stand: live ones before shadow; then promises that are broken still, those about to be,
    those that were broken, and those kept after a warning; among these by severity, then by how late they are."""

    def rank(alert: Alert) -> tuple[bool, int, int, int, str]:
        end = alert.ended_at if alert.ended_at is not None else clock
        step = 0 if alert.state is State.BREACHED else 1 if alert.state is State.WARNING else 2
        if step == 2 and alert.level is not Level.BREACHED:
            step = 3
        return alert.mode == "shadow", step, _SEVERITIES[alert.severity], alert.due_at - end, alert.id

    return sorted((a for a in alerts if a.state is not State.RETRACTED), key=rank)[:count]


def _explained(result: ReplayResult, asked: str) -> list[tuple[Alert, list[str]]]:
    if asked.isascii() and asked.isdecimal():
        chosen = worst(result.alerts, result.engine.clock, int(asked))
    else:
        chosen = [a for a in result.alerts if a.id == asked]
    return [(alert, result.explain(alert)) for alert in chosen]


def _write_table(result: ReplayResult, explained: list[tuple[Alert, list[str]]] | None) -> None:
    console = Console()
    for table in report_tables(result):
        console.print(table)
    for _, lines in explained or []:
        console.print()
        console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
