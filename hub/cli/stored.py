"""What the commands on a store share: how they print, and how they open it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from hub.deliver.backfill import LONG
from hub.stored import Judged, recall, thresholds_of
from schemas.declaration import suggest
from schemas.duration_text import exact_seconds, read_duration
from schemas.errors import WrongUse
from schemas.event import SECOND
from streams.embedded.reader import Reader

_encode = msgspec.json.Encoder().encode


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


StoreOption = Annotated[Path, typer.Option("--store", metavar="DIR", help="The folder of the store.")]
FormatOption = Annotated[Format, typer.Option("--format", help="table for people, json or ndjson for machines.")]


def write_rows(rows: Iterable[dict[str, Any]], columns: Sequence[str], format_: Format) -> None:
    """Rows as a table of these columns, as one JSON list, or as a line each with all that they hold."""
    if format_ is Format.NDJSON:
        for row in rows:
            sys.stdout.write(_encode(row).decode() + "\n")
    elif format_ is Format.JSON:
        sys.stdout.write(msgspec.json.format(_encode(list(rows)), indent=2).decode() + "\n")
    else:
        table = Table(box=None)
        for column in columns:
            table.add_column(column.replace("_", " "), overflow="fold")
        for row in rows:
            table.add_row(*("" if row[column] is None else str(row[column]) for column in columns))
        Console().print(table)


def write_object(value: dict[str, Any], format_: Format, show: Callable[[], str]) -> None:
    """One object as JSON, or as `show` words it for people."""
    if format_ is Format.TABLE:
        sys.stdout.write(show() + "\n")
    elif format_ is Format.JSON:
        sys.stdout.write(msgspec.json.format(_encode(value), indent=2).decode() + "\n")
    else:
        sys.stdout.write(_encode(value).decode() + "\n")


def judged(store: Path, *, whole: bool = False) -> Judged:
    """The engine of a store; on a terminal its making is shown."""
    if not sys.stderr.isatty():
        return Judged(store, whole=whole)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading the log", total=None)
        return Judged(store, lambda done, total: bar.update(task, completed=done, total=total or None), whole=whole)


def check_threshold(id_: str, reader: Reader) -> None:
    """Raises WrongUse for a threshold that the store neither was served with last nor has an alert of."""
    if reader.rows("SELECT 1 FROM alert WHERE threshold = ? LIMIT 1", id_):
        return
    declared = recall(reader)
    known = [] if declared is None else [threshold.id for threshold in thresholds_of(declared)[0].thresholds]
    if id_ in known:
        return
    near = suggest(id_, [*known, *(other for (other,) in reader.rows("SELECT DISTINCT threshold FROM alert"))])
    raise WrongUse(
        f"--threshold {id_}: this store knows no such threshold" + (f" (did you mean `{near}`?)" if near else "")
    )


def read_span(option: str, text: str) -> int:
    """A duration that an option names, in microseconds. Raises WrongUse."""
    try:
        seconds = exact_seconds(read_duration(text))
    except ValueError as wrong:
        raise WrongUse(f"{option} {text}: {wrong}") from wrong
    if seconds is None:
        raise WrongUse(f"{option} {text}: an elapsed time is expected: s, m, h, days or weeks")
    return seconds * SECOND


def read_keep(text: str) -> int:
    """How long to keep what came, in microseconds. Raises WrongUse."""
    span = read_span("--keep", text)
    if span < LONG:
        raise WrongUse(f"--keep {text}: seven days at least, for evidence may come that late")
    return span
