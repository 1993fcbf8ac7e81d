"""What Connectif sends to shops: subscriptions, unsubscriptions, bounces."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlencode, urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, field_validator, model_validator

from pipeline.sandbox.connectif.http.account import Account
from pipeline.sandbox.connectif.http.responses import absent
from pipeline.sandbox.connectif.model.field_types import utc

Moment = Annotated[str, AfterValidator(utc)]


class Callback(BaseModel):
    """Something the person did (or a mailbox), which changes the contact where it exists, and the callback.

    `url` left out: no shop hears of it. `at` is when the person unsubscribed, now where it is left out. `ip`
    left out is sent empty, as after an import. `module_secret` adds the `checksum` that Connectif's own shop
    modules want.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str
    type: Literal["subscribed", "unsubscribed", "bounced"]
    url: str | None = None
    email: str
    ip: str | None = None
    at: Moment | None = None
    module_secret: str | None = None
    post: bool = False
    bounce_type: Literal["hard", "soft", "other"] = "hard"
    bounce_message: str = "550 No such user"
    workflow_id: str = ""
    content_id: str = ""

    @field_validator("url")
    @classmethod
    def _stays_on_this_machine(cls, url: str | None) -> str | None:
        if url is None:
            return None
        host = urlsplit(url).hostname or ""
        if host != "localhost" and not _is_loopback(host):
            raise ValueError("callbacks go to this machine only")
        return url

    @model_validator(mode="after")
    def _has_a_moment_to_keep(self) -> Self:
        if self.at is not None and self.type != "unsubscribed":
            raise ValueError("`at` is kept of those who unsubscribe only")
        return self


_STATUS = {"subscribed": "subscribed", "unsubscribed": "unsubscribed"}
_ACTIVITY = {
    "subscribed": "newsletter-subscribe",
    "unsubscribed": "email-unsubscribed",
    "bounced": "email-bounce",
}


async def send_callback(
    order: Callback, account: Account, transport: httpx.AsyncBaseTransport | None
) -> dict[str, Any]:
    """Change the contact, call the shop, and report: only a 2xx is a success, redirects are not followed.

    Without a shop to call there are no attempts.

    Raises:
        Refusal: 404: there is neither a shop to call nor a contact to change.
    """
    entity_id = _change_contact(order, account)
    if order.url is None and not entity_id:
        raise absent("Contact")
    account.consume(_ACTIVITY[order.type])
    if order.url is None:
        return {"ok": False, "url": None, "attempts": 0, "status": None, "error": None}
    url, body = _request(order, order.url, entity_id, keeps_query=account.world.switches.callback_keeps_query)
    form = body is not None and order.type != "bounced"
    timeout = account.world.switches.callback_timeout
    content: dict[str, Any] = {"data": body} if form else {"json": body}
    report: dict[str, Any] = {}
    async with httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as client:
        for attempt in range(1, account.world.switches.callback_retries + 2):
            report = {"ok": False, "url": url, "attempts": attempt, "status": None, "error": None}
            try:
                response = await client.request("GET" if body is None else "POST", url, **content)
            except httpx.HTTPError as error:
                report["error"] = type(error).__name__
            else:
                report |= {"ok": response.is_success, "status": response.status_code}
            if report["ok"]:
                break
    return report


def checksum(email: str, module_secret: str) -> str:
    """Hex HMAC-SHA1 of the e-mail address with the module's secret."""
    return hmac.new(module_secret.encode(), email.encode(), hashlib.sha1).hexdigest()


def _request(
    order: Callback, url: str, entity_id: str, *, keeps_query: bool
) -> tuple[str, dict[str, str] | None]:
    """The URL, and the body of a POST."""
    url = url if keeps_query else url.partition("?")[0]
    if order.type == "bounced":
        return url, {
            "bounceErrorMessage": order.bounce_message,
            "bouncestatus": "bounced",
            "bounceTypeId": order.bounce_type,
            "workflowId": order.workflow_id,
            "contentId": order.content_id,
            "entityId": entity_id,
            "entityEmail": order.email,
        }
    values = {"email": order.email, "ip": order.ip or ""}
    if order.module_secret is not None:
        values["checksum"] = checksum(order.email, order.module_secret)
    if order.post:
        return url, values
    return f"{url}{'&' if '?' in url else '?'}{urlencode(values)}", None


def _change_contact(order: Callback, account: Account) -> str:
    now, switches = account.world.now(), account.world.switches
    email = order.email.lower() if switches.email_case == "lower" else order.email
    entry = account.contacts.find("email", email)
    if entry is None:
        return ""
    if order.type == "bounced":
        changes = {"_emailStatus": "bounced", "_emailBouncedReason": order.bounce_message}
    else:
        changes = {"_newsletterSubscriptionStatus": _STATUS[order.type]}
        if order.at is not None:
            changes["_emailLastUnsubscribedDate"] = order.at
        if order.type == "unsubscribed" and order.ip:
            changes["_emailLastUnsubscribedIp"] = order.ip
    account.contacts.patch("email", email, changes, now, switches)
    return entry.id


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
