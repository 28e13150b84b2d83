"""The topics in Kafka beside those that are declared: what differs, and what can be mended from here.

What is there is looked at first, as a value; comparing is a pure function of it, so `plan`, `check` and `apply` cannot
disagree. A number of partitions is never changed: a person's events would go to another partition than the person's
state. Nothing is deleted, and no right is taken away.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from threading import Event
from time import monotonic
from typing import Any, Final, NamedTuple

from hub.kafka.settings import PREFIX, KafkaSettings
from schemas.errors import TryAgain, WrongUse
from streams.distributed.topics import Grant, Topic, configs

_ANSWERS: Final = 5_000  # milliseconds in which a broker must have answered
_TAKES: Final = 30_000  # milliseconds that a request may take
_KNOWN: Final = 30.0  # seconds in which a broker must know what its controller knows
_MORE_PARTITIONS: Final = "never changed in place: drain, make new topics, replay (docs/distributed.md)"
_MORE_COPIES: Final = "move it with kafka-reassign-partitions.sh, then check again"
_MORE_RIGHTS: Final = "take the right away with kafka-acls.sh, or let it stand and know why"


class Right(NamedTuple):
    """An ACL that allows, by Kafka's own words: who, on what, by which name, and to do what."""

    principal: str
    resource: str
    name: str
    pattern: str
    operation: str


class TopicFound(NamedTuple):
    """`replication` is the least number of copies that a partition has."""

    partitions: int
    replication: int
    configs: Mapping[str, str]


