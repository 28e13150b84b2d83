"""`pxhub demo`: the first screen."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from hub.demo import Week, play_week, show_week
from hub.simulate import Simulation, write_clinic

# Enough people for a Tuesday that one can see, few enough for a few seconds.
_PEOPLE = 800
_WIDEST = 118


def demo() -> None:
    """Simulate a clinic's week, replay it, and show which promises were broken, one of them explained."""
    console = Console()
    if console.width > _WIDEST or not console.is_terminal:
        console = Console(width=_WIDEST)
    simulation = Simulation(people=_PEOPLE)
    with TemporaryDirectory(prefix="pxhub-demo-") as folder:
        write_clinic(simulation, Path(folder))
        began = time.monotonic()
        result = play_week(Path(folder))
        seconds = time.monotonic() - began
    show_week(Week(simulation=simulation, result=result, seconds=seconds), console)
