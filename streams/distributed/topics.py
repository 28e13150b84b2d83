"""The topics of the distributed runtime, declared once: what is made in Kafka, checked, granted and published.

A topic whose policy is `delete` is a log, kept for so many days. One whose policy is `compact` keeps the last record of
each key: a state. `px.inbound` is stamped by the broker, and the clock of the hub is that stamp; what lies behind it
carries the time in its records, so a replay finds the same. Where a record says how late it is, the broker stamps it
too: whatever somebody writes there, it cannot run a clock ahead of the broker's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from streams.distributed.names import (
    ALERTS,
    AUDIT,
    COMMENTS,
    COUNTED,
    DEAD_LETTERS,
    EVENTS,
    INBOUND,
    JOURNEYS,
    MEASURES,
    PERSONS,
    STATE,
    TASKS,
)

MIB: Final = 1024 * 1024
PARTITIONS: Final = 4
_YEAR: Final = 400  # days: a year's promises, and time to look into them
_ACCOUNTED: Final = 2192  # days: six years, for which disclosures are accounted (45 CFR 164.528)
_DAY: Final = 86_400_000  # milliseconds
_LARGE: Final = 20 * MIB  # what the doors may take, and a person's whole evidence
_LARGER: Final = 32 * MIB  # the same in base64, with what is said of it
_SMALL: Final = MIB

_EVENT: Final = "application/cloudevents+json"
_JSON: Final = "application/json"
_PACKED: Final = "application/x-msgpack"

Policy = Literal["delete", "compact"]


class Role(StrEnum):
    """Who works on the topics; each is a principal of its own where Kafka asks for one."""

    CONNECT = "connect"  # the doors: HL7 v2, FHIR, CloudEvents, hooks
    IDENTIFY = "identify"
    CORRELATE = "correlate"
    MEASURE = "measure"
    READ = "read"  # the API, exports, deliveries
    COMMENTS = "comments"  # who may read what patients said in their own words


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic. `retention` is in days, None where the last record of a key stays for ever; `key` and `content` say
    what a record's key and value are, `media_type` how the value is written; `doc` says what it is for."""

    name: str
    partitions: int
    policy: Policy
    retention: int | None
    key: str
    content: str
    media_type: str
    doc: str
    written_by: tuple[Role, ...]
    read_by: tuple[Role, ...]
    is_stamped: bool = False
    max_message_bytes: int = _SMALL

    def __post_init__(self) -> None:
        if self.partitions < 1:
            raise ValueError(f"{self.name}: one partition at least")
        if (self.policy == "compact") != (self.retention is None):
            raise ValueError(f"{self.name}: a log has a retention, a state has none")


