"""A real FHIR server: HAPI, its jars by Maven, in a Java process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "hapi"
REQUIRED = "PXHUB_REQUIRE_SERVICES"
_MINUTES = 8


def _missing(why: str) -> None:
    """Without the server its tests are left out, unless somebody asked for them to run."""
    told = f"HAPI cannot be started: {why}"
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(told)
    pytest.skip(f"{told}; {REQUIRED}=1 makes this a failure")


def jars() -> Path:
    """The folder of HAPI's jars, fetched once a version of pom.xml (about 60 MB)."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            _missing(f"there is no `{tool}` here (Java 17 and Maven are needed)")
    name = sha256((HERE / "pom.xml").read_bytes()).hexdigest()[:12]
    folder = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "pxhub-tests" / f"hapi-{name}"
    if not folder.exists():
        fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
        command = ["mvn", "-q", "-B", "-f", HERE / "pom.xml", "dependency:copy-dependencies", "-DincludeScope=runtime"]
        done = subprocess.run(
            [*map(str, command), f"-DoutputDirectory={fresh}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_MINUTES * 60,
        )
        if done.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            _missing(f"Maven does not give its jars: {done.stdout[-500:]}")
        try:
            fresh.rename(folder)
        except OSError:  # another worker was quicker
            shutil.rmtree(fresh, ignore_errors=True)
    return folder


@contextmanager
def hapi() -> Iterator[str]:
    """The base of a server that is up."""
    command = ["java", "-Xmx256m", "-cp", f"{jars()}/*", str(HERE / "Served.java")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("ready "):
            process.kill()
            _missing("it ends before it is ready")
        try:
            yield line.removeprefix("ready ").strip()
        finally:
            process.stdin.close()
            process.wait(30)
