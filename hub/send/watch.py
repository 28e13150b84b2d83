"""Send what is put into a folder.

Theory. A file goes one way: DIR, DIR/.taken, then DIR/done or DIR/failed, each step one rename, which happens or does
not. It is taken when two looks, `every` seconds apart, found it of the same size and time; an empty one when more did,
for who has made it may yet write to it. Names that end in `.tmp` or `.part` or begin with a dot are another program's,
and what is no file (a link, a pipe) is left alone and told of once. What lies in `.taken` at the start was taken and
not finished: it is sent again from its beginning. So after a kill a message may be sent twice and none is left out; the
hub knows a message by its id and counts the second as a duplicate. A file that was written to while it was sent is sent
again too. A receiver that cannot be reached is waited for: that is no fault of the file.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from hub.send.messages import Outgoing
from hub.send.run import SendSettings, Sent, send_all
from schemas.errors import TryAgain, WrongUse

_TAKEN: Final = ".taken"
_DONE: Final = "done"
_FAILED: Final = "failed"
_LOCK: Final = ".lock"
_OTHERS: Final = (".tmp", ".part")
_LOOKS: Final = 2
_LOOKS_IF_EMPTY: Final = 10
_LONGEST_WAIT: Final = 30.0  # seconds between two tries to reach the receiver

State = tuple[int, int, int]
"""Size, time of change, and number of a file: while it is written, one of them moves."""


class Watched:
    """A folder with its three places; locked, for a file must not be taken twice. Raises WrongUse where it cannot be
    used, TryAgain where another process watches it."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise WrongUse(f"{folder}: there is no such folder")
        self._folder: Path = folder
        self._taken: Path = folder / _TAKEN
        try:
            for name in (_TAKEN, _DONE, _FAILED):
                (folder / name).mkdir(exist_ok=True)
            self._lock: IO[bytes] = (self._taken / _LOCK).open("ab")
        except OSError as wrong:
            raise WrongUse(f"{folder}: files cannot be moved in it ({wrong.strerror})") from wrong
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise TryAgain(f"{folder}: another pxhub watches it") from None
        self._looks: dict[str, tuple[State, int]] = {}  # how a file stood, and how many looks found it so
        self._strange: set[tuple[str, int]] = set()  # names and numbers of what is no file

    def close(self) -> None:
        """Let another process watch."""
        self._lock.close()

    def left_over(self) -> list[Path]:
        """What was taken and not finished."""
        return [path for path in _by_age(self._taken) if path.name != _LOCK]

    def settled(self, *, once: bool = False) -> list[Path]:
        """What did not change for some looks, the oldest first; with `once` nobody will look a third time."""
        before, self._looks = self._looks, {}
        found = []
        for path in _by_age(self._folder):
            state = state_of(path)
            if state is None or _is_anothers(path.name):
                continue
            stood, looks = before.get(path.name, (None, 0))
            looks = looks + 1 if stood == state else 1
            self._looks[path.name] = (state, looks)
            if looks >= (_LOOKS if state[0] or once else _LOOKS_IF_EMPTY):
                found.append(path)
        return found

    def strangers(self) -> int:
        """How many of what came since the last look are neither files nor folders."""
        before = self._strange
        with os.scandir(self._folder) as entries:
            self._strange = {
                (entry.name, entry.inode())
                for entry in entries
                if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False))
                and not _is_anothers(entry.name)
            }
        return len(self._strange - before)

    def take(self, path: Path) -> Path | None:
        """Take a file; where it lies then, or None where it is gone."""
        try:
            return path.rename(_free(self._taken, path.name))
        except FileNotFoundError:
            return None

    def finish(self, path: Path, *, well: bool) -> None:
        """Put a taken file where it ends."""
        path.rename(_free(self._folder / (_DONE if well else _FAILED), path.name))


async def watch(
    folder: Path, settings: SendSettings, *, every: float, once: bool, say: Callable[[str], object]
) -> bool:
    """Send what is put into a folder, for ever; with `once` what is there. Whether all of it was sent."""
    watched = Watched(folder)
    well = True
    try:
        looks = 0
        while True:
            for path in watched.left_over():
                well &= await _send(watched, path, settings, every=every, once=once, say=say)
            if strangers := watched.strangers():
                say(f"left alone: {strangers} links or pipes; put the files themselves there")
            for path in watched.settled(once=once):
                taken = watched.take(path)
                if taken is not None:
                    well &= await _send(watched, taken, settings, every=every, once=once, say=say)
            looks += 1
            if once and looks == 2:
                return well
            await asyncio.sleep(every)
    finally:
        watched.close()


async def _send(
    watched: Watched, path: Path, settings: SendSettings, *, every: float, once: bool, say: Callable[[str], object]
) -> bool:
    """Send a taken file, and put it where it ends. Whether the receiver keeps all of it."""
    wait = every
    while True:
        before = state_of(path)
        outgoing = Outgoing([str(path)])
        sent = await send_all(outgoing, settings, say)
        if sent.stopped is not None:
            say(f"{sent.stopped}; the file waits in {_TAKEN}")
            if once:
                return False
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
        elif state_of(path) == before:
            break
    well = sent.is_well and not outgoing.unreadable and not outgoing.passed_by
    watched.finish(path, well=well)
    say(_told(sent, outgoing, well=well, empty=before is not None and not before[0]))
    return well


def _told(sent: Sent, outgoing: Outgoing, *, well: bool, empty: bool) -> str:
    """What came of a file, in counts: its name may be a patient's."""
    told = f"{'done' if well else 'failed'}: {sent.sent} messages, {sent.accepted} accepted"
    counts = {
        "with an error": sent.error,
        "rejected": sent.rejected,
        "without an answer": sent.failed,
        "that ask for none": sent.unasked,
        "unreadable": outgoing.unreadable,
    }
    told += "".join(f", {count} {name}" for name, count in counts.items() if count)
    if empty:
        return told + ", 1 empty file"
    return told + (", not HL7 v2" if outgoing.passed_by else "")


def _is_anothers(name: str) -> bool:
    return name.startswith(".") or name.endswith(_OTHERS)


def state_of(path: Path) -> State | None:
    """How a file stands; None where it is gone."""
    try:
        found = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _by_age(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        files = [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]
    states = {path: state for path in files if (state := state_of(path)) is not None}
    return sorted(states, key=lambda path: (states[path][1], path.name))


def _free(folder: Path, name: str) -> Path:
    """A place for a file of that name that no other file has."""
    path, number = folder / name, 0
    stem, dot, suffix = name.partition(".")
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{dot}{suffix}"
    return path
