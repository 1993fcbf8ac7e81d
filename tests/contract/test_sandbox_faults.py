"""Faults: what goes wrong when it is asked to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from pipeline.sandbox.connectif.simulation.faults import Effect
from tests.connectif_sandbox import EMAIL, OTHER_KEY, PURCHASE, Api, running

CSV = "_email\na@mail.example\nb@mail.example\n"


async def _fault(api: Api, effect: str, **rule: Any) -> None:
    await api.control("POST", "faults", [{"effect": effect, **rule}])


async def test_a_time_out_after_storing_leaves_the_purchase_there_for_the_retry_to_find() -> None:
    async with running() as api:
        body = await api.prepare()
        await _fault(api, "timeout_after_store", method="POST", route="/purchases/", count=1)
        sending = asyncio.ensure_future(api.post("/purchases/", body, timeout=30))
        await api.clock.advance(29)
        assert not sending.done()
        await api.clock.advance(1)
        with pytest.raises(httpx.ReadTimeout):
            await sending
        answer = await api.post("/purchases/", body)
        assert answer.status_code == 409
        stats = await api.stats()
        assert stats["calls"]["POST /purchases/"] == {"dropped": 1, "409": 1}
        assert stats["injected"] == 1


async def test_a_hanging_call_ends_when_its_time_is_over_even_for_a_patient_client() -> None:
    async with running() as api:
        body = await api.prepare()
        await _fault(api, "timeout_after_store", seconds=500)
        sending = asyncio.ensure_future(api.post("/purchases/", body, timeout=None))
        await api.clock.advance(500)
        with pytest.raises(httpx.RemoteProtocolError):
            await sending


async def test_a_connection_can_close_after_storing() -> None:
    async with running() as api:
        body = await api.prepare()
        await _fault(api, "close_after_store", method="POST", count=1)
        with pytest.raises(httpx.RemoteProtocolError):
            await api.post("/purchases/", body)
        assert (await api.get("/purchases/purchase-id/1001")).status_code == 200


@pytest.mark.parametrize(
    ("effect", "error"), [("timeout", httpx.ReadTimeout), ("reset", httpx.RemoteProtocolError)]
)
async def test_a_connection_can_break_before_anything_is_stored(effect: str, error: type[Exception]) -> None:
    async with running() as api:
        body = await api.prepare()
        await _fault(api, effect, method="POST", count=1)
        sending = asyncio.ensure_future(api.post("/purchases/", body))
        await api.clock.advance(30)
        with pytest.raises(error):
            await sending
        assert (await api.post("/purchases/", body)).status_code == 201


async def test_a_500_is_an_http_error_and_stores_nothing() -> None:
    async with running() as api:
        body = await api.prepare()
        await _fault(api, "error", route="/purchases/", count=1)
        answer = await api.post("/purchases/", body)
        assert answer.status_code == 500
        assert answer.json()["title"] == "Internal Server Error"
        assert set(answer.json()) == {"status", "title", "detail"}
        assert (await api.post("/purchases/", body)).status_code == 201


async def test_an_error_has_the_status_and_words_it_is_told() -> None:
    async with running() as api:
        await _fault(api, "error", status=503, detail="Maintenance.")
        answer = await api.get("/store/")
        assert (answer.status_code, answer.json()["detail"]) == (503, "Maintenance.")


@pytest.mark.parametrize(("effect", "status"), [("bad_gateway", 502), ("no_server", 404)])
async def test_a_proxy_answers_html(effect: str, status: int) -> None:
    async with running() as api:
        await _fault(api, effect)
        answer = await api.get("/store/")
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html")


async def test_a_burst_of_429_says_nothing_remains_and_is_not_held_against_the_client() -> None:
    async with running(calls_per_minute=10) as api:
        await _fault(api, "too_many_requests", count=2)
        first = await api.get("/store/")
        assert first.status_code == 429
        assert first.headers["X-RateLimit-Remaining"] == "0"
        assert [(await api.get("/store/")).status_code for _ in range(2)] == [429, 200]
        stats = await api.stats()
        assert (stats["refused"], stats["injected"]) == (0, 2)


async def test_a_burst_can_last_a_time_instead_of_a_count() -> None:
    async with running() as api:
        await _fault(api, "too_many_requests", seconds_active=30)
        assert (await api.get("/store/")).status_code == 429
        await api.clock.advance(29)
        assert (await api.get("/store/")).status_code == 429
        await api.clock.advance(1)
        assert (await api.get("/store/")).status_code == 200


async def test_a_key_can_be_forbidden_midway() -> None:
    async with running() as api:
        await _fault(api, "forbidden", after=2)
        assert [(await api.get("/store/")).status_code for _ in range(4)] == [200, 200, 403, 403]


async def test_a_key_can_become_unauthorised() -> None:
    async with running() as api:
        await _fault(api, "unauthorised", count=1)
        answer = await api.get("/store/")
        assert (answer.status_code, answer.text) == (401, "Unauthorized")


async def test_an_answer_can_be_slow() -> None:
    async with running() as api:
        await _fault(api, "slow", seconds=12)
        sending = asyncio.ensure_future(api.get("/store/"))
        await api.clock.advance(11)
        assert not sending.done()
        await api.clock.advance(1)
        assert (await sending).status_code == 200
        (call,) = (await api.control("GET", "ledger?account=acme-es&calls=1"))["calls"]["items"]
        assert call["duration"] == 12


async def test_a_rule_matches_by_account_method_and_route() -> None:
    async with running() as api:
        await _fault(api, "error", account="acme-es", method="GET", route="/workflows*")
        assert (await api.get("/workflows/")).status_code == 500
        assert (await api.get("/store/")).status_code == 200
        assert (await api.get("/workflows/", key=OTHER_KEY)).status_code == 200
        assert (await api.post("/workflows/", {})).status_code == 405


async def test_probability_is_repeatable_by_the_seed() -> None:
    async def run(seed: int) -> list[int]:
        async with running(seed=seed) as api:
            await _fault(api, "error", probability=0.5)
            return [(await api.get("/store/")).status_code for _ in range(40)]

    first = await run(1)
    assert first == await run(1)
    assert first != await run(2)
    assert 5 < first.count(500) < 35


async def test_an_import_can_be_stuck_until_the_fault_is_cleared() -> None:
    async with running() as api:
        await _fault(api, "import_stuck", count=1)
        stuck, other = (await api.upload(CSV)).json(), (await api.upload(CSV)).json()
        await api.clock.advance(86_400)
        assert (await api.get(f"/imports/{stuck['id']}")).json()["status"] == "queued"
        assert (await api.get(f"/imports/{other['id']}")).json()["status"] == "finished"
        await api.control("DELETE", "faults")
        await api.get("/store/")
        await api.clock.advance(60)
        assert (await api.get(f"/imports/{stuck['id']}")).json()["status"] == "finished"


async def test_an_import_can_end_in_error_after_some_rows() -> None:
    async with running() as api:
        await _fault(api, "import_error", rows=1)
        finished = await api.imported(CSV)
        assert (finished["status"], finished["success"], finished["total"]) == ("error", 1, 2)
        assert (await api.get("/contacts/email/b@mail.example")).status_code == 404


async def test_an_import_is_cancelled_only_when_asked_for() -> None:
    async with running() as api:
        await _fault(api, "import_cancelled", count=1)
        cancelled = await api.imported(CSV)
        assert (cancelled["status"], cancelled["success"]) == ("cancelled", 0)
        assert "cancelledAt" in cancelled
        assert (await api.delete(f"/imports/{cancelled['id']}")).status_code == 409


async def test_a_files_link_can_be_expired_at_once() -> None:
    async with running() as api:
        await _fault(api, "expired_url", route="/imports/{id}", count=1)
        finished = await api.imported("_email\nx\n")
        assert (await api.client.get(finished["errorReportFileUrl"])).status_code == 403
        again = (await api.get(f"/imports/{finished['id']}")).json()
        assert (await api.client.get(again["errorReportFileUrl"])).status_code == 200


async def test_rules_are_added_replaced_shown_and_cleared_one_by_one() -> None:
    async with running() as api:
        await _fault(api, "error", count=1)
        await _fault(api, "forbidden")
        await api.get("/store/")
        rules = (await api.control("GET", "faults"))["rules"]
        assert [(rule["effect"], rule["strikes"]) for rule in rules] == [("error", 1), ("forbidden", 0)]
        left = await api.control("DELETE", "faults", {"id": rules[0]["id"]})
        assert [rule["effect"] for rule in left["rules"]] == ["forbidden"]
        order = {"rules": [{"effect": "slow"}], "replace": True}
        assert [rule["effect"] for rule in (await api.control("POST", "faults", order))["rules"]] == ["slow"]


@pytest.mark.parametrize(
    "rule", [{"effect": "explode"}, {}, {"effect": "error", "status": 200}, {"effect": "slow", "sseconds": 1}]
)
async def test_a_rule_that_is_none_is_422(rule: dict[str, Any]) -> None:
    async with running() as api:
        assert (await api.client.post("/_sandbox/faults", json=[rule])).status_code == 422


def test_every_effect_and_every_route_of_the_sandbox_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    for effect in get_args(Effect):
        assert f"`{effect}`" in text
    for route in (
        "ledger",
        "stats",
        "switches",
        "faults",
        "reset",
        "keys",
        "seed",
        "coupon-sets",
        "callbacks",
    ):
        assert route in text


async def test_a_fault_of_an_unknown_account_is_404_and_of_no_json_400() -> None:
    async with running() as api:
        rule = {"effect": "error", "account": "nobody"}
        assert (await api.client.post("/_sandbox/faults", json=[rule])).status_code == 404
        assert (await api.client.post("/_sandbox/faults", content=b"{")).status_code == 400


async def test_faults_do_not_strike_calls_over_the_limit_or_without_a_key() -> None:
    async with running(calls_per_minute=1) as api:
        await _fault(api, "forbidden", after=1)
        await api.get("/store/")
        assert (await api.get("/store/")).status_code == 429
        assert (await api.get("/store/", key=None)).status_code == 401
        assert (await api.control("GET", "faults"))["rules"][0]["seen"] == 1


async def test_a_struck_call_still_counts_towards_the_limit() -> None:
    async with running(calls_per_minute=2) as api:
        await _fault(api, "error", count=2)
        assert [(await api.get("/store/")).status_code for _ in range(3)] == [500, 500, 429]


async def test_other_calls_go_on_while_one_hangs() -> None:
    async with running() as api:
        body = await api.prepare()
        await _fault(api, "timeout_after_store", method="POST", count=1)
        hanging = asyncio.ensure_future(api.post("/purchases/", body))
        await api.clock.advance(1)
        assert (await api.get(f"/contacts/email/{EMAIL}")).json()["_totalPurchases"] == 1
        assert (await api.post("/purchases/", {**PURCHASE, "purchaseId": "2"})).status_code == 201
        hanging.cancel()
