"""`pipeline reconcile` over all of `up`: purchases that vanish in Connectif, and events that never came."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.broker import KafkaSettings
from tests.integration.operating import SHOPIFY, Site, shopify_order, site
from tests.local_http import http
from tests.order_exports import shopify_export
from tests.processes import wait_until

pytestmark = pytest.mark.kafka

#: Orders that the shop has sold; a hundredth of them is two.
COUNT, HUNDREDTH = 200, 2
UNSENT, REMOVED = {1_010, 1_150}, {1_033, 1_120}
UNPAID, WITHOUT_EMAIL, UNLISTED, REFUNDED = 2_001, 2_002, 2_003, 1_077


def order(number: int, **changes: Any) -> dict[str, Any]:
    """One order of some day of January."""
    at = f"2026-01-{number % 27 + 1:02}T10:00:00+01:00"
    return shopify_order(number, created_at=at, processed_at=at, updated_at=at, **changes)


def orders() -> list[dict[str, Any]]:
    """What the shop has."""
    nobody = {"email": None, "contact_email": None}
    without = order(WITHOUT_EMAIL, **nobody)
    without["customer"] = without["customer"] | {"email": None}
    return [
        *(order(1_000 + number) for number in range(COUNT)),
        order(UNPAID, financial_status="pending"),
        without,
    ]


class Reconciled:
    """A site whose shop has sent what it did, and lost what it lost."""

    def __init__(self, play: Site, directory: Path) -> None:
        self.play, self.directory = play, directory
        shop = orders()
        for body in (*shop, order(UNLISTED)):
            if body["id"] not in UNSENT:
                topic = "orders/create" if body["id"] == UNPAID else "orders/paid"
                assert play.shopify(topic, body) == 200
        self.wait_for(COUNT - len(UNSENT) + 1)
        for number in REMOVED:
            self.remove(number)
        self.list = directory / "orders_export.csv"
        listed = [one if one["id"] != REFUNDED else one | {"current_total_price": "12.00"} for one in shop]
        self.list.write_text(shopify_export(listed), encoding="utf-8-sig")

    def held(self) -> set[int]:
        """The purchases that Connectif has."""
        items = self.play.connectif.ledger("acme", "purchases")
        return {int(item["key"]) for item in items if not item["deleted"]}

    def wait_for(self, count: int) -> None:
        """Until Connectif has so many, and their receipts are read."""
        wait_until(lambda: len(self.held()) == count, 90, every=0.2)
        wait_until(lambda: self.pending() == 0, 30, every=0.2)

    def pending(self) -> int:
        """Purchases that wait, by the worker's word."""
        return sum(lane["pending"]["purchase"] + lane["receipts_awaited"] for lane in self.lanes())

    def lanes(self) -> list[dict[str, Any]]:
        """The lanes of the account."""
        found: list[dict[str, Any]] = self.play.explain("acme")["lanes"]
        return found

    def remove(self, number: int) -> None:
        """Delete a purchase in Connectif behind the pipeline's back."""
        url = f"{self.play.connectif.url}/purchases/purchase-id/{number}"
        key = {"Authorization": "apiKey acme:secret"}
        wait_until(lambda: http.delete(url, headers=key).status_code == 204, 10, every=0.2)

    def __call__(self, *args: str, given: bytes = b"", code: int = 1) -> tuple[str, str]:
        """Output and messages of the command."""
        command = [sys.executable, "-m", "pipeline", "reconcile", SHOPIFY, "--config", str(self.play.path)]
        done = subprocess.run([*command, *args], input=given, capture_output=True, timeout=120, check=False)
        assert done.returncode == code, done.stderr.decode()
        return done.stdout.decode(), done.stderr.decode()

    def tree(self, *args: str, given: bytes = b"", code: int = 1) -> dict[str, Any]:
        """The report as JSON."""
        found: dict[str, Any] = json.loads(self("--json", *args, given=given, code=code)[0])
        return found


@pytest.fixture(name="scene", scope="module")
def _scene(kafka: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reconciled]:
    directory = tmp_path_factory.mktemp("reconcile")
    settings = KafkaSettings(kafka.bootstrap, directory)
    settings()
    with site(directory, settings.tree()) as play:
        play.start()
        yield Reconciled(play, directory)
    settings.remove_topics()


