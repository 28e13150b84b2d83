"""The first screen: a simulated clinic's week goes through the hub, and the hub says what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from rich.box import SIMPLE
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from hub.bottleneck import BLOCK, Bottleneck, Waited, block_of, find_bottlenecks, late_by_block
from hub.explain import explain_alert, lasting
from hub.replay import ReplayOptions, ReplayResult, replay
from hub.simulate import MESSAGE_FILES, SITE_FILE, Said, Simulation
from hub.simulate.clinic import DEPARTMENTS, FACILITY_NAME, INTERFACES
from hub.unseen import Alone, is_broken, told_by, unseen_alone
from schemas.alert import Alert, State
from schemas.event import SECOND
from schemas.instant import to_datetime
from schemas.threshold import Threshold
from streams.core.state import Wait

_STYLES: Final = {"low": "", "medium": "", "high": "yellow", "critical": "bold red"}
_SEVERITIES: Final = tuple(_STYLES)
_LISTED: Final = 8  # thresholds; what broke less often is named in a line
_WORST: Final = 5
_ROOMY: Final = 100  # columns from which on a table may say where
_LABEL: Final = 10  # an explanation's lines begin with a label of this width


@dataclass(frozen=True, kw_only=True)
class Week:
    """What the demo shows: the clinic's week, and what the hub made of it."""

    simulation: Simulation
    said: Said
    result: ReplayResult
    seconds: float  # that the reading and judging took
    alone: Alone | None = None  # what each voice alone would have said

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.simulation.zone)

    @cached_property
    def thresholds(self) -> dict[str, Threshold]:
        return {threshold.id: threshold for threshold in self.result.thresholds.thresholds}

    @cached_property
    def broken(self) -> list[Alert]:
        """Live promises that were broken, the worst first: by severity, then by how late they are or were."""
        standing = [alert for alert in self.result.alerts if alert.mode == "live" and is_broken(alert)]
        return sorted(standing, key=lambda alert: (-_SEVERITIES.index(alert.severity), -self.lateness(alert), alert.id))

    def lateness(self, alert: Alert) -> int:
        """Seconds past due, up to now where it is still open; 0 for what is no wait and so was never due."""
        if not isinstance(self.result.engine.owner(alert.id), Wait):
            return 0
        ended = alert.ended_at if alert.ended_at is not None else self.result.engine.clock
        return (ended - alert.due_at) // 1_000_000


def play_week(simulation: Simulation, folder: Path, files: Iterable[str] = MESSAGE_FILES) -> ReplayResult:
    """Replay what the clinic said, all voices or those of `files`, with its site file, to the end of its last day.

    Its own end is the last clock, so that what this machine's clock says changes nothing.
    """
    paths = [str(folder / file) for file in files]
    return replay(ReplayOptions(paths=paths, site=folder / SITE_FILE, until=simulation.end * SECOND))


def show_week(week: Week, console: Console) -> None:
    """Write the whole screen."""
    bottlenecks = find_bottlenecks(week.result.engine, week.zone)
    console.print(_heading(week))
    _section(console, "Promises broken", _broken_table(week))
    _section(console, "The worst of them", _worst_table(week, console.width))
    unseen = unseen_alone(week.broken, week.result.engine)
    if unseen:
        _section(console, "What none of the three could see alone", _seen_together(week, unseen[0]))
    elif week.broken:
        _section(console, "One of them, explained", _explained(week, _one_to_explain(week, bottlenecks)))
    if bottlenecks:
        _section(console, "The worst bottleneck", _bottleneck(bottlenecks[0], week))
    _section(console, "Next", _next_commands())


def _section(console: Console, title: str, body: RenderableType) -> None:
    console.print(Rule(Text(title, style="bold"), align="left", style="dim"))
    console.print(Padding(body, (1, 2)))


def _heading(week: Week) -> RenderableType:
    report, simulation = week.result.report, week.simulation
    name = Text.assemble(("PX Hub", "bold"), f"   {FACILITY_NAME}, a simulated clinic")
    days = f"{simulation.start:%a} {simulation.start} to {simulation.last:%a} {simulation.last}, {simulation.zone}"
    rate = f"{report['messages'] / week.seconds:,.0f}" if week.seconds else "many"
    counts = (
        f"{week.said.hl7:,} HL7 v2 messages, {week.said.fhir:,} FHIR resources and {week.said.calls:,} bodies of the "
        f"contact center"
    )
    speed = f"of {report['persons']:,} people, read and judged in {week.seconds:.1f} s ({rate}/s)"
    ends = (
        f"{report['accepted']:,} accepted, {report['duplicates']:,} duplicates, {report['ignored']:,} ignored, "
        f"{report['dead_letters']:,} dead letters"
    )
    kept = f"{report['waits']:,} promises were running; {len(week.broken):,} were broken"
    lines = [name, Text(days, style="dim"), Text(), Text(counts), Text(speed), Text(ends, style="dim"), Text(kept)]
    return Padding(Group(*lines), (1, 2))