class Found(NamedTuple):
    """What Kafka has of what is declared; `rights` is None where they were not asked for."""

    brokers: int
    topics: Mapping[str, TopicFound]
    rights: frozenset[Right] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`kind` is create, config, grant, partitions, replication or excess. `mend` is empty where `apply` mends it."""

    kind: str
    name: str
    setting: str = ""
    found: str = ""
    wanted: str = ""
    mend: str = ""

    def __str__(self) -> str:
        told = {
            "create": f"{self.name}: create it, {self.wanted}",
            "config": f"{self.name}: {self.setting} is {self.found}, set it to {self.wanted}",
            "grant": f"{self.name}: grant {self.wanted}",
            "excess": f"{self.name}: may {self.found}, which is not declared",
        }
        said = told.get(self.kind, f"{self.name}: {self.setting} is {self.found}, {self.wanted} is declared")
        return f"{said}: {self.mend}" if self.mend else said


def copies(brokers: int, asked: int | None) -> int:
    """How many copies of each partition: three where there are brokers for them, unless said otherwise.

    Raises WrongUse for more copies than brokers.
    """
    if asked is None:
        return 3 if brokers >= 3 else 1
    if asked > brokers:
        raise WrongUse(f"--replication {asked}: at most one copy a broker, and there are {brokers} of them")
    return asked


def rights(granted: Sequence[Grant], prefix: str) -> frozenset[Right]:
    """The ACLs of grants; the principal of a role is the prefix and its name, `User:` before it where it lacks."""
    who = prefix if ":" in prefix else f"User:{prefix}"
    return frozenset(
        Right(f"{who}{g.role}", g.resource, g.name, "prefixed" if g.is_prefix else "literal", g.operation)
        for g in granted
    )


def compare(
    found: Found, declared: Sequence[Topic], replication: int, wanted: frozenset[Right] = frozenset()
) -> tuple[Difference, ...]:
    """What differs, topic by topic as they are declared, then the rights."""
    differences: list[Difference] = []
    for topic in declared:
        there = found.topics.get(topic.name)
        if there is None:
            differences.append(Difference(kind="create", name=topic.name, wanted=_shape(topic, replication)))
        else:
            differences += _compare_topic(topic, there, replication)
    if found.rights is not None:
        differences += [
            Difference(kind="grant", name=right.principal, wanted=_words(right))
            for right in sorted(wanted - found.rights)
        ]
        differences += [
            Difference(kind="excess", name=right.principal, found=_words(right), mend=_MORE_RIGHTS)
            for right in sorted(found.rights - wanted)
        ]
    return tuple(differences)


def _compare_topic(topic: Topic, there: TopicFound, replication: int) -> Iterator[Difference]:
    name = topic.name
    for setting, found, wanted, mend in (
        ("partitions", there.partitions, topic.partitions, _MORE_PARTITIONS),
        ("replication", there.replication, replication, _MORE_COPIES),
    ):
        if found != wanted:
            yield Difference(kind=setting, name=name, setting=setting, found=str(found), wanted=str(wanted), mend=mend)
    # by the copies that there are: asking two to be in step where there is one would stop every writer
    for setting, wanted_value in configs(topic, there.replication).items():
        value = there.configs.get(setting, "unknown")
        if value != wanted_value:
            yield Difference(kind="config", name=name, setting=setting, found=value, wanted=wanted_value)


def _shape(topic: Topic, replication: int) -> str:
    partitions = "1 partition" if topic.partitions == 1 else f"{topic.partitions} partitions"
    times = "1 copy" if replication == 1 else f"{replication} copies"
    kept = "the last record of each key stays" if topic.retention is None else f"records stay {topic.retention} days"
    return f"{partitions}, {times}, {kept}"


def _words(right: Right) -> str:
    name = f"{right.name}*" if right.pattern == "prefixed" else right.name
    return f"{right.operation} {right.resource} {name}"


class TopicAdmin:
    """Kafka's admin client; every call blocks for half a minute at most, and raises TryAgain or WrongUse."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def brokers(self) -> int:
        """How many brokers there are that take part."""
        with _worded("describe the cluster"):
            return sum(not broker.get("is_fenced") for broker in self._client.describe_cluster()["brokers"])

    def look(self, declared: Sequence[Topic], principals: frozenset[str] | None) -> Found:
        """What there is of these topics, and of the rights of these principals."""
        names = [topic.name for topic in declared]
        with _worded("describe the topics"):
            there = {found["name"]: found for found in self._client.describe_topics(names) if not found["error_code"]}
            asked = [_library().ConfigResource(_library().ConfigResourceType.TOPIC, name) for name in there]
            settings = self._client.describe_configs(asked, config_filter="all")["topic"] if asked else {}
        topics = {
            name: TopicFound(
                partitions=len(found["partitions"]),
                replication=min(len(partition["replica_nodes"]) for partition in found["partitions"]),
                configs={key: str(config["value"]) for key, config in settings.get(name, {}).items()},
            )
            for name, found in there.items()
        }
        held = None if principals is None else self._rights(principals)
        return Found(brokers=self.brokers(), topics=topics, rights=held)

    def apply(
        self,
        differences: Sequence[Difference],
        declared: Sequence[Topic],
        replication: int,
        wanted: frozenset[Right] = frozenset(),
    ) -> None:
        """Mend what can be mended from here: topics that are missing, settings, rights that are missing.

        Brokers learn later what their controller knows: it returns when the one we ask says so too.
        """
        topic_by_name = {topic.name: topic for topic in declared}
        created = [topic_by_name[d.name] for d in differences if d.kind == "create"]
        if created:
            self._create(created, replication)
        changed: dict[str, dict[str, str]] = {}
        for difference in differences:
            if difference.kind == "config":
                changed.setdefault(difference.name, {})[difference.setting] = difference.wanted
        if changed:
            self._change(changed)
        told = {(difference.name, difference.wanted) for difference in differences if difference.kind == "grant"}
        missing = [right for right in sorted(wanted) if (right.principal, _words(right)) in told]
        if missing:
            self._grant(missing)
        if any(not difference.mend for difference in differences):
            self._await(declared, replication, wanted)

    def _await(self, declared: Sequence[Topic], replication: int, wanted: frozenset[Right]) -> None:
        principals = frozenset(right.principal for right in wanted) or None
        until = monotonic() + _KNOWN
        while any(not d.mend for d in compare(self.look(declared, principals), declared, replication, wanted)):
            if monotonic() > until:
                raise TryAgain(f"what was changed is not seen after {_KNOWN:.0f} s: check again")
            Event().wait(0.05)

    def _create(self, created: Sequence[Topic], replication: int) -> None:
        asked = {
            topic.name: {
                "num_partitions": topic.partitions,
                "replication_factor": replication,
                "configs": dict(configs(topic, replication)),
            }
            for topic in created
        }
        exists = import_module("kafka.errors").TopicAlreadyExistsError.errno
        with _worded("create topics"):
            answers = self._client.create_topics(asked, raise_errors=False)["topics"]
            for answer in answers:
                if answer["error_code"] not in (0, exists):  # another apply at the same time was first
                    _refused(f"create {answer['name']}", answer["error_code"], answer["error_message"])
            self._client.wait_for_topics(list(asked))

    def _change(self, changed: Mapping[str, dict[str, str]]) -> None:
        topic = _library().ConfigResourceType.TOPIC
        asked = [_library().ConfigResource(topic, name, configs=dict(values)) for name, values in changed.items()]
        with _worded("change settings"):
            answers = self._client.alter_configs(asked, raise_on_unknown=False, incremental=True)["topic"]
        for name, answer in answers.items():
            if answer != "OK":
                raise WrongUse(f"Kafka refuses to change settings of {name}: {answer}")

    def _rights(self, principals: frozenset[str]) -> frozenset[Right]:
        """What these principals are allowed from everywhere; a denial is the operator's, and none of ours."""
        lib = _library()
        everything = lib.ResourcePatternFilter(lib.ResourceType.ANY, None, lib.ACLResourcePatternType.ANY)
        with _worded("describe ACLs"):
            found, _ = self._client.describe_acls(
                lib.ACLFilter(None, None, lib.ACLOperation.ANY, lib.ACLPermissionType.ALLOW, everything)
            )
        return frozenset(
            Right(
                acl.principal,
                acl.resource_pattern.resource_type.name.lower(),
                acl.resource_pattern.resource_name,
                acl.resource_pattern.pattern_type.name.lower(),
                acl.operation.name.lower(),
            )
            for acl in found
            if acl.principal in principals and acl.host == "*"
        )

    def _grant(self, missing: Sequence[Right]) -> None:
        lib = _library()
        acls = [
            lib.ACL(
                right.principal,
                "*",
                lib.ACLOperation[right.operation.upper()],
                lib.ACLPermissionType.ALLOW,
                lib.ResourcePattern(
                    lib.ResourceType[right.resource.upper()],
                    right.name,
                    lib.ACLResourcePatternType[right.pattern.upper()],
                ),
            )
            for right in missing
        ]
        with _worded("create ACLs"):
            failed = self._client.create_acls(acls)["failed"]
        if failed:
            raise WrongUse(f"Kafka refuses {len(failed)} ACLs: {failed[0].__name__}")