def by_id(tree: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The findings by the order's id."""
    return {int(one["id"]): one for one in tree["orders"]}


def test_what_vanished_and_what_never_came_are_found_and_told_apart(scene: Reconciled) -> None:
    before = scene.held()
    found = by_id(scene.tree("--shop", str(scene.list), "--verify", "--calls-per-minute", "60"))
    stages = {number: (one["category"], one["stage"], one["reason"]) for number, one in found.items()}
    assert stages == {
        **dict.fromkeys(UNSENT, ("missing", "never_received", "")),
        **dict.fromkeys(REMOVED, ("missing", "lost", "not_found")),
        WITHOUT_EMAIL: ("missing", "rejected", "no_email"),
        UNPAID: ("not_due", "ignored", "not_sold"),
        UNLISTED: ("only_connectif", "in_connectif", "told_by_us"),
        REFUNDED: ("different", "in_connectif", "total"),
    }
    assert scene.held() == before, "it changes nothing"
    assert scene.play.connectif.stats("acme")["refused"] == 0


def test_without_asking_connectif_the_receipts_are_believed(scene: Reconciled) -> None:
    tree = scene.tree("--shop", str(scene.list))
    assert {number for number, one in by_id(tree).items() if one["category"] == "missing"} == {
        *UNSENT,
        WITHOUT_EMAIL,
    }
    assert tree["counts"]["there"] == COUNT - len(UNSENT) - 1
    assert tree["since"] == "2026-01-01"


def test_connectifs_export_tells_what_vanished_without_a_call(scene: Reconciled, tmp_path: Path) -> None:
    file = tmp_path / "activities.csv"
    rows = [f"{number};2026-01-{number % 27 + 1:02}T09:00:00Z;" for number in sorted(scene.held())]
    file.write_text("\n".join(["purchaseId;purchaseDate;origin", *rows, "77;2026-01-10T10:00:00Z;web"]))
    calls = scene.play.connectif.calls()["acme"]
    found = by_id(scene.tree("--shop", str(scene.list), "--connectif-export", str(file)))
    assert {number for number, one in found.items() if one["stage"] == "lost"} == REMOVED
    assert found[77]["reason"] == "told_by_others"
    assert scene.play.connectif.calls()["acme"] == calls


def test_ids_of_standard_input_are_a_list(scene: Reconciled) -> None:
    tree = scene.tree("--shop", "-", given=b"1010\n1011\n1012\n", code=1)
    found = by_id(tree)
    assert set(found) == {1_010}, "it is about these orders alone"
    assert found[1_010]["stage"] == "never_received"
    assert tree["counts"]["there"] == 2


def test_without_a_list_the_events_are_compared_with_connectif(scene: Reconciled) -> None:
    tree = scene.tree("--verify", "--calls-per-minute", "60")
    assert {number for number, one in by_id(tree).items() if one["category"] == "missing"} == {
        *REMOVED,
        WITHOUT_EMAIL,
    }


def test_days_narrow_what_is_compared(scene: Reconciled) -> None:
    day = 1_010 % 27 + 1
    args = "--since", f"2026-01-{day:02}", "--until", f"2026-01-{day:02}", "--shop", str(scene.list)
    tree = scene.tree(*args)
    assert {one["id"] for one in tree["orders"]} == {"1010"}
    assert [one["day"] for one in tree["days"]] == [f"2026-01-{day:02}"]


def test_the_table_the_csv_and_the_page_say_the_same_and_name_nobody(
    scene: Reconciled, tmp_path: Path
) -> None:
    table, page = tmp_path / "found.csv", tmp_path / "found.html"
    shown, said = scene("--shop", str(scene.list), "--csv", str(table), "--html", str(page))
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    assert Counter(row["category"] for row in rows)["missing"] == len(UNSENT) + 1
    assert "never_received" in shown
    for text in (shown, said, table.read_text(), page.read_text()):
        assert "@" not in text.replace("@media", "")
    assert page.stat().st_mode & 0o077 == 0
    assert "<script" not in page.read_text()
    assert "http" not in page.read_text().replace("http-equiv", "")
    assert "<svg" in page.read_text()


def test_what_cannot_be_compared_is_said_with_the_way_out(scene: Reconciled, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("buyer;amount\nx;1\n")
    _, said = scene("--shop", str(file))
    assert "--id-column" in said
    assert "it has: buyer, amount" in said
    _, said = scene("--shop", str(scene.list), "--id-column", "nowhere")
    assert "no column 'nowhere'" in said


def test_what_is_missing_is_sent_again_where_its_events_are_kept(scene: Reconciled) -> None:
    before = scene.held()
    creates = {int(one["key"]): one["creates"] for one in scene.play.connectif.ledger("acme", "purchases")}
    asked = "--shop", str(scene.list), "--verify", "--calls-per-minute", "60"
    tree = scene.tree(*asked, "--repair")
    assert tree["repair"]["orders"] == len(REMOVED)
    assert tree["repair"]["left"] == {
        "of which no event came": len(UNSENT),
        "that would be rejected again (no_email)": 1,
    }
    scene.wait_for(len(before) + len(REMOVED))
    assert scene.held() == before | REMOVED
    for one in scene.play.connectif.ledger("acme", "purchases"):
        number = int(one["key"])
        assert one["creates"] == creates[number] + (number in REMOVED)
    left = by_id(scene.tree(*asked))
    assert {number for number, one in left.items() if one["category"] == "missing"} == {
        *UNSENT,
        WITHOUT_EMAIL,
    }
