"""`pxhub thresholds`: check, explain, list and test what is declared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from connectors.hl7.mappings import WrongMapping
from hub.cli.thresholds_test import Format, test_command
from hub.declared import site_mapping
from hub.promise import explain_threshold
from hub.site import Site, WrongSite, read_site, read_site_leniently
from hub.thresholds import check_thresholds, load_thresholds
from schemas.declaration import Problem, has_errors, suggest
from schemas.errors import WrongUse
from schemas.json_schema import SCHEMAS, write_schema
from schemas.threshold import Threshold

thresholds_app = typer.Typer(
    name="thresholds", help="Check, explain, list and test thresholds.", no_args_is_help=True, add_completion=False
)
thresholds_app.command("test")(test_command)

_SHOWN = 160  # letters of a line that is pointed into

FormatOption = Annotated[Format, typer.Option("--format", help="table for people, json or ndjson for machines.")]
SiteOption = Annotated[
    Path | None, typer.Option("--site", metavar="PATH", help="A site file, whose overrides are read with them.")
]


@thresholds_app.command("check")
def check(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH...", help="Files and folders that are loaded together.")
    ] = None,
    site: SiteOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Say all that is wrong in thresholds files, each with its place and the likely meaning.

    Without a path the shipped packs are checked. Exit code 0 if they can be used, 1 if there is an error in them,
    2 if there is no such file.
    """
    for path in paths or []:
        if not path.exists():
            raise WrongUse(f"{path}: no such file or folder")
    found, site_problems = _site(site)
    loaded, problems = check_thresholds(paths or [], found)
    problems = [*site_problems, *problems]
    if format_ is Format.TABLE:
        _write_problems(problems, len(loaded.thresholds))
    elif format_ is Format.JSON:
        _write_json(
            {
                "ok": not has_errors(problems),
                "thresholds": len(loaded.thresholds),
                "problems": [_problem_fields(problem) for problem in problems],
            }
        )
    else:
        _write_lines(_problem_fields(problem) for problem in problems)
    if has_errors(problems):
        raise typer.Exit(1)


