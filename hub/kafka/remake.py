"""All that follows from px.inbound made anew, with another number of partitions: px.inbound itself is not touched.

The same input gives the same alerts with the same ids, so deleting what was concluded loses nothing that the log can
say again. The doors may go on meanwhile; what they take waits in px.inbound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Event
from typing import Any, Final, cast

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from hub.kafka.settings import KafkaSettings
from schemas.errors import TryAgain, WrongUse
from streams.distributed.names import INBOUND
from streams.distributed.reading import begins_of
from streams.distributed.topics import Role, topics

GROUPS: Final = ("px-identify", "px-correlate", "px-measure")
_SECONDS: Final = 30.0
_LOOK: Final = 0.05
DERIVED: Final = tuple(topic.name for topic in topics() if Role.CONNECT not in topic.written_by)
"""Topics that a replay of px.inbound writes again: those that no door writes."""


def forget_derived(kafka: KafkaSettings, tell: Callable[[str], object], *, purged: bool) -> None:
    """Delete what follows from px.inbound, and the workers' groups. Raises WrongUse while workers run, or where the
    beginning of px.inbound is gone already and nobody said that this may be; TryAgain where no broker answers."""
    admin = AdminClient({**kafka.for_confluent(), "log_level": 2})
    try:
        there = admin.list_topics(timeout=_SECONDS).topics
        if INBOUND not in there:
            raise WrongUse(f"{INBOUND}: no such topic; there is nothing to make anew from")
        groups = _groups(admin)
        working = [name for name, has_members in groups.items() if has_members]
        if working:
            raise WrongUse(
                f"workers run still ({', '.join(working)}): stop them, or wait 10 s for those that were killed"
            )
        [begin] = begins_of(kafka.for_confluent(), INBOUND, 1)
        if begin > 0 and not purged:
            raise WrongUse(
                f"{INBOUND} begins at offset {begin}: what lies before is gone, and with it what only it said of "
                "persons and promises; say --purged where that is meant"
            )
        for name, future in admin.delete_topics([name for name in DERIVED if name in there]).items():
            cast("Future[None]", future).result(_SECONDS)
            tell(f"{name}: deleted")
        while any(name in admin.list_topics(timeout=_SECONDS).topics for name in DERIVED):
            Event().wait(_LOOK)  # a broker learns a little later what its controller deleted
        for name, future in admin.delete_consumer_groups(list(groups)).items() if groups else ():
            cast("Future[None]", future).result(_SECONDS)
            tell(f"group {name}: deleted")
    except KafkaException as wrong:
        raise TryAgain("Kafka does not do it now; say it again") from wrong


def _groups(admin: AdminClient) -> Mapping[str, bool]:
    """Our groups that there are: whether each has members."""
    listed: Any = admin.list_consumer_groups().result(_SECONDS)
    names = [one.group_id for one in listed.valid if one.group_id in GROUPS]
    told = admin.describe_consumer_groups(names) if names else {}
    return {name: future.result(_SECONDS).state is not ConsumerGroupState.EMPTY for name, future in told.items()}
