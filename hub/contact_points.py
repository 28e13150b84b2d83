"""The numbers of an event brought into one form: `address`, `phones` and whatever else carries a telephone number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from hub.phones import Phones
from schemas.event import Event

_ONE: Final = ("address", "proxy_phone", "callback_number")
_CALLED: Final = frozenset(("voice", "callback", "phone", "telephone", "sms"))
_CARRY: Final = frozenset((*_ONE, "phones"))
PHONES_READ: Final = "phone_extensions"


class ContactPoints:
    """`regions` maps a facility to the country of its numbers, `region` serves the others. What is no number is left
    out of the event and counted in `left_out`, by reason."""

    def __init__(self, regions: Mapping[str, str], region: str | None) -> None:
        self._regions: Mapping[str, str] = regions
        self._region: str | None = region
        self._phones: Phones = Phones()
        self.left_out: Counter[str] = Counter()

    def settle(self, event: Event) -> None:
        """Write the event's numbers in E.164."""
        data: dict[str, Any] = event.data
        if _CARRY.isdisjoint(data):
            return
        region = self._regions.get(event.facility or "", self._region)
        listed = data.get("phones")
        if listed is not None:
            self._settle_list(data, listed if isinstance(listed, list) else [listed], region)
        for name in _ONE:
            text = data.get(name)
            if text is None or (name == "address" and not _is_called(data, text)):
                continue
            phone = self._phones.read(text, region) if isinstance(text, str) else None
            if phone is None or not phone.number:
                del data[name]
                self.left_out[phone.why if phone is not None else "phone_unreadable"] += 1
                continue
            data[name] = phone.number
            if phone.extension:
                data[f"{name}_extension"] = phone.extension

    def _settle_list(self, data: dict[str, Any], texts: list[Any], region: str | None) -> None:
        """Each number once; what has an extension is told apart too, as RFC 3966 writes it."""
        numbers: dict[str, None] = {}
        extended: dict[str, None] = {}
        for text in texts:
            phone = self._phones.read(text, region) if isinstance(text, str) else None
            if phone is None or not phone.number:
                self.left_out[phone.why if phone is not None else "phone_unreadable"] += 1
                continue
            numbers[phone.number] = None
            if phone.extension:
                extended[f"{phone.number};ext={phone.extension}"] = None
        if numbers:
            data["phones"] = list(numbers)
        else:
            del data["phones"]
        if extended:
            data[PHONES_READ] = list(extended)


def _is_called(data: dict[str, Any], text: Any) -> bool:
    """Whether an address is a telephone number: by its channel, and where that is not told by its look."""
    channel = data.get("channel")
    if isinstance(channel, str) and channel.casefold() in _CALLED:
        return not (isinstance(text, str) and "@" in text and not text.lower().startswith("sip"))
    if channel is not None and not isinstance(channel, str):
        return False
    if not isinstance(text, str):
        return channel is None
    plain = text.lstrip()
    if plain.lower().startswith(("tel:", "sms:", "whatsapp:", "sip:", "sips:")):
        return True
    return plain.startswith("+") or (channel is None and "@" not in plain)
