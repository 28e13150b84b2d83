"""What is true of a person and changes what may be done: how to speak, by which way, whom to ask for, what not to do.

Each fact goes by the latest telling of it by time, whatever the order of arrival, and of tellings at one instant by
the greater value. A consent is given or revoked for a channel, a purpose, both or everything. Nothing of this touches
whether an alert stands: it says what may be done about it, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from schemas.event import Event
from streams.core.directory import Directory, Known, circle_of, key_of, key_of_person
from streams.core.state import whole_years

PROXY_TYPES: Final = frozenset(("proxy.stated", "proxy.named", "proxy.withdrawn"))
"""Events that say who speaks for a person: `name`, `relation`, `phones`, and `status` inactive where nobody does."""
FACT_TYPES: Final = frozenset(("person.died", "preference.set", "consent.given", "consent.revoked", *PROXY_TYPES))
"""Events that tell such facts, beside `person.updated`."""
_FACTS: Final = (
    "language", "interpreter", "channel", "contact_hours", "do_not_call", "deceased", "sensitivity",
    "proxy_name", "proxy_relation", "proxy_phone",
)  # fmt: skip
_CONSENTS: Final = frozenset(("consent.given", "consent.revoked"))
_GENERAL: Final = frozenset(("outreach", "contact", "communication"))  # purposes that are all there is
_OF_AGE: Final = 18
_ALL: Final = "*"
_CALL_CHANNELS: Final = frozenset(("voice", "callback", "phone"))
_STOPS: Final = {"voice": "do_not_call", "sms": "sms_stop"}
_REVOKED: Final = "channel_revoked"
SELF: Final = "self"
PROXY: Final = "proxy"


class Standing(msgspec.Struct, omit_defaults=True):
    """Facts as they stand: by name the time of the telling and the value; consents by `channel|purpose`."""

    told: dict[str, tuple[int, Any]] = msgspec.field(default_factory=dict)
    consents: dict[str, tuple[int, bool]] = msgspec.field(default_factory=dict)


class Outreach(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What may be done about an alert. `allowed` false: nobody turns to the patient, for the `reason`; with `allowed`
    true a reason says why another way is named; `not_for` are purposes for which consent was taken back. `ask_for` is
    `proxy` where somebody else is to be spoken to."""

    allowed: bool
    reason: str | None = None
    channel: str | None = None
    hours: str | None = None
    language: str | None = None
    interpreter: bool | None = None
    not_for: list[str] = msgspec.field(default_factory=list)
    ask_for: str = ""


_read: Final = msgspec.json.Decoder(Standing).decode
_write: Final = msgspec.json.Encoder(order="deterministic").encode


def learn_standing(directory: Directory, event: Event) -> None:
    """Take in the facts that an event tells of the person it names."""
    told: dict[str, Any] = {}
    if event.type in PROXY_TYPES:
        told = _proxy(event)
    elif event.type not in _CONSENTS:  # a consent's channel is what it is for, and no wish
        told = {name: value for name in _FACTS if (value := event.data.get(name)) is not None and value != ""}
    if event.type == "person.died":
        told["deceased"] = True
    if event.sensitivity is not None:
        told["sensitivity"] = event.sensitivity
    consent = _consent_of(event)
    if not told and consent is None:
        return
    key = key_of(event.identifiers[0])
    known = directory.find(key) or Known(event.identifiers[0], time=-(2**62))
    standing = _read(known.facts) if known.facts else Standing()
    for name, value in told.items():
        _keep(standing.told, name, event.time, value)
    if consent is not None:
        _keep(standing.consents, *consent)
    facts = _write(standing)
    if facts != known.facts:
        directory.put(key, msgspec.structs.replace(known, facts=facts))


def _proxy(event: Event) -> dict[str, Any]:
    """Who speaks for somebody; an empty text where nobody does any more."""
    over = event.type == "proxy.withdrawn" or event.data.get("status") == "inactive"
    phones = event.data.get("phones")
    found = {
        "proxy_name": event.data.get("name"),
        "proxy_relation": event.data.get("relation"),
        "proxy_phone": phones[0] if isinstance(phones, list) and phones else phones,
    }
    return dict.fromkeys(found, "") if over else {name: value or "" for name, value in found.items()}


def _consent_of(event: Event) -> tuple[str, int, bool] | None:
    if event.type not in _CONSENTS:
        return None
    channel, purpose = (str(event.data.get(name) or _ALL).casefold() for name in ("channel", "purpose"))
    return f"{channel}|{_ALL if purpose in _GENERAL else purpose}", event.time, event.type == "consent.given"


