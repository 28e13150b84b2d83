"""`pxhub demo`: the first screen."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import typer
from rich.console import Console

from hub.demo import Week, play_week, show_week
from hub.simulate import Simulation, write_clinic

# Enough people for a Tuesday that one can see, few enough for a few seconds.
_PEOPLE = 800
_NARROWEST, _WIDEST = 80, 118


def demo() -> None:
    """Simulate a clinic's week, replay it, and show which promises were broken, one of them explained."""
    simulation = Simulation(people=_PEOPLE)
    with TemporaryDirectory(prefix="pxhub-demo-") as folder:
        write_clinic(simulation, Path(folder))
        began = time.monotonic()
        result = play_week(simulation, Path(folder))
        seconds = time.monotonic() - began
    _show(Week(simulation=simulation, result=result, seconds=seconds))


def _show(week: Week) -> None:
    terminal = Console()
    if terminal.is_terminal:
        show_week(week, Console(width=min(max(terminal.width, _NARROWEST), _WIDEST)))
        return
    plain = Console(width=_WIDEST)
    with plain.capture() as captured:
        show_week(week, plain)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
