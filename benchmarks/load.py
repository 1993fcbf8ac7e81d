"""Real bodies as raw events, varied so that every entity is its own: the load of the benchmarks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import orjson

from pipeline.events import Kind, RawEvent
from tests.settings_trees import store_tree, stores_tree

#: (platform, store, file, kind, topic, weight): what shops send, by how often they send it.
MIX = (
    ("shopify", "north", "webhook-orders_updated-2024-04.json", Kind.ORDER, "orders/updated", 30),
    ("shopify", "north", "webhook-orders_create-2026-04.json", Kind.ORDER, "orders/create", 10),
    ("shopify", "north", "realistic-order-full-0-webhookdb.json", Kind.ORDER, "orders/paid", 10),
    ("shopify", "north", "webhook-products_update-2024-04.json", Kind.PRODUCT, "products/update", 15),
    ("shopify", "north", "webhook-customers_update-2024-04.json", Kind.CUSTOMER, "customers/update", 10),
    ("woocommerce", "south", "order-processing-paid-docs.json", Kind.ORDER, "order.updated", 15),
    ("woocommerce", "south", "product-simple-docs.json", Kind.PRODUCT, "product.updated", 5),
    ("woocommerce", "south", "customer-updated-docs.json", Kind.CUSTOMER, "customer.updated", 5),
)

#: Settings for these events, but for where Kafka is.
STORES = stores_tree(
    north=store_tree(account="acme-es", domain="north.example"),
    south=store_tree("woocommerce", "acme-pt", domain="south.example"),
)


@dataclass(frozen=True, slots=True)
class Template:
    """A real body, and what is known of the events it is made into."""

    platform: str
    store: str
    kind: Kind
    topic: str
    body: dict[str, Any]

    def event(self, number: int, version: int) -> RawEvent:
        """The template as entity `number`, changed `version` times."""
        stamp = f"2026-03-{1 + version % 28:02d}T{number % 24:02d}:00:00"
        own: dict[str, object] = {"id": 5_000_000_000 + number}
        if self.platform == "shopify":
            own |= {"updated_at": stamp + "Z", "email": f"buyer{number}@example.com", "test": False}
            if self.kind is Kind.ORDER:  # the samples of Shopify's documentation are cancelled test orders
                own |= {"cancelled_at": None, "financial_status": "paid"}
        else:
            own |= {"date_modified_gmt": stamp, "email": f"buyer{number}@example.com"}
        body = orjson.dumps(self.body | own)
        return RawEvent(
            store=self.store,
            platform=self.platform,
            kind=self.kind,
            entity=str(own["id"]),
            topic=self.topic,
            delivery=f"{self.topic}:{number}:{version}",
            received_ms=1_772_000_000_000 + number,
            body=body,
        )


def templates() -> tuple[list[Template], list[int]]:
    """The bodies of `MIX`, with their weights."""
    bodies = resources.files("pipeline") / "bodies"
    chosen, weights = [], []
    for platform, store, file, kind, topic, weight in MIX:
        body = orjson.loads((bodies / platform / file).read_bytes())
        chosen.append(Template(platform, store, kind, topic, body))
        weights.append(weight)
    return chosen, weights


def events(count: int, *, duplicates: float = 0.1, updates: float = 0.3, seed: int = 1) -> Iterator[RawEvent]:
    """`count` events: new entities, updates of known ones, and repeats of deliveries.

    Args:
        count: how many.
        duplicates: share of repeated deliveries.
        updates: share of newer versions of known entities.
        seed: of the choice.
    """
    chance = random.Random(seed)  # noqa: S311 - not a secret
    chosen, weights = templates()
    known: list[tuple[Template, int, int]] = []
    recent: list[RawEvent] = []
    for number in range(count):
        dice = chance.random()
        if recent and dice < duplicates:
            yield chance.choice(recent)
            continue
        if known and dice < duplicates + updates:
            place = chance.randrange(len(known))
            template, entity, version = known[place]
            known[place] = (template, entity, version + 1)
            event = template.event(entity, version + 1)
        else:
            template = chance.choices(chosen, weights)[0]
            known.append((template, number, 0))
            event = template.event(number, 0)
        if len(recent) < 1_000:
            recent.append(event)
        else:
            recent[chance.randrange(1_000)] = event
        yield event
