# ruff: noqa: INP001 - the services of development are no package
"""A server process with a folder of its own: started, asked, ended, by whoever finds the folder.

Who runs is told by a lock that the service's process inherits and holds as long as it lives: neither a stale file nor
a process id that another program has by now can deceive us.
"""

from __future__ import annotations

import errno
import fcntl
import os
import random
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PAUSE: Final = 0.1  # seconds between two questions to something that starts or ends


class NotHere(Exception):
    """What a service needs is missing, or something is in the way; the text says the mend. Exit code 2."""


@dataclass
class Service:
    """A server of one port with a folder of its own. `command` makes what is missing and says how to run it."""

    name: str
    folder: Path
    port: int
    command: Callable[[], list[str]]
    answers: Callable[[int], bool]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, seconds: float = 120) -> bool:
        """Start it and wait until it answers; False where it ran already. Raises NotHere."""
        begun = self.begin()
        self.await_answer(seconds)
        return begun

    def begin(self) -> bool:
        """Start it without waiting; False where it runs already. Raises NotHere."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / "starting"):
            running = self.running()
            if running is not None:
                if running[1] != self.port:
                    raise NotHere(f"{self.name} runs at port {running[1]}: say `make services-stop` first")
                return False
            if not is_free(self.port):
                raise self._taken()
            command = self.command()
            with self._lock.open("ab") as lock, self.log.open("ab") as log:
                fcntl.flock(lock, fcntl.LOCK_EX)  # who asks whether it runs has it for a moment
                (self.folder / "runs").unlink(missing_ok=True)
                self.process = subprocess.Popen(  # noqa: S603 - our own command line
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    pass_fds=[lock.fileno()],
                    start_new_session=True,  # Ctrl-C at the caller is not meant for it
                )
            replace(self.folder / "runs", f"{self.process.pid} {self.port}\n")
        return True

    def await_answer(self, seconds: float = 120) -> None:
        """Return when it answers. Raises NotHere where it ends instead, or takes longer."""
        until = time.monotonic() + seconds
        while not self.answers(self.port):
            if self.running() is None:
                self._reap()
                if not is_free(self.port):  # somebody was quicker
                    raise self._taken()
                raise NotHere(f"{self.name} ended at once:\n{self._last_words()}")
            if time.monotonic() > until:
                raise NotHere(f"{self.name} does not answer after {seconds:.0f} s:\n{self._last_words()}")
            _pause()

    def running(self) -> tuple[int, int] | None:
        """Its process id and port, or None where it does not run."""
        with suppress(FileNotFoundError), self._lock.open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pid, port = (self.folder / "runs").read_text(encoding="utf-8").split()
                return int(pid), int(port)
        return None

    def stop(self, seconds: float = 60) -> bool:
        """End it in order, by force after so many seconds; False where it did not run."""
        return self._end(signal.SIGTERM, seconds)

    def kill(self) -> None:
        """End it at once, as a machine that dies."""
        self._end(signal.SIGKILL, 60)

    def freeze(self) -> None:
        """Let it stand still: connections stay open and nothing is answered."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    @property
    def log(self) -> Path:
        """What it wrote to its standard output and error."""
        return self.folder / "log.txt"

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"

    def _send(self, number: signal.Signals) -> bool:
        running = self.running()
        if running is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(running[0], number)
        return True

    def _end(self, number: signal.Signals, seconds: float) -> bool:
        if not self.folder.is_dir():
            return False
        with locked(self.folder / "starting"):
            did_run = self._send(number)
            until = time.monotonic() + seconds
            while self.running() is not None:
                if time.monotonic() > until:
                    self._send(signal.SIGKILL)
                _pause()
        self._reap()
        return did_run

    def _reap(self) -> None:
        if self.process is not None:
            self.process.wait()

    def _taken(self) -> NotHere:
        return NotHere(
            f"port {self.port} is taken by another program: end that one, or name another port with "
            f"PXHUB_{self.name.upper()}_PORT"
        )

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([line for line in lines if not line.startswith("\t")][-15:])  # no stack of Java's


def kafka_answers(port: int) -> bool:
    """Whether a broker answers ApiVersions (v0) and knows itself by Metadata (v4)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            versions = _ask_kafka(connection, 18, 0, b"")
            metadata = _ask_kafka(connection, 3, 4, struct.pack(">ib", 0, 0))
    except (OSError, EOFError):
        return False
    return versions[:2] == b"\0\0" and len(metadata) >= 8 and struct.unpack(">i", metadata[4:8])[0] > 0


def _ask_kafka(connection: socket.socket, api: int, version: int, body: bytes) -> bytes:
    request = struct.pack(">hhih", api, version, api, -1) + body  # correlated by the api's number; no client id
    connection.sendall(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", _read(connection, 4))
    return _read(connection, size)[4:]


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def redis_answers(port: int) -> bool:
    """Whether a Redis answers PING: not while it still loads its file."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return _read(connection, 7) == b"+PONG\r\n"
    except (OSError, EOFError):
        return False


def is_free(port: int) -> bool:
    """Whether nobody listens at that port of the loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as wrong:
            if wrong.errno != errno.EADDRINUSE:
                raise NotHere(f"port {port} cannot be used: {wrong.strerror}") from wrong
            return False
    return True


def free_port() -> int:
    """A free port below those that the kernel lends to outgoing connections, so that a restart finds it free again."""
    return next(port for port in iter(lambda: random.randint(20_000, 29_999), 0) if is_free(port))  # noqa: S311


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def replace(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _pause() -> None:
    threading.Event().wait(_PAUSE)
