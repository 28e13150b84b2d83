"""What may be done about an alert: whom to ask for, how, or nobody; and what it is sensitive of.

The truth of an alert is never touched by it. Judging goes by what was true of the person at the time of each event;
what is said here goes by what is known now, for that is when somebody picks up the telephone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.alert import Alert
from streams.core.directory import Directory
from streams.core.standing import Outreach, is_minor, labels_of, outreach_to, person_known, standing_of


class Bearing(NamedTuple):
    """`outreach` is None where nothing is known that changes what may be done; `sensitivity` are labels, sorted."""

    outreach: Outreach | None
    sensitivity: list[str]


def bearing_on(alert: Alert, directory: Directory | None) -> Bearing:
    """What bears on an alert. Whether somebody is a minor is asked of the day on which it started. Without a directory
    only the alert itself is asked."""
    labels = {label for label in (alert.sensitivity or "").split(",") if label}
    if directory is None or alert.person is None:
        return Bearing(None, sorted(labels))
    known = person_known(directory, alert.person)
    return Bearing(
        outreach_to(known, alert.started_at, (alert.purpose or "").split(",")), sorted(labels.union(labels_of(known)))
    )


def bearing_lines(fields: Mapping[str, Any]) -> list[str]:
    """The same for people, below an explanation; nothing where nothing bears on it."""
    lines = []
    outreach = fields.get("outreach")
    if isinstance(outreach, Outreach):
        words = ["allowed" if outreach.allowed else "not allowed"]
        words += [f"reason {outreach.reason.replace('_', ' ')}"] if outreach.reason else []
        words += [f"channel {outreach.channel}"] if outreach.channel else []
        words += [f"hours {outreach.hours}"] if outreach.hours else []
        words += [f"language {outreach.language}"] if outreach.language else []
        words += ["with an interpreter"] if outreach.interpreter else []
        words += [f"ask for {outreach.ask_for}"] if outreach.ask_for else []
        lines.append(f"Outreach  {', '.join(words)}")
    if fields.get("sensitivity"):
        lines.append(f"Sensitive {', '.join(fields['sensitivity'])}")
    return lines


def contact_lines(directory: Directory, person: str, now: int) -> list[str]:
    """Whom to call about a person, and how, as `journeys show` has it above the journeys; `now` in microseconds."""
    known = person_known(directory, person)
    outreach = outreach_to(known, now)
    if outreach is None:
        return []
    facts = {name: value for name, (_, value) in standing_of(known).told.items()}
    lines = bearing_lines({"outreach": outreach, "sensitivity": labels_of(known)})
    if facts.get("proxy_name"):
        words = [str(facts[name]) for name in ("proxy_name", "proxy_relation", "proxy_phone") if facts.get(name)]
        lines.append(f"Proxy     {', '.join(words)}" + ("" if is_minor(known, now) else " (the patient is of age)"))
    return lines
