"""Who may read, see personal data and act on the status page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline.errors import PipelineError
from pipeline.observe import observe_app
from pipeline.status import series
from pipeline.status.facts import Snapshot
from pipeline.status.page import act
from pipeline.status.page.app import StatusPage
from pipeline.status.page.session import COOKIE, LASTS, WITHIN, WRONG, Sessions, from_elsewhere
from pipeline.status.snapshot import ProcessPage, snapshot
from tests.status_pages import deliver_page, gateway_page, settings_of

TOKEN = "the-right-token"
NOW = 1_780_000_000.0
HERE, ELSEWHERE = ("127.0.0.1", 5), ("10.0.0.9", 5)


def sessions(token: str | None = TOKEN) -> Sessions:
    return Sessions(None if token is None else SecretStr(token))


def signed_in(who: Sessions, now: float = NOW) -> str:
    cookie = who.sign_in(TOKEN, now)
    assert cookie is not None
    return cookie


def test_a_cookie_is_good_for_its_hours_and_with_its_token_alone() -> None:
    who = sessions()
    cookie = signed_in(who)
    assert who.is_good(cookie, NOW)
    assert who.is_good(cookie, NOW + LASTS - 1)
    assert not who.is_good(cookie, NOW + LASTS)
    assert not sessions("another-token").is_good(cookie, NOW)
    assert not sessions(None).is_good(cookie, NOW)
    ends, _, code = cookie.partition(".")
    assert not who.is_good(f"{int(ends) + 1}.{code}", NOW)
    assert TOKEN not in cookie


@given(st.text(max_size=80))
def test_no_other_text_is_a_cookie_or_a_key(text: str) -> None:
    who = sessions()
    cookie = signed_in(who)
    assert not who.is_good(text, NOW)
    assert not who.is_of_form(text, cookie)


def test_a_form_is_of_one_cookie() -> None:
    who = sessions()
    first, second = signed_in(who), signed_in(who, NOW + 5)
    assert who.is_of_form(who.form_key(first), first)
    assert not who.is_of_form(who.form_key(first), second)
    assert not who.is_of_form(first.partition(".")[2], first), "the cookie's own code is no key"


def test_after_some_wrong_tokens_none_is_looked_at_for_a_while() -> None:
    who = sessions()
    assert [who.sign_in(f"wrong-{n}", NOW + n) for n in range(WRONG)] == [None] * WRONG
    assert who.limited(NOW + WITHIN - 1)
    assert who.sign_in(TOKEN, NOW + WITHIN - 1) is None
    assert who.sign_in(TOKEN, NOW + WITHIN + 1) is not None


@pytest.mark.parametrize(
    ("headers", "elsewhere"),
    [
        ({"host": "a:1"}, False),
        ({"host": "a:1", "origin": "http://a:1"}, False),
        ({"host": "a:1", "origin": "https://b"}, True),
        ({"host": "a:1", "origin": "null"}, True),
        ({"host": "a:1", "sec-fetch-site": "same-origin"}, False),
        ({"host": "a:1", "sec-fetch-site": "same-site"}, True),
        ({"host": "a:1", "sec-fetch-site": "cross-site", "origin": "http://a:1"}, True),
    ],
)
def test_a_form_of_another_site_is_known(headers: dict[str, str], elsewhere: bool) -> None:
    assert from_elsewhere(headers) is elsewhere


# The routes, without processes.


def found(accounts: int = 3) -> Snapshot:
    pages = [
        ProcessPage(name, "http://127.0.0.1:1", series=series.read(text))
        for name, text in (
            ("deliver", deliver_page(accounts, failing=[1])),
            ("gateway", gateway_page(accounts, NOW)),
        )
    ]
    return snapshot(settings_of(accounts), pages, NOW, ["<script>alert(1)</script>"])


def app_of(token: str | None = TOKEN, gather: Callable[[], Snapshot] = found) -> Any:
    settings = settings_of(3, kafka={"bootstrap": "127.0.0.1:9"})
    settings = settings.model_copy(update={"http_token": None if token is None else SecretStr(token)})
    return StatusPage(settings, Path("none.toml"), gather, observe_app("status", lambda: None)).app


def browser(app: Any, client: tuple[str, int] = HERE, host: str = "127.0.0.1:8087") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, client=client)
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}")


async def test_everything_that_is_shown_is_escaped_and_the_headers_are_strict() -> None:
    async with browser(app_of()) as here:
        page = await here.get("/")
    assert page.status_code == 200
    assert "<script>alert(1)" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "account a001 is failing: timeout" in page.text
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.text.index("a001") < page.text.index("a000"), "the worst is first"


async def test_health_readiness_and_metrics_are_there_for_everybody() -> None:
    async with browser(app_of(), ELSEWHERE, "status.example") as there:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await there.get(path)).status_code == 200, path
        assert (await there.get("/nothing")).status_code == 404


@pytest.mark.parametrize("path", ["/", "/account/a000", "/search?q=1", "/redrive?account=a000"])
async def test_from_elsewhere_nothing_is_shown_without_the_token(path: str) -> None:
    async with browser(app_of(), ELSEWHERE, "status.example") as there:
        answer = await there.get(path)
        assert answer.status_code == 401
        assert "a000" not in answer.text.replace('value="/account/a000"', "")
    async with browser(app_of(None), ELSEWHERE, "status.example") as there:
        answer = await there.get(path)
        assert answer.status_code == 403
        assert "Not from here" in answer.text


async def test_a_web_page_that_names_this_machine_is_from_elsewhere() -> None:
    async with browser(app_of(), HERE, "evil.example") as rebound:
        assert (await rebound.get("/")).status_code == 401


async def test_with_the_token_a_browser_signs_in_and_out() -> None:
    async with browser(app_of(), ELSEWHERE, "status.example") as there:
        wrong = await there.post("/signin", data={"token": "wrong-token"})
        assert (wrong.status_code, "not the token" in wrong.text) == (401, True)
        right = await there.post("/signin", data={"token": TOKEN, "after": "//evil.example/"})
        assert (right.status_code, right.headers["location"]) == (303, "/")
        said = right.headers["set-cookie"]
        assert "HttpOnly" in said
        assert "SameSite=strict" in said
        page = await there.get("/")
        assert page.status_code == 200
        assert "Sign out" in page.text
        await there.post("/signout")
        assert (await there.get("/")).status_code == 401


async def test_a_token_in_a_header_opens_it_too() -> None:
    async with browser(app_of(), ELSEWHERE, "status.example") as there:
        for token, status in ((TOKEN, 200), ("another", 401), ("", 401)):
            answer = await there.get("/", headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == status, token


@pytest.mark.parametrize("path", ["/redrive", "/replay"])
async def test_nothing_is_done_for_whoever_has_not_given_the_token(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def redrive(*_: object, **__: object) -> dict[str, Any]:
        done.append("/redrive")
        return {"count": 1, "to": {"shop.orders": 1}, "left": []}

    def replay(*_: object) -> str:
        done.append("/replay")
        return "20260101-120000-ab12"

    monkeypatch.setattr(act, "redrive", redrive)
    monkeypatch.setattr(act, "replay", replay)
    form = {"store": "s000", "kind": "order", "id": "1", "account": "a000"}
    async with browser(app_of()) as here:
        assert (await here.post(path, data=form)).status_code == 403
        assert (await here.post("/signin", data={"token": TOKEN})).status_code == 303
        for more in ({}, {"key": "0" * 64}, {"key": here.cookies[COOKIE].partition(".")[2]}):
            answer = await here.post(path, data=form | more)
            assert answer.status_code == 403, more
            assert "the form is too old" in answer.text
        key = sessions().form_key(here.cookies[COOKIE])
        other_site = {"origin": "http://evil.example"}
        assert (await here.post(path, data=form | {"key": key}, headers=other_site)).status_code == 403
        assert done == []
        answer = await here.post(path, data=form | {"key": key})
        assert answer.status_code == 200, answer.text
        assert done == [path]


async def test_what_cannot_be_done_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_work(*_: object, **__: object) -> None:
        raise PipelineError("another redrive is at work", hint="wait for it")

    monkeypatch.setattr(act, "redrive", at_work)
    async with browser(app_of()) as here:
        assert (await here.post("/signin", data={"token": TOKEN})).status_code == 303
        key = sessions().form_key(here.cookies[COOKIE])
        for form, status, said in (
            ({"account": "a000"}, 503, "another redrive is at work"),
            ({"ids": "no id"}, 403, "no id of a dead letter"),
            ({}, 403, "which letters are meant"),
        ):
            answer = await here.post("/redrive", data=form | {"key": key})
            assert (answer.status_code, said in answer.text) == (status, True), answer.text


async def test_a_form_has_bounds() -> None:
    async with browser(app_of()) as here:
        for body in (b"token=" + b"x" * 20_000, b"&".join(b"a%d=1" % n for n in range(30)), b"token=\xff"):
            headers = {"content-type": "application/x-www-form-urlencoded"}
            answer = await here.post("/signin", content=body, headers=headers)
            assert answer.status_code == 403, body[:20]
        assert (await here.post("/signin", json={"token": TOKEN})).status_code == 403


async def test_all_who_ask_at_once_share_one_look() -> None:
    looks: list[int] = []

    def gather() -> Snapshot:
        looks.append(1)
        return found()

    async with browser(app_of(gather=gather)) as here:
        answers = await asyncio.gather(*(here.get("/") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(looks) == 1


async def test_with_500_accounts_the_first_100_are_shown_and_all_on_request() -> None:
    async with browser(app_of(gather=lambda: found(500))) as here:
        page = await here.get("/")
        assert page.text.count('<tr><th scope="row"><a href="/account/') == 100
        assert "The 100 worst of 500" in page.text
        whole = await here.get("/?all=1")
        assert whole.text.count('<tr><th scope="row"><a href="/account/') == 500
