"""How long an alert is open, by the command: of a served store by now, of any other by where its clock stood."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from hub.cli.alerts import show
from hub.cli.stored import Format
from hub.serve.service import machine_time
from hub.stored import declarations, remember
from schemas.event import HOUR, MINUTE, Event
from schemas.message import Message
from streams.core.thresholds import read_thresholds
from streams.embedded.lock import is_locked
from streams.embedded.runtime import Clock, Runtime
from streams.embedded.store import Store

DECLARED = """
thresholds:
  - {id: told, kind: wait, key: order_id, start: result.final, satisfied_by: result.viewed, within: 1h}
"""


def opened(folder: Path, clock: Clock) -> Store:
    """A store, still open, that raised an alert two hours ago and was told of nothing since."""
    (folder / "t.yaml").write_text(DECLARED)
    store = Store.open(folder / "store")
    declared = declarations(folder / "t.yaml", None, "UTC")
    declared.clock = clock
    remember(store, declared, [])
    began = machine_time() - 3 * HOUR - MINUTE
    thresholds, _ = read_thresholds([("t.yaml", DECLARED)], default_zone="UTC")
    runtime = Runtime(store, thresholds, now=began, clock=clock)
    event = Event("1", "lab", "result.final", began, {"order_id": "a"}, ("1^N",))
    runtime.take([Message("cloudevents", b"1", "lab", "1", b"1", (event,))], began)
    runtime.apply()
    runtime.tick(began + HOUR)
    runtime.finish(began + HOUR + MINUTE)
    runtime.flush()
    return store


def open_for(store: Store, capsys: pytest.CaptureFixture[str]) -> str:
    [alert] = store.alerts()
    show(alert.id, store.folder, Format.TABLE)
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Open ")]
    return line.partition(" over")[0].removeprefix("Open").strip()


@pytest.mark.parametrize("clock, told", [("log", "2h 1m"), ("event", "1m")])
def test_a_served_store_has_the_clock_that_it_is_served_by(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: Clock, told: str
) -> None:
    with closing(opened(tmp_path, clock)) as store:
        assert is_locked(store.folder)
        assert open_for(store, capsys) == told


def test_a_store_that_nobody_serves_stands_where_it_stood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(opened(tmp_path, "log")) as store:
        store._lock.close()
        assert not is_locked(store.folder)
        assert open_for(store, capsys) == "1m"
