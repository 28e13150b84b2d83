# ruff: noqa: INP001 - the services of development are no package
"""What the services are made of: java, Kafka's jars, redis-server. Found, or brought where that can be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.services.running import NotHere, locked

KAFKA: Final = "4.1.0"
HERE: Final = Path(__file__).resolve().parent
_JAVA: Final = 17  # Kafka 4's brokers want it


def fetch_jars() -> Path:
    """The folder of the broker's jars, copied by Maven where it is not there yet. Raises NotHere."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pxhub"
    jars = cache / f"kafka-{KAFKA}"
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / f"kafka-{KAFKA}.lock"):
        if not jars.is_dir():
            maven = shutil.which("mvn")
            if maven is None:
                raise NotHere("mvn is missing: install Maven (Debian: apt-get install maven); it brings Kafka's jars")
            part = Path(tempfile.mkdtemp(dir=cache))
            goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={part}"]
            try:
                run([maven, "-q", "-B", "-f", str(HERE / "pom.xml"), *goal], "Maven cannot bring Kafka's jars")
                part.rename(jars)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return jars


def find_java() -> str:
    """The java to run a broker with. Raises NotHere."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    mend = f"install Java {_JAVA} or later (Debian: apt-get install openjdk-{_JAVA}-jre-headless)"
    if java is None or not Path(java).exists():
        raise NotHere(f"java is missing: {mend}")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 - as above
    version = re.search(r'version "(\d+)', told.stderr + told.stdout)
    if version is None or int(version[1]) < _JAVA:
        raise NotHere(f"java is too old: {mend}, and let JAVA_HOME name it")
    return java


REDIS_MEND: Final = (
    "install Redis 7 or later (Debian, as root: apt-get install redis-server; macOS: brew install redis)"
)


def find_redis() -> str | None:
    return shutil.which("redis-server")


def ensure_redis() -> None:
    """Install redis-server by apt where it is missing and we are root. Raises NotHere."""
    apt = shutil.which("apt-get")
    if find_redis() is not None:
        return
    if apt is None or os.geteuid() != 0:
        raise NotHere(f"redis-server is missing: {REDIS_MEND}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = [apt, "-q", "-y", "-o", "DPkg::Lock::Timeout=300", "install", "--no-install-recommends", "redis-server"]
    told = "apt-get cannot install redis-server"
    with _nothing_starts():
        try:
            run(install, told, environment)
        except NotHere:  # its lists may be missing or old
            run([apt, "-q", "update"], "apt-get cannot renew its lists", environment)
            run(install, told, environment)


@contextmanager
def _nothing_starts() -> Iterator[None]:
    """Debian starts what it installs, at the port that we want; a policy file that answers 101 keeps it from that."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def run(command: list[str], told: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(  # noqa: S603 - our own command line
        command, capture_output=True, text=True, errors="replace", check=False, env=environment
    )
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-10:])
        raise NotHere(f"{told}:\n{last}")
