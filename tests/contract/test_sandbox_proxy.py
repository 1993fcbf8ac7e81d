"""What answers in Connectif's place: pages, odd and huge bodies, absurd headers, what was sent said back."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import pytest

from tests.connectif_sandbox import EMAIL, PRODUCT, PURCHASE, Api, running

CSV = "_email\na@mail.example\n"
ABSURD = "9" * 400


async def _fault(api: Api, effect: str, **rule: Any) -> None:
    await api.control("POST", "faults", [{"effect": effect, **rule}])


async def _has_contact(api: Api, email: str = EMAIL) -> bool:
    return (await api.get(f"/contacts/email/{email}")).status_code == 200


@pytest.mark.parametrize("status", [200, 301, 400, 402, 404, 407, 409, 413, 422, 431, 502, 522])
async def test_a_page_of_any_status_is_html_and_stores_nothing(status: int) -> None:
    async with running() as api:
        await _fault(api, "page", status=status, method="PATCH", route="/contacts/email/*", count=1)
        answer = await api.patch(f"/contacts/email/{EMAIL}", {"_name": "Ana"})
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html")
        assert f"<h1>{status} " in answer.text
        assert not await _has_contact(api)
        assert (await api.patch(f"/contacts/email/{EMAIL}", {})).status_code == 200


@pytest.mark.parametrize("effect", ["page", "reply", "echo", "huge_body", "bomb"])
async def test_what_answers_in_connectifs_place_may_do_so_once_the_call_was_carried_out(effect: str) -> None:
    async with running() as api:
        body = await api.prepare()
        await _fault(api, effect, status=502, route="/purchases/", count=2, carried_out=True, size=1_000)
        first, second = [await api.post("/purchases/", body) for _ in range(2)]
        assert (first.status_code, second.status_code) == (502, 502)
        assert (await api.stats())["purchases_created"] == 1


async def test_a_reply_has_the_status_type_and_body_it_is_told() -> None:
    async with running() as api:
        await _fault(api, "reply", count=1)
        assert (await api.get("/store/")).json() == {"message": "no healthy upstream"}
        await _fault(api, "reply", status=200, content_type="text/plain", body="[1, ñ", count=1)
        answer = await api.get("/store/")
        assert (answer.status_code, answer.headers["content-type"], answer.text) == (
            200,
            "text/plain",
            "[1, ñ",
        )


async def test_headers_are_put_in_the_answer_of_a_call_that_is_carried_out() -> None:
    async with running() as api:
        names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After")
        await _fault(api, "headers", headers=dict.fromkeys(names, ABSURD), count=1)
        answer = await api.patch(f"/contacts/email/{EMAIL}", {"_name": "Ana"})
        assert answer.status_code == 200
        assert [answer.headers.get_list(name) for name in names] == [[ABSURD]] * 4
        assert (await api.get(f"/contacts/email/{EMAIL}")).headers["x-ratelimit-limit"] == "1000"


@pytest.mark.parametrize("effect", ["too_many_requests", "error", "page", "forbidden", "bomb"])
async def test_any_other_effect_takes_headers_too(effect: str) -> None:
    async with running() as api:
        headers = {"retry-after": ABSURD, "x-ratelimit-remaining": "-1", "Content-Type": "x", "Date": "never"}
        await _fault(api, effect, headers=headers, size=1_000)
        answer = await api.get("/store/")
        assert [answer.headers.get_list(name) for name in headers] == [[value] for value in headers.values()]


async def test_an_echo_repeats_path_query_and_body() -> None:
    async with running() as api:
        await _fault(api, "echo", status=422)
        answer = await api.patch(f"/contacts/email/{EMAIL}?a=b", {"_name": "Ana", "_points": 3})
        assert answer.status_code == 422
        assert answer.json()["detail"] == f'Not accepted: {EMAIL}; a=b; {{"_name":"Ana","_points":3}}'
        assert answer.json()["validationErrors"] == [
            {"name": "_name", "path": "/_name", "reason": "Ana is not valid"},
            {"name": "_points", "path": "/_points", "reason": "3 is not valid"},
        ]
        answer = await api.post("/purchases/", PURCHASE)
        assert EMAIL in answer.json()["detail"]
        assert not await _has_contact(api)


async def test_an_echo_of_an_import_repeats_its_file() -> None:
    async with running() as api:
        await _fault(api, "echo", status=400, count=1)
        answer = await api.upload(CSV)
        assert (answer.status_code, set(answer.json())) == (400, {"status", "title", "detail"})
        assert "a@mail.example" in answer.json()["detail"]
        assert (await api.get("/imports")).json()["results"] == []


async def test_an_import_can_be_made_behind_an_echo() -> None:
    async with running() as api:
        await _fault(api, "echo", status=500, count=1, carried_out=True)
        await api.upload(CSV)
        await api.clock.advance(60)
        assert await _has_contact(api, "a@mail.example")


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", b""])
async def test_an_echo_of_what_is_no_object_names_no_fields(content: bytes) -> None:
    async with running() as api:
        await _fault(api, "echo", status=422)
        assert (await api.call("POST", "/purchases/", content=content)).json()["validationErrors"] == []


@pytest.mark.parametrize("status", [200, 500])
async def test_a_huge_body_is_as_large_as_asked_for(status: int) -> None:
    async with running() as api:
        await _fault(api, "huge_body", status=status, size=3_000_000)
        answer = await api.get("/store/")
        assert (answer.status_code, len(answer.content)) == (status, 3_000_000)
        assert answer.json()["status"] == status
        assert "content-length" not in answer.headers


async def test_a_bomb_is_small_until_it_is_unpacked() -> None:
    async with running() as api:
        await _fault(api, "bomb", status=200, size=5_000_000)
        headers = {"Authorization": "apiKey keyid:keysecret"}
        async with api.client.stream("GET", "/store/", headers=headers) as answer:
            packed = b"".join([chunk async for chunk in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == "gzip"
        assert len(packed) < 20_000
        assert len(gzip.decompress(packed)) == 5_000_000


async def test_a_call_answered_in_connectifs_place_is_in_the_ledger_with_the_status_sent() -> None:
    async with running() as api:
        await _fault(api, "page", status=409, count=1)
        await api.patch("/products/product-id/p1", PRODUCT)
        stats = await api.stats()
        assert stats["calls"] == {"PATCH /products/product-id/{productId}": {"409": 1}}
        assert stats["injected"] == 1


@pytest.mark.parametrize(
    "rule",
    [
        {"effect": "page", "status": 204},
        {"effect": "page", "status": 304},
        {"effect": "reply", "status": 100},
        {"effect": "error", "status": 302},
        {"effect": "reply", "content_type": "a\nb"},
        {"effect": "headers", "headers": {"Content-Length": "7"}},
        {"effect": "headers", "headers": {"Transfer-Encoding": "chunked"}},
        {"effect": "headers", "headers": {"Retry-After": "1\r\nX: y"}},
        {"effect": "headers", "headers": {"Retry After": "1"}},
        {"effect": "headers", "headers": {"Retry-After": "1" * 16_001}},
        {"effect": "huge_body", "size": 3_000_000_000},
    ],
)
async def test_a_rule_that_cannot_be_sent_is_422(rule: dict[str, Any]) -> None:
    async with running() as api:
        assert (await api.client.post("/_sandbox/faults", json=[rule])).status_code == 422


async def test_a_status_no_standard_knows_is_an_http_error_all_the_same() -> None:
    async with running() as api:
        await _fault(api, "error", status=522)
        answer: httpx.Response = await api.get("/store/")
        assert (answer.status_code, answer.json()["title"]) == (522, "Error")
