"""`pxhub fhir poll` and `pxhub fhir export`: ask a FHIR server, and put what it has through the durable path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from connectors.fhir.bulk import over_group
from connectors.fhir.read import FHIR_SYSTEM
from hub.cli.replay import read_time
from hub.cli.stored import Format, FormatOption, StoreOption, read_span, write_object
from hub.poll.client import FhirClient
from hub.poll.door import PollCounts, poll_again_and_again, tell
from hub.poll.export import Exported, Exporter
from hub.poll.run import Given, checked_hub, run_into, run_to
from hub.poll.search import Asked, Poller
from hub.poll.take import Taker, Takes
from hub.serve.service import Service, machine_time
from hub.site import Site, read_site
from hub.site_asks import UNSAFE, is_safe, wrong_type
from hub.site_fhir import FhirServer, checked_base
from schemas.errors import TryAgain, WrongUse
from schemas.event import SECOND

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

fhir_app = typer.Typer(no_args_is_help=True, help="Ask FHIR servers.")
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")

Url = Annotated[str | None, typer.Argument(metavar="URL", help="The server's base; not needed with --server.")]
Types = Annotated[list[str] | None, typer.Option("--type", metavar="TYPE", help="Ask for this type; repeat it.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Begin there, not where it stopped.")]
SiteOption = Annotated[Path | None, typer.Option(help="The site file: servers, facilities, authorities.")]
Named = Annotated[str | None, typer.Option("--server", metavar="NAME", help="The server's name.")]
Zone = Annotated[
    str | None, typer.Option("--timezone", "--zone", metavar="ZONE", help="For days and stamps without an offset.")
]
Token = Annotated[Path | None, typer.Option("--token-file", metavar="FILE", help="Holds a bearer token.")]
Client = Annotated[str | None, typer.Option("--client-id", metavar="ID", help="Who signs in (SMART).")]
Key = Annotated[Path | None, typer.Option("--key-file", metavar="FILE", help="Its private key: JWK or PEM.")]
Scopes = Annotated[list[str] | None, typer.Option("--scope", metavar="SCOPE", help="Ask for this scope; repeat it.")]


@fhir_app.command("poll")
def poll(  # noqa: PLR0913, PLR0917 - a flag each
    url: Url = None,
    store: Annotated[Path | None, typer.Option(metavar="DIR", help="Take it into this store.")] = None,
    to: Annotated[str | None, typer.Option(metavar="URL", help="Post it to a hub that runs there.")] = None,
    state: Annotated[Path | None, typer.Option(metavar="FILE", help="With --to: remembers how far it is.")] = None,
    types: Types = None,
    since: Since = None,
    every: Annotated[str, typer.Option(metavar="SPAN|once", help="Go on, with so long between two polls.")] = "once",
    overlap: Annotated[str | None, typer.Option(metavar="SPAN", help="How far each search goes back.")] = None,
    site: SiteOption = None,
    server: Named = None,
    timezone: Zone = None,
    token_file: Token = None,
    client_id: Client = None,
    key_file: Key = None,
    scopes: Scopes = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Ask for what changed since the last time, type by type, and take it into a store or post it to a hub.

    Each search goes back behind what was seen last (--overlap, 10m); what comes twice changes nothing. How far each
    type was read stands in the store, or in the file of --state: a poll that was ended goes on where it was.

    Exit code 0 done, 1 a type could not be asked for, 2 wrong use, 75 the server is not there now, or another pxhub
    writes the store.
    """
    given = _given(url, server, site, types, timezone, (token_file, client_id, key_file, scopes))
    asks = given.server.asks
    if overlap is not None:
        asks = replace(asks, overlap=read_span("--overlap", overlap))
    if every != "once":
        asks = replace(asks, every=read_span("--every", every))
    given = given.asking(replace(given.server, asks=asks))
    begin = None if since is None else read_time("--since", since, timezone)

    async def once(taker: Takes, client: FhirClient, log: BoundLogger) -> list[Asked]:
        poller = Poller(client, taker, machine_time, since=begin, log=log)
        if every != "once":
            await poll_again_and_again(poller, client.server, PollCounts(), log)
        found = await poller.poll()
        tell(log, client.server, found)
        return found

    if to is not None and store is None and state is not None:
        found = run_to(given, checked_hub(to), state, once)
    elif store is not None and to is None and state is None:
        found = run_into(given, store, lambda service, client: once(_taker(service, client), client, service.log))
    else:
        raise WrongUse("name --store DIR, or --to URL with --state FILE")
    if found is None:
        return  # it was to go on until it was stopped
    rows = [asked.told() for asked in found]
    report = {"server": given.server.name, "types": rows, **_sums(rows)}
    write_object(report, format_, lambda: _poll_words(found))
    _exit([(asked.failed, asked.passes) for asked in found])


