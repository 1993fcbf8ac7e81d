"""Which bodies and headers the gateway keeps, and in what size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from pipeline.events import RawEvent
from pipeline.gateway.message import Message, Stored
from tests.unit.gateway_app import RecordingKeeper, client_of, gateway
from tests.webhooks import order, shopify, woocommerce


@pytest.fixture
def keeper() -> RecordingKeeper:
    return RecordingKeeper()


@pytest.fixture
async def client(keeper: RecordingKeeper) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(gateway(keeper)) as client:
        yield client


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON;charset=ISO-8859-15", 200),
        ("text/xml", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonp", 415),
        ("", 415),
        ("application/x-www-form-urlencoded", 415),
    ],
)
async def test_only_json_is_taken(client: httpx.AsyncClient, media_type: str, status: int) -> None:
    body = order(1)
    headers = {**shopify(body), "content-type": media_type}
    answer = await client.post("/webhooks/shopify/acme-es", content=body, headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/webhooks/woocommerce/woo-fr", b"webhook_id=12", 200),
        ("/webhooks/woocommerce/woo-fr", b"webhook_id=12&x=1", 415),
        ("/webhooks/woocommerce/woo-fr", b"webhook_id=", 415),
        ("/webhooks/woocommerce/nobody", b"webhook_id=12", 401),
        ("/webhooks/woocommerce/acme-es", b"webhook_id=12", 401),
        ("/webhooks/shopify/acme-es", b"webhook_id=12", 415),
    ],
)
async def test_woocommerces_ping_is_greeted_and_not_kept(
    client: httpx.AsyncClient, keeper: RecordingKeeper, path: str, body: bytes, status: int
) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await client.post(path, content=body, headers=headers)).status_code == status
    assert keeper.kept == []


@pytest.mark.parametrize("platform", ["shopify/acme-es", "woocommerce/woo-fr"])
async def test_an_empty_body_is_kept_where_it_is_signed(
    client: httpx.AsyncClient, keeper: RecordingKeeper, platform: str
) -> None:
    """A refusal would count towards WooCommerce's switching the webhook off; translate says what it was."""
    path, headers = f"/webhooks/{platform}", {**shopify(b""), **woocommerce(b"")}
    assert (await client.post(path, content=b"", headers=headers)).status_code == 200
    assert [message.body for message in keeper.kept] == [b""]
    forged = {**shopify(b"", secret="guess"), **woocommerce(b"", secret="guess")}
    assert (await client.post(path, content=b"", headers=forged)).status_code == 401


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "x" * 3_000])
async def test_a_compressed_body_is_refused_and_told_why(client: httpx.AsyncClient, coding: str) -> None:
    headers = {**shopify(order(1)), "content-encoding": coding}
    answer = await client.post("/webhooks/shopify/acme-es", content=order(1), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (415, "unsupported_content_encoding")


async def test_headers_nobody_signed_are_kept_short(
    client: httpx.AsyncClient, keeper: RecordingKeeper
) -> None:
    body = order(1)
    for name in ("x-shopify-topic", "x-shopify-webhook-id", "x-shopify-name", "x-wc-webhook-topic"):
        for path, own in (("shopify/acme-es", shopify(body)), ("woocommerce/woo-fr", woocommerce(body))):
            long = {**own, name: "\xff" * 50_000}
            request = [(key.encode(), value.encode("latin-1")) for key, value in long.items()]
            answer = await client.post(f"/webhooks/{path}", content=body, headers=request)
            assert answer.status_code == 200
    assert max(message.size - len(message.body) for message in keeper.kept) < 8_000
    deliveries = {RawEvent.from_kafka(one.body, one.headers).delivery for one in keeper.kept}
    assert len(deliveries) > 3


@pytest.mark.parametrize(
    "body", [b'{"id": 1, "line_it', b"\xff\xfe\x00", b"[]", b"null", "{'ä'}".encode("latin-1")]
)
async def test_a_signed_body_that_is_no_json_object_is_the_shops_and_kept(
    client: httpx.AsyncClient, keeper: RecordingKeeper, body: bytes
) -> None:
    answer = await client.post("/webhooks/shopify/acme-es", content=body, headers=shopify(body))
    assert answer.status_code == 200
    assert [message.body for message in keeper.kept] == [body]


async def test_a_declared_size_over_the_cap_is_refused_unread(client: httpx.AsyncClient) -> None:
    read: list[int] = []

    async def never() -> AsyncIterator[bytes]:
        read.append(1)
        yield b"{}"

    headers = {**shopify(b""), "content-length": "20001"}
    answer = await client.post("/webhooks/shopify/acme-es", content=never(), headers=headers)
    assert (answer.status_code, read) == (413, [])


@pytest.mark.parametrize("length", ["-1", "+5", "1e3", "\N{SUPERSCRIPT TWO}", "9" * 5_000])
async def test_a_length_that_is_no_number_is_refused(client: httpx.AsyncClient, length: str) -> None:
    headers = [*shopify(b"{}").items(), ("content-length", length.encode("latin-1"))]
    request = client.build_request("POST", "/webhooks/shopify/acme-es", content=b"{}")
    request.headers = httpx.Headers(headers)  # type: ignore[arg-type]
    assert (await client.send(request)).status_code == 413


async def test_a_body_in_pieces_is_counted_and_joined(
    client: httpx.AsyncClient, keeper: RecordingKeeper
) -> None:
    async def pieces(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 700):
            yield body[start : start + 700]

    small, large = order(1, padding=10_000), order(1, padding=20_000)
    answer = await client.post("/webhooks/shopify/acme-es", content=pieces(small), headers=shopify(small))
    assert (answer.status_code, keeper.kept[0].body) == (200, small)
    answer = await client.post("/webhooks/shopify/acme-es", content=pieces(large), headers=shopify(large))
    assert answer.status_code == 413


async def test_bodies_in_memory_are_bounded_together() -> None:
    class Unconfirmed(RecordingKeeper):
        def submit(self, message: Message) -> asyncio.Future[Stored]:
            self.kept.append(message)
            return asyncio.get_running_loop().create_future()

    keeper = Unconfirmed()
    async with client_of(gateway(keeper, max_body_bytes=3_000_000, max_held_bytes=5_000_000)) as client:
        body, next_body = order(1, padding=2_900_000), order(3, padding=1_000_000)

        async def post(content: bytes) -> int:
            answer = await client.post("/webhooks/shopify/acme-es", content=content, headers=shopify(content))
            return answer.status_code

        waiting = asyncio.create_task(post(body))
        while not keeper.kept:
            await asyncio.sleep(0)
        assert await post(next_body) == 503
        small = order(2)
        answering = asyncio.create_task(post(small))
        while len(keeper.kept) < 2:  # kept beside it: large bodies leave room for small ones
            await asyncio.sleep(0)
        waiting.cancel()
        answering.cancel()
