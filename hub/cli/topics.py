"""`pxhub topics`: the topics of the distributed runtime, as they are declared: planned, made, checked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Final, NamedTuple

import typer

from hub.cli.stored import Format, FormatOption, write_object
from hub.kafka.admin import Difference, Right, TopicAdmin, compare, copies, open_admin, rights
from hub.kafka.settings import read_kafka_settings
from schemas.errors import WrongUse
from streams.distributed.topics import PARTITIONS, Topic, grants, topics

topics_app = typer.Typer(no_args_is_help=True, help="The topics in Kafka.")
_MOST: Final = 10_000  # partitions: more is a slip of the finger

Kafka = Annotated[str, typer.Option("--kafka", metavar="HOST:PORT", help="A broker; several behind commas.")]
Partitions = Annotated[int, typer.Option("--partitions", metavar="N", help="Of what is kept by person.")]
Replication = Annotated[
    int | None, typer.Option("--replication", metavar="R", help="Copies; three where there are brokers for them.")
]
Acl = Annotated[
    str | None, typer.Option("--acl", metavar="PREFIX", help="ACLs too, for principals such as PREFIX + connect.")
]


@topics_app.command("plan")
def plan(
    kafka: Kafka,
    partitions: Partitions = PARTITIONS,
    replication: Replication = None,
    acl: Acl = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Say what `apply` would do, and change nothing.

    Exit code 0 said, 2 wrong use, 75 no broker answers.
    """
    with _opened(kafka, partitions, replication, acl) as asked:
        _tell(asked.compare(), format_, "nothing to do: the topics are as they are declared")


@topics_app.command("apply")
def apply(
    kafka: Kafka,
    partitions: Partitions = PARTITIONS,
    replication: Replication = None,
    acl: Acl = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Make the topics that are missing, and set what differs. Said twice, the second time changes nothing.

    The number of partitions or copies is never changed, and no right is taken away: that is told, with the mend.
    Exit code 0 done, 1 something is left that only the operator can mend, 2 wrong use, 75 no broker answers.
    """
    with _opened(kafka, partitions, replication, acl) as asked:
        differences = asked.compare()
        asked.admin.apply(differences, asked.declared, asked.replication, asked.wanted)
        left = any(difference.mend for difference in differences)
        _tell(differences, format_, "nothing to do: the topics are as they are declared")
        if left or differences:
            typer.echo("done, but for what is the operator's to mend" if left else "done", err=True)
        if left:
            raise typer.Exit(1)


@topics_app.command("check")
def check(
    kafka: Kafka,
    partitions: Partitions = PARTITIONS,
    replication: Replication = None,
    acl: Acl = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Compare the topics with what is declared.

    Exit code 0 all as declared, 1 something differs, 2 wrong use, 75 no broker answers.
    """
    with _opened(kafka, partitions, replication, acl) as asked:
        differences = asked.compare()
        _tell(differences, format_, "the topics are as they are declared")
        if differences:
            raise typer.Exit(1)


@topics_app.command("remake")
def remake(
    kafka: Kafka,
    partitions: Partitions = PARTITIONS,
    replication: Replication = None,
    acl: Acl = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: what was concluded is deleted.")] = False,  # noqa: FBT002
    purged: Annotated[  # noqa: FBT002
        bool, typer.Option("--purged", help="Also where the beginning of px.inbound is gone.")
    ] = False,
) -> None:
    """Delete all that follows from px.inbound and make its topics anew, for the workers to judge it again.

    For another number of partitions: the workers are to be stopped, the doors may go on;
    docs/distributed-operations.md tells the whole of it. Exit code 0 done, 1 it was not told --yes, 2 wrong use or
    workers run still, 75 no broker answers.
    """
    from hub.kafka.remake import DERIVED, forget_derived  # noqa: PLC0415 - it loads Kafka's client

    if not yes:
        typer.echo(f"this deletes {', '.join(DERIVED)}; px.inbound stays, and a replay writes them again. Say --yes")
        raise typer.Exit(1)
    with _opened(kafka, partitions, replication, acl) as asked:
        forget_derived(read_kafka_settings(kafka, os.environ), typer.echo, purged=purged)
        differences = asked.compare()
        asked.admin.apply(differences, asked.declared, asked.replication, asked.wanted)
        _tell(differences, Format.TABLE, "nothing to do: the topics are as they are declared")


class _Asked(NamedTuple):
    """What a command compares."""

    admin: TopicAdmin
    declared: tuple[Topic, ...]
    replication: int
    wanted: frozenset[Right]
    principals: frozenset[str] | None

    def compare(self) -> tuple[Difference, ...]:
        found = self.admin.look(self.declared, self.principals)
        return compare(found, self.declared, self.replication, self.wanted)


@contextmanager
def _opened(kafka: str, partitions: int, replication: int | None, acl: str | None) -> Iterator[_Asked]:
    if not 0 < partitions <= _MOST:
        raise WrongUse(f"--partitions {partitions}: 1 to {_MOST} are expected")
    if replication is not None and replication < 1:
        raise WrongUse(f"--replication {replication}: one copy at least is expected")
    settings = read_kafka_settings(kafka, os.environ)
    declared = topics(partitions)
    wanted = frozenset[Right]() if acl is None else rights(grants(declared), acl)
    principals = None if acl is None else frozenset(right.principal for right in wanted)
    with open_admin(settings) as admin:
        yield _Asked(admin, declared, copies(admin.brokers(), replication), wanted, principals)


def _tell(differences: Sequence[Difference], format_: Format, none: str) -> None:
    rows: list[dict[str, Any]] = [
        {
            "kind": d.kind,
            "name": d.name,
            "setting": d.setting or None,
            "found": d.found or None,
            "wanted": d.wanted or None,
            "mend": d.mend or None,
        }
        for d in differences
    ]
    write_object({"differences": rows}, format_, lambda: "\n".join(map(str, differences)) or none)
