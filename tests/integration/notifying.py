"""Shops that say what is sold, each as its platform does; what it only names is in a simulated API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.integration.operating import Site
from tests.local_http import http
from tests.platforms import IN_TESTS
from tests.shop_bodies import Sale, Sent, magento, prestashop

SECRET = "the hook's own secret"


def _answers(sent: Sent) -> dict[str, Any]:
    """What the API holds, of platforms whose requests have no query."""
    return {} if sent.announced is None else sent.announced(sent.document).answers


@dataclass(frozen=True)
class Kind:
    """How the shops of one platform are set up.

    Attributes:
        platform: its name.
        settings: of its stores, beside those that all have.
        access: how its API lets requests in; None where it is never asked.
        says: a sale as the shop tells it.
        answers: what its API then holds, by path.
    """

    platform: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    access: Mapping[str, Any] | None = None
    says: Callable[[Sale], Sent] | None = None
    answers: Callable[[Sent], dict[str, Any]] = _answers

    def settings_of(self, store: str, url: str) -> dict[str, Any]:
        """The settings of a store whose API is that of a sandbox."""
        api = {} if self.access is None else {"api_url": f"{url}/_shops/{store}"}
        plain = {"platform": self.platform, "domain": f"{store}.example", "secrets": [SECRET]}
        return {**plain, **self.settings, **api}

    def sale(self, sale: Sale) -> Sent:
        """A sale as the shop tells it."""
        return (self.says or IN_TESTS[self.platform].bodies.order)(sale)


VTEX = Kind(
    "vtex",
    settings={
        "vtex_account": "exampleaccount",
        "app_key": "key",
        "app_token": "token",
        "requests_per_minute": 6_000,
    },
    access={"scheme": "headers", "headers": {"X-VTEX-API-AppKey": "key", "X-VTEX-API-AppToken": "token"}},
)
MAGENTO = Kind(
    "magento",
    settings={"access_token": "the integration's"},
    access={"scheme": "bearer", "token": "the integration's"},
    says=magento.named,
)
PRESTASHOP = Kind(
    "prestashop",
    settings={"webservice_key": "WEBSERVICEKEY", "webservice_requests_per_minute": 6_000},
    access={"scheme": "basic", "user": "WEBSERVICEKEY"},
    answers=prestashop.asked,
)
GENERIC = Kind("generic")


class NotifyingShop:
    """A shop of one store of a site: what it holds, what it sends, and what goes wrong.

    Attributes:
        store: its name.
        sent: webhooks that were taken.
    """

    def __init__(self, site: Site, store: str, kind: Kind) -> None:
        self.store = store
        self._site = site
        self._kind = kind
        self.sent = 0
        self._control = f"{site.connectif.url}/_sandbox/shops/{store}"
        if kind.access is not None:
            self.opens(**kind.access)

    def opens(self, **access: Any) -> None:
        """Let requests in so from now on; the shop is empty afterwards."""
        http.put(self._control, json={"access": access}).raise_for_status()

    def holds(self, sale: Sale, **answer: Any) -> None:
        """Answer with this sale's documents from now on, or with something else."""
        found = self._kind.answers(self._kind.sale(sale))
        documents = [{"path": path, "answers": [answer or {"body": said}]} for path, said in found.items()]
        if documents:
            http.put(f"{self._control}/documents", json=documents).raise_for_status()

    def notifies(self, sale: Sale) -> None:
        """Send the webhook; asserts that it is taken."""
        sent, how = self._kind.sale(sale), IN_TESTS[self._kind.platform]
        self.sent += 1
        body = how.with_topic(sent.topic, orjson.dumps(sent.body))
        own = {how.delivery_header: f"{self.store}-{self.sent}"} if how.delivery_header else {}
        headers = how.signed(sent.topic, body, SECRET.encode(), {**own, **how.at(time.time())})
        assert self._site.sends(f"{self._kind.platform}/{self.store}", body, headers) == 200

    def sells(self, sale: Sale) -> None:
        """Hold a sale, and notify of it."""
        self.holds(sale)
        self.notifies(sale)

    def fault(self, **fault: Any) -> None:
        """Let something go wrong."""
        http.post(f"{self._control}/faults", json=fault).raise_for_status()

    def well(self) -> None:
        """Let all go well."""
        http.delete(f"{self._control}/faults").raise_for_status()

    def purchases(self) -> dict[str, dict[str, Any]]:
        """What Connectif holds of it, by id."""
        items = self._site.connectif.ledger(self.store, "purchases")
        return {item["key"]: item for item in items if not item["deleted"]}

    def waiting(self) -> float:
        """Notifications whose documents are not fetched yet."""
        text = http.get(f"{self._site.urls['sync']}/metrics").text
        lines = [one for one in text.splitlines() if one.startswith("pipeline_sync_waiting{")]
        return sum(float(one.split()[-1]) for one in lines if f'"{self.store}"' in one)
