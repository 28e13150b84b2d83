"""Thresholds from a file, a folder, or the shipped packs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from hub.site import Site
from hub.switches import switched
from schemas.declaration import Findings, Place, Problem, WrongDeclaration, has_errors
from schemas.threshold import ThresholdSet
from streams.core.thresholds import read_thresholds

PACKS: Final = Path(__file__).parent / "packs"
SUFFIXES: Final = (".yaml", ".yml")


class WrongThresholds(WrongDeclaration):
    """Threshold files with mistakes in them, or none at all."""


def load_thresholds(path: Path | None, site: Site | None = None, *, default_zone: str | None = None) -> ThresholdSet:
    """A checked set, with the site's overrides in it. None loads the shipped packs.

    `default_zone` (a command's `--timezone`) goes before the site's own. Raises WrongThresholds with all problems.
    """
    return load_with_warnings(path, site, default_zone=default_zone)[0]


def load_with_warnings(
    path: Path | None, site: Site | None = None, *, default_zone: str | None = None
) -> tuple[ThresholdSet, list[Problem]]:
    """The same, with what is probably a mistake and stops nothing."""
    loaded, problems = check_thresholds([] if path is None else [path], site, default_zone=default_zone)
    if has_errors(problems):
        raise WrongThresholds(problems)
    return loaded, [problem for problem in problems if problem.severity == "warning"]


def check_thresholds(
    paths: list[Path], site: Site | None = None, *, default_zone: str | None = None
) -> tuple[ThresholdSet, list[Problem]]:
    """Read files and folders that are loaded together (none: the shipped packs); says what is wrong."""
    sources, problems = read_sources(paths) if paths else _read_shipped()
    loaded, found = check_sources(sources, site, default_zone=default_zone)
    return loaded, problems + found


def check_sources(
    sources: list[tuple[str, str]], site: Site | None = None, *, default_zone: str | None = None
) -> tuple[ThresholdSet, list[Problem]]:
    """The same of texts that were read before: file names and texts."""
    where = site or Site()
    zone = default_zone or where.calendar_zone
    shipped = shipped_sources()
    is_shipped = [file for file, _ in sources] == [file for file, _ in shipped]
    loaded, found = read_thresholds(
        sources,
        overrides=where.thresholds,
        calendars=where.calendars,
        default_zone=zone,
        shipped=() if is_shipped else shipped,
    )
    packs = loaded if is_shipped else read_thresholds(shipped, default_zone=zone)[0]
    findings = Findings()
    loaded = switched(loaded, where.packs, packs, findings)
    found += findings.listed()
    if not is_shipped:
        # lead days are counted in the shipped calendar where the files at hand declare none of its name
        loaded = replace(loaded, calendars={**packs.calendars, **loaded.calendars})
    return loaded, found


def shipped_sources() -> list[tuple[str, str]]:
    """The shipped packs: file names and texts."""
    return _read_shipped()[0]


def _read_shipped() -> tuple[list[tuple[str, str]], list[Problem]]:
    """They lie at the top of their folder; the stories below it are hundreds of folders that nobody need look into."""
    return read_sources([*sorted(PACKS.glob("*.yaml"))] or [PACKS])


def read_sources(paths: list[Path]) -> tuple[list[tuple[str, str]], list[Problem]]:
    """Texts of files, and of all *.yaml and *.yml in folders, in order of their names."""
    sources: dict[Path, tuple[str, str]] = {}  # by resolved path: a file named twice is read once
    problems: list[Problem] = []
    for path in paths:
        try:
            files = find_files(path)
        except OSError as error:
            problems.append(_unreadable(path, error))
            continue
        if not files:
            problems.append(Problem(Place(str(path)), "no *.yaml file in this folder"))
        for file in files:
            try:
                sources.setdefault(file.resolve(), (str(file), file.read_text(encoding="utf-8-sig")))
            except UnicodeDecodeError:
                problems.append(Problem(Place(str(file), 1, 1), "this is no text in UTF-8"))
            except OSError as error:
                problems.append(_unreadable(file, error))
    return list(sources.values()), problems


def _unreadable(path: Path, error: OSError) -> Problem:
    return Problem(Place(str(path)), f"cannot be read: {error.strerror}")


def find_files(path: Path) -> list[Path]:
    """The file itself, or the YAML files of a folder, recursively. Raises OSError for what is neither."""
    if not path.is_dir():
        return [path]
    list(path.iterdir())  # rglob passes an unreadable folder over in silence
    return sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
