"""Things that messages state, and what each state says that happened: the table behind `streams.core.stated`.

A connector states how a thing stands (`order.stated`, with `status`); what happened follows from the versions before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

STATUS: Final = "status"
MOMENTS: Final = "moments"
VERSION: Final = "version"
"""The number of a version, where its source counts them: it orders versions of one instant."""
CONTENT: Final = "content"
"""What a version says, as a digest: two versions that say the same amend nothing."""
UNTOLD: Final = frozenset((STATUS, MOMENTS, VERSION, CONTENT))
"""What a statement carries for the engine alone."""


class Thing(NamedTuple):
    """What can be stated. `key`: the attribute that names one; `stands`: what happened when it comes to stand so, by
    status; `between`: by what it stood as and its status, where that is something else; `passed`: states behind
    which another says nothing new; `again`: said of each version that states it; `versions`: events that tell a
    version by themselves; `moves`: an attribute whose change is an event; `changed`: the event of any other change;
    `amended`: the event of another content, by what the thing stands as and stood as before, and `turns`: an
    attribute of it, and the flag that says whether it is another now. `name` keeps the versions of two things apart
    that go by one key."""

    key: str
    stands: Mapping[str, str]
    between: Mapping[tuple[str, str], str] = {}
    passed: Mapping[str, frozenset[str]] = {}
    again: frozenset[str] = frozenset()
    versions: frozenset[str] = frozenset()
    moves: tuple[str, str] | None = None
    changed: str | None = None
    amended: Mapping[str, str] = {}
    turns: tuple[str, str] | None = None
    name: str = ""


def _all(statuses: str, event: str) -> dict[str, str]:
    return dict.fromkeys(statuses.split(), event)


_OPEN: Final = "requested received accepted ready in-progress"
"""Statuses of a Task that somebody has and nobody has done."""
_GONE: Final = "cancelled entered-in-error"
_RESULT: Final = {
    **_all("partial preliminary", "result.preliminary"),
    "final": "result.final",
    **_all("amended corrected appended", "result.corrected"),
    **_all(_GONE, "result.cancelled"),
}


def _asked(key: str, asked: str, done: str, *, held: str | None = None, rejected: str | None = None) -> Thing:
    """What a Task asks somebody to do."""
    more = {**({"on-hold": held} if held else {}), **({"rejected": rejected} if rejected else {})}
    return Thing(key=key, stands={**_all(_OPEN, asked), "completed": done, **more})


_APPOINTMENT: Final = Thing(
    key="appointment_id",
    stands={
        **_all("proposed pending waitlist", "appointment.requested"),
        "booked": "appointment.booked",
        **_all("arrived started checked-in", "appointment.arrived"),
        **_all("fulfilled completed complete", "appointment.completed"),
        **_all("cancelled entered-in-error deleted", "appointment.cancelled"),
        "noshow": "appointment.missed",
    },
    passed={"appointment.booked": frozenset(("appointment.arrived", "appointment.completed"))},
    versions=frozenset(
        f"appointment.{word}"
        for word in ("requested", "booked", "rescheduled", "changed", "cancelled", "missed", "arrived", "completed")
    ),
    moves=("start", "appointment.rescheduled"),
    changed="appointment.changed",
)
THINGS: Final[Mapping[str, Thing]] = {
    "appointment.stated": _APPOINTMENT,
    "interpreter.stated": Thing(
        key="appointment_id",
        name="interpreter",
        stands={"needs-action": "interpreter.requested", **_all("accepted tentative", "interpreter.arranged")},
    ),
    "order.stated": Thing(
        key="order_id",
        stands={"active": "order.placed", **_all("revoked entered-in-error", "order.cancelled")},
    ),
    "referral.stated": Thing(
        key="referral_id",
        stands={"active": "referral.requested", **_all("revoked entered-in-error", "referral.cancelled")},
    ),
    "admission.stated": Thing(
        key="request_id",
        name="plan",
        stands={"active": "visit.admit_decided", **_all("revoked entered-in-error", "visit.plan_withdrawn")},
    ),
    "discharge.stated": Thing(
        key="request_id",
        name="plan",
        stands={"active": "visit.discharge_planned", **_all("revoked entered-in-error", "visit.plan_withdrawn")},
    ),
    "result.stated": Thing(key="report_id", stands=_RESULT, again=frozenset(("result.corrected",))),
    "observation.stated": Thing(key="observation_id", stands=_RESULT, again=frozenset(("result.corrected",))),
    "visit.stated": Thing(
        key="visit_id",
        stands={
            **_all("arrived triaged in-progress", "visit.started"),
            "finished": "visit.ended",
            **_all(_GONE, "visit.cancelled"),
        },
        between={
            ("visit.started", "cancelled"): "visit.left",
            ("visit.ended", "in-progress"): "visit.discharge_cancelled",
        },
        amended={"visit.started": "visit.moved"},
        turns=("class", "class_changed"),
    ),
    # A step is told again by every later version of its visit: each is a thing of its own, that happens once.
    "step.stated": Thing(
        key="step_id",
        stands={
            "moved": "visit.moved",
            "observed": "visit.observation_started",
            "triaged": "visit.triaged",
            "roomed": "visit.roomed",
            "seen": "visit.provider_seen",
        },
    ),
    "specimen.stated": Thing(
        key="step_id",
        stands={
            "collected": "specimen.collected",
            "received": "specimen.received",
            "rejected": "specimen.rejected",
        },
    ),
    "exam.stated": Thing(key="step_id", stands={"completed": "exam.completed"}),
    "authorization.stated": Thing(
        key="authorization_id",
        stands={"active": "authorization.requested", "cancelled": "authorization.cancelled"},
        amended={"authorization.requested": "authorization.supplemented"},
    ),
    "document.stated": Thing(
        key="document_id",
        stands={**_all("final amended", "document.signed"), "entered-in-error": "document.withdrawn"},
    ),
    "proxy.stated": Thing(
        key="proxy_id",
        stands={"active": "proxy.named", "inactive": "proxy.withdrawn"},
        again=frozenset(("proxy.named",)),
    ),
    # What Tasks ask for, by the use that a site's table gives their codes.
    "callback.stated": _asked("callback_id", "callback.promised", "callback.made"),
    "review.stated": Thing(key="task_id", name="review", stands={"completed": "result.reviewed"}),
    "record.stated": _asked("request_id", "record.requested", "record.delivered", held="record.extended"),
    "amendment.stated": _asked(
        "request_id",
        "amendment.requested",
        "amendment.decided",
        held="amendment.extended",
        rejected="amendment.decided",
    ),
    "refill.stated": _asked("request_id", "refill.requested", "refill.answered", rejected="refill.answered"),
    "estimate.stated": _asked("request_id", "estimate.requested", "estimate.sent"),
    "advocate.stated": _asked("request_id", "advocate.requested", "outreach.reached"),
    "bill.stated": _asked("task_id", "bill.questioned", "bill.answered")._replace(name="bill"),
    "appeal.stated": _asked("task_id", "authorization.appealed", "authorization.appeal_decided")._replace(
        name="appeal"
    ),
    "complaint.stated": Thing(
        key="complaint_id",
        stands={
            **_all("requested received", "complaint.received"),
            **_all("accepted ready in-progress", "complaint.acknowledged"),
            "on-hold": "complaint.updated",
            "completed": "complaint.resolved",
        },
        again=frozenset(("complaint.updated",)),
    ),
    "outreach.stated": Thing(
        key="task_id",
        name="outreach",
        stands={
            "in-progress": "outreach.attempted",
            "completed": "outreach.reached",
            "failed": "outreach.failed",
            "rejected": "outreach.refused",
        },
    ),
    "careplan.stated": Thing(
        key="task_id",
        name="careplan",
        stands={
            **_all(f"{_OPEN} not-started scheduled", "careplan.task_due"),
            "completed": "careplan.task_done",
        },
        passed={"careplan.task_due": frozenset(("careplan.task_done",))},
        moves=("due", "careplan.task_due"),
    ),
}
"""By the event that states one."""
MEANS: Final = {
    "appointment.rescheduled": "appointment.booked",
    "visit.discharge_cancelled": "visit.started",
    "authorization.supplemented": "authorization.requested",
}
"""How a thing stands after an event that is not named for it."""
STATING: Final = frozenset(THINGS)


def told_by(statement: str, status: str) -> str | None:
    """What happens when a thing comes to stand so; None where that says nothing."""
    return THINGS[statement].stands.get(status)
