"""One shop's API over HTTP: authorised requests, typed answers, tokens that are renewed in time."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import httpx

from pipeline.outgoing import ALLOW_PRIVATE
from pipeline.shops.api import ApiRequest, Moment, ShopApi
from pipeline.shops.settings import StoreSettings
from pipeline.sync.answers import Answer, Failed, Found, Unauthorised, meant, read

#: Of a token's life after which it is renewed.
RENEW_AT = 0.8
#: Of a token whose answer names no life, seconds.
ASSUMED_LIFE = 3_600.0
USER_AGENT = "shop-connectif-pipeline"


class ShopClient:
    """Asks one shop.

    Args:
        api: the platform's.
        settings: the store's.
        transport: the network.
        timeout: seconds for a whole exchange.
        clock: seconds since the epoch.
        nonce: random text, new at each call.
    """

    def __init__(
        self,
        api: ShopApi[StoreSettings],
        settings: StoreSettings,
        *,
        transport: httpx.AsyncBaseTransport,
        timeout: float,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._api = api
        self._settings = settings
        self._clock = clock
        self._nonce = nonce
        self._client = httpx.AsyncClient(
            base_url=api.base_url(settings),
            transport=transport,
            timeout=timeout,
            follow_redirects=False,
            headers={"user-agent": USER_AGENT, "accept": "application/json"},
        )
        self._extensions = {ALLOW_PRIVATE: settings.allow_private}
        self._token = ""
        self._renew_at = 0.0
        self._renewing = asyncio.Lock()

    async def send(self, request: ApiRequest) -> Answer:
        """Make one request. A token that is refused is renewed once, and the request made again."""
        failed = await self._renewed()
        if failed is not None:
            return failed
        token = self._token
        answer = await self._send(request, token)
        if isinstance(answer, Unauthorised) and token:
            failed = await self._renewed(refused=token)
            answer = await self._send(request, self._token) if failed is None else failed
        return answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _renewed(self, refused: str = "") -> Answer | None:
        """Get a token where one is needed; None once there is one, else what the request for it came to.

        One at a time: at some shops a new token ends the one before, which another request has just got.
        """
        request = None if self._api.token is None else self._api.token(self._settings)
        if request is None:
            return None
        async with self._renewing:
            if self._token not in {"", refused} and self._clock() < self._renew_at:
                return None
            return await self._get_token(request)

    async def _get_token(self, request: ApiRequest) -> Answer | None:
        self._token = ""
        answer = await self._exchange(request, request.headers)
        if not isinstance(answer, Found):
            return answer
        said = answer.value
        token = said.get("access_token") if isinstance(said, dict) else said
        if not isinstance(token, str) or not token or not token.isprintable():
            return Failed("no_token")
        life = said.get("expires_in") if isinstance(said, dict) else None
        seconds = float(life) if isinstance(life, int | float) and 0 < life < 10**9 else ASSUMED_LIFE
        self._token, self._renew_at = token, self._clock() + RENEW_AT * seconds
        return None

    async def _send(self, request: ApiRequest, token: str) -> Answer:
        moment = Moment(int(self._clock()), self._nonce(), token)
        headers = {**request.headers, **self._api.authorise(self._settings, request, moment)}
        return meant(await self._exchange(self._with_query(request), headers), self._api.heard)

    def _with_query(self, request: ApiRequest) -> ApiRequest:
        """The request with what is only told to the shop."""
        query = "" if self._api.query is None else self._api.query(self._settings)
        if not query:
            return request
        return replace(request, path=f"{request.path}{'&' if '?' in request.path else '?'}{query}")

    async def _exchange(self, request: ApiRequest, headers: Mapping[str, str]) -> Answer:
        try:
            response = await self._client.request(
                request.method,
                request.path,
                headers=dict(headers),
                content=request.body or None,
                extensions=self._extensions,
            )
        except httpx.TimeoutException:
            return Failed("timeout")
        except httpx.ConnectError:
            return Failed("unreachable")
        except httpx.HTTPError:
            return Failed("broken_answer")
        except httpx.InvalidURL:
            return Failed("unusable_path")
        return read(response, self._clock(), request.method)
