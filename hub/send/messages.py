"""The HL7 v2 messages of files and folders, ready to be sent; cut as a replay cuts them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from connectors.api import Reading
from hub.inputs import STANDARD_INPUT, Input, find_inputs
from schemas.errors import WrongUse

_CR: Final = b"\r"


class Outgoing:
    """Iterates over messages. `unreadable` counts what stands in the files and is no message, and files that cannot be
    read to their end; `passed_by` counts files without any message. `faults` names the files that cannot be read, and
    those without any message that were named and not found in a folder. Raises WrongUse for a path that is not there.
    """

    def __init__(self, paths: list[str]) -> None:
        self._inputs: list[Input] = find_inputs(paths)
        self._named: set[str] = {STANDARD_INPUT if path == "-" else str(Path(path)) for path in paths}
        self.faults: list[str] = []
        self.unreadable: int = 0
        self.passed_by: int = 0

    def __iter__(self) -> Iterator[bytes]:
        for input_ in self._inputs:
            messages, strays = 0, 0
            try:
                for _, piece in input_.pieces():
                    if isinstance(piece, Reading):
                        strays += piece.dead is not None
                        continue
                    messages += 1
                    yield with_cr(piece)
            except WrongUse as wrong:
                self.unreadable += 1 + (strays if messages else 0)
                self.faults.append(str(wrong))
                continue
            if messages:
                self.unreadable += strays
            else:
                self.passed_by += 1
                if input_.name in self._named:  # a folder may hold anything; who names a file means it
                    self.faults.append(f"{input_.name}: no HL7 v2 message is in it; nothing of it was sent")


def with_cr(message: bytes) -> bytes:
    """A message with the line ends of HL7 v2, whatever it came with."""
    if b"\n" in message:
        message = message.replace(b"\r\n", _CR).replace(b"\n", _CR)
    return message if message.endswith(_CR) else message + _CR
