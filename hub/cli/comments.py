"""`pxhub comments`: what patients said in their own words. It is kept apart from messages and events, and shown here
alone: to who may read the store, or px.comments."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.stored import Format, FormatOption, write_object, write_rows
from schemas.errors import WrongUse
from schemas.instant import write_instant
from streams.embedded.entries import read_events
from streams.embedded.reader import Reader

comments_app = typer.Typer(
    name="comments", help="What patients said in their own words.", no_args_is_help=True, add_completion=False
)
_COLUMNS = ("id", "time", "type", "facility", "topic")
_Store = Annotated[Path | None, typer.Option("--store", metavar="DIR", help="The folder of the store.")]
_Kafka = Annotated[
    str | None, typer.Option("--kafka", metavar="HOST:PORT", help="The hub in Kafka, in place of a store.")
]


@comments_app.command("list")
def comments(store: _Store = None, kafka: _Kafka = None, format_: FormatOption = Format.TABLE) -> None:
    """Which there are, and what each was said about; not what was said."""
    _check_place(store, kafka)
    if kafka is not None:
        from hub.kafka.comments import comments_of  # noqa: PLC0415 - who has a store needs no client of Kafka
        from hub.kafka.settings import read_kafka_settings  # noqa: PLC0415

        write_rows(comments_of(read_kafka_settings(kafka, os.environ)), _COLUMNS, format_)
        return
    assert store is not None  # noqa: S101 - one of the two
    rows = Reader.open(store).rows(
        "SELECT comment.id, log.events, log.recorded FROM comment JOIN log USING (seq) ORDER BY seq"
    )
    told = []
    for id_, blob, recorded in rows:
        events = read_events(blob) if blob is not None else ()
        first = next((event for event in events if event.data.get("comment_id") == id_), None)
        told.append(
            {
                "id": id_,
                "time": write_instant(recorded if first is None else first.time),
                "type": None if first is None else first.type,
                "facility": None if first is None else first.facility,
                "topic": None if first is None else first.data.get("topic"),
            }
        )
    write_rows(told, _COLUMNS, format_)


@comments_app.command("show")
def comment(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The `comment_id` of an event.")],
    store: _Store = None,
    kafka: _Kafka = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """What was said. Exit code 1 if there is no such comment. What it shows is a patient's."""
    _check_place(store, kafka)
    text = _text(store, kafka, id_)
    if text is None:
        typer.echo("there is no such comment, or it was purged", err=True)
        raise typer.Exit(1)
    write_object({"id": id_, "text": text}, format_, lambda: text)


def _check_place(store: Path | None, kafka: str | None) -> None:
    if (store is None) == (kafka is None):
        raise WrongUse("name where the comments are: --store DIR, or --kafka HOST:PORT")


def _text(store: Path | None, kafka: str | None, id_: str) -> str | None:
    if kafka is not None:
        from hub.kafka.comments import comment_of  # noqa: PLC0415 - who has a store needs no client of Kafka
        from hub.kafka.settings import read_kafka_settings  # noqa: PLC0415

        return comment_of(read_kafka_settings(kafka, os.environ), id_)
    assert store is not None  # noqa: S101 - one of the two
    found = Reader.open(store).rows("SELECT text FROM comment WHERE id = ?", id_)
    return found[0][0] if found else None
