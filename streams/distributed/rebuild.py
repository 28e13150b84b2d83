"""The index of identify made from px.persons: what it lacks, or all of it anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from schemas.errors import TryAgain
from streams.distributed.formats import POSITION
from streams.distributed.identify import read_row
from streams.distributed.identify_standing import read_standing
from streams.distributed.index import STANDING, Change, check_row
from streams.distributed.names import PERSONS
from streams.distributed.reading import ends_of, read_topic
from streams.distributed.shelf import RedisShelf
from streams.distributed.stage import Tell

_BATCH: Final = 20_000  # rows of px.persons that are put into Redis at once


def rebuild(client: Mapping[str, Any], shelf: RedisShelf, log: str, tell: Tell, *, least: int = -1) -> int:
    """Put into Redis what it lacks of px.persons: all of it where it holds nothing, or what is of another log. Returns
    how many rows were put there. `log` names the cluster. Raises TryAgain where a service does not answer.

    `least` is an offset that is known to be committed: Kafka may give it a moment later. What is not committed yet lies
    behind the mark, for who comes next.

    Who does this beside an identify that is at work disturbs nobody: that one finds the mark moved, and does it again.
    """
    mark = shelf.mark()
    begin = mark[1] if mark is not None and mark[0] == log else 0
    [end] = ends_of(client, PERSONS, 1)
    if begin > end or (begin == 0 and mark is not None):
        shelf.clear()
        begin = 0
    if begin == 0:
        tell("index.rebuilt", offset=end)
    put, last = 0, begin - 1
    rows: list[tuple[str, Change]] = []
    for record in read_topic(client, PERSONS, 0, begin=begin):
        last = record.offset
        if record.key is None:
            continue
        if record.key == POSITION:
            read_standing(record.value)  # what is none is told here
            rows.append(("", (STANDING, b"", record.value)))
        elif (row := read_row(record.key, record.value)) is not None:
            check_row(*row[1])
            rows.append(row)
        if len(rows) >= _BATCH:
            shelf.put(rows, log, record.offset + 1)
            put += len(rows)
            rows = []
    if last < least:
        raise TryAgain("Kafka does not yet give what it has taken of px.persons")
    shelf.put(rows, log, last + 1)
    return put + len(rows)
