"""`pxhub serve`: the hub as a service."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Final

import typer

from hub.address import read_address
from hub.cli.clock import ClockChoice
from hub.cli.stored import read_keep
from hub.kafka.settings import read_kafka_settings
from hub.poll.door import bind_polls, polled_servers
from hub.serve.doors import bind_http_door, bind_mllp, bind_webhooks
from hub.serve.life import Door
from hub.serve.service import Binding, ServeSettings, Service
from hub.site import read_site_leniently
from hub.telemetry import start_telemetry
from schemas.errors import WrongUse

_KEEP: Final = "400 days"
_NOTHING_LISTENS: Final = "nothing would listen: name --mllp HOST:PORT, --http HOST:PORT, or both"


def serve(  # noqa: PLR0913, PLR0917 - a flag each
    store: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder of the store; made where there is none.")
    ] = None,
    http: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where HTTP listens (loopback).")] = None,
    mllp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where HL7 v2 over MLLP is taken.")] = None,
    thresholds: Annotated[Path | None, typer.Option(help="A file or folder in place of the shipped packs.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="A mapping laid over the shipped one.")] = None,
    site: Annotated[Path | None, typer.Option(help="The site file: facilities, authorities, overrides.")] = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE", help="For stamps without an offset.")] = None,
    webhooks: Annotated[Path | None, typer.Option(metavar="FILE", help="Who is told of alerts by webhook.")] = None,
    clock: Annotated[ClockChoice, typer.Option(help="log: the machine's; event: time is what the events say.")] = (
        ClockChoice.LOG
    ),
    mllp_allow: Annotated[
        list[str] | None, typer.Option(metavar="CIDR", help="Networks that may send beyond loopback; repeat it.")
    ] = None,
    mllp_certificate: Annotated[Path | None, typer.Option(metavar="FILE", help="TLS: our certificate (PEM).")] = None,
    mllp_key: Annotated[Path | None, typer.Option(metavar="FILE", help="TLS: its key (PEM).")] = None,
    mllp_client_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TLS: who signs the senders' certificates (PEM).")
    ] = None,
    take_tests: Annotated[bool, typer.Option("--take-tests", help="Read messages marked as tests (MSH-11).")] = False,  # noqa: FBT002
    keep: Annotated[str, typer.Option(metavar="SPAN", help="How long what came is kept.")] = _KEEP,
    ack_dead_letters: Annotated[
        str, typer.Option(metavar="AE|AA", help="How a dead letter is acknowledged over MLLP.")
    ] = "AE",
    kafka: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="In place of a store: a broker; several behind commas.")
    ] = None,
    redis: Annotated[str | None, typer.Option(metavar="URL", help="With --kafka: where alerts are read.")] = None,
) -> None:
    """Take messages over MLLP and HTTP into a store, acknowledge what is durable, raise alerts as they are due.

    With --kafka and --redis the messages go to Kafka, where `pxhub work` judges them; any number of hubs may serve so.
    SIGTERM drains and stops. Exit code 0 stopped, 2 wrong use or a wrong file, 75 another pxhub writes this
    store, the disk is full, or no broker answers.
    """
    if ack_dead_letters not in ("AE", "AA"):
        raise WrongUse("--ack-dead-letters is AE or AA")
    if (store is None) == (kafka is None) or (kafka is None) != (redis is None):
        raise WrongUse("name --store DIR, or --kafka HOST:PORT and --redis URL")
    settings = ServeSettings(
        store=store or Path(),
        http=None if http is None else read_address("--http", http),
        mllp=None if mllp is None else read_address("--mllp", mllp),
        mllp_allow=tuple(mllp_allow or ()),
        mllp_certificate=mllp_certificate,
        mllp_key=mllp_key,
        mllp_client_ca=mllp_client_ca,
        thresholds=thresholds,
        mapping=mapping,
        site=site,
        timezone=timezone,
        webhooks=webhooks,
        clock=clock.value,
        takes_tests=take_tests,
        keep=read_keep(keep),
        acknowledges_dead_letters=ack_dead_letters == "AA",
    )
    if kafka is not None and redis is not None:
        _serve_kafka(settings, kafka, redis)
        return
    doors: list[Binding] = []
    if settings.mllp is not None:
        doors.append(bind_mllp)
    if settings.http is not None:
        doors.append(bind_http_door)
    if settings.webhooks is not None:
        doors.append(bind_webhooks)
    if site is not None and polled_servers(read_site_leniently(site)):
        doors.append(bind_polls)
    if not doors or doors == [bind_webhooks]:
        raise WrongUse(_NOTHING_LISTENS)
    service = Service(settings, start_telemetry(), tuple(doors))
    for warning in service.declared.warnings:
        typer.echo(warning, err=True)
    asyncio.run(service.run(_say_ready))


def _serve_kafka(settings: ServeSettings, kafka: str, redis: str) -> None:
    """The doors over Kafka. Raises WrongUse for what needs a store."""
    from hub.kafka.serving import KafkaService  # noqa: PLC0415 - who has a store need not load it

    if settings.webhooks is not None:
        raise WrongUse("--webhooks needs a store: with --kafka nobody is told by webhook yet")
    if settings.clock != "log":
        raise WrongUse("--clock is the workers' here: pxhub work --clock event")
    if settings.keep != read_keep(_KEEP):
        raise WrongUse("--keep is the topics' here: pxhub topics plan says how long each is kept")
    if settings.mllp is None and settings.http is None:
        raise WrongUse(_NOTHING_LISTENS)
    service = KafkaService(settings, read_kafka_settings(kafka, os.environ), redis, start_telemetry())
    for warning in service.declared.warnings:
        typer.echo(warning, err=True)
    if polled := polled_servers(service.declared.site):
        names = ", ".join(server.name for server in polled)
        typer.echo(f"{names}: nobody polls here; a hub with --store does, and pxhub fhir poll", err=True)
    asyncio.run(service.run(_say_ready))


def _say_ready(doors: list[Door]) -> None:
    typer.echo("pxhub ready: " + ", ".join(door.address for door in doors))
