"""What a platform may ask of the gateway beyond a signed body: greetings, tokens that expire, batches."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import parse_qs

import httpx
import orjson
import pytest

from pipeline import config
from pipeline.events import Kind, RawEvent
from pipeline.gateway.app import Gateway
from pipeline.gateway.message import Message, Overloaded, Stored
from pipeline.gateway.webhooks import MAX_DOCUMENTS, Webhooks, all_kept
from pipeline.shops.base import Arrival, WebhookRequest
from pipeline.shops.shopify import SHOPIFY
from pipeline.shops.shopify.settings import ShopifySettings
from tests.webhooks import SECRET, STORES

NOW = 1_795_000_000
PATH = "/webhooks/shopify/acme-es"


def token(until: int = NOW + 60, secret: str = SECRET) -> str:
    """What an envelope's sender shows: until when it is good, signed."""
    return f"{until}.{hmac.new(secret.encode(), str(until).encode(), 'sha256').hexdigest()}"


def _verify(secrets: Sequence[bytes], request: WebhookRequest, settings: ShopifySettings) -> bool:  # noqa: ARG001
    """A token beside the body, in the address or in a header; the body itself is signed by nobody."""
    shown = parse_qs(request.query).get("token", [request.headers.get("authorization", "")])[0]
    until, _, signature = shown.removeprefix("Bearer ").partition(".")
    if not until.isdecimal() or int(until) * 1_000 < request.received_ms:
        return False
    return any(
        hmac.compare_digest(hmac.new(secret, until.encode(), "sha256").hexdigest(), signature)
        for secret in secrets
    )


def _greeting(request: WebhookRequest) -> str | None:
    if request.method == "GET":
        return parse_qs(request.query).get("challenge", [None])[0]
    return "" if request.body == b'{"hookConfig":"ping"}' else None


def _split(request: WebhookRequest) -> list[WebhookRequest]:
    envelopes = orjson.loads(request.body)
    return [request._replace(body=orjson.dumps(one)) for one in envelopes]


def _arrival(request: WebhookRequest) -> Arrival:
    envelope = orjson.loads(request.body)
    if isinstance(envelope, list):
        return Arrival(Kind.ORDER, "unread", "batch", "b")
    return Arrival(Kind(envelope["kind"]), envelope["data"]["id"], envelope["type"], envelope["id"])


#: Events in envelopes, several in a request, with their topics in them.
ENVELOPES = replace(
    SHOPIFY,
    verify=_verify,
    arrival=_arrival,
    greeting=_greeting,
    split=_split,
    methods=frozenset({"GET", "POST"}),
)


def envelope(number: int, kind: str = "order") -> dict[str, object]:
    """One event."""
    return {"id": f"e{number}", "type": f"shop.{kind}.saved", "kind": kind, "data": {"id": str(number)}}


class EventSink:
    """Keeps messages until it has no room for more."""

    def __init__(self) -> None:
        self.kept: list[Message] = []
        self.room = 100
        self.where = [Stored.KAFKA]

    def submit(self, message: Message) -> asyncio.Future[Stored]:
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()
        if len(self.kept) >= self.room:
            future.set_exception(Overloaded("full"))
        else:
            self.kept.append(message)
            loop.call_soon(future.set_result, self.where[len(self.kept) % len(self.where)])
        return future


@pytest.fixture
def keeper() -> EventSink:
    return EventSink()


@pytest.fixture
def webhooks(keeper: EventSink) -> Webhooks:
    platforms = {"shopify": ENVELOPES, "woocommerce": SHOPIFY}
    return Webhooks(config.parse({**STORES}, {}), platforms, keeper, lambda: NOW)


@pytest.fixture
def client(webhooks: Webhooks) -> httpx.AsyncClient:
    app = Gateway(webhooks, lambda: None)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


def signed(token: str) -> dict[str, str]:
    return {"content-type": "application/json", "authorization": f"Bearer {token}"}


async def test_each_document_of_a_batch_is_an_event(client: httpx.AsyncClient, keeper: EventSink) -> None:
    batch = [envelope(1), envelope(2, "product"), envelope(1, "customer")]
    answer = await client.post(PATH, json=batch, headers=signed(token()))
    assert answer.status_code == 200
    events = [RawEvent.from_kafka(message.body, message.headers) for message in keeper.kept]
    assert [(event.kind, event.entity, event.topic) for event in events] == [
        (Kind.ORDER, "1", "shop.order.saved"),
        (Kind.PRODUCT, "2", "shop.product.saved"),
        (Kind.CUSTOMER, "1", "shop.customer.saved"),
    ]
    assert [orjson.loads(event.body) for event in events] == batch
    assert [message.topic for message in keeper.kept] == ["shop.orders", "shop.products", "shop.customers"]


