"""What the gateway answers, and what it hands on, without a socket, a broker or a disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

import httpx
import pytest

from pipeline import config
from pipeline.events import Kind, RawEvent
from pipeline.gateway.answers import OUTCOMES, REFUSAL_SECONDS
from pipeline.gateway.app import Gateway
from pipeline.gateway.message import Message, Overloaded, Stored
from pipeline.gateway.webhooks import Webhooks
from pipeline.metrics import GATEWAY_REQUESTS, exposition
from pipeline.observe import observe_app
from pipeline.shops.base import WebhookRequest
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.shopify import SHOPIFY
from pipeline.shops.shopify.settings import ShopifySettings
from tests.webhooks import ROTATED, STORES, order, shopify, woocommerce

NOW = 1_795_000_000.5


class RecordingKeeper:
    """Keeps messages in a list, or fails as it is told."""

    def __init__(self) -> None:
        self.kept: list[Message] = []
        self.stored = Stored.KAFKA
        self.full = False

    def submit(self, message: Message) -> asyncio.Future[Stored]:
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        if self.full:
            future.set_exception(Overloaded("full"))
        else:
            self.kept.append(message)
            future.set_result(self.stored)
        return future


@pytest.fixture
def keeper() -> RecordingKeeper:
    return RecordingKeeper()


def gateway(
    keeper: RecordingKeeper, platforms: Mapping[str, AnyPlatform] = PLATFORMS, **limits: int
) -> Gateway:
    tree = {**STORES, "kafka": {"topic_prefix": "t-"}, "gateway": {"max_body_bytes": 20_000, **limits}}
    webhooks = Webhooks(config.parse(tree, {}), platforms, keeper, lambda: NOW)
    return Gateway(webhooks, observe_app("gateway", lambda: None))


def client_of(app: Gateway) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


@pytest.fixture
async def client(keeper: RecordingKeeper) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(gateway(keeper)) as client:
        yield client


async def test_a_signed_webhook_is_kept_byte_for_byte_with_what_it_is(
    client: httpx.AsyncClient, keeper: RecordingKeeper
) -> None:
    body = b' {"id": 820982911946154500, "note": "\xf0\x9f\x8e\x81 \xd8\xb3"} '
    answer = await client.post("/webhooks/shopify/acme-es", content=body, headers=shopify(body))
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    [message] = keeper.kept
    assert (message.topic, message.key) == ("t-shop.orders", b"acme-es|order|820982911946154500")
    assert RawEvent.from_kafka(message.body, message.headers) == RawEvent(
        store="acme-es",
        platform="shopify",
        kind=Kind.ORDER,
        entity="820982911946154500",
        topic="orders/updated",
        delivery="orders/updated:d-1",
        received_ms=1_795_000_000_500,
        body=body,
        headers={"x-shopify-topic": "orders/updated", "x-shopify-webhook-id": "d-1"},
    )


async def test_a_spooled_event_is_answered_like_a_confirmed_one(
    client: httpx.AsyncClient, keeper: RecordingKeeper
) -> None:
    body = order(1)
    confirmed = await client.post("/webhooks/shopify/acme-es", content=body, headers=shopify(body))
    keeper.stored = Stored.SPOOL
    spooled = await client.post("/webhooks/shopify/acme-es", content=body, headers=shopify(body))
    assert (confirmed.status_code, confirmed.content) == (spooled.status_code, spooled.content)


async def test_either_of_two_secrets_signs(client: httpx.AsyncClient, keeper: RecordingKeeper) -> None:
    body = order(1)
    headers = shopify(body, secret=ROTATED)
    assert (await client.post("/webhooks/shopify/acme-es", content=body, headers=headers)).is_success
    assert len(keeper.kept) == 1


async def test_a_woocommerce_order_is_kept(client: httpx.AsyncClient, keeper: RecordingKeeper) -> None:
    body = order(727)
    answer = await client.post("/webhooks/woocommerce/woo-fr", content=body, headers=woocommerce(body))
    assert answer.status_code == 200
    assert keeper.kept[0].key == b"woo-fr|order|727"


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        ("/webhooks/shopify/acme-es", "not the secret"),
        ("/webhooks/shopify/nobody", "shop-secret"),
        ("/webhooks/shopify/woo-fr", "shop-secret"),
        ("/webhooks/woocommerce/acme-es", "shop-secret"),
        ("/webhooks/magento/acme-es", "shop-secret"),
        ("/webhooks/shopify/-", "shop-secret"),
        ("/webhooks/shopify/..%2f..%2fetc%2fpasswd", "shop-secret"),
        ("/webhooks/shopify/%2e%2e", "shop-secret"),
        ("/webhooks/shopify/acme-es%00", "shop-secret"),
        ("/webhooks/shopify/%ff%fe", "shop-secret"),
        ("/webhooks/shopify/%zz", "shop-secret"),
        ("/webhooks/shopify%2facme-es/x", "shop-secret"),
    ],
)
async def test_whatever_is_wrong_with_the_trust_the_answer_is_one(
    client: httpx.AsyncClient, keeper: RecordingKeeper, path: str, secret: str
) -> None:
    body = order(1)
    headers = {**shopify(body, secret=secret), **woocommerce(body, secret=secret)}
    answer = await client.post(path, content=body, headers=headers)
    expected = await client.post(
        "/webhooks/shopify/acme-es", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == expected.status_code == 401
    assert (answer.content, answer.headers) == (expected.content, expected.headers)
    assert keeper.kept == []


async def test_a_signature_that_does_not_fit_is_said_once_a_minute_and_of_known_stores_alone(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    body = order(1)
    for _ in range(3):
        for store in ("acme-es", "nobody"):
            headers = shopify(body, secret="another")
            answer = await client.post(f"/webhooks/shopify/{store}", content=body, headers=headers)
            assert answer.status_code == 401
    [line] = caplog.messages
    assert line.startswith("store acme-es: 1 webhooks were answered 401")


async def test_a_refusal_takes_as_long_whatever_was_found() -> None:
    def slow(secrets: Sequence[bytes], request: WebhookRequest, settings: ShopifySettings) -> bool:
        """Takes long over a known store's secret: far more than a real signature."""
        if len(secrets) > 1:
            time.sleep(REFUSAL_SECONDS * 0.6)
        return SHOPIFY.verify(secrets, request, settings)

    async def seconds(client: httpx.AsyncClient, store: str) -> float:
        started = time.perf_counter()
        answer = await client.post(f"/webhooks/shopify/{store}", content=b"{}", headers=shopify(b"[]"))
        assert answer.status_code == 401
        return time.perf_counter() - started

    platforms = {**PLATFORMS, "shopify": replace(SHOPIFY, verify=slow)}
    async with client_of(gateway(RecordingKeeper(), platforms)) as client:
        known = min([await seconds(client, "acme-es") for _ in range(3)])
        unknown = min([await seconds(client, "nobody") for _ in range(3)])
    assert abs(known - unknown) < REFUSAL_SECONDS * 0.3


