"""`pxhub demo`: the first screen."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from hub.demo import Week, show_week
from hub.live_demo import play_live
from hub.simulate import Simulation, write_clinic

# Enough people for a Tuesday that one can see, few enough for a few seconds.
_PEOPLE = 800
_TOLD_OF_EACH = 2  # breaches of a threshold that are said as they fire
_NARROWEST, _WIDEST = 80, 118


def demo() -> None:
    """Send a simulated clinic's week to a server of its own; show which promises were broken, one of them explained.

    The one that is explained rests on HL7 v2, FHIR and calls together: none of the three alone could have raised it.
    """
    simulation = Simulation(people=_PEOPLE)
    with TemporaryDirectory(prefix="pxhub-demo-") as folder:
        written = write_clinic(simulation, Path(folder))
        typer.echo(
            "\nA clinic's week is sent to a pxhub serve of its own: HL7 v2 over MLLP, FHIR to /fhir, calls to /v1/hooks"
            "\nAlerts as they fire:\n"
        )
        told = _Told(simulation.zone)
        played = play_live(simulation, Path(folder), told.tell)
    told.rest()
    week = Week(
        simulation=simulation, said=written.said, result=played.result, seconds=played.seconds, alone=played.alone
    )
    _show(week)


class _Told:
    """Says the first breaches of each threshold as they fire, and counts the rest."""

    def __init__(self, zone: str) -> None:
        self._zone: ZoneInfo = ZoneInfo(zone)
        self._by_threshold: Counter[str] = Counter()
        self._untold: int = 0

    def tell(self, change: dict[str, Any]) -> None:
        if change["mode"] != "live" or change["state"] != "breached":
            return
        self._by_threshold[change["threshold"]] += 1
        if self._by_threshold[change["threshold"]] > _TOLD_OF_EACH:
            self._untold += 1
            return
        at = datetime.fromisoformat(change["fired_at"]).astimezone(self._zone)
        typer.echo(f"  {at:%a %H:%M}  {change['severity']:<8}  {change['threshold']:<30}  {change['reason']}"[:_WIDEST])

    def rest(self) -> None:
        if self._untold:
            typer.echo(f"  and {self._untold} more of these")


def _show(week: Week) -> None:
    terminal = Console()
    if terminal.is_terminal:
        show_week(week, Console(width=min(max(terminal.width, _NARROWEST), _WIDEST)))
        return
    plain = Console(width=_WIDEST)
    with plain.capture() as captured:
        show_week(week, plain)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
