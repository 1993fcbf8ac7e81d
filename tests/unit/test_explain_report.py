"""What `pipeline deliver explain` shows of what a worker says."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline.deliver.explain import explain_report
from pipeline.errors import PipelineError
from pipeline.workers.client import WorkerAnswer

LANE = {
    "pending": {"contact": 123_456, "product": 12_345, "purchase": 123_456, "coupon": 100_000},
    "oldest_seconds": {"contact": None, "purchase": 200_000.0},
    "waiting": {"contact": 123_456},
    "held": 1_234,
    "under_way": 8,
    "receipts_awaited": 12_345,
    "purchases_aside": 0,
    "floor_owed": False,
    "holds_back_seconds": 0,
}


def page(worker: str = "") -> dict[str, Any]:
    """What a worker answers."""
    return {
        "not_ready": worker,
        "account": "acme",
        "state": "It runs.",
        "stopped": None,
        "budget": {
            "used": 1,
            "limit": 100,
            "window_seconds": 60,
            "in_flight": 0,
            "reserve": 0,
            "server_limit": None,
            "why": "There are free slots.",
        },
        "lanes": [{**LANE, "lane": lane} for lane in ("live", "retry", "backfill")],
        "choices": [],
        "imports": [],
        "consent": "",
        "coupon_sets": [],
        "next": [],
        "retries": [],
        "why_none": "",
    }


def shown(worker: str) -> str:
    """On a terminal of 80 columns."""
    file = io.StringIO()
    explain_report.show(WorkerAnswer(page(worker), "w1"), Console(file=file, width=80), as_json=False)
    return file.getvalue()


def test_the_table_of_lanes_fits_80_columns_with_large_figures() -> None:
    said = shown("")
    assert "…" not in said
    for heading in ("contacts", "products", "purchases", "coupons", "queued", "calls", "receipt"):
        assert heading in said
    assert "123,456" in said
    assert "not ready" not in said


def test_a_worker_that_is_not_ready_is_said_before_all_else() -> None:
    said = shown("Kafka has not answered for 21 s")
    first = said.index("The worker is not ready: Kafka has not answered for 21 s.")
    assert first < said.index("It runs.")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(page())), JSON)
def test_whatever_a_worker_answers_is_shown_or_a_sentence(name: str, value: Any) -> None:
    answer = WorkerAnswer({**page(), name: value}, "w1")
    with contextlib.suppress(PipelineError):
        explain_report.show(answer, Console(file=io.StringIO()), as_json=False)


@pytest.mark.parametrize("name", sorted(page().keys() - {"not_ready"}))
def test_a_field_that_is_missing_is_named(name: str) -> None:
    answer = WorkerAnswer({key: value for key, value in page().items() if key != name}, "w1")
    with pytest.raises(PipelineError, match=name):
        explain_report.show(answer, Console(file=io.StringIO()), as_json=False)
