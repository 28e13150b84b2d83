"""`pxhub doctor`: whether this machine has what the hub needs, and what to do where it has not."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Final, NamedTuple
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

import typer

import hub
from hub.cli.stored import Format, FormatOption, write_object
from hub.thresholds import PACKS, check_thresholds
from schemas.declaration import has_errors
from schemas.errors import StoreFailed, WrongUse
from schemas.instant import to_datetime
from streams.core.openings import holiday_names
from streams.embedded.reader import Reader
from streams.embedded.upkeep import find_faults, open_letters

_PYTHON: Final = (3, 11)
_FREE: Final = 1 << 30  # bytes: what a replay writes is small, but a full disk fails in odd places
_BUILT: Final = datetime(2026, 1, 1, tzinfo=UTC)  # no machine that runs this is older
_AHEAD: Final = timedelta(days=365 * 20)
_NEW_YORK: Final = "America/New_York"


class Finding(NamedTuple):
    """One thing looked at. `mend` says what to do where it is not well, and is empty where it is."""

    what: str
    well: bool
    found: str
    mend: str = ""


def doctor(
    format_: FormatOption = Format.TABLE,
    store: Annotated[Path | None, typer.Option(metavar="DIR", help="Look at this store too.")] = None,
) -> None:
    """Look at Python, time zones, holidays, the clock, HL7 definitions, the disk, the shipped packs, and a store.

    Exit code 0 if all is well, 1 if something is wrong.
    """
    now, here = datetime.now(tz=UTC), Path.cwd() if store is None else store  # noqa: TID251 - the command line reads the clock once
    findings = list(examine(now, here)) + ([] if store is None else list(examine_store(store, now)))
    well = all(f.well for f in findings)
    write_object({"well": well, "findings": [f._asdict() for f in findings]}, format_, lambda: _as_lines(findings))
    if not well:
        raise typer.Exit(1)


def _as_lines(findings: list[Finding]) -> str:
    width = max(len(f.what) for f in findings)
    lines = []
    for finding in findings:
        lines.append(f"{'ok' if finding.well else 'WRONG':<5} {finding.what:<{width}}  {finding.found}")
        if finding.mend:
            lines.append(f"      {'':<{width}}  {finding.mend}")
    return "\n".join(lines)


def examine(now: datetime, folder: Path) -> Iterator[Finding]:
    """Every finding, at a time, for work in a folder."""
    yield _python()
    yield _package("tzdata", _zones)
    yield _package("holidays", _holidays)
    yield _package("hl7apy", _hl7apy)
    yield _clock(now)
    yield _disk(folder)
    yield _packs()
    yield _layout()


def examine_store(store: Path, now: datetime) -> Iterator[Finding]:
    """What can be said of a store without stopping who writes it."""
    try:
        reader = Reader.open(store)
    except WrongUse as wrong:
        yield Finding("store", well=False, found=str(wrong), mend="name the folder of a store, or restore a backup")
        return
    with closing(reader):
        try:
            yield from _look_into(reader, now)
        except StoreFailed as wrong:
            yield Finding("store pages", False, str(wrong), "restore a backup: pxhub store restore")
    loose = sorted(path.name for path in store.iterdir() if path.stat().st_mode & 0o077 and path.is_file())
    mend = f"chmod go= {' '.join(loose)}: they hold patients' messages" if loose else ""
    yield Finding("store rights", not loose, "others can read it" if loose else "readable by its owner alone", mend)


def _look_into(reader: Reader, now: datetime) -> Iterator[Finding]:
    yield Finding("store", well=True, found=f"{reader.last_seq():,} messages, {reader.last_cursor():,} transitions")
    faults = find_faults(reader)
    mend = "restore a backup: pxhub store restore" if faults else ""
    yield Finding("store pages", not faults, "; ".join(faults[:3]) or "well, and the counts agree", mend)
    yield _store_clock(reader, now)
    waiting = len(open_letters(reader))
    mend = f"pxhub dead-letters list --store {reader.folder}" if waiting else ""
    yield Finding("dead letters", well=True, found=f"{waiting:,} to be looked at", mend=mend)


def _store_clock(reader: Reader, now: datetime) -> Finding:
    clock = to_datetime(max(reader.position().clock, reader.rows("SELECT max(recorded) FROM log")[0][0] or 0))
    ahead = (clock - now).total_seconds()
    if ahead < 1:
        return Finding("store clock", True, f"{clock:%Y-%m-%dT%H:%M:%SZ}")
    mend = "until the machine's has caught up nothing more is said to be late: set the machine's clock"
    return Finding("store clock", False, f"{clock:%Y-%m-%dT%H:%M:%SZ}, {ahead:.0f} s ahead of the machine's", mend)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    well = sys.version_info[:2] >= _PYTHON
    return Finding("python", well, found, "" if well else "install Python 3.11 or later, then pxhub again")


def _package(name: str, test: Callable[[], str]) -> Finding:
    """A package's version, and whether it does what it is here for; `test` says so or raises ValueError."""
    try:
        return Finding(name, well=True, found=f"{version(name)}: {test()}")
    except PackageNotFoundError:
        return Finding(name, False, "not installed", f"pip install {name}")
    except (ValueError, ImportError) as wrong:
        return Finding(name, False, f"{version(name)}: {wrong}", f"pip install --force-reinstall {name}")


