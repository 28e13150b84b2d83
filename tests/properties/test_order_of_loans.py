"""The law of order where one statement says what another needs: an order's class, a report's flags, what a payer's
answer is about. Whatever comes first, the alerts that stand are those of the same events by time."""

from __future__ import annotations

import json
from datetime import timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.strategies import Told, run_engine
from tests.properties.test_order_of_statements import NUMBERS, numbered, told

DEEP = settings().max_examples
DECLARED = json.dumps(
    {
        "thresholds": [
            {"id": "w", "kind": "wait", "key": "order_id", "start": {"event": "order.placed", "where": {"class": "I"}},
             "satisfied_by": {"event": "result.final", "where": {"abnormal": False}}, "within": "1h"},
            {"id": "abnormal", "kind": "count", "key": "person",
             "event": {"event": "result.final", "where": {"abnormal": True}}, "limit": {"at_least": 1, "in": "30m"}},
            {"id": "class", "kind": "count", "key": "order_id",
             "event": {"event": "result.final", "where": {"class": "I"}}, "limit": {"at_least": 1, "in": "30m"}},
            {"id": "late", "kind": "count", "key": "person",
             "event": {"event": "result.final", "where": {"after_discharge": True}},
             "limit": {"at_least": 1, "in": "30m"}},
            {"id": "auth", "kind": "wait", "key": "authorization_id", "start": {"event": "authorization.requested"},
             "satisfied_by": {"event": "authorization.approved", "where": {"order_id": "A"}}, "within": "1h"},
            {"id": "rate", "kind": "rate", "by": "order_id", "of": {"event": "authorization.approved"},
             "out_of": [{"event": "authorization.approved"}, {"event": "authorization.requested"}],
             "window": "2h", "limit": {"above": "40%"}},
        ]
    }
)  # fmt: skip


@st.composite
def statements(draw: st.DrawFn, instant: int) -> Told:
    flag = draw(st.sampled_from(({}, {"abnormal": True}, {"abnormal": False})))
    kind, data = draw(
        st.sampled_from(
            (
                ("order.stated", {"order_id": "A", "visit_id": "v", "status": "active"}),
                ("visit.stated", {"visit_id": "v", "class": "I", "status": "in-progress"}),
                ("visit.stated", {"visit_id": "v", "class": "O", "status": "finished"}),
                ("visit.stated", {"visit_id": "v", "visit_reference": "w", "class": "I", "status": "in-progress"}),
                ("visit.stated", {"visit_id": "w", "class": "E", "status": "in-progress"}),
                ("result.stated", {"report_id": "r", "order_id": "A", "observations": ["x", "y"], "status": "final"}),
                ("result.stated", {"report_id": "q", "visit_id": "v", "status": "final"}),
                ("observation.stated", {"observation_id": "x", "order_id": "A", "status": "final", **flag}),
                ("observation.stated", {"observation_id": "y", "category": "LAB", "status": "final", **flag}),
                (
                    "observation.stated",
                    {"observation_id": "y", "order_id": "A", "observations": ["x"], "status": "final"},
                ),
                ("authorization.stated", {"authorization_id": "a", "order_id": "A", "status": "active"}),
                ("authorization.requested", {"authorization_id": "a", "order_id": "B"}),
                ("authorization.approved", {"authorization_id": "a"}),
                ("authorization.approved", {"authorization_id": "a", "payer_number": "p"}),
                ("authorization.approved", {"authorization_id": "p"}),
            )
        )
    )
    return told(kind, instant, identifiers=[draw(st.sampled_from(NUMBERS[:2]))], **data)


@settings(max_examples=DEEP * 2)
@given(st.lists(st.integers(0, 12), unique=True, min_size=2, max_size=9), st.data(), st.randoms(use_true_random=False))
def test_what_one_says_for_another(instants: list[int], data: st.DataObject, random: Random) -> None:
    history = numbered([data.draw(statements(instant)) for instant in instants])
    if data.draw(st.booleans()):
        merge = told("person.merged", 3, identifiers=["1^N"], surviving="1^N", retired="2^N")
        history.append(merge | {"id": "merge", "source": "sim"})
    by_time = sorted(history, key=lambda one: (one["time"], one["id"]))
    shuffled = random.sample(history, len(history))
    after = timedelta(hours=20)
    assert run_engine(DECLARED, shuffled, after=after) == run_engine(DECLARED, by_time, after=after)
