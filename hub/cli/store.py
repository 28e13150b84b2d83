"""`pxhub store`, `events` and `dead-letters`: a store looked into and looked after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from hub.cli.replay import read_time
from hub.cli.stored import Format, FormatOption, StoreOption, judged, read_keep, write_object, write_rows
from hub.contents import CLOUDEVENTS
from hub.serve.service import ServeSettings, Service, machine_time
from hub.store_replay import outcomes
from hub.stored import recall
from hub.telemetry import start_telemetry
from schemas.errors import StoreFailed, WrongUse
from schemas.event import Event
from schemas.instant import write_instant
from schemas.message import Outcome
from streams.core.linking import ANSWERS, is_decided
from streams.embedded.entries import Entry
from streams.embedded.purge import Purge
from streams.embedded.purged import read_purged
from streams.embedded.reader import Reader
from streams.embedded.upkeep import (
    back_up,
    find_differences,
    find_faults,
    open_letters,
    remap,
    replay_letters,
    restore,
    settle,
)

store_app = typer.Typer(name="store", help="Look after a store.", no_args_is_help=True, add_completion=False)
events_app = typer.Typer(name="events", help="The events of a store.", no_args_is_help=True, add_completion=False)
letters_app = typer.Typer(
    name="dead-letters", help="What could not be taken.", no_args_is_help=True, add_completion=False
)

events_app.callback()(lambda: None)  # typer takes a group of one command for that command


@store_app.command("stats")
def stats(store: StoreOption, format_: FormatOption = Format.TABLE) -> None:
    """How much a store holds: the four counts by kind and reason, the alerts by state, the clock, the bytes."""
    reader = Reader.open(store)
    tallies = reader.tallies()
    counts, _ = outcomes(reader)
    value: dict[str, Any] = {
        "messages": sum(counts.values()),
        "accepted": counts[Outcome.ACCEPTED],
        "duplicates": counts[Outcome.DUPLICATE],
        "ignored": counts[Outcome.IGNORED],
        "dead_letters": counts[Outcome.DEAD],
        "by_reason": [
            {"source_kind": kind, "outcome": outcome, "reason": reason or None, "messages": count}
            for (kind, outcome, reason), count in sorted(tallies.items())
        ],
        "alerts": dict(reader.rows("SELECT state, count(*) FROM alert GROUP BY state ORDER BY state")),
        "transitions": reader.last_cursor(),
        "open_dead_letters": len(open_letters(reader)),
        "clock": write_instant(reader.position().clock),
        "bytes": sum(path.stat().st_size for path in store.iterdir() if path.is_file()),
    }
    write_object(value, format_, lambda: _as_lines(value))


def _as_lines(value: dict[str, Any]) -> str:
    lines = []
    for name, told in value.items():
        if isinstance(told, dict):
            told = ", ".join(f"{count:,} {what}" for what, count in told.items()) or "none"
        elif isinstance(told, list):
            continue
        elif isinstance(told, int):
            told = f"{told:,}"
        lines.append(f"{name.replace('_', ' '):<18} {told}")
    return "\n".join(lines)


@store_app.command("check")
def check(store: StoreOption, format_: FormatOption = Format.TABLE) -> None:
    """Make the state again from the log and compare it with what is stored. Exit code 1 where they differ."""
    stands = judged(store, whole=True)
    stored = stands.reader.alerts()
    faults = find_faults(stands.reader) + find_differences(stands.reader, stored, stands.made)
    value = {"well": not faults, "entries": stands.reader.last_seq(), "alerts": len(stored), "faults": faults}
    said = (
        "\n".join(faults) or f"well: {value['entries']:,} messages give the {value['alerts']:,} alerts that are stored"
    )
    write_object(value, format_, lambda: said)
    if faults:
        raise typer.Exit(1)


@store_app.command("purge")
def purge(
    store: StoreOption,
    keep: Annotated[str, typer.Option(metavar="SPAN", help="How long what came is kept.")] = "400 days",
    format_: FormatOption = Format.TABLE,
) -> None:
    """Let go of what was recorded longer ago, and of alerts that ended then; what is open stays. Exit code 75 while the
    store is served: pxhub serve --keep does the same by itself."""
    with writing(store, None, None, None) as service:
        before = read_purged(service.store)
        runtime = service.runtime
        now = runtime.recorded if runtime.by_event else max(machine_time(), runtime.recorded)
        Purge(now - read_keep(keep)).finish(runtime)
        after = read_purged(service.store)
    value = {
        "messages": sum(after.messages.values()) - sum(before.messages.values()),
        "before": write_instant(after.before) if after.before else None,
        "entries": after.upto,
    }
    said = f"{value['messages']:,} messages purged; the log begins behind number {value['entries']:,}"
    write_object(value, format_, lambda: said)


@store_app.command("backup")
def backup(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    store: StoreOption,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Copy a store to one file, also while it is served."""
    size = back_up(store, to)
    write_object({"file": str(to), "bytes": size}, format_, lambda: f"{to}: {size:,} bytes")


