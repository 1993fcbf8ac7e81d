"""What PrestaShop's tests share: a store, the event of a call, and that of what the webservice answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.events import Kind, RawEvent
from pipeline.shops.api import fetched_event
from pipeline.shops.base import StoreOf, Translation, WebhookRequest
from pipeline.shops.platform import raw_event
from pipeline.shops.prestashop import PRESTASHOP
from pipeline.shops.prestashop.settings import PrestashopSettings
from pipeline.translate.feed import Feed
from tests.platforms import settings_of
from tests.simulation.case_api import CaseApi, looked_up
from tests.simulation.cases import Fetched

BODIES = Path(__file__).parent.parent / "pipeline" / "bodies" / "prestashop"
#: After all that the bodies tell of.
READ_MS = 1_800_000_000_000


def read(name: str) -> Any:
    """A body that we carry."""
    return json.loads((BODIES / name).read_bytes())


def store(**settings: Any) -> StoreOf[PrestashopSettings]:
    """A store in Madrid; `currency` is its account's."""
    currency = settings.pop("currency", None)
    plain: dict[str, Any] = {"domain": "shop.example", "timezone": "Europe/Madrid", **settings}
    found = settings_of("prestashop", **plain)
    assert isinstance(found, PrestashopSettings)
    return PRESTASHOP.store("acme", found, currency=currency)


def call(
    body: Any, headers: Mapping[str, str] | None = None, *, query: str = "", received_ms: int = READ_MS
) -> RawEvent:
    """What is kept of a module's call."""
    raw = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    request = WebhookRequest(headers or {}, raw, received_ms, query)
    assert PRESTASHOP.split is not None
    [one] = PRESTASHOP.split(request)
    event = raw_event("acme", PRESTASHOP, one)
    return RawEvent.from_kafka(event.body, event.to_kafka_headers())


def asked(event: RawEvent, answers: Mapping[str, Any], **settings: Any) -> RawEvent | None:
    """The event that follows a call; 404 to what is not among the answers."""
    listed = [Fetched(request=path, body=said) for path, said in answers.items()]
    feed = Feed(store(**settings), PRESTASHOP, "acme")
    return looked_up(event, feed, CaseApi(listed), "shop.x/0/0", event.received_ms)


def fetched(kind: Kind, entity: str, answers: Mapping[str, Any], *, read_ms: int = READ_MS) -> RawEvent:
    """The event of these answers, whatever was asked."""
    topic = f"{kind}.updated"
    notice = call({"topic": topic, "data": {"id": int(entity)}}, received_ms=read_ms)
    packed = [(path, 200, json.dumps(body).encode()) for path, body in answers.items()]
    event = fetched_event(notice, packed, str(kind), "shop.x/0/0", read_ms)
    return RawEvent.from_kafka(event.body, event.to_kafka_headers())


def meaning(kind: Kind, entity: str, answers: Mapping[str, Any], **settings: Any) -> Translation:
    """What answers mean to the store."""
    read_ms = settings.pop("read_ms", READ_MS)
    return PRESTASHOP.translate(fetched(kind, entity, answers, read_ms=read_ms), store(**settings))
