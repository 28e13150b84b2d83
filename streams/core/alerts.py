"""Raise alerts, move them, take them back; each change is a transition."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from schemas.alert import Alert, Level, State
from schemas.threshold import Threshold


class Transition(msgspec.Struct, frozen=True):
    """One change of one alert: `at` is the log time of the change (microseconds), `alert` as it then stood."""

    at: int
    alert: Alert


class Draft(msgspec.Struct):
    """What an alert should say now; the rest of it follows from its threshold and the event that made it."""

    state: State
    level: Level
    due_at: int
    ended_at: int | None
    fired_at: int
    late_start: bool = False


def delay_of(draft: Draft) -> int | None:
    """Whole seconds from due to the end; None while there is no end."""
    return None if draft.ended_at is None else (draft.ended_at - draft.due_at) // 1_000_000


def new_alert(  # noqa: PLR0913 - what each kind of threshold says in its own way
    threshold: Threshold,
    draft: Draft,
    *,
    id_: str,
    key: str,
    started_at: int,
    facility: str | None,
    reason: str,
    sensitivity: str | None = None,
) -> Alert:
    """An alert as a draft has it; whose it is and in which journey is told later (addresses.py)."""
    return Alert(
        id=id_,
        threshold=threshold.id,
        key=key,
        person=None,
        journey=None,
        state=draft.state,
        level=draft.level,
        severity=threshold.severity,
        purpose=threshold.purpose,
        mode=threshold.mode,
        started_at=started_at,
        due_at=draft.due_at,
        fired_at=draft.fired_at,
        ended_at=draft.ended_at,
        delay_seconds=delay_of(draft),
        facility=facility,
        late_start=draft.late_start,
        reason=reason,
        sensitivity=sensitivity,
    )


class Alerts:
    """All alerts ever raised, by id, in their last state. `now` is the log time at which things are said.

    `owners` names the record behind an alert, so that identity can be told anew after a merge; an alert whose owner
    is None has lost its record and waits to be taken up again or retracted. With `passing` what no record stands behind
    any more is let go once it was said: who keeps all alerts elsewhere need not keep them in memory.
    """

    __slots__ = ("by_id", "now", "owners", "passing", "transitions")

    def __init__(self) -> None:
        self.by_id: dict[str, Alert] = {}
        self.now: int = 0
        self.owners: dict[str, object | None] = {}
        self.transitions: list[Transition] = []
        self.passing: list[tuple[str, object | None]] | None = None

    def raise_(self, id_: str, owner: object, make: Callable[[], Alert]) -> Alert:
        """A new alert, or the one that already has this id, taken up by a new record."""
        self.owners[id_] = owner
        known = self.by_id.get(id_)
        if known is not None:
            return known
        alert = make()
        self.by_id[id_] = alert
        self.announce(alert)
        return alert

    def let_pass(self, id_: str) -> None:
        """No record will ever say more of this alert, unless another one takes it up."""
        if self.passing is not None:
            self.passing.append((id_, self.owners.get(id_)))

    def forget_passing(self) -> None:
        """Let go of those that were said and that nothing took up since."""
        for id_, owner in self.passing or ():
            if self.owners.get(id_) is owner:
                self.forget(id_)
        if self.passing:
            self.passing.clear()

    def forget(self, id_: str) -> None:
        """Let go of an alert."""
        self.by_id.pop(id_, None)
        self.owners.pop(id_, None)

    def move(self, alert: Alert, draft: Draft) -> None:
        """Let an alert say what it should. A new level or due alone is a transition too."""
        said = (alert.state, alert.level, alert.due_at, alert.ended_at)
        if said == (draft.state, draft.level, draft.due_at, draft.ended_at):
            return
        alert.state = draft.state
        alert.level = draft.level
        alert.due_at = draft.due_at
        alert.ended_at = draft.ended_at
        alert.fired_at = draft.fired_at
        alert.late_start = draft.late_start
        alert.delay_seconds = delay_of(draft)
        alert.superseded_by = None
        self.announce(alert)

    def retract(self, alert: Alert, *, ended_at: int | None = None, superseded_by: str | None = None) -> None:
        """Take an alert back: the wait was kept after all, or another one stands for it."""
        if alert.state is State.RETRACTED:
            return
        alert.state = State.RETRACTED
        alert.ended_at = ended_at
        alert.delay_seconds = None
        alert.superseded_by = superseded_by
        self.announce(alert)

    def announce(self, alert: Alert) -> None:
        """Say how an alert stands now."""
        self.transitions.append(Transition(self.now, msgspec.structs.replace(alert)))
