"""`pxhub hl7 send` and `pxhub hl7 watch`: HL7 v2 files to a receiver, over MLLP."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hub.address import read_address
from hub.send.messages import Outgoing
from hub.send.run import RETRY_FOR, SendSettings, send_all
from hub.send.tls import read_client_tls
from hub.send.watch import watch as watch_folder
from schemas.errors import TryAgain, WrongUse

To = Annotated[str, typer.Option("--to", metavar="HOST:PORT", help="Who receives.")]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", help="How long an acknowledgement may take.")]
Tls = Annotated[bool, typer.Option("--tls", help="Send over TLS.")]
Ca = Annotated[Path | None, typer.Option(metavar="FILE", help="TLS: who signs the receiver's certificate (PEM).")]
Certificate = Annotated[Path | None, typer.Option(metavar="FILE", help="TLS: our certificate (PEM).")]
Key = Annotated[Path | None, typer.Option(metavar="FILE", help="TLS: its key (PEM).")]


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


def send(  # noqa: PLR0913, PLR0917 - a flag each
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="HL7 v2 files and folders; - is stdin.")],
    to: To,
    connections: Annotated[int, typer.Option(min=1, max=1000, help="How many to send over at once.")] = 1,
    rate: Annotated[float | None, typer.Option(help="Messages a second, over all connections.")] = None,
    timeout: Timeout = 30.0,
    retry_for: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long a message without an answer is sent again.")
    ] = RETRY_FOR,
    tls: Tls = False,  # noqa: FBT002
    ca: Ca = None,
    certificate: Certificate = None,
    key: Key = None,
    format_: Annotated[Format, typer.Option("--format", help="table for people, json for machines.")] = Format.TABLE,
) -> None:
    """Send each message over MLLP and wait for its acknowledgement.

    An acknowledgement counts only for the message whose MSH-10 its MSA-2 names. One that does not come in time is asked
    for again over a new connection, as is one that was lost when the receiver restarted: for --retry-for seconds, with
    0 not at all. Over one connection messages keep their order. With --tls the receiver's certificate must name HOST
    and be signed by --ca, or by whom the system trusts.

    Exit code 0 when every message was accepted (AA) or is kept by the receiver with an error (AE: sending it again
    changes nothing), 1 when one was rejected (AR) or could not be read, and when a file that was named holds none; 75
    when the receiver was given up. What a folder holds beside messages is passed by.
    """
    host, port = read_address("--to", to)
    if rate is not None and rate <= 0:
        raise WrongUse("--rate: messages a second, above zero")
    settings = SendSettings(
        host=host,
        port=port,
        connections=connections,
        rate=rate,
        timeout=_seconds(timeout),
        retry_for=retry_for,
        tls=_tls(ca, certificate, key, wanted=tls),
    )
    outgoing = Outgoing(files)
    sent = asyncio.run(send_all(outgoing, settings, lambda line: typer.echo(line, err=True)))
    report = {**sent.report(), "unreadable": outgoing.unreadable, "files_passed_by": outgoing.passed_by}
    if format_ is Format.JSON:
        typer.echo(json.dumps(report, indent=2))
    else:
        _show(report)
    for fault in outgoing.faults:
        typer.echo(fault, err=True)
    if sent.failed and not sent.lasting:
        again = "send the files again: who knows messages by their id, as pxhub serve does, takes each once"
        raise TryAgain(f"{sent.failed} messages got no answer; {again}")
    if not sent.is_well or outgoing.unreadable or outgoing.faults:
        raise typer.Exit(1)


def watch(  # noqa: PLR0913, PLR0917 - a flag each
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where files are put.")],
    to: To,
    every: Annotated[float, typer.Option(metavar="SECONDS", help="How often to look.")] = 1.0,
    timeout: Timeout = 30.0,
    once: Annotated[bool, typer.Option("--once", help="Send what is there, and end.")] = False,  # noqa: FBT002
    tls: Tls = False,  # noqa: FBT002
    ca: Ca = None,
    certificate: Certificate = None,
    key: Key = None,
) -> None:
    """Send the files that are put into a folder, and move them to done/ or failed/ in it.

    A file is taken when it has stopped growing; names ending in .tmp or .part are left alone, and so are links. After a
    kill the file that was being sent is sent again from its beginning: a receiver that knows messages by their id, as
    pxhub serve does, takes each once. A receiver that cannot be reached is waited for.

    Exit code with --once: 0 when every file was sent, 1 when one failed; 75 when another pxhub watches the folder.
    """
    host, port = read_address("--to", to)
    settings = SendSettings(
        host=host,
        port=port,
        timeout=_seconds(timeout),
        repeats_rejected=True,
        tls=_tls(ca, certificate, key, wanted=tls),
    )
    if every <= 0:
        raise WrongUse("--every: seconds, above zero")
    if not asyncio.run(_until_told(folder, settings, every, once=once)):
        raise typer.Exit(1)


async def _until_told(folder: Path, settings: SendSettings, every: float, *, once: bool) -> bool:
    """Watch until SIGTERM or SIGINT."""
    watching = asyncio.ensure_future(watch_folder(folder, settings, every=every, once=once, say=typer.echo))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, watching.cancel)
    with suppress(asyncio.CancelledError):
        return await watching
    return True


def _seconds(timeout: float) -> float:
    if timeout <= 0:
        raise WrongUse("--timeout: seconds, above zero")
    return timeout


def _tls(ca: Path | None, certificate: Path | None, key: Path | None, *, wanted: bool) -> ssl.SSLContext | None:
    if wanted:
        return read_client_tls(ca, certificate, key)
    if ca is not None or certificate is not None or key is not None:
        raise WrongUse("--ca, --certificate and --key need --tls")
    return None


def _show(report: dict[str, Any]) -> None:
    table = Table(box=None, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in report.items():
        if name != "stopped":
            table.add_row(name.replace("_", " "), "-" if value is None else f"{value:,}")
    Console().print(table)
    if report["stopped"] is not None:
        typer.echo(f"stopped: {report['stopped']}", err=True)
