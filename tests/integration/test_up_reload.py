"""`pipeline reload` of a whole `up` under load: a store more, no connection refused, no order lost."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from pathlib import Path
from typing import Self

import httpx
import orjson
import pytest
from tomli_w import dumps

from tests import webhooks
from tests.broker import KafkaSettings
from tests.integration.operating import SHOPIFY, Site, shopify_order, site
from tests.local_http import http
from tests.processes import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

SENDERS, PAUSE = 4, 0.1
NEW = "new-one"


class Load:
    """Shops that send one order after the other, and again what had no answer; each on a new connection."""

    def __init__(self, running: Site) -> None:
        self._url = f"{running.gateway}/webhooks/shopify/{SHOPIFY}"
        self._numbers = itertools.count(1)
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        self.kept: list[int] = []
        self.refused = 0
        self.answers: Counter[int] = Counter()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        while not self._end.wait(PAUSE):
            number = next(self._numbers)
            while not self._told(number):
                pass
            self.kept.append(number)

    def _told(self, number: int) -> bool:
        body = orjson.dumps(shopify_order(number))
        headers = webhooks.shopify(body, delivery=f"d{number}") | {"x-shopify-topic": "orders/paid"}
        try:
            status = http.post(self._url, content=body, headers=headers, timeout=30).status_code
        except httpx.ConnectError:
            self.refused += 1
            return False
        except httpx.HTTPError:
            return False
        self.answers[status] += 1
        return status == 200


def test_a_store_is_added_to_all_that_runs_under_load(kafka_settings: KafkaSettings, tmp_path: Path) -> None:
    with site(tmp_path, kafka_settings.tree()) as running:
        running.start()
        with Load(running) as load:
            wait_until(lambda: len(load.kept) >= 40, 60)
            running.tree["stores"][NEW] = running.tree["stores"][SHOPIFY] | {"domain": "new.example"}
            running.tree["stores"][NEW] |= {"account": "woo", "id_prefix": "new-"}
            running.path.write_text(dumps(running.tree), encoding="utf-8")
            done = running.command("reload")
            assert (done.returncode, "taken over" in done.stdout + done.stderr) == (0, True), done
            before = len(load.kept)
            wait_until(lambda: len(load.kept) >= before + 40, 60)
        body = orjson.dumps(shopify_order(9_000))
        headers = webhooks.shopify(body, delivery="new") | {"x-shopify-topic": "orders/paid"}
        assert running.sends(f"shopify/{NEW}", orjson.loads(body), headers) == 200
        assert (load.refused, set(load.answers)) == (0, {200})
        wait_until(lambda: held(running, "woo") == {"new-9000"}, 60, every=0.2)
        wait_until(lambda: len(held(running, "acme")) >= len(load.kept), 120, every=0.5)
        assert held(running, "acme") == {str(number) for number in load.kept}
        assert {item["creates"] for item in running.connectif.ledger("acme", "purchases")} == {1}


def held(running: Site, account: str) -> set[str]:
    """The purchases that Connectif has."""
    return {item["key"] for item in running.connectif.ledger(account, "purchases") if not item["deleted"]}
