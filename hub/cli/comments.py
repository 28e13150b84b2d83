"""`pxhub comments`: what patients said in their own words. It is kept apart from messages and events, and shown here
alone: to who may read the store."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.stored import Format, FormatOption, StoreOption, write_object, write_rows
from schemas.instant import write_instant
from streams.embedded.entries import read_events
from streams.embedded.reader import Reader

comments_app = typer.Typer(
    name="comments", help="What patients said in their own words.", no_args_is_help=True, add_completion=False
)
_COLUMNS = ("id", "time", "type", "facility", "topic")


@comments_app.command("list")
def comments(store: StoreOption, format_: FormatOption = Format.TABLE) -> None:
    """Which there are, and what each was said about; not what was said."""
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
    store: StoreOption,
    format_: FormatOption = Format.TABLE,
) -> None:
    """What was said. Exit code 1 if there is no such comment. What it shows is a patient's."""
    found = Reader.open(store).rows("SELECT text FROM comment WHERE id = ?", id_)
    if not found:
        typer.echo("there is no such comment, or it was purged", err=True)
        raise typer.Exit(1)
    text: str = found[0][0]
    write_object({"id": id_, "text": text}, format_, lambda: text)
