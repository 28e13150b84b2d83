"""Asking for events that a subscription's notifications left out (Subscriptions R5 Backport). Sans-I/O.

Source: HL7 Subscriptions R5 Backport IG 1.1, "Subscription Events Operation". The answer is a Bundle as a notification
is one, of type `query-event`: who reads notifications reads it.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

from connectors.fhir.search import WrongAnswer

_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def events_path(subscription: str, first: int, last: int) -> str:
    """Where, behind a server's base, the events of these numbers are had, both among them. Raises WrongAnswer for what
    is no subscription's id: it came from outside, and becomes part of a path."""
    if not _ID.fullmatch(subscription) or not subscription.strip("."):
        raise WrongAnswer("the subscription's id is none that FHIR allows")
    asked = {"eventsSinceNumber": first, "eventsUntilNumber": last, "content": "full-resource"}
    return f"Subscription/{subscription}/$events?{urlencode(asked)}"
