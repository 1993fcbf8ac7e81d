"""The client on the wire: paths, bodies, keys, and what it keeps to itself."""

from __future__ import annotations

import base64
import gzip
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from pipeline.config_accounts import AccountSettings
from pipeline.connectif.answers import Answer, AnswerKind, Cause
from pipeline.connectif.bodies import ANSWER_MAX_BYTES
from pipeline.connectif.client import ConnectifClient
from pipeline.connectif.imports import ImportType

Handler = Callable[[httpx.Request], httpx.Response]
KEY = "id:secret"


def _client(handler: Handler, base_url: str = "https://api.example/v1/") -> ConnectifClient:
    settings = AccountSettings.model_validate({"api_key": KEY, "base_url": base_url})
    return ConnectifClient("acme", settings, transport=httpx.MockTransport(handler))


class _Recorder:
    def __init__(self, status: int = 200, json: object = None) -> None:
        self.requests: list[httpx.Request] = []
        self._status = status
        self._json = json or {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self._status, json=self._json)

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
        answer, body = await client.get_error_report("https://files.example/report.csv", rows=3)
    assert (answer.good, body) == (True, b"{}")
    assert "authorization" not in seen.last.headers


async def test_a_list_goes_on_at_its_own_host_only() -> None:
    seen = _Recorder(json={"results": []})
    async with _client(seen) as client:
        assert (
            await client.list_imports("https://evil.example/imports?page=2")
        ).kind is AnswerKind.UNAVAILABLE
        assert not seen.requests
        assert (await client.list_imports("https://api.example/v1/imports?page=2")).good


ELSEWHERE = [
    ".evil.example/",
    ":8443/",
    "@evil.example/",
    ":x@evil.example/",
    "//evil.example/",
    "///evil.example/",
    "\\\\evil.example/",
    "/\\evil.example/",
    "http://api.example/imports/",
    "https://api.example:8443/imports/",
    "https://api.example.evil.example/",
    "https://api.example@evil.example/",
    "https://user:word@api.example/imports/",
    "HTTPS://EVIL.example/",
    "https:evil.example",
    "https://api.example:99999/",
    "https://[::1/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "\x00",
    "\ud83d",
]


@pytest.mark.parametrize("base", ["https://api.example", "https://api.example/v1"])
@pytest.mark.parametrize("link", ELSEWHERE)
async def test_no_link_takes_the_key_elsewhere(link: str, base: str) -> None:
    seen = _Recorder(json={"results": []})
    async with _client(seen, base) as client:
        await client.list_imports(link)
    for request in seen.requests:
        assert (request.url.scheme, request.url.host, request.url.port) == ("https", "api.example", None)
        assert not request.url.userinfo


@pytest.mark.parametrize(
    "link",
    [
        "/imports/?page=2",
        "?page=2",
        "https://api.example/v1/imports/?page=2",
        "https://API.example:443/v1/imports/?page=2",
    ],
)
async def test_a_link_is_followed_however_it_is_written(link: str) -> None:
    seen = _Recorder(json={"results": []})
    async with _client(seen) as client:
        assert (await client.list_imports(link)).good
    assert str(seen.last.url) == "https://api.example/v1/imports/?page=2"


@pytest.mark.parametrize(
    "url",
    [
        "http://files.example/report.csv",
        "http://127.0.0.1/report.csv",
        "https://127.0.0.1/report.csv",
        "https://localhost/report.csv",
        "https://10.0.0.1/report.csv",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/report.csv",
        "https://files.example:99999/report.csv",
        "ftp://files.example/report.csv",
        "file:///etc/passwd",
        "report.csv",
        "",
        "\ud83d",
        "https://" + "a" * 100_000,
    ],
)
async def test_an_error_report_lies_at_a_public_address_with_https_or_nowhere(url: str) -> None:
    seen = _Recorder()
    async with _client(seen) as client:
        answer, body = await client.get_error_report(url, rows=3)
    assert (answer.good, body) == (False, b"")
    assert not seen.requests


async def test_a_sandbox_may_name_a_report_on_this_machine() -> None:
    async with _client(_Recorder(), "http://127.0.0.1:9100") as client:
        assert (await client.get_error_report("http://127.0.0.1:9100/files/1", rows=3))[0].good


