"""Who may call: the key as a whole, its account, its scopes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pipeline.config import parse
from pipeline.errors import SettingsError
from pipeline.sandbox.connectif.http.app import ConnectifSandbox
from tests.connectif_sandbox import KEY, OTHER_KEY, running


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        KEY,
        f"apikey {KEY}",
        f"Bearer {KEY}",
        f"apiKey  {KEY}",
        f"apiKey {KEY}x",
        f"apiKey {KEY[:-1]}",
        "apiKey keyid",
        "apiKey keyid:",
    ],
)
async def test_a_call_without_a_known_key_is_answered_401(authorization: str | None) -> None:
    async with running() as api:
        headers = {} if authorization is None else {"Authorization": authorization}
        answer = await api.client.get("/store/", headers=headers)
        assert answer.status_code == 401
        assert (await api.control("GET", "stats"))["unauthorised"] == 1


@pytest.mark.parametrize(("form", "body"), [("text", "Unauthorized"), ("empty", "")])
async def test_the_body_of_a_401_is_text_or_nothing_but_never_to_be_relied_on(form: str, body: str) -> None:
    async with running(unauthorised_body=form) as api:
        answer = await api.get("/store/", key=None)
        assert answer.text == body
        assert "json" not in answer.headers.get("content-type", "")


async def test_the_body_of_a_401_can_be_an_http_error() -> None:
    async with running(unauthorised_body="json") as api:
        assert (await api.get("/store/", key=None)).json()["title"] == "Unauthorized"


async def test_a_key_without_a_colon_is_compared_whole() -> None:
    async with running() as api:
        await api.control("POST", "keys", {"account": "acme-es", "api_key": "myApiKey"})
        assert (await api.get("/store/", key="myApiKey")).status_code == 200


async def test_each_key_opens_its_own_account_only() -> None:
    async with running() as api:
        await api.buy()
        assert (await api.get("/purchases/purchase-id/1001")).status_code == 200
        assert (await api.get("/purchases/purchase-id/1001", key=OTHER_KEY)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/contacts/email/a@b.example", "contacts:read"),
        ("PATCH", "/contacts/email/a@b.example", "contacts:write"),
        ("DELETE", "/contacts/email/a@b.example", "contacts:delete"),
        ("PATCH", "/products/product-id/1", "products:write"),
        ("POST", "/purchases/", "purchases:write"),
        ("GET", "/purchases/purchase-id/1", "purchases:read"),
        ("POST", "/imports/", "imports:write"),
        ("DELETE", "/imports/6072374b4d3ceb76e44d4323", "imports:delete"),
        ("POST", "/exports/", "exports:write"),
        ("GET", "/coupon-sets/", "coupon-sets:read"),
        ("POST", "/custom-events/alias/x", "custom-events:write"),
    ],
)
async def test_a_key_that_lacks_the_scope_is_answered_403(method: str, path: str, scope: str) -> None:
    async with running() as api:
        everything = {"account": "acme-es", "api_key": "limited", "scopes": ["store:read"]}
        await api.control("POST", "keys", everything)
        answer = await api.call(method, path, key="limited", content=b"{}")
        assert answer.status_code == 403
        assert answer.json()["status"] == 403
        assert answer.json()["title"] == "Forbidden"
        assert scope in answer.json()["detail"]
        assert (await api.get("/store/", key="limited")).status_code == 200


async def test_a_scope_can_be_taken_from_every_key() -> None:
    async with running(denied_scopes="store:read, imports:read") as api:
        assert (await api.get("/store/")).status_code == 403
        assert (await api.get("/imports/")).status_code == 403
        assert (await api.get("/exports/")).status_code == 200


async def test_two_keys_of_one_account_share_its_budget() -> None:
    async with running(calls_per_minute=2) as api:
        await api.control("POST", "keys", {"account": "acme-es", "api_key": "second"})
        assert (await api.get("/store/")).headers["X-RateLimit-Remaining"] == "1"
        assert (await api.get("/store/", key="second")).headers["X-RateLimit-Remaining"] == "0"
        assert (await api.get("/store/")).status_code == 429
        assert (await api.get("/store/", key=OTHER_KEY)).status_code == 200


def test_two_accounts_with_one_key_are_refused_at_the_start() -> None:
    account = {"api_key": "a:b", "base_url": "http://localhost"}
    with pytest.raises(SettingsError, match="same API key"):
        ConnectifSandbox(parse({"accounts": {"one": account, "two": account}}, {}))


async def test_a_401_leaves_no_trace_in_any_account() -> None:
    async with running() as api:
        assert (await api.get("/store/", key="wrong")).status_code == 401
        assert (await api.stats())["calls_total"] == 0


async def test_the_body_of_an_unauthorised_upload_is_read_before_the_answer() -> None:
    async with running() as api:
        sent = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(10):
                sent += 1
                yield b"x" * 1_000

        answer = await api.call("POST", "/imports", key="wrong", content=body())
        assert answer.status_code == 401
        assert sent == 10