def _zones() -> str:
    try:
        summer = datetime(2026, 7, 1, tzinfo=ZoneInfo(_NEW_YORK)).utcoffset()
    except (ZoneInfoNotFoundError, OSError) as wrong:
        raise ValueError(f"{_NEW_YORK} is not known") from wrong
    if summer != timedelta(hours=-4):
        raise ValueError(f"{_NEW_YORK} is not four hours behind UTC in July 2026")
    system = next((root for root in TZPATH if (Path(root) / _NEW_YORK).is_file()), None)
    return "the system has no zones of its own" if system is None else f"the system's zones in {system} go first"


def _holidays() -> str:
    names = holiday_names("US", "NY", 2026)
    if datetime(2026, 7, 3, tzinfo=UTC).date() not in names:
        raise ValueError("US, NY lacks the observed Independence Day of 2026")
    return f"{len(names)} in US, NY, 2026"


def _hl7apy() -> str:
    from hl7apy.core import Segment  # noqa: PLC0415 - it takes its time, and only the doctor and a dead letter need it

    if Segment("PID", version="2.5.1").name != "PID":
        raise ValueError("the definitions of 2.5.1 are not there")
    return "the definitions of 2.5.1 are there"


def _clock(now: datetime) -> Finding:
    well = _BUILT <= now <= _BUILT + _AHEAD
    mend = "" if well else "set the clock: replay refuses what lies an hour ahead of it, unless --until is given"
    return Finding("clock", well, f"{now:%Y-%m-%dT%H:%M:%SZ}", mend)


def _disk(folder: Path) -> Finding:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as wrong:
        return Finding("disk", False, f"cannot be asked ({wrong.strerror})", "work in a folder that can be read")
    well = free >= _FREE
    return Finding("disk", well, f"{free / 1e9:.1f} GB free here", "" if well else "free 1 GB, or work elsewhere")


def _packs() -> Finding:
    loaded, problems = check_thresholds([])
    if not has_errors(problems) and loaded.thresholds:
        return Finding("packs", well=True, found=f"{len(loaded.thresholds)} thresholds load")
    first = problems[0] if problems else "no threshold is there"
    return Finding("packs", False, f"{len(problems)} problems, the first: {first}", f"install pxhub again; see {PACKS}")


def _layout() -> Finding:
    """The four packages have plain names: another one of that name must not stand before them."""
    root = Path(hub.__file__).parent.parent
    strays = [
        name
        for name in ("schemas", "streams", "connectors")
        if Path(sys.modules[name].__file__ or "").parent.parent != root
    ]
    mend = "" if not strays else "install pxhub in an environment of its own, and start it as pxhub"
    return Finding("packages", not strays, f"{', '.join(strays)} is another" if strays else "side by side", mend)