async def test_an_unknown_store_makes_no_label(client: httpx.AsyncClient) -> None:
    def stores() -> set[str]:
        [family] = GATEWAY_REQUESTS.collect()
        return {sample.labels["store"] for sample in family.samples}

    before = stores()
    for number in range(20):
        headers = {"content-type": "text/plain"}
        await client.post(f"/webhooks/shopify/stranger-{number}", content=b"x", headers=headers)
    assert stores() == before | {"-"}


@pytest.mark.parametrize("path", ["/webhooks/shopify/acme%2Des", "/webhooks/%73hopify/acme-es"])
async def test_a_store_may_be_spelt_with_percent_signs(
    client: httpx.AsyncClient, keeper: RecordingKeeper, path: str
) -> None:
    body = order(1)
    url = httpx.URL("http://gateway", raw_path=path.encode())
    assert (await client.post(url, content=body, headers=shopify(body))).status_code == 200
    assert keeper.kept[0].key == b"acme-es|order|1"


@pytest.mark.parametrize(
    "path",
    ["/webhooks/", "/webhooks/shopify", "/webhooks/shopify/", "/webhooks/shopify/acme-es/x", "/elsewhere"],
)
async def test_a_path_of_another_shape_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.post(path, content=b"{}", headers=shopify(b"{}"))).status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method_is_told_which_one_to_use(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/webhooks/shopify/acme-es")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


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


async def test_nothing_was_said_later_than_it_arrived(
    client: httpx.AsyncClient, keeper: RecordingKeeper
) -> None:
    for said in ("2099-01-01T00:00:00Z", "2026-11-18T00:00:00Z"):
        headers = {**shopify(order(1)), "x-shopify-triggered-at": said}
        await client.post("/webhooks/shopify/acme-es", content=order(1), headers=headers)
    kept = [RawEvent.from_kafka(one.body, one.headers) for one in keeper.kept]
    assert [event.triggered_ms <= event.received_ms == int(NOW * 1_000) for event in kept] == [True, True]
    assert kept[1].triggered_ms == 1_794_960_000_000


async def test_every_outcome_of_a_known_store_is_there_from_the_start(client: httpx.AsyncClient) -> None:
    page = (await client.get("/metrics")).text
    for store in ("acme-es", "woo-fr", "-"):
        for outcome in OUTCOMES:
            assert f'pipeline_gateway_requests_total{{outcome="{outcome}",store="{store}"}}' in page
    assert 'pipeline_gateway_last_event_timestamp_seconds{store="woo-fr"} 0.0' in page


async def test_when_a_store_last_sent_something_is_exported(client: httpx.AsyncClient) -> None:
    before = time.time()
    await client.post("/webhooks/shopify/acme-es", content=order(1), headers=shopify(order(1)))
    page = (await client.get("/metrics")).text
    line = next(line for line in page.splitlines() if "last_event" in line and "acme-es" in line)
    assert before <= float(line.split()[1]) <= time.time()


async def test_only_the_gateways_own_series_are_exported(client: httpx.AsyncClient) -> None:
    page = (await client.get("/metrics")).text
    assert "pipeline_gateway_requests_total" in page
    for other in ("pipeline_translate_", "pipeline_deliver_", "pipeline_sandbox_", "pipeline_coupons_used"):
        assert other not in page
    assert "pipeline_gateway" not in exposition("translate").decode()
    assert "pipeline_coupons_used" in exposition("translate").decode()


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


async def test_where_nothing_can_be_kept_the_shop_is_told_to_come_again(
    client: httpx.AsyncClient, keeper: RecordingKeeper
) -> None:
    keeper.full = True
    body = order(1)
    answer = await client.post("/webhooks/shopify/acme-es", content=body, headers=shopify(body))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


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


async def test_every_error_says_what_to_do_and_nothing_of_the_request(client: httpx.AsyncClient) -> None:
    secret = "hunter2@example.com"
    answers = [
        await client.post(f"/webhooks/shopify/{secret}", content=secret, headers=shopify(b"{}")),
        await client.post("/webhooks/shopify/acme-es", content=secret, headers={"content-type": secret}),
        await client.request(secret.upper(), f"/webhooks/shopify/{secret}"),
        await client.post("/webhooks/shopify", content=secret),
    ]
    for answer in answers:
        assert set(answer.json()) == {"error", "hint"}
        assert secret not in answer.text.lower()


async def test_health_readiness_and_metrics_are_served(client: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await client.get(path)).status_code == 200
