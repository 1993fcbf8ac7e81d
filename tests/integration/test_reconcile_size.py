"""Thousands of orders through everything: a hundredth vanishes, a hundredth never came; both are found."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.broker import KafkaSettings
from tests.integration.operating import SHOPIFY, Site, shopify_order, site
from tests.local_http import http
from tests.order_exports import shopify_export
from tests.processes import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

COUNT = 3_000
REMOVED = set(range(1_033, 1_000 + COUNT, 100))
UNSENT = set(range(1_077, 1_000 + COUNT, 100))
KEY = {"Authorization": "apiKey acme:secret"}


def order(number: int) -> dict[str, Any]:
    """One order of some day of the year."""
    at = f"2026-{number % 9 + 1:02}-{number % 27 + 1:02}T10:00:00+01:00"
    return shopify_order(number, created_at=at, processed_at=at, updated_at=at)


def purchases(play: Site) -> dict[int, dict[str, Any]]:
    """What Connectif has and had."""
    return {int(one["key"]): one for one in play.connectif.ledger("acme", "purchases")}


def held(play: Site) -> set[int]:
    """The orders that it has now."""
    return {number for number, one in purchases(play).items() if not one["deleted"]}


def waiting(play: Site) -> int:
    """Purchases that wait, and receipts that are not read back."""
    lanes = play.explain("acme")["lanes"]
    return int(sum(lane["pending"]["purchase"] + lane["receipts_awaited"] for lane in lanes))


def settled(play: Site, count: int) -> None:
    """Wait until so many are there, and nothing waits."""
    wait_until(lambda: len(held(play)) == count, 300, every=1)
    wait_until(lambda: not waiting(play), 60)


def reconcile(play: Site, *args: str) -> dict[str, Any]:
    """The report as JSON."""
    command = [sys.executable, "-m", "pipeline", "reconcile", SHOPIFY, "--config", str(play.path), "--json"]
    done = subprocess.run([*command, *args], capture_output=True, timeout=300, check=False)
    assert done.returncode in {0, 1}, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def remove(play: Site, number: int) -> None:
    """Delete a purchase behind the pipeline's back."""
    url = f"{play.connectif.url}/purchases/purchase-id/{number}"
    wait_until(lambda: http.delete(url, headers=KEY, timeout=30).status_code == 204, 30, every=0.2)


def test_exactly_what_vanished_and_what_never_came_is_found_and_what_can_be_is_repaired(
    kafka: Any, tmp_path: Path
) -> None:
    orders = [order(1_000 + number) for number in range(COUNT)]
    came = {one["id"] for one in orders} - UNSENT
    listed = tmp_path / "orders_export.csv"
    listed.write_text(shopify_export(orders), encoding="utf-8-sig")
    settings = KafkaSettings(kafka.bootstrap, tmp_path)
    settings()
    with site(tmp_path, settings.tree()) as play, ThreadPoolExecutor(8) as pool:
        play.start()
        sent = [one for one in orders if one["id"] not in UNSENT]
        assert set(pool.map(lambda one: play.shopify("orders/paid", one), sent)) == {200}
        settled(play, len(came))
        for number in REMOVED:
            remove(play, number)
        before = purchases(play)
        asked = ("--shop", str(listed), "--connectif-export", "api", "--csv", str(tmp_path / "found.csv"))

        found = reconcile(play, *asked)
        assert found["counts"] == {
            "there": COUNT - len(REMOVED) - len(UNSENT),
            "different": 0,
            "missing": len(REMOVED) + len(UNSENT),
            "pending": 0,
            "not_due": 0,
            "unknown": 0,
            "only_connectif": 0,
        }
        with (tmp_path / "found.csv").open(encoding="utf-8") as file:
            stages = {int(row["id"]): (row["category"], row["stage"]) for row in csv.DictReader(file)}
        assert stages == {
            **dict.fromkeys(UNSENT, ("missing", "never_received")),
            **dict.fromkeys(REMOVED, ("missing", "lost")),
        }
        assert purchases(play) == before, "it changes nothing"

        repaired = reconcile(play, *asked, "--repair")["repair"]
        assert repaired["orders"] == len(REMOVED)
        assert repaired["left"] == {"of which no event came": len(UNSENT)}
        settled(play, len(came))
        after = purchases(play)
        assert held(play) == came
        for number, one in after.items():
            again = number in REMOVED
            assert one["creates"] == before[number]["creates"] + again
            if not again:
                assert one == before[number], "nothing else is touched"
        left = reconcile(play, *asked)["counts"]
        assert (left["missing"], left["there"]) == (len(UNSENT), len(came))
        assert play.connectif.stats("acme")["refused"] == 0
    settings.remove_topics()
