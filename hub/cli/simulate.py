"""`pxhub simulate`: a folder of HL7 v2, FHIR and calls from a clinic that does not exist."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from hub.simulate import SITE_FILE, Simulation, write_clinic

_DEFAULT = Simulation()


def simulate(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write to; made if it is not there.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same messages, byte for byte.")] = _DEFAULT.seed,
    start: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="The first day; a Monday is usual.")
    ] = datetime.combine(_DEFAULT.start, datetime.min.time()),  # noqa: B008 - a constant
    weeks: Annotated[int, typer.Option(min=1, help="How many weeks.")] = _DEFAULT.weeks,
    patients: Annotated[int, typer.Option(min=1, help="How many people belong to the clinic.")] = _DEFAULT.people,
    zone: Annotated[str, typer.Option(help="Where the clinic stands: an IANA zone.")] = _DEFAULT.zone,
) -> None:
    """Write a simulated clinic's week: HL7 v2.5.1, FHIR R4 of its portal, calls of its contact center, its site file.

    Nobody in it is real. The first Tuesday goes wrong on purpose: the analyser breaks down and the emergency
    department fills up.
    """
    simulation = Simulation(seed=seed, start=start.date(), weeks=weeks, people=patients, zone=zone)
    told = write_clinic(simulation, out)
    width = max(len(file) for file in told.bytes_by_file)
    typer.echo(f"{told.said.messages:,} messages, {simulation.start} to {simulation.last}, in {out}")
    for file, size in told.bytes_by_file.items():
        typer.echo(f"  {file:<{width}}  {size / 1e6:8.2f} MB")
    typer.echo(f"Next: pxhub replay {out} --site {out / SITE_FILE}")