def _keep(facts: dict[str, Any], name: str, time: int, value: Any) -> None:
    had = facts.get(name)
    if had is None or (had[0], str(had[1])) <= (time, str(value)):
        facts[name] = (time, value)


def standing_of(known: Iterable[Known]) -> Standing:
    """The facts of a person, told under any of the identifiers."""
    found = Standing()
    for one in known:
        if one.facts:
            standing = _read(one.facts)
            for name, (time, value) in standing.told.items():
                _keep(found.told, name, time, value)
            for name, (time, value) in standing.consents.items():
                _keep(found.consents, name, time, value)
    return found


def person_known(directory: Directory, person: str | None) -> list[Known]:
    """All that the directory holds of a person, by the id that an alert names."""
    return [] if person is None else [known for _, known in circle_of(directory, key_of_person(person))]


def outreach_to(known: list[Known], now: int, purposes: Iterable[str] = ()) -> Outreach | None:
    """What may be done at an instant, for one of `purposes`; None where nothing is known that changes it."""
    standing = standing_of(known)
    facts = {name: value for name, (_, value) in standing.told.items()}
    minor = is_minor(known, now)
    if not facts and not standing.consents and not minor:
        return None
    asks = PROXY if minor or (facts.get("proxy_relation") == "guardian") else SELF
    found = Outreach(
        allowed=True,
        channel=_text(facts.get("channel")),
        hours=_text(facts.get("contact_hours")),
        language=_text(facts.get("language")),
        interpreter=value if isinstance(value := facts.get("interpreter"), bool) else None,
        not_for=sorted(purpose for purpose in _purposes(standing) if not is_allowed(standing, None, purpose)),
        ask_for=asks,
    )
    if facts.get("deceased") is True:
        return Outreach(allowed=False, reason="deceased", ask_for="nobody")
    if not is_allowed(standing, None, None):
        found.allowed, found.reason = False, "opted_out"
        return found
    if not {purpose.strip().casefold() for purpose in purposes}.isdisjoint(found.not_for):
        found.allowed, found.reason = False, "purpose_revoked"
        return found
    if minor and not facts.get("proxy_name"):
        found.reason = "minor"
    stopped = [name for name in ("voice", "sms", "email", "portal") if not _may(facts, standing, name)]
    if not stopped:
        return found
    wished = found.channel
    if wished is not None and _may(facts, standing, wished):
        found.reason = _STOPS.get(stopped[0], _REVOKED)  # another way is closed, and the wished one is open
        return found
    if wished is not None and "voice" not in stopped:
        found.channel, found.reason = "voice", _STOPS.get(_plain(wished), _REVOKED)
        return found
    # nobody knows another way than the telephone unless the patient named one
    found.allowed, found.channel = "voice" not in stopped, None
    found.reason = _STOPS.get(stopped[0], _REVOKED)
    return found


def _purposes(standing: Standing) -> set[str]:
    return {name.partition("|")[2] for name in standing.consents} - {_ALL}


def _may(facts: dict[str, Any], standing: Standing, channel: str) -> bool:
    plain = _plain(channel)
    return not (plain == "voice" and facts.get("do_not_call") is True) and is_allowed(standing, plain, None)


def _plain(channel: str) -> str:
    return "voice" if channel in _CALL_CHANNELS else channel


def is_allowed(standing: Standing, channel: str | None, purpose: str | None) -> bool:
    """Whether consents leave a channel and a purpose open. Of those that concern it the latest decides."""
    concerned = {_ALL, channel or _ALL}, {_ALL, purpose or _ALL}
    latest: tuple[int, bool] | None = None
    for name, (time, given) in standing.consents.items():
        of_channel, _, of_purpose = name.partition("|")
        if of_channel in concerned[0] and of_purpose in concerned[1]:
            latest = max(latest, (time, given)) if latest is not None else (time, given)
    return latest is None or latest[1]


def is_minor(known: Iterable[Known], now: int) -> bool:
    """Whether somebody is under eighteen on a day, by the birth date told last."""
    born = max(((one.time, one.birth_date) for one in known if one.birth_date), default=(0, ""))[1]
    age = whole_years(born, now) if born else None
    return age is not None and 0 <= age < _OF_AGE


def labels_of(known: Iterable[Known]) -> list[str]:
    """The sensitivity labels that stand on a person, sorted."""
    found = standing_of(known).told.get("sensitivity")
    if found is None:
        return []
    value = found[1]
    return sorted(
        {str(label) for label in (value if isinstance(value, list | tuple) else str(value).split(",")) if label}
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