def _broken_table(week: Week) -> RenderableType:
    by_threshold: dict[str, list[Alert]] = {}
    for alert in week.broken:
        by_threshold.setdefault(alert.threshold, []).append(alert)
    table = Table(box=SIMPLE, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("Threshold", ratio=1)
    for title in ("Broken", "Open", "Late, half", "Worst"):
        table.add_column(title, justify="right", no_wrap=True)
    ranked = sorted(by_threshold.items(), key=lambda group: (-len(group[1]), group[0]))
    for id_, alerts in ranked[:_LISTED]:
        late = [seconds for alert in alerts if (seconds := week.lateness(alert)) > 0]
        table.add_row(
            Text.assemble((id_, _STYLES[alerts[0].severity]), "\n", (week.thresholds[id_].title, "dim")),
            f"{len(alerts):,}",
            str(sum(alert.ended_at is None for alert in alerts) or ""),
            _rounded(round(median(late))) if late else "",
            _rounded(max(late)) if late else "",
        )
    rest = ", ".join(f"{id_} {len(alerts)}" for id_, alerts in ranked[_LISTED:])
    lines = [Text(line, style="dim") for line in (f"Less often: {rest}." if rest else "", _beside(week)) if line]
    return Group(table, *(part for line in lines for part in (Text(), line)))


def _beside(week: Week) -> str:
    """What is not in the table, and why."""
    alerts = week.result.alerts
    counts = (
        (sum(alert.mode == "shadow" for alert in alerts), "in shadow mode (told to nobody)"),
        (sum(alert.state is State.RETRACTED for alert in alerts), "taken back when late evidence showed them kept"),
    )
    told = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    return f"Beside these: {told}." if told else ""


def _worst_table(week: Week, width: int) -> RenderableType:
    table = Table(box=SIMPLE, pad_edge=False, show_edge=False, header_style="dim")
    wide = width >= _ROOMY
    for title in ("Due", "Threshold", *(("Where",) if wide else ()), "Person"):
        table.add_column(title, no_wrap=True)
    table.add_column("Late", justify="right", no_wrap=True)
    seen: Counter[str] = Counter()
    for alert in week.broken:
        # A few of each kind say more than the five worst of one kind.
        seen[alert.threshold] += 1
        if seen[alert.threshold] > 2 or table.row_count == _WORST:
            continue
        late = _rounded(week.lateness(alert)) if week.lateness(alert) > 0 else ""
        table.add_row(
            f"{to_datetime(alert.due_at).astimezone(week.zone):%a %H:%M}",
            Text(alert.threshold, style=_STYLES[alert.severity]),
            *((_place(week, alert),) if wide else ()),
            alert.person or "",
            f"{late}, open" if alert.ended_at is None else late,
        )
    return table


def _place(week: Week, alert: Alert) -> str:
    owner = week.result.engine.owner(alert.id)
    department = owner.start.data.get("department") if isinstance(owner, Wait) else None
    return _department(department if isinstance(department, str) else None)


def _department(code: str | None) -> str:
    names = {department.code: department.name for department in DEPARTMENTS}
    return names.get(code, code) if code else ""


def _one_to_explain(week: Week, bottlenecks: Sequence[Bottleneck]) -> Alert:
    """The latest that came of the worst bottleneck, for it is shown next; else the worst of all."""
    for bottleneck in bottlenecks:
        of_it = [
            alert
            for alert in week.broken
            if alert.threshold == bottleneck.threshold.id and block_of(alert.started_at, week.zone) == bottleneck.start
        ]
        if of_it:
            return max(of_it, key=lambda alert: (week.lateness(alert), alert.id))
    return week.broken[0]


def _explained(week: Week, alert: Alert) -> RenderableType:
    engine = week.result.engine
    first, *lines = explain_alert(alert, engine.owner(alert.id), engine.clock, week.simulation.zone)
    title = week.thresholds[alert.threshold].title
    table = Table.grid(padding=(0, 2))
    for line in lines:
        # `Label     what is said`: what is said wraps below itself, not below its label.
        if line and line != title:
            table.add_row(Text(line[:_LABEL].rstrip(), style="dim"), Text(line[_LABEL:].lstrip()))
    return Group(Text(first, style="bold"), Text(title), Text(), table)


def _seen_together(week: Week, alert: Alert) -> RenderableType:
    """The alert in full, what each voice told of it, and what each would have said alone."""
    engine = week.result.engine
    owner = engine.owner(alert.id)
    lines: list[Text] = []
    if isinstance(owner, Wait):
        for name, told in told_by(owner, engine.clock):
            lines.append(Text.assemble((f"{name[:1].upper()}{name[1:]}", "bold"), f" told {told}"))
    if week.alone is not None:
        hl7, together = len(week.alone.by_voice["hl7"]), len(week.alone.together)
        others = sum(len(week.alone.by_voice[voice]) for voice in ("fhir", "calls"))
        lines += [
            Text(),
            Text(
                f"HL7 v2 alone would have raised {hl7:,} such alerts, {week.alone.in_error('hl7'):,} of them in error: "
                f"the promise was kept, as the others tell. FHIR and the contact center alone: {others or 'none'}. "
                f"Together: {together:,}."
            ),
        ]
    return Group(_explained(week, alert), Text(), *lines)


def _bottleneck(worst: Bottleneck, week: Week) -> RenderableType:
    until = worst.start + timedelta(microseconds=BLOCK)
    where = ", ".join(part for part in (_department(worst.department), f"{worst.start:%A} {worst.start:%H:%M}") if part)
    lines: list[RenderableType] = [
        Text(f"{where} to {until:%H:%M}", style="bold"),
        Text(worst.threshold.title),
        Text(f"Waited for: {_awaited(worst)}", style="dim"),
        Text(),
        Text(
            f"{worst.late} of {len(worst.waits)} were late. Half waited {_half(worst.waits)} or more, the longest "
            f"{_length(max(wait.length for wait in worst.waits))}; {_length(worst.promised)} was promised."
        ),
    ]
    if worst.usual:
        late, half = sum(wait.late for wait in worst.usual), _half(worst.usual)
        lines.append(Text(f"At all other times {late} of {len(worst.usual)} were late; half took {half} or less."))
    return Group(*lines, Text(), _by_day(worst, week))


def _awaited(worst: Bottleneck) -> str:
    """What was waited for, and the system that sends it."""
    if worst.awaited is None:
        return "nothing has come yet"
    type_, source = worst.awaited
    names = {interface.application: interface.name for interface in INTERFACES}
    application = source.split("/")[1] if source.count("/") > 1 else source
    return f"{type_}, from the {names.get(application, 'system')} ({application})"


def _by_day(worst: Bottleneck, week: Week) -> Table:
    """Late of all, by the day and the four hours in which the wait began."""
    counted = late_by_block((*worst.waits, *worst.usual), week.zone)
    table = Table(box=SIMPLE, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("late / all", no_wrap=True)
    for hour in range(0, 24, 4):
        table.add_column(f"{hour:02}-{hour + 4:02} h", justify="right", no_wrap=True)
    for day in sorted({block.date() for block in counted}):
        cells = []
        for hour in range(0, 24, 4):
            at = [pair for block, pair in counted.items() if block.date() == day and block.hour == hour]
            late, all_ = at[0] if at else (0, 0)
            style = "dim" if not late else "bold red" if late * 2 >= all_ else "yellow"
            cells.append(Text(f"{late} / {all_}" if all_ else "-", style=style))
        table.add_row(f"{day:%a} {day}", *cells)
    return table


def _half(waits: Sequence[Waited]) -> str:
    return _length(round(median(wait.length for wait in waits)))


def _length(micros: int) -> str:
    return _rounded(micros // 1_000_000)


def _rounded(seconds: int) -> str:
    """`2h 5m`, without the seconds of what takes ten minutes or longer."""
    return lasting(seconds - seconds % 60 if seconds >= 600 else seconds)


def _next_commands() -> RenderableType:
    commands = (
        ("pxhub simulate --out clinic", "the same as files, and a site file to learn from"),
        ("pxhub replay clinic --site clinic/site.yaml --explain 3", "the three worst, explained"),
        ("pxhub replay YOUR_FOLDER --timezone Europe/Berlin", "your own messages"),
    )
    return Group(*(Text.assemble((command, "bold"), (f"\n    {why}", "dim")) for command, why in commands))
