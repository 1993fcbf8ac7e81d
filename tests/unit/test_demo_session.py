"""The demo's moving parts: posting, watching and killing, without a pipeline."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import pytest

from pipeline.config import load
from pipeline.demo import chaos
from pipeline.demo import demo_settings as setting
from pipeline.demo import sender as post
from pipeline.demo import settling as watch
from pipeline.demo.chaos import Chaos
from pipeline.demo.sandbox import budgets, held
from pipeline.demo.sender import WebhookSender
from pipeline.demo.settling import SettlementWatch
from pipeline.demo.shop_history import Delivery
from pipeline.demo.totals import PipelineTotals
from pipeline.errors import PipelineError
from pipeline.local.supervisor import ProcessPhase, ProcessStatus
from pipeline.shops.registry import PLATFORMS

CHANCE = Random(1)  # noqa: S311 - not a key


def delivery(body: bytes, kind: str | None = "order", answer: int = 200) -> Delivery:
    return Delivery("acme-es", "shopify", (("X-Shopify-Topic", "orders/paid"),), body, kind, answer)


async def post_all(
    deliveries: list[Delivery], answers: dict[bytes, Iterator[object]], patience: float = 5
) -> tuple[post.SendResults, list[bytes]]:
    seen: list[bytes] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        assert request.url.path == "/webhooks/shopify/acme-es"
        answer = next(answers[request.content])
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, int)
        return httpx.Response(answer)

    poster = WebhookSender(
        "http://gateway", deliveries, rate=1e6, patience=patience, transport=httpx.MockTransport(gateway)
    )
    return await poster.run(), seen


async def test_every_delivery_is_posted_and_its_answer_counted() -> None:
    deliveries = [delivery(b"1"), delivery(b"2", kind=None), delivery(b"3", None, 401)]
    posted, seen = await post_all(deliveries, {b"1": iter([202]), b"2": iter([200]), b"3": iter([401])})
    assert sorted(seen) == [b"1", b"2", b"3"]
    assert posted.kept == Counter({("acme-es", "order"): 1})
    assert (posted.done, posted.unanswered, posted.surprises) == (3, 0, [])


async def test_what_got_no_answer_is_posted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "_AGAIN_SECONDS", 0)
    answers = iter((httpx.ConnectError("down"), 503, 200))
    posted, seen = await post_all([delivery(b"1")], {b"1": answers})
    assert seen == [b"1"] * 3
    assert (posted.done, posted.unanswered, posted.kept.total()) == (1, 2, 1)


async def test_another_answer_than_meant_is_a_surprise() -> None:
    posted, _ = await post_all(
        [delivery(b"1"), delivery(b"2", None, 401)], {b"1": iter([401]), b"2": iter([200])}
    )
    assert sorted(posted.surprises) == [
        "acme-es orders/paid: answered 200, not 401",
        "acme-es orders/paid: answered 401, not 200",
    ]


async def test_a_gateway_that_never_answers_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "_AGAIN_SECONDS", 0)
    with pytest.raises(PipelineError, match="did not take a webhook"):
        await post_all([delivery(b"1")], {b"1": iter([503] * 99)}, patience=-1)


def page(received: int, accepted: int, settled: int) -> str:
    labels = 'account="acme",store="acme-es",kind="purchase"'
    return (
        f'pipeline_account_events{{store="acme-es",kind="order",outcome="accepted"}} {received}\n'
        f'pipeline_account_translated{{{labels},outcome="emitted"}} {accepted}\n'
        f'pipeline_account_records{{{labels},outcome="accepted"}} {accepted}\n'
        f'pipeline_account_records{{{labels},outcome="delivered"}} {settled}\n'
    )


def watching(
    pages: list[str | Exception], monkeypatch: pytest.MonkeyPatch
) -> tuple[SettlementWatch, list[PipelineTotals]]:
    """A watch over one worker that answers these one after the other, the last for ever."""
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0)
    noted: list[PipelineTotals] = []

    def worker(_: httpx.Request) -> httpx.Response:
        answer = pages.pop(0) if len(pages) > 1 else pages[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(200, text=answer)

    return SettlementWatch({"deliver": "http://worker"}, noted.append, httpx.MockTransport(worker)), noted


async def test_the_wait_ends_when_all_is_judged_and_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[str | Exception] = [page(1, 1, 0), httpx.ConnectError("killed"), page(1, 1, 1), page(2, 2, 2)]
    watch_, noted = watching(pages, monkeypatch)
    assert await watch_.until_rest(Counter({("acme-es", "order"): 2}), patience=30) == ""
    assert watch_.account.settled == 2
    assert len(noted) == 6
    await watch_.close()


async def test_a_standstill_is_said_with_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    watch_, _ = watching([page(1, 1, 0)], monkeypatch)
    why = await watch_.until_rest(Counter({("acme-es", "order"): 2}), patience=0)
    assert why == ("nothing moved for 0 s: 1 of 2 events of acme-es order; 0 of 1 records settled, 0 pending")
    await watch_.close()


async def test_killing_spares_nobody_and_ends_when_it_is_enough() -> None:
    killed: list[int] = []
    statuses = [
        ProcessStatus(name, ProcessPhase.READY, "", pid=index) for index, name in enumerate(chaos.VICTIMS)
    ]
    enough = asyncio.Event()
    enough.set()
    monkey = Chaos(lambda: statuses, CHANCE, lambda pid, _: killed.append(pid), pause=lambda _: 0.0)
    await monkey.run(enough)
    assert sorted(killed) == list(range(len(chaos.VICTIMS)))
    assert sorted(monkey.killed) == sorted(chaos.VICTIMS)


async def test_a_process_that_is_away_is_killed_once_it_is_back() -> None:
    looks = 0

    def statuses() -> list[ProcessStatus]:
        nonlocal looks
        looks += 1
        pid = None if looks < 6 else 1
        return [ProcessStatus(name, ProcessPhase.READY, "", pid=pid) for name in chaos.VICTIMS]

    enough = asyncio.Event()
    enough.set()
    monkey = Chaos(statuses, CHANCE, lambda _pid, _signal: None, pause=lambda _: 0.0)
    await monkey.run(enough)
    assert set(monkey.killed) == set(chaos.VICTIMS)


async def test_the_ledger_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.demo.sandbox.PAGE", 1)
    items = [
        {"key": "7", "deleted": False, "body": {"totalPrice": 1}},
        {"key": "8", "deleted": True},
        {"key": "9", "deleted": False, "body": {"totalPrice": 2}},
    ]

    def sandbox(request: httpx.Request) -> httpx.Response:
        query = request.url.params
        offset = int(query["offset"])
        chosen = items[offset : offset + int(query["limit"])] if query["kind"] == "purchases" else []
        total = len(items) if query["kind"] == "purchases" else 0
        return httpx.Response(200, json={query["kind"]: {"items": chosen, "total": total}})

    async with httpx.AsyncClient(base_url="http://sandbox", transport=httpx.MockTransport(sandbox)) as client:
        found = await held(client, "acme")
    assert found.purchases == {"7": {"totalPrice": 1}, "9": {"totalPrice": 2}}
    assert found.contacts == {}


async def test_the_budget_is_read_from_the_stats() -> None:
    one = {
        "limit": 100,
        "max_admitted_in_a_window": 99,
        "refused": 0,
        "calls_total": 30,
        "counts": {"purchases": 10},
        "purchases_created_again": 2,
    }
    stats = httpx.MockTransport(lambda _: httpx.Response(200, json={"accounts": {"acme": one}}))
    async with httpx.AsyncClient(base_url="http://sandbox", transport=stats) as client:
        found = await budgets(client)
    assert found["acme"].calls_per_order == 3


def test_the_demos_settings_are_settings(tmp_path: Path) -> None:
    path, settings = setting.write(tmp_path, 60)
    assert load(path, environ={}) == settings
    assert settings.accounts["acme"].window_seconds == 1
    assert {"acme-es", "outlet", "bottega"} < set(settings.stores)
    assert {store.platform for store in settings.stores.values()} == set(PLATFORMS)