def topics(partitions: int = PARTITIONS) -> tuple[Topic, ...]:
    """Every topic, in the order of the flow. Raises ValueError for less than one partition.

    px.events and px.state have the same number, for a person's state lies where the person's events lie.
    """
    return (
        Topic(
            name=INBOUND,
            partitions=1,
            policy="delete",
            retention=_YEAR,
            is_stamped=True,
            key="none, or the message's id",
            content="a message as it came, whole, with where it came from; or clock.ticked",
            media_type=_PACKED,
            doc="What the doors took, a record a message, acknowledged once it is here. Its order is the hub's order.",
            written_by=(Role.CONNECT,),
            read_by=(Role.IDENTIFY, Role.READ),
            max_message_bytes=_LARGE,
        ),
        Topic(
            name=EVENTS,
            partitions=partitions,
            policy="delete",
            retention=_YEAR,
            key="circle: the persons who may turn out to be one",
            content="a CloudEvent 1.0 in JSON, the person in it; or clock.ticked",
            media_type=_EVENT,
            doc="What the messages say happened, to whom; and evidence that one partition hands over to another.",
            written_by=(Role.IDENTIFY, Role.CORRELATE),
            read_by=(Role.CORRELATE, Role.READ),
            is_stamped=True,
            max_message_bytes=_LARGE,
        ),
        Topic(
            name=PERSONS,
            partitions=1,
            policy="compact",
            retention=None,
            key="a table and a name that a source gives somebody, or the word for identify's position",
            content="the circle that the name is in, or what else is known of it; or how far px.inbound is read",
            media_type=_PACKED,
            doc="Who is who, and which messages were taken. Redis holds an index of it, and is rebuilt from it.",
            written_by=(Role.IDENTIFY,),
            read_by=(Role.IDENTIFY, Role.READ),
            max_message_bytes=_LARGE,
        ),
        Topic(
            name=STATE,
            partitions=partitions,
            policy="compact",
            retention=None,
            key="circle, or the word for the partition's position",
            content="a circle's evidence and the offset that it reflects",
            media_type=_PACKED,
            doc="Checkpoints of correlate. With the events behind them they are its whole state.",
            written_by=(Role.CORRELATE,),
            read_by=(Role.CORRELATE,),
            max_message_bytes=_LARGE,
        ),
        Topic(
            name=COUNTED,
            partitions=1,
            policy="delete",
            retention=_YEAR,
            key="none",
            content="a slice of one origin: what rates, averages and silences count, and how far its clock has come",
            media_type=_PACKED,
            doc="What measure counts, in one order for all of it.",
            written_by=(Role.IDENTIFY, Role.CORRELATE),
            read_by=(Role.MEASURE,),
            is_stamped=True,
            max_message_bytes=_LARGE,
        ),
        Topic(
            name=MEASURES,
            partitions=1,
            policy="compact",
            retention=None,
            key="a measure, or the word for measure's position",
            content="its state and the offset that it reflects",
            media_type=_PACKED,
            doc="The state of rates, averages and silences.",
            written_by=(Role.MEASURE,),
            read_by=(Role.MEASURE,),
            max_message_bytes=_LARGE,
        ),
        Topic(
            name=ALERTS,
            partitions=partitions,
            policy="compact",
            retention=None,
            key="the alert's id",
            content="a transition of an alert in JSON: the alert as it stood then",
            media_type=_JSON,
            doc="Every transition of every alert; of an alert that is over the last one stays.",
            written_by=(Role.CORRELATE, Role.MEASURE),
            read_by=(Role.MEASURE, Role.READ),
            max_message_bytes=_LARGE,
        ),
        Topic(
            name=DEAD_LETTERS,
            partitions=1,
            policy="delete",
            retention=_YEAR,
            key="where it lies: topic, partition and offset",
            content="a message or record that could not be taken, with reason, place and mend",
            media_type=_JSON,
            doc="What could not be taken, kept whole so that it can be replayed.",
            written_by=(Role.IDENTIFY, Role.CORRELATE, Role.MEASURE),
            read_by=(Role.READ,),
            max_message_bytes=_LARGER,
        ),
        Topic(
            name=JOURNEYS,
            partitions=partitions,
            policy="compact",
            retention=None,
            key="the journey's id",
            content="a journey as it stands, in JSON",
            media_type=_JSON,
            doc="Journeys, for those who show them.",
            written_by=(Role.CORRELATE,),
            read_by=(Role.READ,),
            max_message_bytes=4 * MIB,
        ),
        Topic(
            name=TASKS,
            partitions=partitions,
            policy="delete",
            retention=30,
            key="the task's id",
            content="a task and what became of it, in JSON",
            media_type=_JSON,
            doc="Outreach that is asked of somebody.",
            written_by=(Role.CORRELATE,),
            read_by=(Role.READ,),
        ),
        Topic(
            name=AUDIT,
            partitions=1,
            policy="delete",
            retention=_ACCOUNTED,
            key="none",
            content="who looked at what, when and on whose behalf, in JSON",
            media_type=_JSON,
            doc="Accesses and disclosures, for as long as they must be accounted for.",
            written_by=(Role.CONNECT, Role.READ),
            read_by=(Role.READ,),
        ),
        Topic(
            name=COMMENTS,
            partitions=1,
            policy="delete",
            retention=_YEAR,
            key="the comment's id, which events and messages hold in its place",
            content="what somebody said in their own words, in JSON",
            media_type=_JSON,
            doc="Free text that the doors took out of messages. It may hold anything, so it has a reader of its own.",
            written_by=(Role.CONNECT,),
            read_by=(Role.COMMENTS,),
            max_message_bytes=_LARGE,
        ),
    )


def configs(topic: Topic, replication: int) -> Mapping[str, str]:
    """The settings of a topic by Kafka's names, for so many copies of each partition.

    All that matters stands here, also where it is Kafka's default: a cluster's own defaults differ, and change.
    """
    told = {
        "cleanup.policy": topic.policy,
        "compression.type": "producer",
        "max.message.bytes": str(topic.max_message_bytes),
        "message.timestamp.type": "LogAppendTime" if topic.is_stamped else "CreateTime",
        "min.insync.replicas": "2" if replication >= 3 else "1",
        "retention.bytes": "-1",  # how much there is decides nothing about how long it is kept
        "retention.ms": "-1" if topic.retention is None else str(topic.retention * _DAY),
        "unclean.leader.election.enable": "false",
    }
    if topic.policy == "compact":
        # the segment in use is never compacted: a recovery reads it whole, so it must not grow to Kafka's gigabyte
        told["segment.bytes"] = str(128 * MIB)
        told["delete.retention.ms"] = str(7 * _DAY)  # a reader that stood still a week still learns what was deleted
    return told


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """What a role may do: `operation` on a topic, a group, or a transactional id, whose name may be a prefix."""

    role: Role
    resource: Literal["topic", "group", "transactional_id"]
    name: str
    operation: Literal["read", "write", "describe"]
    is_prefix: bool = False


def grants(declared: tuple[Topic, ...]) -> tuple[Grant, ...]:
    """What each role needs, and no more, sorted. To describe tells how many partitions there are and where they end,
    which every stage asks of all topics, and nothing of what is in them."""
    found = {Grant(role, "topic", topic.name, "read") for topic in declared for role in topic.read_by}
    found |= {Grant(role, "topic", topic.name, "write") for topic in declared for role in topic.written_by}
    found |= {Grant(role, "topic", "px.", "describe", is_prefix=True) for role in Role}
    readers = {grant.role for grant in found if grant.operation == "read"}
    found |= {Grant(role, "group", "px-", "read", is_prefix=True) for role in readers}
    stages = (Role.IDENTIFY, Role.CORRELATE, Role.MEASURE)
    found |= {Grant(role, "transactional_id", f"px-{role.value}-", "write", is_prefix=True) for role in stages}
    return tuple(sorted(found))
