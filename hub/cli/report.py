"""A replay's report as tables for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hub.replay import ReplayResult
from schemas.alert import State

_LETTERS = 10  # dead letters shown one by one


def report_tables(result: ReplayResult) -> Iterator[RenderableType]:
    """The counts, the alerts by threshold and state, what was ignored, and the first dead letters."""
    report = result.report
    yield Text(
        f"{report['messages']:,} messages = {report['accepted']:,} accepted + {report['duplicates']:,} duplicates "
        f"+ {report['ignored']:,} ignored + {report['dead_letters']:,} dead letters"
    )
    yield Text(
        f"{report['events']:,} events of {report['persons']:,} persons in {report['journeys']:,} journeys; "
        f"{report['waits']:,} waits; the clock stands at {report['clock'] or 'no time'}"
    )
    if report["alerts"]:
        yield _alerts(result)
    else:
        yield Text("No promise was broken.")
    for title, counts in (("Ignored", report["ignored_by_reason"]), ("Dead letters", report["dead_letters_by_reason"])):
        if counts:
            table = Table(title=title, title_justify="left", box=None)
            table.add_column("reason")
            table.add_column("messages", justify="right")
            for reason, count in sorted(counts.items(), key=lambda item: -item[1]):
                table.add_row(Text(reason), f"{count:,}")
            yield table
    for letter in result.dead_letters[:_LETTERS]:
        yield Text(f"  {letter.reason.value} at {letter.place}: {letter.mend}")
    hidden = report["dead_letters"] - min(len(result.dead_letters), _LETTERS)
    if hidden:
        yield Text(f"  and {hidden:,} more")


def _alerts(result: ReplayResult) -> Table:
    table = Table(title="Alerts", title_justify="left", box=None)
    table.add_column("threshold")
    for state in State:
        table.add_column(state.value, justify="right")
    modes = {alert.threshold: alert.mode for alert in result.alerts}
    for threshold, states in result.report["alerts"].items():
        name = Text(threshold + (" (shadow)" if modes.get(threshold) == "shadow" else ""))
        table.add_row(name, *(f"{states[s.value]:,}" if s.value in states else "" for s in State))
    return table
