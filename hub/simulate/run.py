"""From a few numbers to a folder of messages: HL7 v2 by interface, FHIR of the portal, bodies of the contact center."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfoNotFoundError

from hub.simulate.clinic import INTERFACES
from hub.simulate.load import Load, first_tuesday, planned_outages
from hub.simulate.people import People
from hub.simulate.voices import CALLS_FILE, PORTAL_FILE, Voices
from hub.simulate.wall import Wall
from hub.simulate.week import programme
from hub.simulate.world import Outbox, World, Write
from schemas.errors import WrongUse

SITE_FILE: Final = "site.yaml"
README_FILE: Final = "README.txt"
SECRET_FILE: Final = "contact-center.secret"  # noqa: S105 - a file's name
MESSAGE_FILES: Final = (*(interface.file for interface in INTERFACES), PORTAL_FILE, CALLS_FILE)
"""The files that hold messages; beside them lie the site file, a note and the contact center's secret."""
_ZONE_MARK: Final = "ZONE-OF-THE-CLINIC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What is simulated: `weeks` of seven days from `start`, for a clinic to which `people` belong.

    `zone` is an IANA name; the stamps of most systems are the wall clock of it, without an offset.
    """

    seed: int = 7
    start: date = date(2026, 3, 2)
    weeks: int = 1
    people: int = 300
    zone: str = "America/New_York"

    def __post_init__(self) -> None:
        if self.weeks < 1 or self.people < 1:
            raise WrongUse("a simulation needs at least one week and one person")
        if self.start.year < 1971 or self.start.year > 2200:
            raise WrongUse("a simulation starts between 1971 and 2200")
        try:
            Wall(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise WrongUse("the zone is not known; use an IANA name such as Europe/Berlin") from error

    @property
    def last(self) -> date:
        return self.start + timedelta(days=7 * self.weeks - 1)

    @property
    def end(self) -> int:
        """Midnight after the last day, in seconds since the epoch."""
        return Wall(self.zone).at(self.last + timedelta(days=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How much each voice said: messages of HL7 v2, resources of FHIR, bodies of the contact center."""

    hl7: int
    fhir: int
    calls: int

    @property
    def messages(self) -> int:
        return self.hl7 + self.fhir + self.calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a simulation wrote: what each voice said, and how many bytes each file has."""

    said: Said
    bytes_by_file: Mapping[str, int]


def simulate(simulation: Simulation, write_by_file: Mapping[str, Write]) -> Said:
    """Let the clinic run; hand each message, as text, to the writer of its file; return how many there were.
    Who does not need the portal or the calls leaves out its writer."""
    wall = Wall(simulation.zone)
    voices = Voices(
        seed=simulation.seed,
        wall=wall,
        write_portal=write_by_file.get(PORTAL_FILE, _unheard),
        write_call=write_by_file.get(CALLS_FILE, _unheard),
    )
    outbox = Outbox(dict(write_by_file), wall=wall, outages=planned_outages(wall, simulation.start))
    world = World(
        seed=simulation.seed,
        people=People(seed=simulation.seed, count=simulation.people, today=simulation.start),
        load=Load(wall, first_tuesday(simulation.start)),
        outbox=outbox,
        voices=voices,
        first=simulation.start,
        last=simulation.last,
    )
    world.begin(programme(world))
    world.run()
    return Said(hl7=outbox.sent, fhir=voices.portal.sent, calls=voices.connect.sent)


def _unheard(_: str) -> None:
    """Nobody listens to this voice."""


def write_clinic(simulation: Simulation, folder: Path) -> Told:
    """Write a file for each interface, the portal and the contact center, the site file, a secret and a note into
    `folder`, which is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as opened:
            write_by_file = {
                file: opened.enter_context(
                    (folder / file).open("w", encoding="utf-8", newline="", buffering=1 << 18)
                ).write
                for file in MESSAGE_FILES
            }
            said = simulate(simulation, write_by_file)
        (folder / SITE_FILE).write_text(site_file(simulation.zone), encoding="utf-8")
        (folder / SECRET_FILE).write_text(_secret(simulation.seed), encoding="ascii")
        (folder / README_FILE).write_text(_next_step(folder, simulation), encoding="utf-8")
    except OSError as error:
        raise WrongUse(f"{folder} cannot be written: {error.strerror}") from error
    return Told(
        said=said,
        bytes_by_file={file: (folder / file).stat().st_size for file in MESSAGE_FILES},
    )


def _secret(seed: int) -> str:
    """What the contact center proves itself with. It guards nothing but simulated calls, so the seed may give it."""
    return sha256(f"contact center {seed}".encode()).hexdigest() + "\n"


def site_file(zone: str) -> str:
    """The clinic's site file, with the zone in which it stands."""
    text = (files("hub.simulate") / SITE_FILE).read_text(encoding="utf-8")
    return text.replace(_ZONE_MARK, zone)


def _next_step(folder: Path, simulation: Simulation) -> str:
    return (
        f"Messages of a simulated clinic (seed {simulation.seed}, {simulation.start} to {simulation.last}, "
        f"{simulation.people} people). Nobody in it is real.\n"
        f"Next: pxhub replay {folder} --site {folder / SITE_FILE}\n"
    )