async def test_a_report_does_not_lead_into_our_network_by_a_redirect() -> None:
    seen: list[str] = []

    def away(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(302, headers={"location": "http://169.254.169.254/"})

    async with _client(away) as client:
        assert not (await client.get_error_report("https://files.example/report.csv", rows=3))[0].good
    assert seen == ["files.example"]


async def test_a_report_has_a_bound_also_once_it_is_unpacked() -> None:
    packed = gzip.compress(b"x" * 50_000_000)

    def bomb(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=_Stream(packed))

    async with _client(bomb) as client:
        answer, body = await client.get_error_report("https://files.example/report.csv", rows=3)
    assert (answer.good, answer.detail, body) == (False, "the file is too large", b"")


class _Stream(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


@pytest.mark.parametrize("packed", [False, True])
async def test_an_answer_that_is_too_large_is_none(*, packed: bool) -> None:
    content = b'{"id": "' + b"x" * ANSWER_MAX_BYTES + b'"}'

    def large(_: httpx.Request) -> httpx.Response:
        if packed:
            return httpx.Response(
                200, headers={"content-encoding": "gzip"}, stream=_Stream(gzip.compress(content))
            )
        return httpx.Response(200, stream=_Stream(content))

    async with _client(large) as client:
        answer = await client.get_import("1")
    assert (answer.kind, answer.cause, answer.carried_out) == (AnswerKind.UNAVAILABLE, Cause.TOO_LARGE, None)


async def test_whatever_a_network_does_is_an_answer() -> None:
    def odd(_: httpx.Request) -> httpx.Response:
        raise OverflowError("port must be 0-65535")

    async with _client(odd) as client:
        assert (await client.get_import("1")).cause is Cause.BROKEN


ECHOES: list[tuple[str, Callable[[ConnectifClient], Awaitable[Answer]], list[str]]] = [
    (
        "contact",
        lambda client: client.put_contact(
            "ann.lee@shop.example",
            b'{"_name":"Ann Marie","_surname":"L\xc3\xa9vy","_mobilePhone":"+34911234567","size":"X"}',
        ),
        ["ann.lee", "ann", "marie", "l\u00e9vy", "911234567", "911 23 45 67", "x"],
    ),
    (
        "purchase",
        lambda client: client.create_purchase(
            b'{"purchaseId":"o-77","contactEmail":"ann@shop.example","totalPrice":20.50,'
            b'"products":[{"name":"Red <shirt>"}]}',
            trigger=True,
        ),
        ["o-77", "ann@", "20.50", "red <shirt>", "red &lt;shirt&gt;"],
    ),
    (
        "import",
        lambda client: client.create_import(
            ImportType.CONTACTS, b"_email,_name\r\nann@shop.example,Ann Marie\r\n"
        ),
        ["ann", "marie"],
    ),
]


@pytest.mark.parametrize(("what", "call", "kept"), ECHOES, ids=[what for what, _, _ in ECHOES])
async def test_what_was_sent_is_not_kept_where_connectif_says_it_back(
    what: str, call: Callable[[ConnectifClient], Awaitable[Answer]], kept: list[str]
) -> None:
    del what
    words = (
        "ann.lee@shop.example ANN Marie %41nn l\u00e9vy L%C3%A9vy L\\u00e9vy 911 23 45 67 tel:0034911234567 "
        "X o-77 20.50 Red <shirt> Red &lt;shirt&gt; ann%40shop.example"
    )
    key = (
        "id:secret ID%3ASECRET s\\u0065cret aWQ6c2VjcmV0 "
        + base64.b64encode(f"apiKey {KEY}".encode()).decode()
    )

    def echo(_: httpx.Request) -> httpx.Response:
        return httpx.Response(
            422,
            json={
                "status": 422,
                "title": "Unprocessable entity",
                "detail": f"{words} {key}",
                "validationErrors": [{"path": f"/{word}", "reason": word} for word in words.split()],
            },
        )

    async with _client(echo) as client:
        answer = await call(client)
    assert answer.kind is AnswerKind.INVALID
    found = re.findall(r"[^\s;:/]+", answer.detail.casefold())
    assert not [
        value for value in kept if value in found or (len(value) > 3 and value in answer.detail.casefold())
    ]
    for secret in ("secret", "%3a", "u0065", "awq6", "yxbp"):
        assert secret not in answer.detail.casefold()


async def test_a_large_files_answer_keeps_no_words() -> None:
    def echo(_: httpx.Request) -> httpx.Response:
        return httpx.Response(422, json={"status": 422, "title": "No", "detail": "Zoe 17"})

    rows = b"".join(b"p%d@shop.example,Zoe %d\r\n" % (number, number) for number in range(5_000))
    async with _client(echo) as client:
        answer = await client.create_import(ImportType.CONTACTS, b"_email,_name\r\n" + rows)
    assert answer.detail == "422"


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
