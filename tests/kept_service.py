"""Keeps a shared broker or Redis alive as long as somebody of a test run uses it: `python -m tests.kept_service`.

It prints the port once the service answers, and goes on in the background. Users hold a shared lock on the file
`users`, which the kernel takes back whatever becomes of them; when nobody holds one any more, the service ends and its
folder goes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from pathlib import Path

from deploy.services.running import NotHere, Service, free_port
from deploy.services.services import kafka, redis


def build(kind: str, folder: Path) -> Service:
    port = free_port()
    if kind == "kafka":
        return kafka(folder / "kafka", port, heap="768m")
    return redis(folder / "redis", port, settings={"databases": "10000", "appendonly": "no"})


def keep(service: Service, folder: Path, told: int) -> None:
    try:
        service.start()
    except NotHere as wrong:
        os.write(told, f"!{wrong}".encode())
        return
    (folder / "port").write_text(str(service.port), encoding="ascii")
    os.write(told, str(service.port).encode())
    os.close(told)
    with (folder / "users").open("ab") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        service.kill()
        shutil.rmtree(folder, ignore_errors=True)


def main(kind: str, folder: Path) -> int:
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(read)
        os.setsid()
        with Path(os.devnull).open("r+b") as nothing:
            for stream in (0, 1, 2):
                os.dup2(nothing.fileno(), stream)
        keep(build(kind, folder), folder, write)
        return 0
    os.close(write)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    print(told.removeprefix("!") or "the keeper ended", file=sys.stderr if not told.isdecimal() else sys.stdout)
    return 0 if told.isdecimal() else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
