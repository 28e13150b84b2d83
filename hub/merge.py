"""Several inputs as one stream, by event time; each keeps its own order."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heapreplace

from connectors.cloudevents.read import CloudEventReader
from connectors.fhir.read import FhirReader
from connectors.hl7.read import Hl7Reader
from connectors.surveys.feedback import FeedbackReader
from hub.hooks import Hooks
from hub.inputs import Input
from hub.messages import Message

_AT_ONCE = -(2**62)


def _rank(message: Message) -> tuple[int, str, str]:
    """Where a message stands in time; what has no event is taken at once, for it moves nothing."""
    if message.event is not None:
        return message.event.time, message.event.source, message.event.id
    reading = message.reading
    if reading is not None and reading.events:
        # a message is heard when the latest of what it tells has happened
        return max(e.time for e in reading.events), reading.source, reading.id
    return _AT_ONCE, "", ""


def merged(
    inputs: list[Input],
    hl7: Hl7Reader,
    cloud: CloudEventReader,
    fhir: FhirReader | None = None,
    hooks: Hooks | None = None,
    feedback: FeedbackReader | None = None,
) -> Iterator[tuple[Message, Input]]:
    """The messages of all inputs: always the earliest of those that stand first in their inputs. At the same
    instant source and id decide, then the names, so that the order of the files means nothing."""
    if len(inputs) == 1:
        for message in inputs[0].messages(hl7, cloud, fhir, hooks, feedback):
            yield message, inputs[0]
        return
    heads: list[tuple[tuple[int, str, str], str, int, Message, Input, Iterator[Message]]] = []
    for number, input_ in enumerate(inputs):
        stream = input_.messages(hl7, cloud, fhir, hooks, feedback)
        first = next(stream, None)
        if first is not None:
            heads.append((_rank(first), input_.name, number, first, input_, stream))
    heapify(heads)
    while heads:
        _, name, number, message, input_, stream = heads[0]
        yield message, input_
        following = next(stream, None)
        if following is None:
            heappop(heads)
        else:
            heapreplace(heads, (_rank(following), name, number, following, input_, stream))
