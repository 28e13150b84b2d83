"""Find stories on disk, with the thresholds that each is about, and play them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from schemas.errors import WrongUse
from schemas.threshold import ThresholdSet
from streams.core.scenario import Mistake, Story, WrongStory, read_story
from streams.core.scenario_run import Failure, Outcome, run_story
from streams.core.thresholds import read_thresholds

PACKS: Final = Path(__file__).parent / "packs"
SHIPPED: Final = PACKS / "scenarios"
SUFFIX: Final = ".txt"


class Stories:
    """Plays stories; a declaration that many of them share is read once a zone.

    `declared` is a thresholds file or folder that stands in for the shipped packs.
    """

    def __init__(self, declared: Path | None = None) -> None:
        self._declared = declared or PACKS
        self._sets: dict[tuple[Path, str], ThresholdSet] = {}

    def play(self, path: Path, name: str) -> Outcome:
        """What came of the story in the file. A story that cannot be read has failed, with every mistake in it."""
        try:
            story = read_story(name, _text(path))
            return run_story(story, self._thresholds(story, path))
        except WrongStory as error:
            failures = tuple(Failure(mistake.line, mistake.text) for mistake in error.mistakes)
            return Outcome(name=name, title="", failures=failures, transitions=0)

    def _thresholds(self, story: Story, path: Path) -> ThresholdSet:
        place = self._declared if story.file is None else path.parent / story.file
        known = self._sets.get((place, story.zone))
        if known is None:
            known = self._sets[place, story.zone] = _read_declared(place, story)
        return known


def _read_declared(place: Path, story: Story) -> ThresholdSet:
    if not place.exists():
        raise WrongStory(story.name, (Mistake(1, f"there is no thresholds file {place.name}"),))
    files = _files(place, (".yaml", ".yml")) if place.is_dir() else [place]
    declared, problems = read_thresholds([(str(f), _text(f)) for f in files], default_zone=story.zone)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise WrongStory(story.name, tuple(Mistake(1, str(problem)) for problem in errors))
    return declared


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise WrongUse(f"{path}: not a text in UTF-8") from None
    except OSError as error:
        raise WrongUse(f"{path}: {error.strerror}") from None


def _files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.suffix in suffixes and f.is_file())


def find_stories(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Each story's file and its name (relative to the folder that was given). Raises WrongUse where there is none."""
    for path in paths:
        if path.is_dir():
            found = _files(path, (SUFFIX,))
            if not found:
                raise WrongUse(f"{path}: no story in this folder (they are *{SUFFIX})")
            yield from ((f, f.relative_to(path).with_suffix("").as_posix()) for f in found)
        elif path.is_file():
            yield path, path.name
        else:
            raise WrongUse(f"{path}: no such file or folder")
