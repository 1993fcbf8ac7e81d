"""PrestaShop's announcements and documents for tests, and the store they come from."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.events import Kind, RawEvent
from pipeline.records import Contact, Product, Purchase, RecordKind
from pipeline.shops.api import FETCHED, pack
from pipeline.shops.base import Draft, StoreOf, Translation, WebhookRequest
from pipeline.shops.platform import raw_event
from pipeline.shops.prestashop import PRESTASHOP
from pipeline.shops.prestashop.settings import PrestashopSettings
from tests.platforms import settings_of

BODIES = Path(__file__).parent.parent / "pipeline" / "bodies" / "prestashop"
#: When every event of the tests arrived.
RECEIVED_MS = 1_750_000_000_000
PrestashopStore = StoreOf[PrestashopSettings]


def read(name: str) -> Any:
    return json.loads((BODIES / name).read_bytes())


def ms(moment: str) -> int:
    """`2017-03-22 19:28:08` in UTC, in epoch milliseconds."""
    return int(datetime.fromisoformat(f"{moment}+00:00").timestamp()) * 1_000


def store(*, currency: str | None = None, **settings: Any) -> PrestashopStore:
    own = settings_of("prestashop", **{"domain": "shop.example", **settings})
    assert isinstance(own, PrestashopSettings)
    return PRESTASHOP.store("acme", own, currency=currency)


def arrived(body: Any, query: str = "", **headers: str) -> RawEvent:
    """An event as the gateway stores it; `body` as bytes stays as it is."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return raw_event("acme", PRESTASHOP, WebhookRequest(named, raw, RECEIVED_MS, query))


def fetched(kind: Kind, entity: str, answers: dict[str, Any], received_ms: int = RECEIVED_MS) -> RawEvent:
    """The event that the webservice's answers make, by what was asked."""
    body = pack(
        [(f"{path}?output_format=JSON", 200, json.dumps(one).encode()) for path, one in answers.items()]
    )
    return RawEvent(
        store="acme",
        platform="prestashop",
        kind=kind,
        entity=entity,
        topic=f"{FETCHED}{kind}",
        delivery="d",
        received_ms=received_ms,
        body=body,
    )


#: What an order is understood with, unless a test says otherwise.
BESIDE: dict[str, Any] = {
    "/api/customers/12": {
        "customer": {
            "id": 12,
            "email": "ana@mail.example",
            "firstname": "Ana",
            "lastname": "Mora",
            "is_guest": "0",
        }
    },
    "/api/currencies/1": {"currency": {"id": 1, "iso_code": "EUR"}},
    "/api/addresses/5": {"address": {"id": 5, "id_country": "6", "phone": "", "phone_mobile": "600123456"}},
    "/api/countries/6": {"country": {"id": 6, "iso_code": "ES"}},
    "/api/order_slip": [],
}


def order(
    document: dict[str, Any],
    *,
    beside: dict[str, Any] | None = None,
    currency: str | None = None,
    **settings: Any,
) -> Translation:
    """What an order's document means, with those beside it."""
    number = str(document["id"])
    answers = {f"/api/orders/{number}": {"order": document}, **BESIDE, **(beside or {})}
    return PRESTASHOP.translate(fetched(Kind.ORDER, number, answers), store(currency=currency, **settings))


def sold(**changes: Any) -> dict[str, Any]:
    """A paid order of two mugs and a T-shirt."""
    whole: dict[str, Any] = copy.deepcopy(read("constructed-ws-order-paid.json")["order"] | changes)
    return whole


def customer(document: dict[str, Any], **settings: Any) -> Translation:
    """What a customer's row means."""
    number = str(document["id"])
    event = fetched(Kind.CUSTOMER, number, {f"/api/customers/{number}": {"customer": document}})
    return PRESTASHOP.translate(event, store(**settings))


def product(
    document: dict[str, Any],
    *,
    stock: Any = (),
    special: Any = (),
    received_ms: int = RECEIVED_MS,
    **settings: Any,
) -> Translation:
    """What a product's document means, with its rows of stock and special prices."""
    number = str(document["id"])
    answers = {
        f"/api/products/{number}": {"product": document},
        "/api/stock_availables": {"stock_availables": list(stock)},
        "/api/specific_prices": {"specific_prices": list(special)},
    }
    return PRESTASHOP.translate(fetched(Kind.PRODUCT, number, answers, received_ms), store(**settings))


def only(translation: Translation, kind: RecordKind) -> Draft:
    """The only draft of a kind."""
    [draft] = [draft for draft in translation.drafts if draft.kind is kind]
    return draft


def purchase(translation: Translation) -> Purchase:
    body = only(translation, RecordKind.PURCHASE).body
    assert isinstance(body, Purchase)
    return body


def contact(translation: Translation) -> Contact:
    body = only(translation, RecordKind.CONTACT).body
    assert isinstance(body, Contact)
    return body


def article(translation: Translation) -> Product:
    body = only(translation, RecordKind.PRODUCT).body
    assert isinstance(body, Product)
    return body
