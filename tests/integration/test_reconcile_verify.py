"""Asking Connectif for purchases one by one: the limit is shared, and whatever it answers has an end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from tomli_w import dumps

from pipeline import config
from pipeline.errors import PipelineError
from pipeline.local.ports import free_port
from pipeline.reconcile import verify
from pipeline.reconcile.verify import Verified, Verifier, seconds_needed
from pipeline.spare_calls import calls_per_minute
from tests.connectif_sandbox import EMAIL, PRODUCT, PURCHASE
from tests.integration.delivering import SPEED, Connectif
from tests.local_http import http

KEY = {"Authorization": "apiKey acme:secret"}


class Account:
    """A sandbox with some purchases."""

    def __init__(self, directory: Path) -> None:
        port = free_port()
        account = {
            "api_key": "acme:secret",
            "base_url": f"http://127.0.0.1:{port}",
            "calls_per_minute": 100,
            "window_seconds": 60 / SPEED,
        }
        path = directory / "pipeline.toml"
        path.write_text(dumps({"data_dir": str(directory / "data"), "accounts": {"acme": account}}))
        self.settings = config.load(path).accounts["acme"]
        self.connectif = Connectif(path, port)
        self.call("PATCH", f"/contacts/email/{EMAIL}", {})
        self.call("PATCH", "/products/product-id/p1", {**PRODUCT})
        for number in range(20):
            self.call("POST", "/purchases/", {**PURCHASE, "purchaseId": str(number), "totalPrice": 10.5})

    def call(self, method: str, path: str, body: object = None) -> int:
        """A call of somebody else's."""
        url = f"{self.connectif.url}{path}"
        return http.request(method, url, json=body, headers=KEY, timeout=30).status_code

    def ask(self, *ids: str, per_minute: int = 50) -> dict[str, Verified]:
        """Ask for purchases."""
        found: list[Verified] = []
        verifier = Verifier("acme", self.settings, per_minute, timeout=5.0)
        try:
            verifier.run(ids, found.extend)
        finally:
            self.calls = verifier.calls
        return {one.id: one for one in found}


@pytest.fixture(name="account")
def _account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(verify, "PAUSE", 0.01)
    made = Account(tmp_path)
    yield made
    made.connectif.stop()


def test_what_is_there_is_found_with_its_total_and_the_rest_is_not(account: Account) -> None:
    found = account.ask(*map(str, range(15, 25)))
    assert {name for name, one in found.items() if one.found} == {str(number) for number in range(15, 20)}
    assert found["15"].total == Decimal("10.5")
    assert found["24"] == Verified("24", found=False, total=None)


def test_others_calls_go_first_and_the_limit_is_kept(account: Account) -> None:
    over = threading.Event()
    refused: list[int] = []

    def others() -> None:
        # As a worker that uses what the limit leaves: it stops when Connectif says that little is left.
        while not over.is_set():
            answer = http.get(f"{account.connectif.url}/purchases/purchase-id/1", headers=KEY)
            refused.append(answer.status_code == httpx.codes.TOO_MANY_REQUESTS)
            if int(answer.headers["x-ratelimit-remaining"]) < 40:
                over.wait(0.2)

    thread = threading.Thread(target=others)
    thread.start()
    try:
        found = account.ask(
            *(str(number % 20) + "x" * (number // 20) for number in range(100)), per_minute=30
        )
    finally:
        over.set()
        thread.join()
    assert len(found) == 100
    assert not any(refused)


def test_an_answer_that_does_not_count_leaves_it_open(account: Account) -> None:
    account.connectif.faults({"effect": "error", "status": 500, "route": "/purchases/purchase-id/*"})
    assert account.ask("1", "2") == {
        "1": Verified("1", found=None, total=None),
        "2": Verified("2", found=None, total=None),
    }
    assert account.calls == 2 * verify.TRIES


def test_connectif_that_is_away_ends_it_in_words(account: Account) -> None:
    account.connectif.stop()
    with pytest.raises(PipelineError, match="no answer for"):
        account.ask(*map(str, range(200)))


def test_a_key_that_may_not_read_ends_it_in_words(account: Account) -> None:
    account.connectif.faults({"effect": "unauthorised"})
    with pytest.raises(PipelineError, match="permission to read purchases"):
        account.ask("1", "2", "3")


def test_a_429_is_waited_out(account: Account) -> None:
    account.connectif.faults({"effect": "error", "status": 429, "count": 3})
    assert account.ask("1")["1"].found


def test_the_calls_are_a_tenth_of_the_accounts_unless_said_otherwise(account: Account) -> None:
    assert calls_per_minute(account.settings, None) == 10
    assert calls_per_minute(account.settings, 100) == 100
    with pytest.raises(PipelineError, match="may make 100"):
        calls_per_minute(account.settings, 101)


def test_how_long_it_takes_is_said_beforehand(account: Account) -> None:
    real = account.settings.model_copy(update={"window_seconds": 60.0})
    assert seconds_needed(1_000, 10, real) == 99 * 60
    assert seconds_needed(0, 10, real) == 0
