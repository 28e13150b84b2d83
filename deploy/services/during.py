# ruff: noqa: INP001, T201 - the services of development are no package, and this is a command
"""Run a command with a Kafka and a Redis of its own, on free ports, which end and are forgotten afterwards.

    python3 deploy/services/during.py COMMAND...

`{kafka}` and `{redis}` in the command become the addresses. The exit code is the command's.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

if __name__ == "__main__" and not __package__:  # run as a script it finds its own folder, not the project's
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from deploy.services.programs import ensure_redis
from deploy.services.running import NotHere, free_port
from deploy.services.services import kafka, redis


def main(command: list[str]) -> int:
    with TemporaryDirectory(prefix="pxhub-services-") as folder:
        services = [kafka(Path(folder) / "kafka", free_port()), redis(Path(folder) / "redis", free_port())]
        try:
            ensure_redis()
            for service in services:
                service.begin()
            for service in services:
                service.await_answer()
            found = {"kafka": f"127.0.0.1:{services[0].port}", "redis": f"redis://127.0.0.1:{services[1].port}/0"}
            return subprocess.run([part.format(**found) for part in command], check=False).returncode  # noqa: S603 - the caller's own
        except NotHere as wrong:
            print(wrong, file=sys.stderr)
            return 2
        finally:
            for service in services:
                service.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