@store_app.command("restore")
def restore_(
    backup: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    store: StoreOption,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Make a store of a backup, in a folder that holds none."""
    restore(backup, store)
    said = f"{store}: restored; pxhub store check --store {store} compares it with its log"
    write_object({"store": str(store), "file": str(backup)}, format_, lambda: said)


@store_app.command("remap")
def remap_(
    store: StoreOption,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Recorded then or later.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Recorded then or before.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="The mended mapping laid over the shipped one.")] = None,
    site: Annotated[Path | None, typer.Option(help="The mended site file.")] = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE", help="For stamps without an offset.")] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Run a mended mapping over the raw messages of a period, and judge all anew. Exit code 75 while the store is
    served. Dead letters are for dead-letters replay."""
    with writing(store, mapping, site, timezone) as service:
        zone = service.settings.timezone
        begin = 0 if since is None else read_time("--since", since, zone)
        end = 2**62 if until is None else read_time("--until", until, zone)
        counts = remap(service.runtime, service.reader.read, begin, end)
    said = f"{counts['messages']:,} messages read again: {counts['changed']:,} say something else now"
    write_object(dict(counts), format_, lambda: said)


@events_app.command("show")
def events(
    store: StoreOption,
    person: Annotated[str | None, typer.Option(help="Only those of this person: an id or an identifier.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only those of this type.")] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """The events in the order of the log; as NDJSON the CloudEvents as stored."""
    stands = judged(store) if person is not None else None
    found = None if stands is None or person is None else stands.find_person(person)
    if person is not None and found is None:
        typer.echo("nobody is known by this id or identifier", err=True)
        raise typer.Exit(1)
    reader = stands.reader if stands is not None else Reader.open(store)

    def wanted(event: Event) -> bool:
        if type_ is not None and event.type != type_:
            return False
        if stands is None:
            return True
        return stands.engine.identity.id(stands.engine.identity.person_of(event)) == found

    told = (
        (entry, event)
        for entry in reader.entries(where="outcome = 'accepted'")
        for event in entry.events or ()
        if wanted(event)
    )
    if format_ is Format.TABLE:
        rows: Iterator[dict[str, Any]] = (
            {"seq": entry.seq, "time": write_instant(event.time), "type": event.type, "source": event.source,
             "id": event.id}
            for entry, event in told
        )  # fmt: skip
        write_rows(rows, ("seq", "time", "type", "source", "id"), format_)
    else:
        write_rows((as_cloudevent(entry, event) for entry, event in told), (), format_)


def as_cloudevent(entry: Entry, event: Event) -> dict[str, Any]:
    """An event of the log as a CloudEvent: one that came as such as it was sent, with `recorded` beside it."""
    recorded = write_instant(entry.recorded)
    if entry.kind == CLOUDEVENTS and not is_decided(event):
        try:
            told: dict[str, Any] = msgspec.json.decode(entry.raw)
        except (msgspec.MsgspecError, ValueError) as wrong:
            raise StoreFailed("a row of the log is damaged; restore a backup") from wrong
        if answers := {name: event.data[name] for name in ANSWERS if name in event.data}:
            told["data"] = (told.get("data") or {}) | answers
        return told | {"recorded": recorded}
    whole = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": write_instant(event.time),
        "recorded": recorded,
        "datacontenttype": "application/json",
        "data": event.data | ({"identifiers": list(event.identifiers)} if event.identifiers else {}),
    }
    for name in ("facility", "sensitivity"):
        if (value := getattr(event, name)) is not None:
            whole[name] = value
    return whole


@letters_app.command("list")
def letters(
    store: StoreOption,
    all_: Annotated[bool, typer.Option("--all", help="Those that were settled too.")] = False,  # noqa: FBT002
    format_: FormatOption = Format.TABLE,
) -> None:
    """The dead letters that nobody settled yet: why, where, and what to do about it."""
    reader = Reader.open(store)
    rows = reader.rows(
        "SELECT seq, recorded, kind, source, dead_letter.reason, place, mend, state FROM dead_letter "
        "JOIN log USING (seq) WHERE state = 'open' OR ? ORDER BY seq",
        all_,
    )
    names = ("id", "recorded", "source_kind", "source", "reason", "place", "mend", "state")
    told = (  # without a time where nothing that was taken told one: by event time there is no other
        {**dict(zip(names, row, strict=True)), "recorded": write_instant(row[1]) if row[1] > 0 else None}
        for row in rows
    )
    write_rows(told, ("id", "recorded", "source_kind", "reason", "place", "mend", "state"), format_)


@letters_app.command("show")
def letter(
    id_: Annotated[int, typer.Argument(metavar="ID")],
    store: StoreOption,
    raw: Annotated[bool, typer.Option("--raw", help="Write the bytes as they came, and nothing else.")] = False,  # noqa: FBT002
    format_: FormatOption = Format.TABLE,
) -> None:
    """One dead letter, whole. Exit code 1 if there is none of this number. What it shows is a patient's."""
    found = Reader.open(store).rows(
        "SELECT log.raw, dead_letter.reason, place, mend, state FROM dead_letter JOIN log USING (seq) WHERE seq = ?",
        id_,
    )
    if not found:
        typer.echo(f"{id_}: there is no such dead letter", err=True)
        raise typer.Exit(1)
    content, reason, place, mend, state = found[0]
    if raw:
        typer.get_binary_stream("stdout").write(content)
        return
    text = content.decode("utf-8", "replace").replace("\r", "\n")
    value = {"id": id_, "reason": reason, "place": place, "mend": mend, "state": state, "message": text}
    write_object(value, format_, lambda: f"{reason} at {place}: {mend}  ({state})\n\n{text}")


@letters_app.command("replay")
def replay_(
    store: StoreOption,
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="ID...", help="All that are open, if none is named.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="A mended mapping laid over the shipped one.")] = None,
    site: Annotated[Path | None, typer.Option(help="The mended site file.")] = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE", help="For stamps without an offset.")] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Read dead letters again, with what was mended; those that are well now are taken. Exit code 75 while the store
    is served, 1 if some are still dead, or one that is named is not there or settled already."""
    with writing(store, mapping, site, timezone) as service:
        reader = service.store.reader()
        wanted = ids or open_letters(reader)
        reader.close()
        verdicts = replay_letters(service.runtime, service.reader.read, wanted, machine_time())
    rows = [
        {
            "id": seq,
            "outcome": verdict.outcome.value,
            "reason": verdict.reason,
            "place": verdict.place,
            "mend": verdict.mend,
        }
        for seq, verdict in verdicts.items()
    ]
    write_rows(rows, ("id", "outcome", "reason", "place", "mend"), format_)
    missing = _tell_missing(seq for seq in dict.fromkeys(ids or ()) if seq not in verdicts)
    if missing or any(verdict.outcome is Outcome.DEAD for verdict in verdicts.values()):
        raise typer.Exit(1)


@letters_app.command("drop")
def drop(
    ids: Annotated[list[int], typer.Argument(metavar="ID...")],
    store: StoreOption,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Settle dead letters that nobody will mend; they stay in the log and in the counts. Exit code 75 while the store
    is served, 1 if one is not there or settled already."""
    with writing(store, None, None, None) as service:
        dropped = {seq: settle(service.store, seq, "dropped", machine_time()) for seq in dict.fromkeys(ids)}
    rows = ({"id": seq, "state": "dropped"} for seq, is_dropped in dropped.items() if is_dropped)
    write_rows(rows, ("id", "state"), format_)
    if _tell_missing(seq for seq, is_dropped in dropped.items() if not is_dropped):
        raise typer.Exit(1)


def _tell_missing(ids: Iterable[int]) -> bool:
    """Say of each that it is no dead letter that waits; whether there were any."""
    missing = list(ids)
    for seq in missing:
        typer.echo(f"{seq}: there is no such open dead letter", err=True)
    return bool(missing)


def writing(store: Path, mapping: Path | None, site: Path | None, timezone: str | None) -> Service:
    """The store opened for writing, with what it was served with unless something else is named."""
    reader = Reader.open(store)
    declared = recall(reader)
    reader.close()
    if declared is None:
        raise WrongUse(f"{store}: nothing was taken into this store yet")
    settings = ServeSettings(
        store=store,
        thresholds=None,
        mapping=mapping or (Path(declared.mapping) if declared.mapping is not None else None),
        site=site or (Path(declared.site[0]) if declared.site is not None else None),
        timezone=timezone or declared.timezone,
        clock=declared.clock,
        takes_tests=declared.takes_tests,
    )
    return Service(settings, start_telemetry(), judged_by=declared)