@contextmanager
def open_admin(settings: KafkaSettings) -> Iterator[TopicAdmin]:
    """The admin client of a cluster. Raises TryAgain where no broker answers within seconds, WrongUse where one answers
    and does not let us in."""
    client_type = _library().KafkaAdminClient
    asked = {"bootstrap_timeout_ms": _ANSWERS, "request_timeout_ms": _TAKES, "client_id": "pxhub-topics"}
    with _heard() as heard:
        try:
            client = client_type(**settings.for_kafka_python(), **asked)
        except import_module("kafka.errors").KafkaError as wrong:
            raise _unreached(settings.servers, heard) from wrong
        try:
            yield TopicAdmin(client)
        finally:
            client.close()


class _Ear(logging.Handler):
    """Keeps what a library would have said."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What kafka-python logs, in place of its going to the terminal: each try is told there, and the reason only there,
    for its error is that time has passed."""
    logger, ear = logging.getLogger("kafka"), _Ear()
    before = logger.propagate
    logger.propagate = False
    logger.addHandler(ear)
    try:
        yield ear.texts
    finally:
        logger.removeHandler(ear)
        logger.propagate = before


def _unreached(servers: str, heard: Sequence[str]) -> TryAgain | WrongUse:
    told = "\n".join(heard)
    if "SaslAuthenticationFailed" in told:
        return WrongUse(
            f"the broker at {servers} does not know us: do {PREFIX}SASL_MECHANISM, {PREFIX}SASL_USERNAME and the "
            f"password in {PREFIX}SASL_PASSWORD_FILE fit?"
        )
    if "Handshake failed" in told:
        return WrongUse(
            f"TLS with the broker at {servers} fails: {PREFIX}SSL_CAFILE must hold who signed its certificate, which "
            f"must be for that host, and {PREFIX}SECURITY_PROTOCOL must be what it speaks"
        )
    return TryAgain(
        f"no Kafka broker answers at {servers} within {_ANSWERS // 1000} s: is it there, and is "
        f"{PREFIX}SECURITY_PROTOCOL what it speaks?"
    )


def _library() -> Any:
    """kafka-python, imported when it is used: it takes most of a second, and carries no types."""
    return import_module("kafka.admin")


@contextmanager
def _worded(what: str) -> Iterator[None]:
    """Kafka's errors as ours: what passes is TryAgain, what the operator must mend is WrongUse."""
    errors = import_module("kafka.errors")
    try:
        yield
    except errors.SecurityDisabledError as wrong:
        raise WrongUse(f"cannot {what}: the brokers have no authorizer; set authorizer.class.name there") from wrong
    except errors.AuthorizationError as wrong:
        raise WrongUse(f"may not {what}: grant Alter, Create and Describe on the cluster to who runs this") from wrong
    except (errors.RetriableError, OSError) as wrong:
        raise TryAgain(f"cannot {what} now: {type(wrong).__name__}") from wrong
    except errors.KafkaError as wrong:
        raise WrongUse(f"cannot {what}: {type(wrong).__name__}") from wrong


def _refused(what: str, code: int, message: str | None) -> None:
    """Raise what Kafka answered to one thing of many; its message names topics and numbers, and no patient."""
    error = import_module("kafka.errors").for_code(code)
    if issubclass(error, import_module("kafka.errors").AuthorizationError):
        raise error(message)
    raise WrongUse(f"Kafka refuses to {what}: {message or error.__name__}")
