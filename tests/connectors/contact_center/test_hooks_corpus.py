"""Real bodies and those of documents: every file of the corpus, counted, and every dead letter looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.replay import ReplayOptions, replay

_PLACES = [folder / "shared" / "corpus" / "contactcenter" for folder in Path(__file__).parents]
CORPUS = next((place for place in _PLACES if place.is_dir()), _PLACES[-1])
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of contact centers is not on this machine")

IGNORED = {
    # answers of an API, tables, envelopes of other services: nothing that a product posts of a contact
    "JSON that is no CloudEvents": 123,
    "not HL7 v2, FHIR or CloudEvents": 12,
    "amazon-connect: COMPLETED or the record follows": 1,
    "amazon-connect: a flow that calls a function": 3,
    "amazon-connect: a log of a flow": 1,
    "amazon-connect: an analysis that goes on": 4,
    "amazon-connect: an analysis that names no contact": 1,
    "amazon-connect: an event of a case": 1,
    "amazon-connect: an event of an agent": 2,
    "amazon-connect: no mapping for Amazon Connect Rules Action Execution Failed": 1,
    "amazon-connect: no mapping for Contact Lens Analysis State Change": 1,
    "genesys-cloud: no mapping for v2.something.but.conversation.{id}.customer.start": 1,
    "intercom: no mapping for contact.deleted": 1,
    "twilio: TaskRouter tells of contacts": 2,
    "zendesk: a ticket that is worked on": 1,
}
# Of webhooks: an inbound message of Twilio without any time; two documents that use one id twice. The rest are
# CloudEvents of a specification (no time, data that is no object, one id for several) and broken JSON of API answers.
DEAD = {"conflict": 4, "invalid": 4, "no_time": 8, "unreadable": 13}


def test_the_corpus_is_accounted_for() -> None:
    result = replay(ReplayOptions(paths=[str(CORPUS)], timezone="UTC"))
    report = result.report
    assert report["messages"] == sum(report[name] for name in ("accepted", "duplicates", "ignored", "dead_letters"))
    assert (report["messages"], report["accepted"], report["duplicates"]) == (212, 17, 11)
    assert report["ignored_by_reason"] == IGNORED
    assert report["dead_letters_by_reason"] == DEAD
    of_hooks = [letter for letter in result.dead_letters if "cloudevents_" not in letter.place]
    assert sorted({letter.reason.value for letter in of_hooks}) == ["conflict", "no_time", "unreadable"]
