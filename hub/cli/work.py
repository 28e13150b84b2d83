"""`pxhub work`: the stages of the distributed runtime."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer

from hub.address import read_address
from hub.cli.clock import ClockChoice
from hub.cli.topics import Kafka
from hub.declared import checked_zone, read_declared
from hub.kafka.settings import read_kafka_settings
from hub.kafka.work import STAGES, STUCK_AFTER, WorkSettings, work
from hub.kafka.zone import recall_zone
from hub.library_log import tell_failure
from hub.site import read_site_leniently
from hub.telemetry import start_telemetry
from schemas.errors import PxError, WrongUse
from streams.distributed.formats import NewerFormat

Redis = Annotated[str, typer.Option("--redis", metavar="URL", help="Redis, such as redis://127.0.0.1:6379/0.")]
_STOP_WITHIN: Final = 30.0  # seconds until a stage that does not end is killed


class StageChoice(StrEnum):
    IDENTIFY = "identify"
    CORRELATE = "correlate"
    MEASURE = "measure"
    ALL = "all"


def work_command(  # noqa: PLR0913, PLR0917 - a flag each
    stage: Annotated[StageChoice, typer.Argument(help="Which stage this worker runs; all: each in a process.")],
    kafka: Kafka,
    redis: Redis,
    thresholds: Annotated[Path | None, typer.Option(help="A file or folder in place of the shipped packs.")] = None,
    site: Annotated[Path | None, typer.Option(help="The site file: authorities, identity, overrides.")] = None,
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="For calendars that name none."),
    ] = None,
    clock: Annotated[ClockChoice, typer.Option(help="log: the broker's; event: time is what the events say.")] = (
        ClockChoice.LOG
    ),
    metrics: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="/metrics, /livez, /readyz of this worker (loopback).")
    ] = None,
    stuck_after: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="End, code 75, when a partition stands still for so long.")
    ] = STUCK_AFTER,
    until_caught_up: Annotated[  # noqa: FBT002
        bool, typer.Option("--until-caught-up", help="End when all that was there is judged.")
    ] = False,
) -> None:
    """Work the log of a hub in Kafka: who is who, what is late, how often.

    Any number of workers of a stage may run; Kafka shares the partitions out. SIGTERM ends one when what it took is
    durable, or after 30 s. Exit code 0 ended, 2 wrong use or a wrong file, 75 a service does not answer or the worker
    stood still, 1 it failed.
    """
    kafka_settings = read_kafka_settings(kafka, os.environ)
    if timezone is not None:
        checked_zone(timezone)
    named = timezone or (site is not None and read_site_leniently(site).timezone) or recall_zone(redis)
    declared = read_declared(site, thresholds, None, named)
    if stage is StageChoice.ALL:
        if metrics is not None:
            raise WrongUse("--metrics: each stage tells of itself at a port of its own; start the stages one by one")
        raise typer.Exit(_all(sys.argv))
    for warning in declared.warnings:
        typer.echo(warning, err=True)
    settings = WorkSettings(
        stage=stage.value,
        kafka=kafka_settings,
        redis=redis,
        clock=clock.value,
        until_caught_up=until_caught_up,
        metrics=None if metrics is None else read_address("--metrics", metrics),
        stuck_after=stuck_after,
    )
    log = start_telemetry()
    try:
        asyncio.run(work(settings, declared, log, lambda: _say_ready(stage)))
    except NewerFormat as newer:
        raise WrongUse(str(newer)) from newer
    except PxError:
        raise
    except Exception as wrong:  # noqa: BLE001 - a task's edge: its text may hold what was being worked
        tell_failure(log, wrong)
        raise typer.Exit(1) from None


def _say_ready(stage: StageChoice) -> None:
    typer.echo(f"pxhub ready: work {stage.value}", err=True)


def _all(argv: list[str]) -> int:
    """A process for each stage; when one fails, all end, for a supervisor starts them together."""
    at = argv.index("all")
    command = [sys.executable, "-P", "-m", "hub"] if not Path(argv[0]).name.startswith("pxhub") else [argv[0]]
    stages = [subprocess.Popen([*command, *argv[1:at], stage, *argv[at + 1 :]]) for stage in STAGES]  # noqa: S603

    def stop(_: int, __: FrameType | None) -> None:
        for one in stages:
            one.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    running = list(stages)
    while running:
        pid, status = os.wait()
        ended = next((one for one in running if one.pid == pid), None)
        if ended is None:
            continue
        ended.returncode = code = os.waitstatus_to_exitcode(status)
        running.remove(ended)
        if code != 0:
            for one in running:
                one.terminate()
            for one in running:
                try:
                    one.wait(_STOP_WITHIN)
                except subprocess.TimeoutExpired:
                    one.kill()
            return code if code > 0 else 1
    return 0