@fhir_app.command("export")
def export(  # noqa: PLR0913, PLR0917 - a flag each
    store: StoreOption,
    url: Url = None,
    group: Annotated[str | None, typer.Option(metavar="ID", help="Only the patients of this Group.")] = None,
    patients: Annotated[bool, typer.Option("--patients", help="Only what is of patients.")] = False,  # noqa: FBT002
    types: Types = None,
    since: Since = None,
    site: SiteOption = None,
    server: Named = None,
    timezone: Zone = None,
    token_file: Token = None,
    client_id: Client = None,
    key_file: Key = None,
    scopes: Scopes = None,
    download_hosts: Annotated[
        list[str] | None, typer.Option("--download-host", metavar="HOST", help="Its files may lie there; repeat it.")
    ] = None,
    within: Annotated[str, typer.Option(metavar="SPAN", help="How long the server may take to make it.")] = "6h",
    format_: FormatOption = Format.TABLE,
) -> None:
    """Have a server export what it has (Bulk Data), or what changed since the last export, and take it into a store.

    An export that is under way when this ends is gone on with by the next call. Exit codes as of `fhir poll`.
    """
    given = _given(url, server, site, types, timezone, (token_file, client_id, key_file, scopes))
    if download_hosts:
        hosts = frozenset(host.lower() for host in download_hosts)
        given = given.asking(replace(given.server, asks=replace(given.server.asks, download_hosts=hosts)))
    begin = None if since is None else read_time("--since", since, timezone)
    span = read_span("--within", within) / SECOND
    if group is not None and patients:
        raise WrongUse("--group or --patients, not both")
    over = over_group(group) if group is not None else "Patient" if patients else ""

    async def once(service: Service, client: FhirClient) -> Exported:
        exporter = Exporter(
            client, _taker(service, client), machine_time, over=over, since=begin, within=span, log=service.log
        )
        return await exporter.export()

    done = run_into(given, store, once)
    if done is None:
        raise TryAgain("it was stopped; the next call goes on with the same export")
    write_object({"server": given.server.name, **done.told()}, format_, lambda: _export_words(done))
    _exit([(done.failed, done.passes)])


_SignIn = tuple[Path | None, str | None, Path | None, list[str] | None]


def _given(
    url: str | None,
    name: str | None,
    path: Path | None,
    types: Sequence[str] | None,
    timezone: str | None,
    sign_in: _SignIn,
) -> Given:
    """The server that is meant, by its name in the site file or by its URL. Raises WrongUse."""
    site = read_site(path) if path is not None else Site()
    found = _of_site(site, url, name)
    server = found or _of_url(url, name, timezone)
    wrong = wrong_type(tuple(types or ()))
    if wrong is not None:
        raise WrongUse(f"--type {wrong}")
    if types:
        server = replace(server, asks=replace(server.asks, types=tuple(dict.fromkeys(types))))
    return Given(_signed(server, sign_in), path, timezone, declared=found is not None)


def _of_site(site: Site, url: str | None, name: str | None) -> FhirServer | None:
    if name is not None:
        found = site.fhir.get(name)
    else:
        found = next((s for s in site.fhir.values() if url is not None and s.base == url.rstrip("/")), None)
    if found is None:
        return None
    if found.base is None:
        raise WrongUse(f"--server {found.name}: name its `base:` in the site file")
    if url is not None and url.rstrip("/") != found.base:
        raise WrongUse(f"--server {found.name}: its base in the site file is another URL; leave the URL out")
    return found


def _of_url(url: str | None, name: str | None, timezone: str | None) -> FhirServer:
    if url is None:
        raise WrongUse("name the server's URL, or with --site FILE --server NAME one of the site file")
    if name is not None and (name == FHIR_SYSTEM or not _NAME.fullmatch(name)):
        raise WrongUse("--server: a name is small letters, digits and `-`, at most 40, and not `fhir`")
    base = checked_base(url)
    if base is None:
        raise WrongUse("URL: a whole address without user, password or query is expected, as https://ehr.example/fhir")
    return FhirServer(name=name or FHIR_SYSTEM, base=base, zone=timezone)


def _signed(server: FhirServer, sign_in: _SignIn) -> FhirServer:
    token_file, client_id, key_file, scopes = sign_in
    if (client_id is None) != (key_file is None):
        raise WrongUse("--client-id and --key-file go together: who signs in, and with which private key")
    if token_file is not None and client_id is not None:
        raise WrongUse("--token-file or --client-id, not both")
    if client_id is not None:
        asks = replace(server.asks, client_id=client_id, key_file=key_file, scopes=tuple(scopes or ()))
        server = replace(server, token_file=None, asks=asks)
    elif scopes:
        server = replace(server, asks=replace(server.asks, scopes=tuple(scopes)))
        if server.asks.client_id is None:
            raise WrongUse("--scope is asked for at the sign-in: name --client-id and --key-file")
    if token_file is not None:
        server = replace(server, token_file=token_file, asks=replace(server.asks, client_id=None, key_file=None))
    shows = server.token_file is not None or server.asks.client_id is not None
    if shows and server.base is not None and not is_safe(server.base):
        raise WrongUse(f"URL {UNSAFE}")
    return server


def _taker(service: Service, client: FhirClient) -> Taker:
    return Taker(service.intake, client.server.name)


_COUNTS: Final = ("resources", "accepted", "duplicates", "ignored", "dead_letters")


def _sums(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    return {name: sum(row[name] for row in rows) for name in _COUNTS}


def _poll_words(found: Sequence[Asked]) -> str:
    lines = []
    for asked in found:
        if asked.failed is not None:
            lines.append(f"{asked.type}: {asked.failed}")
        told = ", ".join(f"{getattr(asked, name):,} {name.replace('_', ' ')}" for name in _COUNTS)
        lines.append(f"{asked.type}: {told}")
        if asked.undated:
            lines.append(f"{asked.type}: {asked.undated:,} without lastUpdated: their changes cannot be asked for")
    return "\n".join(lines)


def _export_words(done: Exported) -> str:
    told = ", ".join(f"{getattr(done, name):,} {name.replace('_', ' ')}" for name in _COUNTS)
    lines = [f"{done.files:,} files, {told}"]
    if done.errors:
        lines.append(f"{done.errors:,} files of errors: the server says that it could not export everything")
    if done.failed is not None:
        lines.append(done.failed)
    return "\n".join(lines)


def _exit(failures: Sequence[tuple[str | None, bool]]) -> None:
    """1 where something was refused, 75 where all that failed may go well some time later."""
    failed = [passes for told, passes in failures if told is not None]
    if failed:
        raise typer.Exit(75 if all(failed) else 1)
