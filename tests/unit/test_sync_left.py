"""How long a run takes yet: what is known, from what, and what is said not to be known."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.events import Kind
from pipeline.shops.pull import PullPass
from pipeline.sync.pull import plan, shown
from pipeline.sync.pull.left import FEW, Left, time_left
from pipeline.sync.pull.state import Command, Pass, PassStatus, Run, StoreState, Wanted

NOW_MS = 11_000


def reading(**more: Any) -> Pass:
    made = Pass(kind=Kind.CUSTOMER, reads=PullPass.FULL, until_ms=0, status=PassStatus.READING)
    return made.model_copy(update={"began_ms": 1_000, "read": 100, "requests": FEW, "total": 300, **more})


def waiting(kind: Kind, **more: Any) -> Pass:
    return Pass(kind=kind, reads=PullPass.FULL, until_ms=0).model_copy(update=more)


def state(*passes: Pass, **more: Any) -> StoreState:
    command = Command(id="r", store="acme", wanted=Wanted.FULL)
    run = Run(command=command, number=1, passes=list(passes), began_ms=1_000)
    return StoreState(store="acme", run=run, **more)


def said(*passes: Pass, **more: Any) -> dict[str, Any]:
    return state(*passes, **more).as_json() | {"now_ms": NOW_MS, "trouble": "", "waiting": []}


def test_the_time_left_is_that_of_all_lists_whose_rows_the_shop_counts() -> None:
    found = said(reading(), waiting(Kind.PRODUCT, total=50), waiting(Kind.ORDER, total=1_000))
    assert time_left(found) == Left(20.0 + 5.0 + 100.0, ())
    assert "left: about 2 min" in shown.line(found)
    assert "pending" not in found["run"]["passes"][0], "requests are the shop's own"


def test_what_a_row_takes_on_its_platform_counts_for_lists_that_are_not_begun() -> None:
    found = said(reading(), waiting(Kind.ORDER, total=1_000, effort=6.0))
    assert time_left(found).seconds == pytest.approx(20.0 + 600.0)


def test_the_last_whole_runs_counts_and_pace_stand_where_the_shop_does_not_count() -> None:
    known = {"counts": {"order full": 500}, "paces": {"order full": 0.5}}
    assert time_left(said(reading(), waiting(Kind.ORDER), **known)) == Left(20.0 + 250.0, ())


def test_a_list_whose_rows_nobody_knows_is_named() -> None:
    found = said(reading(), waiting(Kind.PRODUCT), waiting(Kind.ORDER, total=1_000))
    assert time_left(found) == Left(120.0, ("product full",))
    assert "left: about 2 min, and product full, whose rows are not known" in shown.line(found)


def test_where_nothing_is_known_nothing_is_said() -> None:
    assert time_left(said(reading(total=None))) == Left(None, ("customer full",))
    assert "time left: not known" in shown.line(said(reading(total=None)))
    assert time_left(said(reading(read=0))).seconds is None


def test_what_a_list_had_is_remembered_by_its_name() -> None:
    kept = state()
    plan.remember(kept, reading(ended_ms=11_000))
    plan.remember(kept, reading(ended_ms=11_000, since_ms=5))
    plan.remember(kept, waiting(Kind.ORDER))
    assert kept.counts == {"customer full": 100, "customer full of a window": 100}
    assert kept.paces["customer full"] == 0.1


def test_a_list_that_is_hardly_begun_has_the_pace_of_those_before_it() -> None:
    done = reading(status=PassStatus.DONE, ended_ms=9_000, total=100)
    begun = reading(kind=Kind.ORDER, began_ms=9_000, requests=1, read=50, total=150)
    assert time_left(said(done, begun)).seconds == pytest.approx(100 * (8.0 + 2.0) / 150)
