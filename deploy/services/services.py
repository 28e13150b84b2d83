# ruff: noqa: INP001, T201 - the services of development are no package, and this is a command
"""Start, stop and look at the services of development: a Kafka broker and a Redis, on loopback alone.

    python3 deploy/services/services.py start|stop|status|prepare

`start` returns when both answer their own protocols, and may be said twice; data lies in `.services/` and stays between
starts. Ports are PXHUB_KAFKA_PORT (9092) and PXHUB_REDIS_PORT (6379). `prepare` brings what is needed and starts
nothing. Exit codes: 0 done, 1 `status`: something does not run, 2 something is missing or in the way. Only the standard
library is needed.
"""

from __future__ import annotations

import argparse
import base64
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

if __name__ == "__main__":  # as a script it finds its own folder, not the project's
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from deploy.services.programs import HERE, REDIS_MEND, ensure_redis, fetch_jars, find_java, find_redis, run
from deploy.services.running import NotHere, Service, free_port, kafka_answers, redis_answers, replace

DATA: Final = HERE.parent.parent / ".services"
_LARGEST: Final = 20 * 1024 * 1024  # bytes of one message, as px.inbound allows


def kafka(
    folder: Path,
    port: int,
    *,
    heap: str = "1g",
    settings: Mapping[str, str] | None = None,
    cluster: str | None = None,
) -> Service:
    """A broker, its own controller unless `settings`, which are laid over server.properties, say otherwise. `cluster`
    is the id that nodes of one cluster share, 16 bytes in URL-safe base64; anew for a folder where it is not given."""

    def command() -> list[str]:
        java, jars = find_java(), fetch_jars()
        properties = folder / "server.properties"
        lines = {**_broker(folder, port, free_port()), **(settings or {})}
        replace(properties, "".join(f"{key}={value}\n" for key, value in lines.items()))
        if not (folder / "data" / "meta.properties").exists():
            shutil.rmtree(folder / "data", ignore_errors=True)  # a format that was interrupted
            id_ = f"--cluster-id={cluster or new_cluster()}"  # one argument, for an id may begin with a dash
            tool = [*_java(java, jars, "256m"), "kafka.tools.StorageTool", "format", id_, "-c"]
            run([*tool, str(properties)], "the broker's folder cannot be formatted")
        return [*_java(java, jars, heap), "kafka.Kafka", str(properties)]

    return Service("kafka", folder.resolve(), port, command, kafka_answers)


def new_cluster() -> str:
    """An id for a cluster."""
    return base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")


def redis(folder: Path, port: int, *, settings: Mapping[str, str] | None = None) -> Service:
    """A redis-server that writes an append-only file. `settings` are laid over ours."""

    def command() -> list[str]:
        program = find_redis()
        if program is None:
            raise NotHere(f"redis-server is missing: {REDIS_MEND}")
        lines = {"port": str(port), "bind": "127.0.0.1", "dir": str(folder.resolve()), "appendonly": "yes", "save": ""}
        lines.update({"protected-mode": "yes", "daemonize": "no", **(settings or {})})
        return [program, *(part for key, value in lines.items() for part in (f"--{key}", value))]

    return Service("redis", folder.resolve(), port, command, redis_answers)


def _broker(folder: Path, port: int, controller: int) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
        "log.dirs": str(folder.resolve() / "data"),
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",
        "message.max.bytes": str(_LARGEST),
        "log.cleaner.dedupe.buffer.size": str(32 * 1024 * 1024),  # its default takes an eighth of the heap
        # ACLs can be kept and asked for; who comes without a name over loopback may do everything
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }


def _java(java: str, jars: Path, heap: str) -> list[str]:
    quiet = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
    # a broker of minutes shares its cores with what it serves: to compile it to the last takes longer than it lives
    brief = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    return [java, f"-Xmx{heap}", *brief, "-Djava.awt.headless=true", quiet, "-cp", f"{jars}/*"]


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) < 65_536:
        raise NotHere(f"{variable}: a port from 1 to 65535 is expected")
    return int(text)


def _services() -> list[Service]:
    return [
        kafka(DATA / "kafka", _port("PXHUB_KAFKA_PORT", 9092)),
        redis(DATA / "redis", _port("PXHUB_REDIS_PORT", 6379)),
    ]


def _start(services: list[Service]) -> int:
    ensure_redis()
    begun = [service.begin() for service in services]  # both at once: each takes its time
    for service, is_new in zip(services, begun, strict=True):
        service.await_answer()
        print(f"{service.name} answers at 127.0.0.1:{service.port}{'' if is_new else ' (it ran already)'}")
    return 0


def _stop(services: list[Service]) -> int:
    for service in services:
        print(f"{service.name} {'is stopped' if service.stop() else 'did not run'}")
    return 0


def _status(services: list[Service]) -> int:
    well = True
    for service in services:
        running = service.running()
        answers = running is not None and service.answers(running[1])
        well = well and answers
        told = "does not run" if running is None else f"{'answers' if answers else 'is mute'} at 127.0.0.1:{running[1]}"
        print(f"{service.name} {told}")
    return 0 if well else 1


def _prepare(_services: list[Service]) -> int:
    find_java()
    print(f"kafka's jars are in {fetch_jars()}")
    ensure_redis()
    print(f"redis-server is {find_redis()}")
    return 0


def main() -> int:
    verbs = {"start": _start, "stop": _stop, "status": _status, "prepare": _prepare}
    parser = argparse.ArgumentParser(description="Kafka and Redis for development, on loopback.")
    parser.add_argument("verb", choices=verbs)
    try:
        return verbs[parser.parse_args().verb](_services())
    except NotHere as wrong:
        print(wrong, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
