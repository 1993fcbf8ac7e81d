"""A shop of `truth` at work: its simulated API, its webhooks, its syncs, and what Connectif holds of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import httpx
import orjson

from pipeline import config
from pipeline.sync.pull import operate
from pipeline.sync.pull.state import Wanted
from tests.checked_shops import REGISTERED
from tests.integration.operating import Site
from tests.platforms import IN_TESTS
from tests.proof.platforms import PROVED, Held
from tests.proof.truth import ZONE, Contact, Deed, Event, Product, Purchase, Shop, Told
from tests.shop_bodies import Sent

SECRET = "the hook's own secret"
#: Rows that the sandbox is given at once, and webhooks that are under way at once.
_AT_ONCE, _SENDERS = 1_000, 8


def store_of(platform: str) -> str:
    """The name of the store, and of its account."""
    return f"proof-{platform}"


def stores(platforms: Iterable[str], url: str) -> dict[str, dict[str, Any]]:
    """Their settings, with the APIs in a sandbox."""
    return {
        store_of(name): {
            "platform": name,
            "domain": f"{name}.example",
            "secrets": [SECRET],
            "timezone": ZONE,
            "api_url": f"{url}/_shops/{store_of(name)}",
            "sync": {"daily": False},
            **PROVED[name].settings,
        }
        for name in platforms
    }


class RunningShop:
    """See the module.

    Args:
        site: where everything runs.
        platform: of the shop.
        shop: what it has.
        latency: seconds each answer of its API takes.
    """

    def __init__(self, site: Site, platform: str, shop: Shop, latency: float = 0.0) -> None:
        self.site, self.shop, self.store = site, shop, store_of(platform)
        self._platform = PROVED[platform]
        self._control = f"{site.connectif.url}/_sandbox/shops/{self.store}"
        self._client = httpx.Client(timeout=120)
        self._sent = 0
        lists = {"platform": platform, **self._platform.lists}
        made = {"access": dict(self._platform.access), "latency": latency, "lists": lists}
        made["webhooks"] = platform if platform in REGISTERED else None
        self._client.put(self._control, json=made).raise_for_status()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    # What the shop has and says.

    def holds(self, told: Iterable[tuple[Told, Deed]]) -> None:
        """Let the API have these from now on."""
        held = (one for thing, deed in told for one in self._platform.held(self._platform, thing, deed))
        while some := list(islice(held, _AT_ONCE)):
            documents = {path: said for one in some for path, said in one.documents.items()}
            answers = [{"path": path, "answers": [{"body": said}]} for path, said in documents.items()]
            if answers:
                self._put("documents", answers)
            self._put("rows", _by_list(some))

    def _put(self, what: str, said: list[dict[str, Any]]) -> None:
        self._client.put(f"{self._control}/{what}", content=orjson.dumps(said)).raise_for_status()

    def sends(self, events: Iterable[Event]) -> int:
        """Send the webhooks of what was not lost; returns how many."""
        wanted = [
            sent
            for told, deed, is_sent in events
            if is_sent and (sent := self._platform.webhook(told, deed)) is not None
        ]
        with ThreadPoolExecutor(_SENDERS) as pool:
            for status in pool.map(self.post, wanted, range(self._sent, self._sent + len(wanted))):
                assert status == 200, status
        self._sent += len(wanted)
        return len(wanted)

    def webhook(self, told: Told) -> Sent:
        """What a webhook says of something that is there."""
        return self._platform.sent(told)

    def post(self, sent: Sent, number: int, at: float | None = None, *, cut: bool = False) -> int:
        """Send a webhook; the status of the answer.

        Args:
            sent: what it says.
            number: of the delivery, which is the same when it is sent again.
            at: when it is sent by the shop's clock, in seconds since the epoch; None: now.
            cut: whether the shop signs and sends half of it.

        Raises:
            httpx.HTTPError: there was no answer.
        """
        how, platform = IN_TESTS[self._platform.name], self._platform.name
        body, moment = how.with_topic(sent.topic, orjson.dumps(sent.body)), time.time() if at is None else at
        body = body[: len(body) // 2] if cut else body
        own = {how.delivery_header: f"{self.store}-{number}"} if how.delivery_header else {}
        headers = how.signed(sent.topic, body, SECRET.encode(), {**own, **how.at(moment)})
        url = f"{self.site.gateway}/webhooks/{platform}/{self.store}"
        return self._client.post(url, content=body, headers=headers).status_code

    def asked(self) -> int:
        """Requests that its API answered."""
        return int(self._client.get(f"{self._control}?log=0").json()["requests"])

    def fault(self, **fault: Any) -> None:
        """Let something go wrong at its API."""
        self._client.post(f"{self._control}/faults", json=fault).raise_for_status()

    def faults_gone(self) -> None:
        """Let its API work again."""
        self._client.delete(f"{self._control}/faults").raise_for_status()

    def has_webhooks(self, rows: list[dict[str, Any]]) -> None:
        """Let its API list these webhooks of the shop."""
        self._put("webhooks", rows)

    def webhooks(self) -> list[dict[str, Any]]:
        """What webhooks its API lists."""
        found: list[dict[str, Any]] = self._client.get(f"{self._control}/webhooks").raise_for_status().json()
        return found

    # Its syncs.

    def sync(self, wanted: Wanted) -> str:
        """Begin one, as `pipeline sync STORE` does; returns its id."""
        said = operate.command(self.store, wanted)
        operate.give(config.load(self.site.path), said)
        return said.id

    def run_of(self, command: str) -> Mapping[str, Any]:
        """A run that is over; empty while it is not, and while the worker does not answer."""
        try:
            found = self._client.get(f"{self.site.urls['sync']}/sync/store", params={"store": self.store})
            run: dict[str, Any] = found.json().get("run") or {}
        except (httpx.HTTPError, ValueError):
            return {}
        over = run.get("status", "running") != "running" and run["command"]["id"] == command
        return run if over else {}

    # What Connectif holds.

    def purchases(self) -> dict[str, Purchase]:
        """By id."""
        return {
            key: Purchase(
                body["contactEmail"],
                float(body["totalPrice"]),
                body["purchaseDate"][:19],
                tuple(sorted((line["productId"], line["quantity"]) for line in body["products"])),
            )
            for key, body in self._held("purchases")
        }

    def purchases_made(self) -> dict[str, int]:
        """How often each was made."""
        return {one["key"]: one["creates"] for one in self.site.connectif.ledger(self.store, "purchases")}

    def contacts(self) -> dict[str, Contact]:
        """By address."""
        return {
            key: Contact(
                body.get("_name") or "",
                body.get("_surname") or "",
                body.get("_newsletterSubscriptionStatus") or "none",
                body.get("_mobilePhone") or "",
                (body.get("_birthdate") or "")[:10],
            )
            for key, body in self._held("contacts")
        }

    def products(self) -> dict[str, Product]:
        """By id."""
        return {key: _product(body) for key, body in self._held("products")}

    def _held(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for one in self.site.connectif.ledger(self.store, kind):
            if not one["deleted"]:
                yield one["key"], one["body"]


def _by_list(held: Iterable[Held]) -> list[dict[str, Any]]:
    """What a list has from now on; of two of one id the last counts."""
    lists: dict[str, dict[str, dict[str, Any] | None]] = {}
    for one in held:
        lists.setdefault(one.list, {})[one.id] = one.row
    return [
        {
            "list": name,
            "rows": [row for row in rows.values() if row is not None],
            "gone": [own for own, row in rows.items() if row is None],
        }
        for name, rows in lists.items()
    ]


def _product(body: Mapping[str, Any]) -> Product:
    """As it is compared: of one that is hidden neither name nor price."""
    available, hidden = body.get("availability") == "instock", body.get("isBlacklisted") is True
    if hidden:
        return Product("", 0.0, available, hidden)
    return Product(body.get("name") or "", float(body.get("unitPrice") or 0), available, hidden)
