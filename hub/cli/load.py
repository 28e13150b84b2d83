"""`pxhub load`: files into the log in Kafka."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from hub.cli.replay import read_time
from hub.cli.topics import Kafka
from hub.declared import checked_zone
from hub.kafka.load import load
from hub.kafka.settings import read_kafka_settings
from hub.kafka.zone import check_redis, recall_zone, remember_zone
from hub.replay import ReplayOptions


def load_command(  # noqa: PLR0913, PLR0917 - a flag each
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files and folders; - is standard input.")],
    kafka: Kafka,
    redis: Annotated[
        str | None, typer.Option("--redis", metavar="URL", help="As for the workers: the zone is kept there.")
    ] = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE", help="For stamps without an offset.")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="What is later is ignored; the clock ends here.")
    ] = (None),
    site: Annotated[Path | None, typer.Option(help="The site file: facilities, authorities, overrides.")] = None,
    thresholds: Annotated[Path | None, typer.Option(help="A file or folder in place of the shipped packs.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="A mapping laid over the shipped one.")] = None,
) -> None:
    """Publish what `replay` reads, in the same order, onto px.inbound, and close it with a look at the clock.

    `pxhub work all --clock event --until-caught-up` judges it. Loaded twice, nothing counts twice. Exit code 0 all is
    on the brokers, 2 wrong use, 75 Kafka does not take it.
    """
    settings = read_kafka_settings(kafka, os.environ)
    if timezone is not None:
        checked_zone(timezone)
    if redis is not None:  # before anything is published
        check_redis(redis) if timezone is None else recall_zone(redis)
    moment = read_time("--until", until, timezone) if until is not None else None
    options = ReplayOptions(
        paths=paths, thresholds=thresholds, mapping=mapping, site=site, until=moment, timezone=timezone
    )
    report = load(settings, options)
    if redis is not None and timezone is not None:
        remember_zone(redis, timezone)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")
