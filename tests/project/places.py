"""Where the project's files lie, and which of them are its own."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("connectors", "hub", "schemas", "streams")


@lru_cache(maxsize=1)
def tracked_files() -> tuple[Path, ...]:
    """The files that are committed; in an unpacked archive without git, those that lie in known places."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        paths = [ROOT / name for name in listed.decode().split("\0") if name]
        return tuple(path for path in paths if path.is_file())
    places = [*PACKAGES, "tests", "docs", "deploy"]
    below = [path for place in places for path in (ROOT / place).rglob("*") if path.is_file()]
    return tuple([path for path in ROOT.iterdir() if path.is_file()] + below)


def modules() -> list[Path]:
    """Every module of the four packages and of the tests."""
    places = [*PACKAGES, "tests"]
    return sorted(path for place in places for path in (ROOT / place).rglob("*.py"))


def text_of(path: Path) -> str | None:
    """A file's text; None for what is no text (an image, an archive, a sample in another charset)."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
