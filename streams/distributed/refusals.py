"""What Kafka's errors mean for who writes and reads: try again, somebody else is writing, begin with a new producer, or
somebody must mend something first.

Theory. What the brokers may take later is tried again, for ever. What they never take as it stands must not be: a right
that is missing, a record that is too large, a topic that is not there, a setting. Who works ends of it with a word that
names the topic and the mend, for tried again it would be silence.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from confluent_kafka import KafkaError

from schemas.errors import PxError, TryAgain, WrongUse


class Fenced(PxError):
    """Somebody else writes under this transactional id: this partition is no longer ours."""


class Spent(PxError):
    """A producer can write no more, and nobody else took its id: the partition is to be stood up anew."""


class Refused(WrongUse):
    """Kafka takes or gives this never as it stands; the worker ends, for somebody must mend it first."""


class Kind(Enum):
    """What is to be done about an error."""

    AGAIN = auto()
    FENCED = auto()
    SPENT = auto()
    RIGHTS = auto()
    SIZE = auto()
    MISSING = auto()
    SETTINGS = auto()


def _codes(*names: str) -> frozenset[int]:
    return frozenset(getattr(KafkaError, name) for name in names)


_KINDS: Final = {
    Kind.FENCED: _codes("_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"),
    Kind.RIGHTS: _codes(
        "TOPIC_AUTHORIZATION_FAILED",
        "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
        "GROUP_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
    ),
    Kind.SIZE: _codes("MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE", "INVALID_MSG_SIZE"),
    Kind.MISSING: _codes(
        "UNKNOWN_TOPIC_OR_PART",
        "UNKNOWN_TOPIC_ID",
        "INCONSISTENT_TOPIC_ID",
        "TOPIC_EXCEPTION",
        "_UNKNOWN_TOPIC",
        "_UNKNOWN_PARTITION",
    ),
    Kind.SETTINGS: _codes(
        "INVALID_RECORD",
        "INVALID_TIMESTAMP",
        "INVALID_CONFIG",
        "INVALID_REQUIRED_ACKS",
        "INVALID_TRANSACTION_TIMEOUT",
        "POLICY_VIOLATION",
        "UNSUPPORTED_COMPRESSION_TYPE",
        "UNSUPPORTED_FOR_MESSAGE_FORMAT",
        "UNSUPPORTED_VERSION",
        "_INVALID_ARG",
        "_NOT_CONFIGURED",
        "_UNSUPPORTED_FEATURE",
    ),
    Kind.SPENT: _codes(
        "DUPLICATE_SEQUENCE_NUMBER",
        "INVALID_PRODUCER_ID_MAPPING",
        "INVALID_TXN_STATE",
        "OUT_OF_ORDER_SEQUENCE_NUMBER",
        "TRANSACTION_COORDINATOR_FENCED",
        "UNKNOWN_PRODUCER_ID",
        "_FATAL",
        "_GAPLESS_GUARANTEE",
        "_STATE",
    ),
}
_BY_CODE: Final = {code: kind for kind, codes in _KINDS.items() for code in codes}
_MENDS: Final = {
    Kind.RIGHTS: "this principal may not: pxhub topics apply --acl PREFIX gives each stage its rights",
    Kind.SIZE: "it is larger than the topic takes: pxhub topics check says whether max.message.bytes is as declared",
    Kind.MISSING: "no such topic or partition: run pxhub topics apply; for other partitions pxhub topics remake",
    Kind.SETTINGS: "the topic or the broker is set so that it cannot take it: run pxhub topics check",
}
PASSING: Final = _codes("_PURGE_QUEUE", "_PURGE_INFLIGHT")
"""Of records whose transaction is undone: their error is not why."""


def kind_of(error: KafkaError | None) -> Kind:
    """What is to be done about an error; what a transaction that is undone can mend is tried again."""
    if error is None:
        return Kind.AGAIN
    kind = _BY_CODE.get(error.code(), Kind.AGAIN)
    if error.fatal():
        return kind if kind in (Kind.FENCED, Kind.RIGHTS, Kind.SETTINGS) else Kind.SPENT
    if kind is Kind.SPENT and (error.txn_requires_abort() or error.retriable()):
        return Kind.AGAIN
    return kind


def told(error: KafkaError | None, place: str) -> PxError:
    """The error that somebody raises; `place` says which topic or id it is about."""
    kind, name = kind_of(error), "unknown" if error is None else error.name()
    if kind is Kind.AGAIN:
        return TryAgain(f"Kafka does not take it now ({name})")
    if kind is Kind.FENCED:
        return Fenced("another worker has this partition by now")
    if kind is Kind.SPENT:
        return Spent(f"this producer can write no more ({name}): the partition is to be taken anew")
    return Refused(f"{place}: {_MENDS[kind]} ({name})")
