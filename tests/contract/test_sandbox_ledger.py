"""The ledger: what each account holds, what was done to it, and what the sandbox is told."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pipeline.sandbox.connectif.http.ledger import MAX_PAGE
from tests.connectif_sandbox import EMAIL, OTHER_KEY, PURCHASE, Api, running


async def _ledger(api: Api, query: str = "") -> dict[str, Any]:
    return dict(await api.control("GET", f"ledger?account=acme-es{query}"))


async def test_it_shows_everything_an_account_holds_with_its_writes() -> None:
    async with running() as api:
        await api.buy()
        await api.patch(f"/contacts/email/{EMAIL}", {"_surname": "Ruiz"})
        ledger = await _ledger(api)
        assert ledger["counts"] == {"contacts": 1, "products": 1, "purchases": 1, "coupons": 0}
        (contact,) = ledger["contacts"]["items"]
        assert (contact["key"], contact["writes"], contact["creates"]) == (EMAIL, 2, 1)
        assert contact["body"]["_surname"] == "Ruiz"
        (purchase,) = ledger["purchases"]["items"]
        assert (purchase["key"], purchase["creates"], purchase["deleted"]) == ("1001", 1, False)
        assert purchase["body"]["products"][0]["productId"] == "p1"


async def test_a_purchase_created_twice_is_told_from_one_created_once() -> None:
    async with running() as api:
        await api.buy()
        await api.post("/purchases/", PURCHASE)
        assert (await api.stats())["purchases_created_again"] == 0
        await api.delete("/purchases/purchase-id/1001")
        (gone,) = (await _ledger(api))["purchases"]["items"]
        assert (gone["creates"], gone["deleted"]) == (1, True)
        assert "body" not in gone
        await api.post("/purchases/", PURCHASE)
        (again,) = (await _ledger(api))["purchases"]["items"]
        assert (again["creates"], again["writes"], again["deleted"]) == (2, 2, False)
        stats = await api.stats()
        assert (stats["purchases_created"], stats["purchases_created_again"]) == (2, 1)
        assert stats["counts"]["purchases"] == 1


async def test_every_call_is_recorded_with_time_route_status_duration_and_purchase_id() -> None:
    async with running() as api:
        await api.prepare()
        await api.clock.advance(1.5)
        await api.post("/purchases/", PURCHASE)
        await api.delete("/purchases/purchase-id/1001")
        await api.get("/nowhere")
        calls = (await _ledger(api, "&calls=1"))["calls"]
        assert [(call["method"], call["route"], call["status"], call["key"]) for call in calls["items"]] == [
            ("PATCH", "/contacts/email/{email}", 200, EMAIL),
            ("PATCH", "/products/product-id/{productId}", 200, "p1"),
            ("POST", "/purchases/", 201, "1001"),
            ("DELETE", "/purchases/purchase-id/{purchaseId}", 204, "1001"),
            ("", "(no route)", 404, None),
        ]
        assert calls["items"][2]["time"] == calls["items"][0]["time"] + 1.5
        assert calls["total"] == 5
        assert "calls" not in await _ledger(api)


async def test_a_refused_purchase_is_recorded_under_its_id() -> None:
    async with running() as api:
        await api.buy()
        await api.post("/purchases/", PURCHASE)
        last = (await _ledger(api, "&calls=1"))["calls"]["items"][-1]
        assert (last["status"], last["key"]) == (409, "1001")


async def test_elements_and_calls_are_paged() -> None:
    async with running() as api:
        for number in range(7):
            await api.patch(f"/contacts/email/u{number}@mail.example", {})
        page = await _ledger(api, "&kind=contacts&offset=5&limit=3&bodies=0&calls=1")
        assert [item["key"] for item in page["contacts"]["items"]] == ["u5@mail.example", "u6@mail.example"]
        assert page["contacts"]["total"] == 7
        assert "body" not in page["contacts"]["items"][0]
        assert "products" not in page
        assert len(page["calls"]["items"]) == 2


async def test_without_an_account_every_account_is_shown() -> None:
    async with running() as api:
        await api.patch(f"/contacts/email/{EMAIL}", {}, key=OTHER_KEY)
        accounts = (await api.control("GET", "ledger"))["accounts"]
        assert {name: one["counts"]["contacts"] for name, one in accounts.items()} == {
            "acme-es": 0,
            "acme-fr": 1,
        }


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("account=nobody", 404),
        ("kind=segments", 422),
        ("limit=-1", 422),
        ("offset=x", 422),
        ("calls=yes", 422),
        ("page=1", 422),
    ],
)
async def test_a_query_that_cannot_be_answered_is_refused(query: str, status: int) -> None:
    async with running() as api:
        assert (await api.client.get(f"/_sandbox/ledger?{query}")).status_code == status


async def test_old_calls_are_forgotten_but_stay_counted() -> None:
    async with running(calls_kept=1_000, calls_per_minute=10_000) as api:
        for number in range(1_500):
            await api.patch(f"/contacts/email/u{number}@mail.example", {})
        calls = (await _ledger(api, "&calls=1&kind=coupons&limit=2000"))["calls"]
        assert (calls["total"], calls["forgotten"], len(calls["items"])) == (1_500, 500, 1_000)
        assert [calls["items"][place]["key"] for place in (0, -1)] == [
            "u500@mail.example",
            "u1499@mail.example",
        ]
        page = (await _ledger(api, "&calls=1&kind=coupons&offset=1499&limit=10"))["calls"]
        assert [call["key"] for call in page["items"]] == ["u1499@mail.example"]
        stats = await api.stats()
        assert stats["calls"] == {"PATCH /contacts/email/{email}": {"200": 1_500}}
        assert stats["max_calls_in_any_window"] == 1_500


async def test_calls_are_counted_by_window_though_the_calls_are_forgotten() -> None:
    async with running(calls_kept=1_000, calls_per_minute=2) as api:
        await api.clock.advance(60 - api.clock.now() % 60)
        for _ in range(3):
            await api.get("/store/")
        await api.clock.advance(60)
        await api.get("/store/")
        start = api.clock.now()
        assert (await _ledger(api, "&calls=1"))["calls"]["windows"] == [[start - 60, 3, 1], [start, 1, 0]]


async def test_a_hundred_thousand_purchases_are_shown_quickly_and_fit_in_little_memory() -> None:
    async with running() as api:
        await api.prepare()
        account = api.sandbox.accounts["acme-es"]
        contact = account.data.contacts.find("email", EMAIL)
        assert contact is not None
        behaviour = api.sandbox.simulation.behaviour
        for number in range(100_000):
            body = {**PURCHASE, "purchaseId": f"order-{number}"}
            account.data.purchases.create(body, contact, api.clock.now(), behaviour, trigger=False)
        start = time.process_time()
        page = await _ledger(api, f"&kind=purchases&bodies=0&offset=90000&limit={MAX_PAGE + 1}")
        assert time.process_time() - start < 2
        assert page["purchases"]["total"] == 100_000
        assert len(page["purchases"]["items"]) == 10_000
        rows = account.data.purchases.storage._rows
        assert sum(map(len, rows)) / len(rows) < 300


async def test_stats_count_by_route_and_status_and_activities_by_name() -> None:
    async with running() as api:
        await api.buy()
        await api.get("/purchases/purchase-id/none")
        await api.upload("_email\nb@mail.example\n")
        stats = await api.stats()
        assert stats["calls"]["GET /purchases/purchase-id/{purchaseId}"] == {"404": 1}
        assert stats["calls"]["POST /imports/"] == {"201": 1}
        assert stats["imports"] == {"queued": 1}
        assert stats["activities"] == {"entity-created": 1, "purchase": 1}
        assert stats["limit"] == 1_000
        general = await api.control("GET", "stats")
        assert (general["speed"], general["window_seconds"], general["window"]) == (1.0, 60.0, "fixed")


async def test_reset_forgets_everything_and_restores_faults_and_switches() -> None:
    async with running() as api:
        first = await api.buy()
        await api.switch(patch_created_status=201)
        await api.control("POST", "faults", [{"effect": "forbidden", "after": 10}])
        await api.control("POST", "reset")
        stats = await api.stats()
        assert (stats["calls_total"], stats["counts"]["purchases"]) == (0, 0)
        assert (await api.control("GET", "faults"))["rules"] == []
        assert (await api.control("GET", "switches"))["patch_created_status"] == 200
        assert (await api.buy()) == first


async def test_reset_of_one_account_leaves_the_others() -> None:
    async with running() as api:
        await api.patch(f"/contacts/email/{EMAIL}", {})
        await api.patch(f"/contacts/email/{EMAIL}", {}, key=OTHER_KEY)
        await api.control("POST", "reset", {"account": "acme-es"})
        assert (await api.stats())["counts"]["contacts"] == 0
        assert (await api.stats("acme-fr"))["counts"]["contacts"] == 1
        assert (await api.client.post("/_sandbox/reset", json={"account": "nobody"})).status_code == 404


async def test_two_runs_with_one_seed_are_the_same_and_with_another_are_not() -> None:
    async def run(seed: int) -> tuple[str, str]:
        async with running(seed=seed) as api:
            finished = await api.imported("_email\nx\n")
            return (await api.buy())["id"], finished["errorReportFileUrl"]

    assert await run(1) == await run(1)
    assert await run(1) != await run(2)


async def test_switches_are_shown_changed_and_refused() -> None:
    async with running() as api:
        assert (await api.control("GET", "switches"))["retry_after"] is False
        await api.switch(retry_after="true", page_size="7")
        shown = await api.control("GET", "switches")
        assert (shown["retry_after"], shown["page_size"]) == (True, 7)
        for wrong in ({"no_such_switch": 1}, {"window": "round"}, {"max_imports": 0}):
            assert (await api.client.post("/_sandbox/switches", json=wrong)).status_code == 422
        assert (await api.client.post("/_sandbox/switches", json=[])).status_code == 422


async def test_an_unknown_route_of_the_sandbox_is_404() -> None:
    async with running() as api:
        assert (await api.client.get("/_sandbox/nothing")).status_code == 404
        assert (await api.client.get("/_sandbox/reset")).status_code == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_the_process_can_be_observed_without_a_key(path: str) -> None:
    async with running() as api:
        await api.get("/store/")
        answer = await api.client.get(path)
        assert answer.status_code == 200
        if path == "/metrics":
            assert (
                'pipeline_sandbox_calls_total{account="acme-es",route="/store/",status="200"}' in answer.text
            )
