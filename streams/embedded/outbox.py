"""What must still go out: one row a webhook and transition, and how far each webhook has been served.

A row is written before the position moves past its transition, and deleted when it was delivered: so after a crash
a transition may be delivered again, under the same id, and none is passed over.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.embedded.entries import read_alert
from streams.embedded.following import Row
from streams.embedded.reader import Reader
from streams.embedded.store import Store

_PUT_POSITION: Final = "INSERT OR REPLACE INTO meta VALUES (?,?)"


class Waiting(msgspec.Struct, frozen=True):
    """A delivery that is due: the transition's cursor, and how often it was tried."""

    cursor: int
    tries: int


def find_position(reader: Reader, webhook: str) -> int | None:
    """The cursor up to which transitions were put out for a webhook; None for one that was never served."""
    found = reader.meta(f"webhook.position:{webhook}")
    return None if found is None else int(found)


def put_out(store: Store, webhook: str, cursors: list[int], upto: int, now: int) -> None:
    """Put transitions out for a webhook, due now, and move its position."""
    if cursors:
        store.write(
            "INSERT OR IGNORE INTO outbox (webhook, cursor, due) VALUES (?,?,?)",
            [(webhook, cursor, now) for cursor in cursors],
        )
    store.write(_PUT_POSITION, [(f"webhook.position:{webhook}", upto)])


def find_waiting(reader: Reader, webhook: str, now: int) -> Waiting | None:
    """The first transition that is to be delivered at or before `now`."""
    rows = reader.rows(
        "SELECT cursor, tries FROM outbox WHERE webhook = ? AND state = 'open' AND due <= ? ORDER BY cursor LIMIT 1",
        webhook,
        now,
    )
    return Waiting(*rows[0]) if rows else None


def find_next_due(reader: Reader, webhook: str) -> int | None:
    """When the next delivery is due; None where none is left."""
    found = reader.rows("SELECT min(due) FROM outbox WHERE webhook = ? AND state = 'open'", webhook)[0][0]
    return None if found is None else int(found)


def find_transition(reader: Reader, cursor: int) -> Row | None:
    """A transition; None where it was purged."""
    rows = reader.rows("SELECT cursor, at, body FROM transition WHERE cursor = ?", cursor)
    return (rows[0][0], rows[0][1], read_alert(rows[0][2])) if rows else None


def settle(store: Store, webhook: str, cursor: int) -> None:
    """It was delivered."""
    store.write("DELETE FROM outbox WHERE webhook = ? AND cursor = ?", [(webhook, cursor)])


def put_off(store: Store, webhook: str, cursor: int, due: int, told: str) -> None:
    """It was tried, and is to be tried again; `told` says what came of it."""
    store.write(
        "UPDATE outbox SET tries = tries + 1, due = ?, told = ? WHERE webhook = ? AND cursor = ?",
        [(due, told, webhook, cursor)],
    )


def give_up(store: Store, webhook: str, cursor: int, told: str) -> None:
    """It was tried often enough; it stays, for who looks into it."""
    store.write(
        "UPDATE outbox SET tries = tries + 1, state = 'failed', told = ? WHERE webhook = ? AND cursor = ?",
        [(told, webhook, cursor)],
    )


def find_switched_off(reader: Reader, webhook: str) -> str | None:
    """What a webhook was when its receiver switched it off; None where it did not."""
    found = reader.meta(f"webhook.off:{webhook}")
    return None if found is None else str(found)


def switch_off(store: Store, webhook: str, what: str) -> None:
    """The receiver wants no more; `what` tells it from a webhook of the same name that is another."""
    store.write(_PUT_POSITION, [(f"webhook.off:{webhook}", what)])
