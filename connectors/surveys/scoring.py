"""Answers that came in another product's form, scored by an instrument: the same for webhooks and FHIR as for feedback.

A form may ask more than an instrument does (a name, a number to call): such answers are left out, and noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.surveys.instruments import Instrument
from schemas.declaration import suggest
from schemas.errors import Reason, Unreadable

WITHOUT_ITEM: Final = "answers_without_item"
Answered = tuple[str, tuple[object, ...]]
"""The name of an item, and the ways in which its answer is written: of these the first that is on the scale counts."""


def score(
    name: str, answers: Iterable[Answered], instruments: Mapping[str, Instrument], notes: list[str], path: str
) -> dict[str, Any]:
    """What `survey.answered` says of answers. Raises Unreadable for an instrument that nobody declared, and for an
    answer that is not on its item's scale; `path` says where the answers stand."""
    instrument = instruments.get(name)
    if instrument is None:
        near = suggest(name, instruments)
        mend = "declare the instrument under `surveys:` in the site file" + (f", or map it to {near}" if near else "")
        raise Unreadable(Reason.INVALID, place=path, mend=mend)
    found: dict[str, object] = {}
    for item, written in answers:
        scale = instrument.items.get(item)
        if scale is None:
            if WITHOUT_ITEM not in notes:
                notes.append(WITHOUT_ITEM)
            continue
        told = [answer for answer in written if answer is not None and answer != ""]
        if told:
            found[item] = next((answer for answer in told if scale.read(answer) is not None), told[0])
    attributes, wrong = instrument.attributes(found)
    if wrong:  # a known item's name is the site's own: it names no patient
        mend = "an answer is not on its scale: mend it, or the instrument in the site file"
        raise Unreadable(Reason.INVALID, place=f"{path} ({wrong[0]})", mend=mend)
    return attributes
