"""VTEX's order hook: one for each application key, and the only webhook that its API keeps.

VTEX takes a hook away after three days without a notification, and pings the address when it is made: the
gateway must be up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.examination import at, said
from pipeline.shops.registration import Registered, RegisteredPage, ShopRegistration
from pipeline.shops.vtex.settings import VtexSettings

PATH = "/api/orders/hook/config"
_HOOK = "order hook"
#: States of orders that change what Connectif is told, and those of them that nothing else tells.
STATES = (
    "payment-approved",
    "ready-for-handling",
    "handling",
    "invoiced",
    "cancellation-requested",
    "canceled",
)
NEEDED = ("payment-approved", "canceled")


def listing(settings: VtexSettings) -> ApiRequest:  # noqa: ARG001 - as `ShopRegistration` has it
    """The key's hook; 404 where it has none."""
    return ApiRequest(PATH)


def read(settings: VtexSettings, value: Any) -> RegisteredPage:
    """The hook.

    Raises:
        Rejected: `not_webhooks`.
    """
    if value is None:
        return RegisteredPage([])
    address = said(at(value, "hook", "url"))
    if not address:
        raise Rejected("not_webhooks", "hook.url", "no hook's configuration")
    return RegisteredPage([Registered(_HOOK, _HOOK, address, _fault(settings, value))])


def _fault(settings: VtexSettings, value: Any) -> str:
    headers = at(value, "hook", "headers")
    given = (
        {str(name).lower(): said(one) for name, one in headers.items()} if isinstance(headers, dict) else {}
    )
    secret = given.get(settings.secret_header.lower())
    if secret is None:
        return f"it does not send the header {settings.secret_header}"
    if secret not in {one.get_secret_value() for one in settings.secrets}:
        return f"its header {settings.secret_header} holds none of the store's secrets"
    kind, states = said(at(value, "filter", "type")), at(value, "filter", "status")
    told = {said(one) for one in states} if isinstance(states, list) else set()
    missing = [one for one in NEEDED if one not in told]
    if kind == "FromWorkflow" and missing:
        return f"it leaves out {', '.join(missing)}"
    return ""


def create(settings: VtexSettings, topic: str, address: str) -> ApiRequest:  # noqa: ARG001 - see there
    """The hook."""
    body: Mapping[str, Any] = {
        "filter": {"type": "FromWorkflow", "status": list(STATES)},
        "hook": {
            "url": address,
            "headers": {settings.secret_header: settings.secrets[0].get_secret_value()},
        },
    }
    return ApiRequest(PATH, "POST", {"content-type": "application/json"}, json.dumps(body).encode())


def mend(settings: VtexSettings, webhook: Registered, address: str) -> Sequence[ApiRequest]:
    """The hook again, which takes the place of the one that was; other filters must go first."""
    return [ApiRequest(PATH, "DELETE"), create(settings, webhook.topic, address)]


REGISTRATION: ShopRegistration[VtexSettings] = ShopRegistration(
    listing=listing,
    read=read,
    wanted=lambda _: (_HOOK,),
    create=create,
    mend=mend,
    right='OMS "Feed v3 and Hook Admin"',
    only_one=True,
    by_hand=lambda _: (
        "Master Data > Triggers: one of the entity CL that posts to the webhooks' address with ?token=",
        "the app Broadcaster, for the catalogue, with the same address",
    ),
)