async def test_a_batch_is_kept_as_a_whole_or_sent_again(client: httpx.AsyncClient, keeper: EventSink) -> None:
    keeper.room = 2
    answer = await client.post(PATH, json=[envelope(n) for n in range(3)], headers=signed(token()))
    assert answer.status_code == 503


async def test_a_batch_is_as_safe_as_the_least_safe_of_it(webhooks: Webhooks, keeper: EventSink) -> None:
    keeper.where = [Stored.KAFKA, Stored.SPOOL]
    route = webhooks.route(PATH.encode())
    assert route is not None
    body = orjson.dumps([envelope(1), envelope(2)])
    kept = webhooks.keep(route, signed(token()), body)
    assert isinstance(kept, asyncio.Future)
    assert await kept is Stored.SPOOL


async def test_a_batch_of_nothing_is_answered(client: httpx.AsyncClient, keeper: EventSink) -> None:
    answer = await client.post(PATH, json=[], headers=signed(token()))
    assert (answer.status_code, keeper.kept) == (200, [])


async def test_a_batch_of_too_many_is_one_event(client: httpx.AsyncClient, keeper: EventSink) -> None:
    batch = [envelope(1)] * (MAX_DOCUMENTS + 1)
    body = orjson.dumps(batch)
    answer = await client.post(PATH, content=body, headers=signed(token()))
    assert answer.status_code == 200
    assert [message.body for message in keeper.kept] == [body]


async def test_a_batch_that_is_called_off_is_not_answered(webhooks: Webhooks, keeper: EventSink) -> None:
    futures = [keeper.submit(Message("t", b"", b"", [])) for _ in range(2)]
    whole = all_kept(futures)
    futures[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await whole
    assert await futures[1] is Stored.KAFKA
    assert webhooks.held == 0


@pytest.mark.parametrize(
    "shown",
    [token(NOW - 1), token(secret="another"), "", "Bearer", f"{NOW + 60}.", "é.é"],
)
async def test_a_token_that_is_over_or_not_ours_is_refused(
    client: httpx.AsyncClient, keeper: EventSink, shown: str
) -> None:
    headers = {b"content-type": b"application/json", b"authorization": f"Bearer {shown}".encode()}
    answer = await client.post(PATH, json=[envelope(1)], headers=headers)
    assert (answer.status_code, keeper.kept) == (401, [])


async def test_a_token_may_stand_in_the_address(client: httpx.AsyncClient, keeper: EventSink) -> None:
    answer = await client.post(PATH, json=[envelope(1)], params={"token": token()})
    assert (answer.status_code, len(keeper.kept)) == (200, 1)


async def test_a_challenge_is_given_back_as_plain_text(client: httpx.AsyncClient, keeper: EventSink) -> None:
    answer = await client.get(PATH, params={"challenge": "<b>8ec8</b>"})
    assert (answer.status_code, answer.text) == (200, "<b>8ec8</b>")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert keeper.kept == []


async def test_a_challenge_without_end_is_cut(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH, params={"challenge": "é" * 5_000})
    assert (answer.status_code, answer.text) == (200, "é" * 1_000)


@pytest.mark.parametrize(
    ("path", "status"),
    [(PATH, 405), ("/webhooks/woocommerce/woo-fr?challenge=1", 405), ("/webhooks/nobody/x?challenge=1", 405)],
)
async def test_other_requests_with_get_are_none(client: httpx.AsyncClient, path: str, status: int) -> None:
    assert (await client.get(path)).status_code == status


async def test_a_greeting_in_json_is_answered_and_not_kept(
    client: httpx.AsyncClient, keeper: EventSink
) -> None:
    body = b'{"hookConfig":"ping"}'
    answer = await client.post(PATH, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, keeper.kept) == (200, [])


async def test_nobody_learns_which_stores_there_are_by_greeting_them(client: httpx.AsyncClient) -> None:
    known, unknown = "/webhooks/shopify/nobody", "/webhooks/nobody/acme-es"
    for path in (known, unknown):
        body = b'{"hookConfig":"ping"}'
        answer = await client.post(path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 401
    assert (await client.get(known, params={"challenge": "1"})).status_code == 401
