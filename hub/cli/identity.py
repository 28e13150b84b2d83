"""`pxhub identity`: whose a contact is and why, a link undone, and what other rules would link."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from hub.cli.store import writing
from hub.cli.stored import Format, FormatOption, StoreOption, write_object, write_rows
from hub.contents import CLOUDEVENTS
from hub.identity_preview import contact_ref, logged, of_files, preview
from hub.serve.service import machine_time
from hub.site import read_site
from schemas.errors import WrongUse
from schemas.event import Event
from schemas.instant import write_instant
from schemas.message import Outcome
from streams.core.identity import id_of
from streams.core.linking import WHY, is_decided
from streams.embedded.reader import Reader

identity_app = typer.Typer(
    name="identity",
    help="Whose a contact is: why, undone, and by other rules.",
    no_args_is_help=True,
    add_completion=False,
)
SOURCE: Final = "pxhub/identity"
_LINKS: Final = ("person.linked", "person.unlinked")
_COLUMNS: Final = ("contact", "change", "person", "linked_to", "rule", "score", "evidence", "reason")


@identity_app.command("preview")
def preview_(
    site: Annotated[Path, typer.Option(metavar="FILE", help="The site file with the changed `identity:`.")],
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help="Files and folders.")] = None,
    store: Annotated[Path | None, typer.Option("--store", metavar="DIR", help="The store whose log is asked.")] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With files: the site file in force; else the shipped rules.")
    ] = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE", help="For stamps without an offset.")] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """What a changed rule would link, unlink and leave open, of contacts that name nobody; it writes nothing. Contacts
    and persons go by opaque ids."""
    new = read_site(site).identity
    if (store is None) is not (paths is not None and len(paths) > 0):
        raise WrongUse("name a store with --store, or files, and not both")
    if store is not None:
        told = preview(logged(store), None, new)
    else:
        old = read_site(against).identity if against is not None else type(new)()
        told = preview(of_files(paths or [], site, timezone, machine_time()), old, new)
    if format_ is Format.TABLE:
        rows = [line | {"evidence": ", ".join(line["evidence"])} for line in told["contacts"]]
        if rows:
            write_rows(rows, _COLUMNS, format_)
        typer.echo(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in told["counts"].items()))
    elif format_ is Format.JSON:
        write_object(told, format_, str)
    else:
        write_rows([told["counts"], *told["contacts"]], (), format_)


@identity_app.command("explain")
def explain(
    what: Annotated[str, typer.Argument(metavar="CONTACT|LINK", help="A contact's id, or a link's.")],
    store: StoreOption,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Why a contact was linked, or why not: each decision with its rule, score and kinds of evidence. Exit code 1 for a
    contact that nobody knows."""
    contact, events = _find(store, what)
    steps = [step for seq, event in events if (step := _step(seq, event)) is not None]
    whose = _whose(event for _, event in events)
    value: dict[str, Any] = {"contact": contact, "ref": contact_ref(contact), "person": whose, "steps": steps}

    def shown() -> str:
        lines = [f"contact {contact}: " + (f"person {whose}" if whose is not None else "nobody is linked")]
        return "\n".join(lines + [f"  {step['time']}  {step['said']}" for step in steps])

    write_object(value, format_, shown)


@identity_app.command("undo")
def undo(
    what: Annotated[str, typer.Argument(metavar="CONTACT|LINK", help="A contact's id, or a link's.")],
    store: StoreOption,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Take a contact's link back, as an event of the log: what came of the contact is nobody's again, and no rule links
    it anew. Exit code 1 where nothing is linked, 75 while the store is served: POST a person.unlinked then."""
    contact, events = _find(store, what)
    last = max((e for _, e in events if e.type in _LINKS), key=lambda e: (e.time, e.source, e.id), default=None)
    if last is None or last.type == "person.unlinked":
        typer.echo("nothing is linked here", err=True)
        raise typer.Exit(1)
    with writing(store, None, None, None) as service:
        runtime = service.runtime
        now = runtime.recorded if runtime.by_event else max(machine_time(), runtime.recorded)
        body = {
            "specversion": "1.0",
            "id": f"{last.id}/undone",
            "source": SOURCE,
            "type": "person.unlinked",
            "time": write_instant(max(now, last.time + 1)),
            "data": {"contact_id": contact, "link": last.id},
        }
        message = service.reader.read(CLOUDEVENTS, msgspec.json.encode(body))
        verdict = runtime.take([message], max(now, last.time + 1))[0]
        runtime.apply()
        if runtime.by_event:
            runtime.finish()
        runtime.end()
    if verdict.outcome not in (Outcome.ACCEPTED, Outcome.DUPLICATE):
        raise WrongUse(f"it was not taken: {verdict.reason}")
    value = {"contact": contact, "undone": last.id, "event": body["id"]}
    write_object(value, format_, lambda: f"contact {contact}: link {last.id} undone")


def _find(store: Path, what: str) -> tuple[str, list[tuple[int, Event]]]:
    """A contact and its events, by its id (what stands before `^` is enough where one contact has it), by what stands
    for it, or by a link's id. Exit code 1 where none is."""
    with closing(Reader.open(store)) as reader:
        found: dict[str, list[tuple[int, Event]]] = {}
        meant: str | None = None
        for seq, event, contact in _of_contacts(reader):
            found.setdefault(contact, []).append((seq, event))
            if what in (contact, contact_ref(contact)) or (event.type in _LINKS and event.id == what):
                meant = contact
    if meant is None:
        alike = [contact for contact in found if contact.partition("^")[0] == what]
        if len(alike) > 1:
            raise WrongUse("several systems have a contact of this id: name one whole, as ID^SYSTEM")
        meant = alike[0] if alike else None
    if meant is None:
        typer.echo("there is no such contact or link", err=True)
        raise typer.Exit(1)
    return meant, found[meant]


def _of_contacts(reader: Reader) -> Iterator[tuple[int, Event, str]]:
    for taken in reader.accepted():
        for event in taken.events:
            contact = event.data.get("contact_id")
            if isinstance(contact, str) and contact:
                yield taken.seq, event, contact


def _whose(events: Iterator[Event]) -> str | None:
    """The person of the link that stands."""
    links = sorted((e for e in events if e.type in _LINKS), key=lambda e: (e.time, e.source, e.id))
    surviving = links[-1].data.get("surviving") if links and links[-1].type == "person.linked" else None
    return id_of(str(surviving[0])) if isinstance(surviving, list) and surviving else None


def _step(seq: int, event: Event) -> dict[str, Any] | None:
    """One line of the story of a contact; None for an event that decided nothing."""
    step: dict[str, Any] = {"seq": seq, "time": write_instant(event.time), "event": event.id, "type": event.type}
    if is_decided(event):
        evidence = event.data.get("evidence")
        kinds = list(map(str, evidence)) if isinstance(evidence, list) else []
        person = _whose(iter([event]))
        rule, score = event.data.get("rule"), event.data.get("score")
        said = f"linked to {person} by rule {rule}, score {score}, on {', '.join(kinds)}"
        return step | {"said": said, "person": person, "rule": rule, "score": score, "evidence": kinds}
    if event.type in _LINKS:
        person = _whose(iter([event]))
        return step | {"said": f"linked to {person} by hand" if person else "link taken back by hand"}
    if event.identifiers:
        return step | {"said": f"{event.type} names {id_of(event.identifiers[0])} itself"}
    why = event.data.get(WHY)
    return step | {"said": f"{event.type}: nobody linked, {str(why).replace('_', ' ')}"} if why else None