@thresholds_app.command("explain")
def explain(
    what: Annotated[str, typer.Argument(metavar="PATH|ID", help="A file, a folder, or a threshold's id.")],
    thresholds: Annotated[
        Path | None, typer.Option("--thresholds", metavar="PATH", help="Where to look for the id; else in the packs.")
    ] = None,
    site: SiteOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Say in plain English what a threshold promises, when it starts and ends, and how its time comes about.

    Exit code 2 if there is no such threshold, or the file has errors.
    """
    read = read_site(site) if site is not None else None
    chosen = _chosen(what, thresholds, read)
    if format_ is Format.TABLE:
        for n, threshold in enumerate(chosen):
            if n:
                typer.echo()
            typer.echo(f"{threshold.id}  ({threshold.kind})")
            for heading, text in explain_threshold(threshold):
                typer.echo(f"  {heading:<10} {text}")
        return
    fields = [
        {"id": threshold.id, "kind": threshold.kind, "lines": [list(line) for line in explain_threshold(threshold)]}
        for threshold in chosen
    ]
    if format_ is Format.JSON:
        _write_json({"thresholds": fields})
    else:
        _write_lines(fields)


@thresholds_app.command("list")
def list_thresholds(
    path: Annotated[
        Path | None, typer.Argument(metavar="[PATH]", help="A file or a folder; the shipped packs if none.")
    ] = None,
    site: SiteOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """List thresholds: id, kind, pack, severity, mode, title. Exit code 2 if the file has errors."""
    loaded = load_thresholds(path, read_site(site) if site is not None else None)
    rows = [_row(threshold) for threshold in loaded.thresholds]
    if format_ is Format.JSON:
        _write_json({"thresholds": rows})
    elif format_ is Format.NDJSON:
        _write_lines(rows)
    else:
        _write_table(rows)


@thresholds_app.command("schema")
def schema(
    name: Annotated[str, typer.Argument(metavar="NAME", help="thresholds, site, event or alert.")] = "thresholds",
) -> None:
    """Print a JSON Schema, for an editor that completes and checks."""
    if name not in SCHEMAS:
        raise WrongUse(f"no schema `{name}`: it is one of {', '.join(SCHEMAS)}")
    typer.echo(write_schema(name), nl=False)


def _site(path: Path | None) -> tuple[Site | None, list[Problem]]:
    """The site, and what is wrong with its file, lines of a mapping too."""
    if path is None:
        return None, []
    try:
        site: Site | None = read_site(path)
        problems: list[Problem] = []
    except WrongSite as wrong:
        site, problems = None, list(wrong.problems)
    try:
        problems += site_mapping(None, site or read_site_leniently(path)).warnings
    except WrongMapping as wrong:
        problems += wrong.problems
    return site, problems


def _chosen(what: str, thresholds: Path | None, site: Site | None) -> tuple[Threshold, ...]:
    path = Path(what)
    if thresholds is None and path.exists():
        return load_thresholds(path, site).thresholds
    loaded = load_thresholds(thresholds, site).thresholds
    found = tuple(threshold for threshold in loaded if threshold.id == what)
    if not found:
        near = suggest(what, (threshold.id for threshold in loaded))
        raise WrongUse(f"no file and no threshold `{what}`" + (f" (did you mean `{near}`?)" if near else ""))
    return found


def _row(threshold: Threshold) -> dict[str, str]:
    return {
        "id": threshold.id,
        "kind": threshold.kind,
        "pack": threshold.pack,
        "severity": threshold.severity,
        "mode": threshold.mode,
        "title": threshold.title,
    }


def _write_table(rows: Sequence[dict[str, str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "kind", "pack", "severity", "mode", "title"):
        table.add_column(heading, no_wrap=heading == "id", overflow="fold")
    for row in rows:
        table.add_row(*row.values())
    Console().print(table, markup=False)


def _problem_fields(problem: Problem) -> dict[str, object]:
    return {
        "file": problem.place.file,
        "line": problem.place.line or None,
        "column": problem.place.column or None,
        "severity": problem.severity,
        "text": problem.text,
        "suggestion": problem.suggestion,
    }


def _write_problems(problems: Sequence[Problem], thresholds: int) -> None:
    lines_by_file: dict[str, list[str]] = {}
    for problem in problems:
        typer.echo(str(problem))
        place = problem.place
        if place.line:
            lines = lines_by_file.setdefault(place.file, _lines(place.file))
            for line in _pointed(lines, place.line, place.column):
                typer.echo(f"    {line}")
    counts = {word: sum(problem.severity == word for problem in problems) for word in ("error", "warning", "note")}
    told = ", ".join(f"{n} {word}{'s' if n != 1 else ''}" for word, n in counts.items() if n)
    typer.echo(f"{thresholds} threshold{'s' if thresholds != 1 else ''} can be used; {told or 'nothing is wrong'}.")


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _pointed(lines: Sequence[str], line: int, column: int) -> list[str]:
    """The line, and a caret beneath the column. Tabs stay, so that the caret stands where the eye expects it."""
    if line > len(lines):
        return []
    begin = max(0, column - _SHOWN // 2) if len(lines[line - 1]) > _SHOWN else 0
    shown = lines[line - 1][begin : begin + _SHOWN].rstrip()
    text = "".join(letter if letter == "\t" or letter.isprintable() else "\ufffd" for letter in shown)
    before = text[: column - 1 - begin]
    return [text, "".join("\t" if letter == "\t" else " " for letter in before) + "^"]


def _write_json(fields: dict[str, object]) -> None:
    typer.echo(json.dumps(fields, ensure_ascii=False, indent=2))


def _write_lines(rows: Iterable[object]) -> None:
    for row in rows:
        typer.echo(json.dumps(row, ensure_ascii=False))
