"""Laboratory tests: ordered, drawn, received, run, reported, and now and then corrected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from hub.simulate.clinic import BLOOD_DRAW, LABORATORY, NURSES, ORDERS, Clinician
from hub.simulate.registration import leave, register
from hub.simulate.segments import Visit, orc, tq1
from hub.simulate.telling import tell_result
from hub.simulate.wall import HOUR, MINUTE
from hub.simulate.world import Story, World


@dataclass(frozen=True, slots=True)
class Analyte:
    """`low` and `high` bound the reference range; beyond `panic_low` or `panic_high` a clinician is called."""

    code: str
    name: str
    unit: str
    low: float
    high: float
    panic_low: float
    panic_high: float
    digits: int = 1


@dataclass(frozen=True, slots=True)
class Panel:
    """`section` is OBR-24 (table 0074); `minutes` is the usual time from receipt to the final result."""

    code: str
    name: str
    section: str
    specimen: str
    minutes: int
    analytes: tuple[Analyte, ...] = ()


_SODIUM: Final = Analyte("2951-2", "Sodium", "mmol/L", 136, 145, 120, 160, 0)
_POTASSIUM: Final = Analyte("2823-3", "Potassium", "mmol/L", 3.5, 5.1, 2.6, 6.4)
_CREATININE: Final = Analyte("2160-0", "Creatinine", "mg/dL", 0.6, 1.2, 0.1, 6.0, 2)
_GLUCOSE: Final = Analyte("2345-7", "Glucose", "mg/dL", 70, 99, 45, 450, 0)

BLOOD_COUNT: Final = Panel(
    "58410-2^Blood count^LN", "Blood count", "HM", "BLD", 32,
    (
        Analyte("6690-2", "Leukocytes", "10*3/uL", 4.0, 10.5, 1.0, 40.0),
        Analyte("718-7", "Hemoglobin", "g/dL", 12.0, 16.5, 6.5, 20.5),
        Analyte("777-3", "Platelets", "10*3/uL", 150, 400, 25, 1000, 0),
    ),
)  # fmt: skip
CHEMISTRY: Final = Panel(
    "51990-0^Basic metabolic panel^LN", "Basic metabolic panel", "CH", "SER", 36,
    (_SODIUM, _POTASSIUM, _CREATININE, _GLUCOSE),
)  # fmt: skip
TROPONIN: Final = Panel(
    "10839-9^Troponin I^LN", "Troponin I", "CH", "SER", 38,
    (Analyte("10839-9", "Troponin I", "ng/mL", 0.0, 0.04, -1.0, 0.5, 2),),
)  # fmt: skip
LIPIDS: Final = Panel(
    "24331-1^Lipid panel^LN", "Lipid panel", "CH", "SER", 55,
    (
        Analyte("13457-7", "LDL cholesterol", "mg/dL", 40, 130, 5, 400, 0),
        Analyte("2085-9", "HDL cholesterol", "mg/dL", 40, 90, 2, 200, 0),
    ),
)  # fmt: skip
STOOL_TEST: Final = Panel("29771-3^Hemoglobin in stool^LN", "Hemoglobin in stool", "CH", "STL", 90)
CULTURE: Final = Panel("600-7^Blood culture^LN", "Blood culture", "MB", "BLD", 52 * 60)

# How far routine work lies behind STAT work, which the laboratory takes first.
_ROUTINE: Final = 6.0
_REJECTED: Final = 0.015
_CORRECTED: Final = 0.02
_CANCELLED: Final = 0.012


@dataclass(frozen=True, slots=True)
class LabTest:
    """One order as it will go; times are seconds since the epoch. `priority` is S or R."""

    panel: Panel
    priority: str
    placer: str
    filler: str
    by: Clinician
    ordered: int
    collected: int
    received: int
    final: int


def plan_test(world: World, panel: Panel, priority: str, by: Clinician, collect_after: int) -> LabTest:
    """Order `panel` now; the specimen is drawn `collect_after` seconds later."""
    number = world.number("")
    collected = world.now + collect_after
    received = collected + world.minutes(11 if priority == "S" else 38)
    return LabTest(
        panel=panel,
        priority=priority,
        placer=f"O{number}^HBORDER",
        filler=f"L{number}^HBLAB",
        by=by,
        ordered=world.now,
        collected=collected,
        received=received,
        final=received + _turnaround(world, panel, priority, received),
    )


def _turnaround(world: World, panel: Panel, priority: str, received: int) -> int:
    spread = 0.24 if priority == "S" else 0.4
    busy = 1.0 if panel is CULTURE else world.load.laboratory(received) * (1.0 if priority == "S" else _ROUTINE)
    return world.minutes(panel.minutes, spread if panel is not CULTURE else 0.15) * int(100 * busy) // 100


def run_test(world: World, visit: Visit, test: LabTest) -> Story:
    """From the order to the last word on it."""
    _send_order(world, visit, test, "NW")
    if world.chance(_CANCELLED):
        yield test.ordered + world.minutes(6)
        _send_order(world, visit, test, "CA")
        return
    yield test.received
    if world.chance(_REJECTED):
        _send_step(world, visit, test, rejected="RC^Clotted specimen^HB")
        drawn_again = world.now + world.minutes(25)
        yield drawn_again
        received = drawn_again + world.minutes(11)
        again = _turnaround(world, test.panel, test.priority, received)
        test = replace(test, collected=drawn_again, received=received, final=received + again)
        yield received
    _send_step(world, visit, test)
    if test.panel is CULTURE:
        yield from _report_culture(world, visit, test)
        return
    yield test.final
    values = _draw_values(world, test.panel)
    _send_result(world, visit, test, values, "F")
    if any(flag in {"HH", "LL"} for *_, flag in values):
        yield world.now + world.minutes(14, 0.6)
        _send_call(world, visit, test)
    elif world.chance(_CORRECTED):
        yield world.now + world.minutes(150, 0.8)
        _send_result(world, visit, test, _draw_values(world, test.panel), "C")


def _report_culture(world: World, visit: Visit, test: LabTest) -> Story:
    """A first reading after a day, the final one when the plates have grown; positive in one of seven."""
    yield min(test.received + world.minutes(20 * 60, 0.1), test.final - HOUR)
    _send_result(world, visit, test, [("ST", CULTURE.code, "No growth to date", "", "", "")], "P")
    yield test.final
    grown = world.chance(0.15)
    told, flag = ("Growth, see report", "A") if grown else ("No growth", "N")
    value = ("ST", CULTURE.code, told, "", "", flag)
    _send_result(world, visit, test, [value], "F")


Value = tuple[str, str, str, str, str, str]  # type, code, value, unit, range, flag


def _draw_values(world: World, panel: Panel) -> list[Value]:
    if panel is STOOL_TEST:
        told, flag = ("Positive", "POS") if world.chance(0.06) else ("Negative", "NEG")
        return [("ST", panel.code, told, "", "Negative", flag)]
    return [_draw_value(world, analyte) for analyte in panel.analytes]


def _draw_value(world: World, analyte: Analyte) -> Value:
    middle, width = (analyte.low + analyte.high) / 2, analyte.high - analyte.low
    # One in fifty is far out; the rest scatter so that about one in eight is outside its range.
    value = middle + width * (world.dice.gauss(0.0, 1.5) if world.chance(0.02) else world.dice.gauss(0.0, 0.32))
    value = max(0.0, value)
    if value <= analyte.panic_low:
        flag = "LL"
    elif value >= analyte.panic_high:
        flag = "HH"
    else:
        flag = "L" if value < analyte.low else "H" if value > analyte.high else ""
    code = f"{analyte.code}^{analyte.name}^LN"
    return ("NM", code, f"{value:.{analyte.digits}f}", analyte.unit, f"{analyte.low:g}-{analyte.high:g}", flag)


def _send_order(world: World, visit: Visit, test: LabTest, control: str) -> None:
    status = "CA" if control == "CA" else ""
    world.send(
        ORDERS,
        "OML^O21^OML_O21",
        visit.pid,
        visit.pv1,
        orc(control, placer=test.placer, filler="", status=status, at=world.stamp(), by=test.by),
        tq1(test.priority),
        f"OBR|1|{test.placer}||{test.panel.code}||||||||||||{test.by.xcn}||||||||{test.panel.section}",
    )


def _send_step(world: World, visit: Visit, test: LabTest, *, rejected: str = "") -> None:
    """The laboratory has the specimen, or cannot use it (SPM-21)."""
    wall = world.wall
    collected, received = wall.stamp_with_offset(test.collected), wall.stamp_with_offset(test.received)
    world.send(
        LABORATORY,
        "OML^O21^OML_O21",
        visit.pid,
        visit.pv1,
        orc("SC", placer=test.placer, filler=test.filler, status="IP", at=received, by=test.by),
        tq1(test.priority),
        f"OBR|1|{test.placer}|{test.filler}|{test.panel.code}|||{collected}"
        f"{'|' * 9}{test.by.xcn}||||||||{test.panel.section}",
        f"SPM|1|{test.placer}&S||{test.panel.specimen}{'|' * 13}{collected}|{received}"
        f"{'|||' + rejected if rejected else ''}",
    )


def _observations(values: list[Value], status: str, stamp: str) -> list[str]:
    return [
        f"OBX|{row}|{kind}|{code}||{value}|{unit}|{span}|{flag}|||{status}|||{stamp}"
        for row, (kind, code, value, unit, span, flag) in enumerate(values, start=1)
    ]


def _report(world: World, visit: Visit, test: LabTest, status: str) -> list[str]:
    wall = world.wall
    collected, reported = wall.stamp_with_offset(test.collected), wall.stamp_with_offset(world.now)
    obr = (
        f"OBR|1|{test.placer}|{test.filler}|{test.panel.code}||{test.priority}|{collected}"
        f"{'|' * 9}{test.by.xcn}||||||{reported}||{test.panel.section}|{status}"
    )
    header = orc("RE", placer=test.placer, filler=test.filler, status="CM", at=reported, by=test.by)
    return [visit.pid, visit.pv1, header, obr]


def _send_result(world: World, visit: Visit, test: LabTest, values: list[Value], status: str) -> None:
    segments = _report(world, visit, test, status)
    segments += _observations(values, status, world.wall.stamp_with_offset(world.now))
    world.send(LABORATORY, "ORU^R01^ORU_R01", *segments)
    if status == "F":
        world.begin(tell_result(world, visit, test.placer, test.filler))


def _send_call(world: World, visit: Visit, test: LabTest) -> None:
    """The laboratory read a critical value to a clinician, who read it back: it says so in a segment of its own."""
    stamp = world.wall.stamp_with_offset(world.now)
    world.send(
        LABORATORY,
        "OML^O21^OML_O21",
        visit.pid,
        visit.pv1,
        orc("SC", placer=test.placer, filler=test.filler, status="CM", at=stamp, by=test.by),
        tq1(test.priority),
        f"OBR|1|{test.placer}|{test.filler}|{test.panel.code}{'|' * 12}{test.by.xcn}||||||||{test.panel.section}",
        f"ZCR|1|{stamp}|{world.dice.choice(NURSES)}|Y",
    )


def walk_in(world: World) -> Story:
    """Somebody comes to have blood drawn for an order from the family clinic."""
    person = world.somebody(busy_for=2 * HOUR)
    by = world.clinician(BLOOD_DRAW)
    visit = register(world, person, BLOOD_DRAW, "O")
    for panel in world.dice.sample((BLOOD_COUNT, CHEMISTRY, LIPIDS, STOOL_TEST), world.dice.choice((1, 2, 2, 3))):
        world.begin(run_test(world, visit, plan_test(world, panel, "R", by, 12 * MINUTE)))
    yield world.now + world.minutes(22)
    leave(world, visit)
