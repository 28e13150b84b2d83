"""`pxhub alerts`, `waits` and `journeys`: what a store says, and why."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from hub.api.cursor import OtherStore, cursors_of
from hub.bearing import bearing_lines, contact_lines
from hub.cli.replay import as_line
from hub.cli.stored import Format, FormatOption, StoreOption, check_threshold, judged, write_object, write_rows
from hub.explain import explain_alert
from hub.serve.service import machine_time
from schemas.alert import Alert, State
from schemas.errors import WrongUse
from schemas.event import Event
from schemas.instant import write_instant
from streams.core.engine import Engine
from streams.core.journeys import KEYS
from streams.core.state import Wait
from streams.embedded.directory import StoredDirectory
from streams.embedded.following import Ahead, Gone, check_cursor
from streams.embedded.reader import Reader

alerts_app = typer.Typer(name="alerts", help="The alerts of a store.", no_args_is_help=True, add_completion=False)
waits_app = typer.Typer(name="waits", help="What runs in a store.", no_args_is_help=True, add_completion=False)
journeys_app = typer.Typer(
    name="journeys", help="What a person went through.", no_args_is_help=True, add_completion=False
)

for _app in (waits_app, journeys_app):
    _app.callback()(lambda: None)  # typer takes a group of one command for that command

_PAGE = 500
_LOOK = 0.5  # seconds between two looks at a store that is followed
_COLUMNS = ("id", "threshold", "key", "state", "severity", "started_at", "due_at", "ended_at", "facility")


@alerts_app.command("list")
def list_(
    store: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder of the store.")] = None,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    threshold: Annotated[str | None, typer.Option(help="Only those of this threshold.")] = None,
    facility: Annotated[str | None, typer.Option(help="Only those of this facility.")] = None,
    kafka: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="The hub in Kafka, in place of a store.")] = (
        None
    ),
    format_: FormatOption = Format.TABLE,
) -> None:
    """All alerts in their last state, sorted by start and id, with the fields of `replay --alerts-out`."""
    if (store is None) == (kafka is None):
        raise WrongUse("name where the alerts are: --store DIR, or --kafka HOST:PORT")

    def wanted(alert: Alert) -> bool:
        return (
            (state is None or alert.state is state)
            and (threshold is None or alert.threshold == threshold)
            and (facility is None or alert.facility == facility)
        )

    if kafka is not None:
        _list_kafka(kafka, wanted, format_)
        return
    assert store is not None  # noqa: S101 - one of the two
    reader = Reader.open(store)
    if threshold is not None:
        check_threshold(threshold, reader)
    directory = StoredDirectory(reader)
    write_rows((as_line(alert, directory) for alert in reader.alerts() if wanted(alert)), _COLUMNS, format_)


def _list_kafka(kafka: str, wanted: Callable[[Alert], bool], format_: Format) -> None:
    from hub.kafka.alerts import alerts_of, directory_of  # noqa: PLC0415 - who has a store needs no client of Kafka
    from hub.kafka.settings import read_kafka_settings  # noqa: PLC0415

    settings = read_kafka_settings(kafka, os.environ)
    alerts = alerts_of(settings)  # it tells first whether there is such a cluster
    directory = directory_of(settings)
    write_rows((as_line(alert, directory) for alert in alerts if wanted(alert)), _COLUMNS, format_)


@alerts_app.command("show")
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="An alert's id.")],
    store: StoreOption,
    format_: FormatOption = Format.TABLE,
) -> None:
    """One alert, explained in full. Exit code 1 if there is none of this id."""
    stands = judged(store)
    alert = stands.reader.alert(id_)
    if alert is None:
        typer.echo(f"{id_}: there is no such alert", err=True)
        raise typer.Exit(1)
    lines = explain_alert(alert, stands.judging.owner(alert), stands.now(machine_time), stands.zone)
    fields = as_line(alert, StoredDirectory(stands.reader))
    write_object(fields | {"explanation": lines}, format_, lambda: "\n".join([*lines, *bearing_lines(fields)]))


@alerts_app.command("tail")
def tail(
    store: StoreOption,
    after: Annotated[
        str, typer.Option(metavar="CURSOR", help="From behind this change on: as told here, or by HTTP.")
    ] = "0",
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait for further changes.")] = True,  # noqa: FBT002
    format_: FormatOption = Format.NDJSON,
) -> None:
    """Every change of every alert, in order, as it happens; until interrupted, with --no-follow once."""
    reader = Reader.open(store)
    cursor = read_after(after, reader)
    while True:
        page = reader.transitions(after=cursor, limit=_PAGE)
        directory = StoredDirectory(reader)  # what is known of somebody may be otherwise by now
        for cursor, at, alert in page:
            _tell_change(cursor, at, alert, directory, format_)
        sys.stdout.flush()
        if len(page) < _PAGE:
            if not follow:
                return
            time.sleep(_LOOK)  # noqa: TID251 - another process writes the file and tells nobody


def read_after(text: str, reader: Reader) -> int:
    """The number of a change, by itself or by the cursor that HTTP has for it. Raises WrongUse."""
    try:
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else cursors_of(reader).read(text)
        check_cursor(reader, number)
    except ValueError:
        raise WrongUse("--after: this is no cursor; give a `cursor` of alerts tail or of HTTP as it stands") from None
    except (OtherStore, Ahead):
        raise WrongUse("--after: this cursor is of another store, or of before a restore; leave it out") from None
    except Gone:
        raise WrongUse(
            "--after: what follows this cursor was purged; leave it out to begin with what is left"
        ) from None
    return number


def _tell_change(cursor: int, at: int, alert: Alert, directory: StoredDirectory, format_: Format) -> None:
    if format_ is Format.TABLE:
        sys.stdout.write(f"{write_instant(at)}  {alert.state.value:<9}  {alert.threshold}  {alert.key}  {alert.id}\n")
    else:
        line = {"cursor": cursor, "at": write_instant(at)} | as_line(alert, directory)
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")


@waits_app.command("list")
def waits(
    store: StoreOption,
    threshold: Annotated[str | None, typer.Option(help="Only those of this threshold.")] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """The waits that run, by their due time."""
    stands = judged(store)
    if threshold is not None:
        check_threshold(threshold, stands.reader)
    stands.admit_all()
    engine = stands.engine
    running = [w for w in open_waits(engine) if threshold is None or w.plan.id == threshold]
    rows = (
        {
            "threshold": wait.plan.id,
            "key": wait.journey.key_text(),
            "person": engine.identity.id(wait.journey.person),
            "started_at": write_instant(wait.start.time),
            "due_at": write_instant(wait.due),
            "paused": wait.paused is not None,
            "alert": None if wait.alert is None else wait.alert.state.value,
        }
        for wait in sorted(running, key=lambda w: (w.due, w.plan.id, w.journey.key_text()))
    )
    write_rows(rows, ("threshold", "key", "person", "started_at", "due_at", "alert"), format_)


def open_waits(engine: Engine) -> Iterator[Wait]:
    """All waits that run."""
    for person in engine.identity.persons():
        for journey in person.open:
            yield from journey.open_waits()


@journeys_app.command("show")
def journeys(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="A person's id, a former one, or an identifier.")],
    store: StoreOption,
    format_: FormatOption = Format.TABLE,
) -> None:
    """The events of a person by journey, in order of time. Exit code 1 if nobody is known by it."""
    stands = judged(store)
    engine, found = stands.engine, stands.find_person(person)
    if found is None:
        typer.echo("nobody is known by this id or identifier", err=True)
        raise typer.Exit(1)
    by_journey: dict[tuple[str, str], list[Event]] = {}
    for entry in stands.reader.entries(where="outcome = 'accepted'"):
        for event in entry.events or ():
            if engine.identity.id(engine.identity.person_of(event)) != found:
                continue
            keys = [(key, value) for key in KEYS if isinstance(value := event.data.get(key), str)]
            for key in keys or [("", "")]:
                by_journey.setdefault(key, []).append(event)
    rows: list[dict[str, Any]] = [
        {
            "journey": " ".join(key).strip() or None,
            "time": write_instant(event.time),
            "type": event.type,
            "source": event.source,
            "id": event.id,
        }
        for key, events in sorted(by_journey.items(), key=lambda item: min(e.time for e in item[1]))
        for event in sorted(events, key=lambda e: (e.time, e.source, e.id))
    ]
    if not rows and format_ is Format.TABLE:
        raise WrongUse("this person has no events in the log")
    if format_ is Format.TABLE:
        for line in contact_lines(StoredDirectory(stands.reader), found, max(engine.clock, 0)):
            typer.echo(line)
    write_rows(rows, ("journey", "time", "type", "source", "id"), format_)
