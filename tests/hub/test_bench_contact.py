"""The benchmark of webhooks runs, and its bodies are what the mappings know."""

from __future__ import annotations

import hub.bench.contact as bench
from connectors.contact_center.read import HookReader
from connectors.contact_center.shipped import shipped_hook


def test_every_figure_stands_beside_a_reference() -> None:
    figures = list(bench.run(24))
    assert sum(figure.name.startswith("reference") for figure in figures) == 2
    assert all(figure.figure > 0 for figure in figures)


def test_the_bodies_are_read_the_quick_way() -> None:
    reader = HookReader(shipped_hook("amazon-connect"))
    assert all(one.shape is not None for one in reader.plan.quick[:3])
    told = {event.type for n in range(6) for event in reader.read(bench.connect_event(n), "bench").events}
    assert told == {"contact.started", "contact.queued", "contact.answered"}
