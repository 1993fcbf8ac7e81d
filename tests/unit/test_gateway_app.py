"""What the gateway answers, and what it hands on, without a socket, a broker or a disk."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import httpx
import pytest

from pipeline import config
from pipeline.events import Kind, RawEvent
from pipeline.exposition import Exposition
from pipeline.gateway.answers import OUTCOMES, REFUSAL_SECONDS
from pipeline.gateway.app import Gateway
from pipeline.gateway.message import Stored
from pipeline.gateway.webhooks import Webhooks
from pipeline.metrics import GATEWAY_REQUESTS
from pipeline.shops.base import WebhookRequest
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.shopify import SHOPIFY
from pipeline.shops.shopify.settings import ShopifySettings
from tests.unit.gateway_app import NOW, RecordingKeeper, client_of, gateway
from tests.webhooks import ROTATED, STORES, order, shopify, woocommerce

pytestmark = pytest.mark.real_time


@pytest.fixture
def keeper() -> RecordingKeeper:
    return RecordingKeeper()


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


async def test_a_store_whose_settings_cannot_be_used_is_told_to_send_again_and_no_other_is(
    keeper: RecordingKeeper,
) -> None:
    broken = {**STORES, "stores": {**STORES["stores"], "woo-fr": {"platform": "woocommerce"}}}
    settings = config.parse(broken, {}, isolate=True)
    webhooks = Webhooks(settings, PLATFORMS, keeper, lambda: NOW)
    body = order(727)
    async with client_of(Gateway(webhooks, lambda: None)) as client:
        answer = await client.post("/webhooks/woocommerce/woo-fr", content=body, headers=woocommerce(body))
        assert (answer.status_code, answer.json()["error"]) == (503, "store_refused")
        assert int(answer.headers["retry-after"]) > 0
        assert not keeper.kept
        answer = await client.post("/webhooks/shopify/acme-es", content=body, headers=shopify(body))
        assert answer.status_code == 200
        assert [message.key for message in keeper.kept] == [b"acme-es|order|727"]


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


async def test_nothing_was_said_later_than_it_arrived(
    client: httpx.AsyncClient, keeper: RecordingKeeper
) -> None:
    for said in ("2099-01-01T00:00:00Z", "2026-11-18T00:00:00Z"):
        headers = {**shopify(order(1)), "x-shopify-triggered-at": said}
        await client.post("/webhooks/shopify/acme-es", content=order(1), headers=headers)
    kept = [RawEvent.from_kafka(one.body, one.headers) for one in keeper.kept]
    assert [event.triggered_ms <= event.received_ms == int(NOW * 1_000) for event in kept] == [True, True]
    assert kept[1].triggered_ms == 1_794_960_000_000


async def page_of_metrics() -> str:
    return (await Exposition("gateway").page()).decode()


@pytest.mark.usefixtures("client")
async def test_every_outcome_of_a_known_store_is_there_from_the_start() -> None:
    page = await page_of_metrics()
    for store in ("acme-es", "woo-fr", "-"):
        for outcome in OUTCOMES:
            assert f'pipeline_gateway_requests_total{{outcome="{outcome}",store="{store}"}}' in page
    assert 'pipeline_gateway_last_event_timestamp_seconds{store="woo-fr"} 0.0' in page


async def test_when_a_store_last_sent_something_is_exported(client: httpx.AsyncClient) -> None:
    before = time.time()
    await client.post("/webhooks/shopify/acme-es", content=order(1), headers=shopify(order(1)))
    page = await page_of_metrics()
    line = next(line for line in page.splitlines() if "last_event" in line and "acme-es" in line)
    assert before <= float(line.split()[1]) <= time.time()


@pytest.mark.usefixtures("client")
async def test_only_the_gateways_own_series_are_exported() -> None:
    page = await page_of_metrics()
    assert "pipeline_gateway_requests_total" in page
    for other in ("pipeline_translate_", "pipeline_deliver_", "pipeline_sandbox_", "pipeline_coupons_used"):
        assert other not in page
    others = "".join(Exposition("translate").parts())
    assert "pipeline_gateway" not in others
    assert "pipeline_coupons_used" in others


async def test_where_nothing_can_be_kept_the_shop_is_told_to_come_again(
    client: httpx.AsyncClient, keeper: RecordingKeeper
) -> None:
    keeper.full = True
    body = order(1)
    answer = await client.post("/webhooks/shopify/acme-es", content=body, headers=shopify(body))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


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


async def test_shops_and_load_balancers_are_told_whether_it_is_ready_and_nothing_else() -> None:
    why: str | None = None
    webhooks = Webhooks(config.parse(STORES, {}), PLATFORMS, RecordingKeeper(), lambda: NOW)
    async with client_of(Gateway(webhooks, lambda: why)) as client:
        for path, said in (("/healthz", "ok\n"), ("/readyz", "ready\n")):
            answer = await client.get(path)
            assert (answer.status_code, answer.text) == (200, said)
        why = "Kafka does not take acme.shop.orders now, and the spool's disk cannot be written"
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "not ready\n")
        for path in ("/metrics", "/metrics/", "/state/entity", "/explain", "/", "/readyz/metrics"):
            answer = await client.get(path)
            assert (answer.status_code, answer.text) == (404, "not found\n")
