"""A store with routes to several accounts, and what it says in some language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson

from pipeline import config
from pipeline.shops.platform import raw_event
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.emit import Again
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.reading import feeds
from pipeline.translate.replayed import apply_again
from pipeline.translate.rules import Result, apply
from pipeline.translate.state import EntityState
from tests.platforms import genuine
from tests.settings_trees import ACCOUNT, store_tree
from tests.shop_bodies import CHANGED, Article, Person, Sale, Sent
from tests.shop_bodies.generic import BODIES

Routes = list[dict[str, Any]]
ES_AND_FR: Routes = [{"language": "es", "account": "es"}, {"language": "fr", "account": "fr"}]


def settings(
    routes: list[dict[str, Any]], platform: str = "generic", **accounts: dict[str, Any]
) -> config.Settings:
    """A store with these routes; accounts differ from one on nothing by what is given."""
    store = store_tree(platform, routes=routes)
    del store["account"]
    named = {route["account"] for route in routes} | accounts.keys()
    return config.parse(
        {"accounts": {name: ACCOUNT | accounts.get(name, {}) for name in named}, "stores": {"shop": store}},
        {},
    )


class Shop:
    """The rules with the memory of every entity of one store; what was emitted, in its order."""

    def __init__(
        self, routes: list[dict[str, Any]], platform: str = "generic", **accounts: dict[str, Any]
    ) -> None:
        self.platform = PLATFORMS[platform]
        self.move(routes, **accounts)
        self.states: dict[bytes, EntityState] = {}
        self.heard = 0

    def move(self, routes: Routes, **accounts: dict[str, Any]) -> None:
        """Other settings from now on."""
        self.feed: Feed = feeds(settings(routes, self.platform.name, **accounts), PLATFORMS)["shop"]

    def hear(
        self, sent: Sent, again: Again | None = None, headers: Mapping[str, str] | None = None
    ) -> Result:
        document = orjson.dumps(sent.document)
        self.heard += 1
        headers = {"webhook-id": f"m{self.heard}", **(headers or {})}
        request = genuine(self.platform, sent.topic, document, b"key", headers)
        event = raw_event("shop", self.platform, request._replace(received_ms=1_700_000_000_000 + self.heard))
        place = EventPosition(event.kind.topic, 0, self.heard)
        state = self.states.get(event.key, EntityState())
        state = EntityState.decode(state.encode())
        if again is None:
            result = apply(event, place, state, self.feed)
        else:
            result = apply_again(event, place, state, self.feed, again)
        if result.remember:
            self.states[event.key] = state
        return result


def said(result: Result) -> list[tuple[str, str, str, str]]:
    """Account, kind, operation and id of each record."""
    records = [orjson.loads(one.value) for one in result.emissions]
    return [(one["account"], one["kind"], one["op"], one["id"]) for one in records]


def order(language: str | None = None, seconds: int = 0, **changes: Any) -> Sent:
    topic, document, *_ = BODIES.order(Sale(changed=CHANGED + timedelta(seconds=seconds)))
    document["customer"]["locale"] = language
    return Sent(topic, document | changes)


def customer(language: str | None = None, seconds: int = 0, consent: Any = None, **changes: Any) -> Sent:
    moment = CHANGED + timedelta(seconds=seconds)
    topic, document, *_ = BODIES.customer(Person(changed=moment, consent=consent, consented=moment))
    return Sent(topic, document | {"locale": language} | changes)


def article(seconds: int = 0, **changes: Any) -> Sent:
    topic, document, *_ = BODIES.product(Article(changed=CHANGED + timedelta(seconds=seconds)))
    return Sent(topic, document | changes)
