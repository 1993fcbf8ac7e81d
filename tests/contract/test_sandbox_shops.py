"""The simulated shops let in who has the right credentials, as the client of the sync stage presents them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
import uvicorn

from pipeline.connectif.network import Network
from pipeline.listening import bound_socket
from pipeline.sandbox.server import AbortableProtocol
from pipeline.sandbox.shops.app import SHOPS, SimulatedShops
from pipeline.sandbox.shops.shop import Answer, Fault, ShopSettings, SimulatedShop
from pipeline.shops.api import ApiRequest
from pipeline.shops.registry import PLATFORMS
from pipeline.sync import answers
from pipeline.sync.answers import Failed, Found, Missing, Refused, TooMany, Unauthorised
from pipeline.sync.client import ShopClient
from tests.platforms import settings_of

pytestmark = pytest.mark.real_time

SHOP, TOKENS = "acme", "/ims/token/v3"
ORDER = "/rest/all/V1/orders/7"
_FILTER = "searchCriteria[filterGroups][0][filters][0]"
#: What only the query tells apart, and what must be encoded to be signed.
PATHS = (
    ORDER,
    "/rest/es/V1/products/bla%2Fkoe%20%C3%B1",
    f"/rest/all/V1/products?{_FILTER}[field]=sku&{_FILTER}[value]=a%20b,%C3%B1%26c&searchCriteria[pageSize]=2",
)
FIXED = {"scheme": "headers", "headers": {"X-VTEX-API-AppKey": "key", "X-VTEX-API-AppToken": "token"}}
BASIC = {"scheme": "basic", "user": "KEY"}
BEARER = {"scheme": "bearer", "token": "token"}
OAUTH1 = {
    "scheme": "oauth1",
    "consumer_key": "key",
    "consumer_secret": "con&sum er",
    "token": "token",
    "token_secret": "ñ+/",
}
EXPIRING = {
    "scheme": "expiring",
    "token_path": TOKENS,
    "client_id": "client",
    "client_secret": "secret & more",
    "life": 100,
}
TOKEN = {"access_token": "token"}
INTEGRATION = TOKEN | {
    "consumer_key": "key",
    "consumer_secret": "con&sum er",
    "access_token_secret": "ñ+/",
}
CLOUD = {
    "access_token": None,
    "ims_client_id": "client",
    "ims_client_secret": "secret & more",
    "ims_organisation": "ORG@AdobeOrg",
}


class Case(NamedTuple):
    """How a shop lets requests in, and settings of a store that are right and wrong."""

    access: Mapping[str, object]
    platform: str
    right: Mapping[str, object]
    wrong: Mapping[str, object]


@dataclass
class Clock:
    """The client's seconds; the shop's differ by `ahead`."""

    now: float = 1_800_000_000.0
    ahead: float = 0.0

    def __call__(self) -> float:
        return self.now


class Site:
    """Simulated shops on 127.0.0.1, one of which is used."""

    def __init__(self, shops: SimulatedShops, url: str, clock: Clock) -> None:
        self.clock = clock
        self._shops = shops
        self._url = f"{url}{SHOPS}{SHOP}"

    def shop(self, **settings: Any) -> SimulatedShop:
        """A shop that has a document at each path."""
        made = self._shops.shops[SHOP] = SimulatedShop(ShopSettings.model_validate(settings))
        for path in PATHS:
            made.hold(unquote(path), [Answer(body={"is": path})])
        return made

    @contextlib.asynccontextmanager
    async def client(
        self,
        platform: str,
        changes: Mapping[str, object],
        timeout: float = 10.0,  # noqa: ASYNC109 - of its requests
    ) -> AsyncIterator[ShopClient]:
        """The client of a store of that shop; tokens are the shop's, not Adobe's."""
        api = PLATFORMS[platform].api
        assert api is not None

        def token(settings: Any) -> ApiRequest | None:
            request = None if api.token is None else api.token(settings)
            return request and replace(request, path=f"{self._url}{TOKENS}")

        own = settings_of(platform, api_url=self._url, **changes)
        made = ShopClient(
            replace(api, token=token), own, transport=Network(), timeout=timeout, clock=self.clock
        )
        try:
            yield made
        finally:
            await made.aclose()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    clock, sock = Clock(), bound_socket("127.0.0.1", 0)
    shops = SimulatedShops(lambda: clock.now + clock.ahead)
    config = uvicorn.Config(
        shops,
        http=AbortableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=0,
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield Site(shops, f"http://127.0.0.1:{sock.getsockname()[1]}", clock)
    finally:
        server.should_exit = True
        await serving


@pytest.mark.parametrize("path", PATHS, ids=["plain", "encoded", "query"])
@pytest.mark.parametrize(
    "case",
    [
        Case(FIXED, "vtex", {}, {"app_token": "other"}),
        Case(BASIC, "prestashop", {"webservice_key": "KEY"}, {"webservice_key": "KEYS"}),
        Case(BEARER, "magento", TOKEN, {"access_token": "Token"}),
        Case(OAUTH1, "magento", INTEGRATION, INTEGRATION | {"access_token_secret": "n+/"}),
        Case(OAUTH1, "magento", INTEGRATION, INTEGRATION | {"consumer_key": "other"}),
        Case(EXPIRING, "magento", CLOUD, CLOUD | {"ims_client_secret": "other"}),
    ],
    ids=["headers", "basic", "bearer", "oauth1", "oauth1-key", "expiring"],
)
async def test_the_right_credentials_are_let_in_and_others_are_not(site: Site, case: Case, path: str) -> None:
    site.shop(access=case.access)
    async with site.client(case.platform, case.right) as client:
        found = await client.send(ApiRequest(path))
        assert isinstance(found, Found)
        assert found.value == {"is": path}
        assert await client.send(ApiRequest("/rest/all/V1/orders/8")) == Missing(404)
    async with site.client(case.platform, case.wrong) as client:
        assert await client.send(ApiRequest(path)) == Unauthorised(401)


async def test_a_signature_of_oauth_counts_for_five_minutes(site: Site) -> None:
    site.shop(access=OAUTH1)
    async with site.client("magento", INTEGRATION) as client:
        site.clock.ahead = 299
        assert isinstance(await client.send(ApiRequest(ORDER)), Found)
        site.clock.ahead = 301
        assert await client.send(ApiRequest(ORDER)) == Unauthorised(401)


async def test_a_token_is_renewed_before_it_expires_and_again_where_the_shop_has_ended_it(site: Site) -> None:
    shop = site.shop(access=EXPIRING)
    async with site.client("magento", CLOUD) as client:
        for seconds, tokens in ((0, 1), (79, 1), (2, 2), (79, 2)):
            site.clock.now += seconds
            assert isinstance(await client.send(ApiRequest(ORDER)), Found)
            assert shop.tokens_issued == tokens
        assert {one.status for one in shop.log} == {200}  # no request was refused on the way
        shop.issue(site.clock.now, 100)  # to somebody else, which ends ours
        assert isinstance(await client.send(ApiRequest(ORDER)), Found)
        assert [one.status for one in list(shop.log)[-3:]] == [401, 200, 200]
        assert shop.tokens_issued == 4
        site.clock.ahead = 1_000  # by the shop's clock it has expired
        assert isinstance(await client.send(ApiRequest(ORDER)), Found)
        assert shop.tokens_issued == 5


async def test_requests_at_once_share_one_token(site: Site) -> None:
    shop = site.shop(access=EXPIRING, latency=0.01)
    async with site.client("magento", CLOUD) as client:
        for expected in (1, 3):
            got = await asyncio.gather(*(client.send(ApiRequest(ORDER)) for _ in range(8)))
            assert all(isinstance(one, Found) for one in got)
            assert shop.tokens_issued == expected
            shop.issue(site.clock.now, 100)  # the next ones are all refused once


@pytest.mark.parametrize(
    ("fault", "answer"),
    [("html", Failed("not_json")), ("server_error", Failed("server_error")), ("too_many", TooMany(None))],
)
async def test_a_token_that_cannot_be_had_is_said_as_what_it_is(
    site: Site, fault: str, answer: answers.Answer
) -> None:
    shop = site.shop(access=EXPIRING)
    shop.add_fault(Fault.model_validate({"kind": fault, "path": TOKENS}))
    async with site.client("magento", CLOUD) as client:
        assert await client.send(ApiRequest(ORDER)) == answer
        shop.clear_faults()
        assert isinstance(await client.send(ApiRequest(ORDER)), Found)


async def test_beyond_its_limit_a_shop_says_how_long_to_wait_or_does_not(site: Site) -> None:
    for retry_after in (7.0, None):
        site.shop(access=BEARER, limit={"requests": 3, "seconds": 60, "retry_after": retry_after})
        async with site.client("magento", TOKEN) as client:
            found = [await client.send(ApiRequest(ORDER)) for _ in range(4)]
            assert all(isinstance(one, Found) for one in found[:3])
            assert found[3] == TooMany(retry_after)
            site.clock.now += 61
            assert isinstance(await client.send(ApiRequest(ORDER)), Found)


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ({"kind": "down"}, Failed("broken_answer")),
        ({"kind": "html"}, Failed("not_json")),
        ({"kind": "notice"}, Failed("not_json")),
        ({"kind": "slow", "seconds": 60}, Failed("timeout")),
        ({"kind": "unauthorised"}, Unauthorised(401)),
        ({"kind": "too_many"}, TooMany(None)),
        ({"kind": "server_error"}, Failed("server_error")),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
async def test_each_fault_is_understood_and_ends(
    site: Site, fault: Mapping[str, Any], answer: answers.Answer
) -> None:
    shop = site.shop(access=BEARER)
    shop.add_fault(Fault.model_validate({**fault, "path": "/rest/all", "count": 1}))
    async with site.client("magento", TOKEN, timeout=1.0) as client:
        assert isinstance(await client.send(ApiRequest(PATHS[1])), Found)  # another path is not concerned
        assert await client.send(ApiRequest(ORDER)) == answer
        assert isinstance(await client.send(ApiRequest(ORDER)), Found)


@pytest.mark.parametrize(
    ("status", "answer"),
    [(302, Failed("redirect")), (400, Refused(400)), (403, Unauthorised(403)), (410, Missing(410))],
)
async def test_a_status_of_a_document_is_understood(site: Site, status: int, answer: answers.Answer) -> None:
    site.shop().hold(ORDER, [Answer(status=status), Answer(body=1)])
    async with site.client("magento", TOKEN) as client:
        assert await client.send(ApiRequest(ORDER)) == answer
        assert isinstance(await client.send(ApiRequest(ORDER)), Found)
