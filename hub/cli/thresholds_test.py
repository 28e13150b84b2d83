"""`pxhub thresholds test`: play stories, and say where the thresholds do otherwise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hub.stories import SHIPPED, Stories, find_stories
from streams.core.scenario_run import Outcome


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


def play_stories(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH...", help="Stories, or folders of them; the shipped ones if none."),
    ] = None,
    thresholds: Annotated[
        Path | None, typer.Option(help="A thresholds file or folder that stands in for the shipped packs.")
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="table for people, json or ndjson for machines.")] = (
        Format.TABLE
    ),
) -> None:
    """Play stories of events and expected transitions; a line a story.

    Exit code 0 if all are as told, 1 if one is not, 2 if there is nothing to play.
    """
    stories = Stories(thresholds)
    outcomes = [stories.play(path, name) for path, name in find_stories(paths or [SHIPPED])]
    if format_ is Format.TABLE:
        _write_table(outcomes)
    elif format_ is Format.NDJSON:
        for outcome in outcomes:
            typer.echo(json.dumps(_as_dict(outcome), ensure_ascii=False))
    else:
        typer.echo(json.dumps(_summary(outcomes), ensure_ascii=False, indent=2))
    if any(outcome.failures for outcome in outcomes):
        raise typer.Exit(1)


test_command = play_stories  # the name of the subcommand, for the app that it is attached to


def _as_dict(outcome: Outcome) -> dict[str, object]:
    return {
        "story": outcome.name,
        "title": outcome.title,
        "kept": outcome.kept,
        "transitions": outcome.transitions,
        "failures": [{"line": failure.line, "text": failure.text} for failure in outcome.failures],
    }


def _summary(outcomes: Sequence[Outcome]) -> dict[str, object]:
    return {
        "stories": len(outcomes),
        "failed": sum(not outcome.kept for outcome in outcomes),
        "results": [_as_dict(outcome) for outcome in outcomes],
    }


def _write_table(outcomes: Sequence[Outcome]) -> None:
    width = max((len(outcome.name) for outcome in outcomes), default=0)
    for outcome in outcomes:
        mark = typer.style("ok  ", fg=typer.colors.GREEN) if outcome.kept else typer.style("FAIL", fg=typer.colors.RED)
        typer.echo(f"{mark}  {outcome.name:<{width}}  {outcome.title}".rstrip())
        for failure in outcome.failures:
            place = "" if failure.line is None else f"line {failure.line}: "
            typer.echo(f"      {place}{failure.text}")
    failed = sum(not outcome.kept for outcome in outcomes)
    typer.echo(f"{len(outcomes)} stories, {failed} failed")
