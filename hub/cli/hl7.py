"""`pxhub hl7`: look into HL7 v2 files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from connectors.api import Reading
from connectors.hl7.charset import decode
from connectors.hl7.explain import faults, named, named_fields, version_of, wrong_times
from connectors.hl7.message import Message
from connectors.hl7.read import Hl7Reader
from hub.cli.hl7_send import send, watch
from hub.declared import hl7_reader, site_mapping
from hub.inputs import find_inputs
from hub.site import Site, read_site
from schemas.errors import Unreadable, WrongUse
from schemas.instant import write_instant

hl7_app = typer.Typer(no_args_is_help=True, help="Look into HL7 v2 messages, and send them.")
_OF_EVERY_EVENT = frozenset({"mrn", "assigning_authority", "message_id", "facility", "source"})
_LONGEST = 60  # characters of a value in a table; documents stand in some fields


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


@hl7_app.command("check")
def check(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="HL7 v2 files, gzipped ones and folders too; - for standard input."),
    ],
    mapping: Annotated[Path | None, typer.Option(help="A mapping laid over the shipped one.")] = None,
    site: Annotated[Path | None, typer.Option(help="The site file.")] = None,
    timezone: Annotated[str | None, typer.Option(help="For stamps without an offset.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="table for people, json for machines.")] = Format.TABLE,
) -> None:
    """Say of each message what it becomes, with the attributes of its events, and what its version has against it.

    This shows values: they are a patient's. Exit code 1 when a message is a dead letter or its version objects.
    """
    declared = _site(site)
    if timezone is not None and not _is_zone(timezone):
        raise WrongUse("--timezone: an IANA time zone such as America/New_York is expected")
    mapped = site_mapping(mapping, declared)
    for warning in mapped.warnings:
        typer.echo(str(warning), err=True)
    reader = hl7_reader(declared, mapped, timezone)
    charsets = _charsets(declared)
    found = [_checked(reader, charsets, raw, place) for place, raw in _messages(files)]
    if format_ is Format.JSON:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        for message in found:
            _write_checked(message)
        wrong = sum(1 for message in found if not message["well"])
        typer.echo(f"{len(found)} messages, {wrong} with something wrong")
    if not all(message["well"] for message in found):
        raise typer.Exit(1)


def _write_checked(message: dict[str, Any]) -> None:
    typer.echo(f"{message['place']}: {message['becomes']}")
    for event in message["events"]:
        typer.echo(f"    {event['type']}")
        for name, value in event["data"].items():
            if name not in _OF_EVERY_EVENT:
                typer.echo(f"        {name}: {json.dumps(value, ensure_ascii=False)}")
    for line in message["faults"]:
        typer.echo(f"    {line}")


@hl7_app.command("show")
def show(
    file: Annotated[str, typer.Argument(metavar="FILE", help="An HL7 v2 file; - for standard input.")],
    site: Annotated[Path | None, typer.Option(help="The site file: a facility's charset.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="table for people, json for machines.")] = Format.TABLE,
) -> None:
    """Show the fields of each message with their names in the standard. This shows values: they are a patient's."""
    charsets = _charsets(_site(site))
    shown: list[dict[str, Any]] = []
    for place, raw in _messages([file]):
        if isinstance(raw, Reading):
            shown.append({"place": place, "unreadable": _not_read(raw), "fields": []})
            continue
        try:
            message = Message(decode(raw, charsets)[0])
        except Unreadable as wrong:
            shown.append({"place": place, "unreadable": str(wrong), "fields": []})
            continue
        fields = [{"place": f.place, "name": f.name, "type": f.type, "value": f.value} for f in named_fields(message)]
        shown.append({"place": place, "version": version_of(message), "fields": fields})
    if format_ is Format.JSON:
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    console = Console()
    for message_shown in shown:
        table = Table(title=Text(message_shown["place"]), title_justify="left", box=None)
        for column in ("field", "name", "type", "value"):
            table.add_column(column)
        for field in message_shown["fields"]:
            value = field["value"] if len(field["value"]) <= _LONGEST else field["value"][:_LONGEST] + "..."
            table.add_row(*(Text(t) for t in (field["place"], field["name"], field["type"], value)))
        console.print(message_shown.get("unreadable") or table)


def _checked(reader: Hl7Reader, charsets: Mapping[str, str], raw: bytes | Reading, place: str) -> dict[str, Any]:
    if isinstance(raw, Reading):
        return {"place": place, "becomes": _not_read(raw), "events": [], "faults": [], "well": raw.dead is None}
    reading = reader.read(raw, place)
    found = _faults(raw, charsets)
    becomes = named(_not_read(reading), "2.5.1")
    if reading.events:
        becomes = ", ".join(f"{event.type} at {write_instant(event.time)}" for event in reading.events)
    if reading.notes:
        found += [f"note: {note}" for note in dict.fromkeys(reading.notes)]
    objected = any(not line.startswith(("note:", "Warning")) for line in found)
    return {
        "place": place,
        "becomes": becomes,
        "events": [
            {"type": event.type, "time": write_instant(event.time), "data": event.data} for event in reading.events
        ],
        "faults": found,
        "well": reading.dead is None and not objected,
    }


def _faults(raw: bytes, charsets: Mapping[str, str]) -> list[str]:
    try:
        message = Message(decode(raw, charsets)[0])
    except Unreadable:
        return []  # what it is a dead letter for says it all
    version = version_of(message)
    return [*wrong_times(message), *(named(line, version) for line in faults(message))]


def _not_read(reading: Reading) -> str:
    letter = reading.dead
    if letter is None:
        return f"ignored, {reading.ignored}"
    return f"dead letter, {letter.reason.value} at {letter.place}: {letter.mend}"


def _site(path: Path | None) -> Site:
    return read_site(path) if path is not None else Site()


def _charsets(site: Site) -> dict[str, str]:
    return {name: facility.charset for name, facility in site.facilities.items() if facility.charset}


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _messages(files: list[str]) -> Iterator[tuple[str, bytes | Reading]]:
    for input_ in find_inputs(files):
        yield from input_.pieces()


hl7_app.command("send")(send)
hl7_app.command("watch")(watch)
