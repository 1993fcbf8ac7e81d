"""What a worker says of its next calls; and that saying it changes nothing."""

from __future__ import annotations

import asyncio
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipeline.deliver.collector import DeliverCollector
from pipeline.deliver.explain import explain_report
from pipeline.deliver.explain.explanation import explain_delivery
from pipeline.errors import PipelineError
from pipeline.events import Lane
from tests.simulation.scenario import Stage, play
from tests.simulation.shop import Shop


def _said(stage: Stage) -> dict[str, Any]:
    account = dict(stage.life.account_manager.accounts())["acme"]
    before = copy.deepcopy(account.scheduler.lanes._credits), len(account.scheduler._later)
    ready = {lane: account.scheduler.purchases.ready(lane) for lane in Lane}
    found = explain_delivery(account)
    assert (account.scheduler.lanes._credits, len(account.scheduler._later)) == before
    assert {lane: account.scheduler.purchases.ready(lane) for lane in Lane} == ready
    assert "@" not in json.dumps(found)
    assert _figures(found) == _exported(stage), "the same figures as Prometheus has"
    pending = sum(_figures(found).values())
    assert bool(found["next"] or found["why_none"]) == bool(pending)
    return found


def _figures(found: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(kind, lane["lane"]): count for lane in found["lanes"] for kind, count in lane["pending"].items()}


def _exported(stage: Stage) -> dict[tuple[str, str], int]:
    """`pipeline_pending_records` of the account."""
    account_manager = stage.life.account_manager
    collector = DeliverCollector(
        lambda: [stage.life.partition_state], account_manager.accounts, configured={}, partitions=1
    )
    [family] = [family for family in collector.collect() if family.name == "pipeline_pending_records"]
    return {
        (sample.labels["kind"], sample.labels["lane"]): int(sample.value)
        for sample in family.samples
        if sample.labels["account"] == "acme"
    }


def test_an_account_at_rest_says_that_nothing_waits(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.order("o1", "ann@example.com", "p1")
        await stage.settle()
        assert _said(stage)["next"] == []

    play(tmp_path, story)


def test_a_backlog_is_explained_lane_by_lane(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for number in range(300):
            Shop(stage.world, lane=Lane.BACKFILL).order(f"b{number}", f"b{number}@example.com", "p1")
        for number in range(150):
            stage.shop.order(f"o{number}", f"c{number % 40}@example.com", "p1")
        texts: list[str] = []
        for _ in range(12):
            await asyncio.sleep(5)
            found = _said(stage)
            texts.append(json.dumps(found))
        everything = "\n".join(texts)
        assert "The oldest that is ready" in everything
        assert "slots of the window are taken" in everything
        assert {call["lane"] for text in texts for call in json.loads(text)["next"]} >= {"live", "backfill"}
        console = Console(record=True, width=120)
        explain_report._show(found, console)
        shown = console.export_text()
        assert "budget:" in shown
        assert "why" in shown
        await stage.settle(within=1_200)

    play(tmp_path, story)


def test_what_is_pending_is_never_out_of_sight(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.order("told", "ann@example.com", "p1")
        await stage.settle()
        stage.fault("error", status=500, route="/purchases*")
        for number in range(8):
            stage.shop.order(f"o{number}", "ann@example.com", "p1")
        said: list[dict[str, Any]] = []
        for _ in range(200):
            await asyncio.sleep(1.7)
            found = _said(stage)
            assert sum(_figures(found).values()) == 8
            said.append(found)
        groups = [group for found in said for group in found["retries"] if group["kind"] == "purchase"]
        assert groups
        assert all("500" in group["last"] for group in groups)
        assert max(group["tries"] for group in groups) > 1
        assert any("(purchases) fail since" in found["state"] for found in said)
        stage.heal()
        await stage.settle(within=1_200)
        assert _said(stage)["retries"] == []

    play(tmp_path, story)


def test_a_stopped_account_says_why(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.fault("unauthorised")
        stage.shop.order("o1", "ann@example.com", "p1")
        await asyncio.sleep(10)
        found = _said(stage)
        assert found["stopped"] == "unauthorised"
        assert "One call asks again" in str(found["state"])
        assert len(found["next"]) == 1
        stage.heal()
        await stage.settle(within=600)

    play(tmp_path, story)


def test_a_worker_that_does_not_answer_is_a_clear_error() -> None:
    with pytest.raises(PipelineError, match="does not answer"):
        explain_report.run("acme", ["http://127.0.0.1:9"], None, Console(), as_json=False)
