"""A worker in a process of its own, read line by line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_CODE = "from hub.__main__ import main; main()"


class Worker:
    """`pxhub work`, or another program that says facts on standard error."""

    def __init__(self, command: list[str]) -> None:
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=dict(os.environ)
        )

    def await_line(self, part: str) -> str:
        """Read until a line has this in it; fails where the process ends before."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))
            if part in line:
                return line
        raise AssertionError(f"it ended without {part!r}: {self.lines}")

    def await_fact(self, name: str) -> dict[str, Any]:
        """Read until a fact of this name."""
        told: dict[str, Any] = json.loads(self.await_line(f'"event": "{name}"'))
        return told

    def await_end(self) -> int:
        """Read to the end; the exit code."""
        assert self.process.stderr is not None
        self.lines += [line.rstrip("\n") for line in self.process.stderr]
        return self.process.wait()


@contextmanager
def worker(stage: str, kafka: str, redis: str, *more: str) -> Iterator[Worker]:
    """`pxhub work STAGE`, killed at the end where it still runs."""
    with program([sys.executable, "-c", _CODE, "work", stage, "--kafka", kafka, "--redis", redis, *more]) as running:
        yield running


@contextmanager
def program(command: list[str]) -> Iterator[Worker]:
    """Any program, killed at the end where it still runs."""
    running = Worker(command)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        if running.process.stderr is not None:
            running.process.stderr.close()
