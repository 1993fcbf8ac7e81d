"""Documents of custom shops for tests: the envelopes around them, and what they mean to a store."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.events import RawEvent
from pipeline.records import Contact, Product, Purchase, RecordKind
from pipeline.shops.base import Draft, Rejected, Translation, WebhookRequest
from pipeline.shops.generic import GENERIC
from pipeline.shops.generic.settings import GenericSettings, GenericStore
from pipeline.shops.platform import raw_event
from tests.platforms import settings_of
from tests.shop_bodies import Article, Person, Sale
from tests.shop_bodies.generic import BODIES

#: When every event of these tests arrived.
RECEIVED_MS = 1_700_000_000_000


def settings(**changes: Any) -> GenericSettings:
    """Those of a plain store, but for the changes."""
    found = settings_of("generic", **changes)
    assert isinstance(found, GenericSettings)
    return found


def store(*, currency: str | None = None, **changes: Any) -> GenericStore:
    """A plain store, but for the changes."""
    return GENERIC.store("acme", settings(**changes), currency=currency)


def kept(kind: str, data: Any, **envelope: Any) -> RawEvent:
    body = {"type": kind, "timestamp": "2023-11-14T20:16:30Z", "data": data, **envelope}
    request = WebhookRequest({"webhook-id": "m"}, orjson.dumps(body), RECEIVED_MS)
    event = raw_event("acme", GENERIC, request)
    return RawEvent.from_kafka(event.body, event.to_kafka_headers())


def translate(kind: str, data: Any, *, currency: str | None = None, **changes: Any) -> Translation:
    return GENERIC.translate(kept(kind, data), store(currency=currency, **changes))


def refused(kind: str, data: Any, **changes: Any) -> Rejected:
    with pytest.raises(Rejected) as caught:
        translate(kind, data, **changes)
    return caught.value


def order(**changes: Any) -> dict[str, Any]:
    return BODIES.order(Sale()).document | changes


def with_line(**changes: Any) -> dict[str, Any]:
    sold = order()
    sold["line_items"][0] |= changes
    return sold


def customer(**changes: Any) -> dict[str, Any]:
    return BODIES.customer(Person()).document | changes


def article(**changes: Any) -> dict[str, Any]:
    return BODIES.product(Article()).document | changes


def sold(data: Any, **changes: Any) -> tuple[Draft, Purchase]:
    found = translate("order.updated", data, **changes)
    [draft] = [draft for draft in found.drafts if draft.kind is RecordKind.PURCHASE]
    assert isinstance(draft.body, Purchase)
    return draft, draft.body


def contact(data: Any, kind: str = "customer.updated") -> tuple[Draft, Contact]:
    [draft] = translate(kind, data).drafts
    assert isinstance(draft.body, Contact)
    return draft, draft.body


def products(data: Any, **changes: Any) -> list[Product]:
    found = [draft.body for draft in translate("product.updated", data, **changes).drafts]
    return [body for body in found if isinstance(body, Product)]
