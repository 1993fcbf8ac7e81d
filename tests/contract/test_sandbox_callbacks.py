"""Callbacks to shops: what is sent, and what counts as a failure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.connectif_sandbox import EMAIL, running

URL = "http://127.0.0.1:8080/callbacks/acme-es/token"


class Shop:
    """Records what it is sent and answers as told."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response] | None = None) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = answer or (lambda _: httpx.Response(200))
        self.transport = httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answer(request)


def _order(kind: str, **changes: Any) -> dict[str, Any]:
    return {"account": "acme-es", "type": kind, "url": f"{URL}/{kind}", "email": EMAIL, **changes}


@pytest.mark.parametrize("kind", ["subscribed", "unsubscribed"])
async def test_a_subscription_is_a_get_with_email_and_ip(kind: str) -> None:
    shop = Shop()
    async with running(callback_transport=shop.transport) as api:
        report = await api.control("POST", "callbacks", _order(kind, ip="203.0.113.7"))
        assert (report["ok"], report["status"]) == (True, 200)
    (request,) = shop.requests
    assert request.method == "GET"
    assert dict(request.url.params) == {"email": EMAIL, "ip": "203.0.113.7"}
    assert request.url.path == f"/callbacks/acme-es/token/{kind}"
    assert "authorization" not in request.headers


async def test_without_an_ip_the_parameter_is_empty() -> None:
    shop = Shop()
    async with running(callback_transport=shop.transport) as api:
        await api.control("POST", "callbacks", _order("unsubscribed"))
    assert str(shop.requests[0].url).endswith("email=ana%40mail.example&ip=")


async def test_parameters_of_the_configured_url_are_kept_or_dropped() -> None:
    shop = Shop()
    async with running(callback_transport=shop.transport) as api:
        order = _order("subscribed", url=f"{URL}?shop=7")
        await api.control("POST", "callbacks", order)
        await api.switch(callback_keeps_query=False)
        await api.control("POST", "callbacks", order)
    assert dict(shop.requests[0].url.params) == {"shop": "7", "email": EMAIL, "ip": ""}
    assert dict(shop.requests[1].url.params) == {"email": EMAIL, "ip": ""}


async def test_a_bounce_is_a_post_of_json() -> None:
    shop = Shop()
    async with running(callback_transport=shop.transport) as api:
        contact = (await api.patch(f"/contacts/email/{EMAIL}", {})).json()
        order = _order("bounced", bounce_type="soft", workflow_id="w", content_id="c")
        await api.control("POST", "callbacks", order)
        assert (await api.get(f"/contacts/email/{EMAIL}")).json()["_emailStatus"] == "bounced"
    (request,) = shop.requests
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert httpx.Response(200, content=request.content).json() == {
        "bounceErrorMessage": "550 No such user",
        "bouncestatus": "bounced",
        "bounceTypeId": "soft",
        "workflowId": "w",
        "contentId": "c",
        "entityId": contact["id"],
        "entityEmail": EMAIL,
    }


@pytest.mark.parametrize("post", [False, True])
async def test_with_a_module_secret_a_checksum_is_sent_by_get_or_post(post: bool) -> None:
    shop = Shop()
    async with running(callback_transport=shop.transport) as api:
        await api.control("POST", "callbacks", _order("unsubscribed", module_secret="s3cret", post=post))
    (request,) = shop.requests
    values = dict(httpx.QueryParams(request.content.decode()) if post else request.url.params)
    assert request.method == ("POST" if post else "GET")
    assert values["checksum"] == hmac.new(b"s3cret", EMAIL.encode(), hashlib.sha1).hexdigest()


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 406, 500, 503, 504, 522])
async def test_redirects_and_errors_are_failures_and_nothing_is_sent_again(status: int) -> None:
    shop = Shop(lambda _: httpx.Response(status, headers={"location": f"{URL}/elsewhere"}))
    async with running(callback_transport=shop.transport) as api:
        report = await api.control("POST", "callbacks", _order("subscribed"))
        assert (report["ok"], report["status"]) == (False, status)
    assert len(shop.requests) == 1


async def test_a_failed_callback_is_repeated_only_when_told_to() -> None:
    answers = iter([500, 503, 200])
    shop = Shop(lambda _: httpx.Response(next(answers)))
    async with running(callback_transport=shop.transport, callback_retries=5) as api:
        report = await api.control("POST", "callbacks", _order("subscribed"))
        assert (report["ok"], report["attempts"]) == (True, 3)


async def test_a_shop_that_cannot_be_reached_is_a_failure() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with running(callback_transport=Shop(refuse).transport) as api:
        report = await api.control("POST", "callbacks", _order("subscribed"))
        assert (report["ok"], report["status"], report["error"]) == (False, None, "ConnectError")


async def test_the_contact_changes_as_it_would_have_in_connectif() -> None:
    async with running(callback_transport=Shop().transport) as api:
        await api.patch(f"/contacts/email/{EMAIL}", {"_newsletterSubscriptionStatus": "subscribed"})
        await api.control("POST", "callbacks", _order("unsubscribed", ip="203.0.113.7"))
        contact = (await api.get(f"/contacts/email/{EMAIL}")).json()
        assert contact["_newsletterSubscriptionStatus"] == "unsubscribed"
        assert contact["_emailLastUnsubscribedIp"] == "203.0.113.7"
        assert (await api.stats())["activities"]["email-unsubscribed"] == 1


@pytest.mark.parametrize(
    "url", ["https://shop.example/", "http://10.0.0.1/", "http://127.0.0.1.shop.example/"]
)
async def test_callbacks_never_leave_the_machine(url: str) -> None:
    shop = Shop()
    async with running(callback_transport=shop.transport) as api:
        answer = await api.client.post("/_sandbox/callbacks", json=_order("subscribed", url=url))
        assert answer.status_code == 422
    assert shop.requests == []
