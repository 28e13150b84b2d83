"""`pxhub redis`: what Redis holds for a hub in Kafka, made anew."""

from __future__ import annotations

import os

import typer

from hub.cli.topics import Kafka
from hub.cli.work import Redis
from hub.kafka.cluster import WORKED, look_at
from hub.kafka.redis_url import at_redis
from hub.kafka.settings import read_kafka_settings
from hub.telemetry import start_telemetry
from streams.distributed.names import ALERTS, PERSONS
from streams.distributed.rebuild import rebuild
from streams.distributed.shelf import RedisShelf
from streams.distributed.view_shelf import ViewShelf
from streams.distributed.views import Views

redis_app = typer.Typer(no_args_is_help=True, help="What Redis holds for a hub in Kafka.")


@redis_app.callback()
def _group() -> None:
    pass


@redis_app.command("rebuild")
def rebuild_command(kafka: Kafka, redis: Redis) -> None:
    """Make the index of who is who, and the views of alerts, anew out of the topics.

    Nothing need be stopped for it: who works meanwhile waits, and goes on. Exit code 0 done, 2 wrong use or there are
    no topics, 75 a service does not answer.
    """
    settings = read_kafka_settings(kafka, os.environ)
    cluster = look_at(settings, (*WORKED, PERSONS, ALERTS))
    client, log = settings.for_confluent(), start_telemetry()
    shelf = at_redis(redis, RedisShelf)
    shelf.clear()
    rows = rebuild(client, shelf, cluster.id, log.info)
    typer.echo(f"index: {rows} rows of {PERSONS}")
    views = Views(client, ViewShelf(redis), cluster.id, cluster.partitions[ALERTS], log.info)
    typer.echo(f"views: {views.rebuild()} alerts of {ALERTS}")
