"""Answers of other calls, of other elements and of nobody in the place of Connectif's, half of the time."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import httpx
import pytest

from pipeline.records import Outcome
from tests.simulation import virtual
from tests.simulation.environment import Environment, Life, settings_for
from tests.simulation.shop import Shop

COUNT = 30
BODIES = [
    b"",
    b"[]",
    b"null",
    b'"ok"',
    b"true",
    b'{"ok": true}',
    b'{"id": null}',
    b'{"id": "../x"}',
    b'{"status": "409", "title": "Conflict"}',
    b'{"status": 409, "title": "Conflict", "detail": "Purchase other already exists."}',
    b'[{"status": 409, "title": "Conflict"}]',
    b"\xff\xfe",
    b"1e999999999",
]
STATUSES = [200, 201, 202, 206, 302, 400, 404, 409, 410, 413, 422, 500, 503, 599]


class _MixedUp(httpx.AsyncBaseTransport):
    """Gives answers that are not the call's; half of the calls behind them are carried out."""

    def __init__(self, inner: httpx.AsyncBaseTransport, chance: random.Random) -> None:
        self._inner = inner
        self._chance = chance
        self._given: list[bytes] = []
        self.on = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        chance = self._chance
        if not self.on or chance.random() < 0.5:
            answer = await self._inner.handle_async_request(request)
            content = await answer.aread()
            if answer.is_success and content:
                self._given.append(content)
            return answer
        if chance.random() < 0.5:
            await self._inner.handle_async_request(request)
        headers = {"content-type": chance.choice(["application/json", "text/html"]), "X-RateLimit-Limit": "1"}
        body = chance.choice(BODIES)
        sent, own = await request.aread(), request.url.path.rsplit("/", 1)[1]
        others = [given for given in self._given if not _is_of(given, own, sent)]
        status = chance.choice(STATUSES)
        if others and chance.random() < 0.5:
            status, body = chance.choice([200, 201]), chance.choice(others)
        return httpx.Response(status, headers=headers, content=body)


def _is_of(answer: bytes, own: str, sent: bytes) -> bool:
    """Whether an answer is of the very element that a call is about: it could not be told from a true one."""
    if own:
        return own.encode() in answer
    return json.loads(sent)["purchaseId"].encode() in answer if sent.startswith(b"{") else False


@pytest.mark.parametrize("seed", range(6))
def test_no_answer_that_is_not_its_own_delivers_or_buries_a_purchase(tmp_path: Path, seed: int) -> None:
    async def run() -> None:
        environment = Environment(settings_for(tmp_path), seed)
        network = _MixedUp(environment.transport, random.Random(seed))  # noqa: S311 - repeatable chance
        environment.transport = network
        life = Life(environment, "w1")
        await life.start()
        shop = Shop(environment)
        for number in range(COUNT):
            shop.order(f"order-{number}", f"c{number}@example.com", f"product-{number}")
        await asyncio.sleep(1_800)
        held = environment.holds("purchases")
        ended = {r.id: r.outcome for r in environment.receipts() if r.kind == "purchase"}
        assert all(name in held for name, outcome in ended.items() if outcome is Outcome.DELIVERED)
        network.on = False
        await environment.settle(life, within=7_200)
        assert len(environment.holds("purchases")) == COUNT
        assert set(environment.made("purchases").values()) == {1}
        assert not [r for r in environment.receipts() if r.outcome is Outcome.DEAD]
        environment.accounted(life)
        await life.stop()

    virtual.run(run())
