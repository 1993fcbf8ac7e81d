"""The client on the wire: paths, bodies, keys, and what it keeps to itself."""

from __future__ import annotations

import logging
from collections.abc import Callable

import httpx
import pytest

from pipeline.config import AccountSettings
from pipeline.connectif.answers import AnswerKind
from pipeline.connectif.client import ConnectifClient, ImportType

Handler = Callable[[httpx.Request], httpx.Response]
KEY = "id:secret"


def _client(handler: Handler, base_url: str = "https://api.example/v1/") -> ConnectifClient:
    settings = AccountSettings.model_validate({"api_key": KEY, "base_url": base_url})
    return ConnectifClient("acme", settings, transport=httpx.MockTransport(handler))


class _Recorder:
    def __init__(self, status: int = 200) -> None:
        self.requests: list[httpx.Request] = []
        self._status = status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self._status, json={})

    @property
    def last(self) -> httpx.Request:
        return self.requests[-1]


async def test_calls_go_to_the_documented_routes_with_the_key() -> None:
    seen = _Recorder()
    async with _client(seen) as client:
        await client.put_contact("a+b/c@é.example", b"{}")
        assert (seen.last.method, seen.last.url.raw_path) == (
            "PATCH",
            b"/v1/contacts/email/a%2Bb%2Fc%40%C3%A9.example",
        )
        await client.put_contact("77", b"{}", by_email=False)
        assert seen.last.url.path == "/v1/contacts/external-id/77"
        await client.create_purchase(b"{}", trigger=False)
        assert str(seen.last.url) == "https://api.example/v1/purchases/?triggerPurchaseEvent=false"
        await client.delete_purchase("o1")
        assert (seen.last.method, seen.last.url.path) == ("DELETE", "/v1/purchases/purchase-id/o1")
        await client.get_product("..")
        assert seen.last.url.raw_path == b"/v1/products/product-id/%2E%2E"
    assert {request.headers["authorization"] for request in seen.requests} == {f"apiKey {KEY}"}


async def test_an_import_is_a_form_with_a_csv_file() -> None:
    seen = _Recorder(201)
    async with _client(seen) as client:
        await client.create_import(ImportType.COUPONS, b"code\r\nA\r\n", coupon_set_id="s1")
    body = seen.last.content
    for part in (b'name="type"\r\n\r\ncoupons', b'name="overrideExisting"\r\n\r\ntrue', b"\r\n\r\ns1\r\n"):
        assert part in body
    assert b'filename="coupons.csv"\r\nContent-Type: text/csv\r\n\r\ncode\r\nA\r\n' in body


async def test_an_error_report_is_fetched_without_the_key() -> None:
    seen = _Recorder()
    async with _client(seen) as client:
        answer, body = await client.get_error_report("https://files.example/report.csv")
    assert (answer.good, body) == (True, b"{}")
    assert "authorization" not in seen.last.headers


async def test_a_list_goes_on_at_its_own_host_only() -> None:
    seen = _Recorder()
    async with _client(seen) as client:
        assert (
            await client.list_imports("https://evil.example/imports?page=2")
        ).kind is AnswerKind.UNAVAILABLE
        assert not seen.requests
        assert (await client.list_imports("https://api.example/v1/imports?page=2")).good


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    def away(_: httpx.Request) -> httpx.Response:
        return httpx.Response(307, headers={"location": "https://evil.example/"})

    async with _client(away) as client:
        assert (await client.put_product("p1", b"{}")).kind is AnswerKind.UNAVAILABLE


async def test_broken_connections_and_time_outs_are_answers() -> None:
    def broken(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("reset by ann@example.com")

    async with _client(broken) as client:
        answer = await client.get_import("1")
    assert (answer.kind, answer.carried_out) == (AnswerKind.UNAVAILABLE, None)
    assert "ann" not in answer.detail


async def test_neither_keys_nor_addresses_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with _client(_Recorder()) as client:
        await client.put_contact("ann@example.com", b"{}")
    assert "ann" not in caplog.text
    assert "secret" not in caplog.text
