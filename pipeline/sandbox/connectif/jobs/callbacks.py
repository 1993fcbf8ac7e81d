"""What Connectif sends to shops: subscriptions, unsubscriptions, bounces."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlencode, urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, field_validator, model_validator

from pipeline.sandbox.connectif.model.account_data import AccountData
from pipeline.sandbox.connectif.model.api_errors import not_found
from pipeline.sandbox.connectif.model.field_types import to_utc

Timestamp = Annotated[str, AfterValidator(to_utc)]


class Callback(BaseModel):
    """Something the person did (or a mailbox), which changes the contact where it exists, and the callback.

    `url` left out: no shop is called. `at` is when the person unsubscribed, now where it is left out. `ip`
    left out is sent empty, as after an import. `module_secret` adds the `checksum` that Connectif's own shop
    modules want.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str
    type: Literal["subscribed", "unsubscribed", "bounced"]
    url: str | None = None
    email: str
    ip: str | None = None
    at: Timestamp | None = None
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
    callback: Callback, data: AccountData, transport: httpx.AsyncBaseTransport | None
) -> dict[str, Any]:
    """Change the contact, call the shop, and report: only a 2xx is a success, redirects are not followed.

    Without a shop to call there are no attempts.

    Raises:
        ApiError: 404: there is neither a shop to call nor a contact to change.
    """
    entity_id = _change_contact(callback, data)
    if callback.url is None and not entity_id:
        raise not_found("Contact")
    data.consume(_ACTIVITY[callback.type])
    if callback.url is None:
        return {"ok": False, "url": None, "attempts": 0, "status": None, "error": None}
    url, body = _request(
        callback, callback.url, entity_id, keeps_query=data.simulation.behaviour.callback_keeps_query
    )
    form = body is not None and callback.type != "bounced"
    timeout = data.simulation.behaviour.callback_timeout
    content: dict[str, Any] = {"data": body} if form else {"json": body}
    report: dict[str, Any] = {}
    async with httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as client:
        for attempt in range(1, data.simulation.behaviour.callback_retries + 2):
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
    callback: Callback, url: str, entity_id: str, *, keeps_query: bool
) -> tuple[str, dict[str, str] | None]:
    """The URL, and the body of a POST."""
    url = url if keeps_query else url.partition("?")[0]
    if callback.type == "bounced":
        return url, {
            "bounceErrorMessage": callback.bounce_message,
            "bouncestatus": "bounced",
            "bounceTypeId": callback.bounce_type,
            "workflowId": callback.workflow_id,
            "contentId": callback.content_id,
            "entityId": entity_id,
            "entityEmail": callback.email,
        }
    values = {"email": callback.email, "ip": callback.ip or ""}
    if callback.module_secret is not None:
        values["checksum"] = checksum(callback.email, callback.module_secret)
    if callback.post:
        return url, values
    return f"{url}{'&' if '?' in url else '?'}{urlencode(values)}", None


def _change_contact(callback: Callback, data: AccountData) -> str:
    now, behaviour = data.simulation.now(), data.simulation.behaviour
    email = callback.email.lower() if behaviour.email_case == "lower" else callback.email
    element = data.contacts.find("email", email)
    if element is None:
        return ""
    if callback.type == "bounced":
        changes = {"_emailStatus": "bounced", "_emailBouncedReason": callback.bounce_message}
    else:
        changes = {"_newsletterSubscriptionStatus": _STATUS[callback.type]}
        if callback.at is not None:
            changes["_emailLastUnsubscribedDate"] = callback.at
        if callback.type == "unsubscribed" and callback.ip:
            changes["_emailLastUnsubscribedIp"] = callback.ip
    data.contacts.patch("email", email, changes, now, behaviour)
    return element.id


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
