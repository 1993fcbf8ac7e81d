"""VTEX's documents, which its webhooks only name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from pipeline.events import Kind
from tests.shop_bodies import Announced, Article, Person, Sale, Sent, ShopBodies, SoldLine, paid_back

_STATUS = {
    "sold": "handling",
    "unsold": "payment-pending",
    "cancelled": "canceled",
    "refunded": "invoiced",
}


def signed(topic: str, body: bytes, secret: bytes, headers: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001 - a `Signer`
    """VTEX signs nothing: a header of the hook's configuration holds the secret."""
    return {"content-type": "application/json", **headers, "x-webhook-secret": secret.decode("latin-1")}


def notification(topic: str, document: bytes) -> bytes:
    """VTEX's topic is in what the body names; a document that is no object with an id is sent as it is."""
    try:
        said = orjson.loads(document)
    except orjson.JSONDecodeError:
        return document
    if not isinstance(said, dict) or "id" not in said:
        return document
    name, _, state = topic.partition(".")
    if name == "hook":
        return orjson.dumps({"OrderId": str(said["id"]), "State": state, **said})
    if name == "feed":
        return orjson.dumps({"orderId": str(said["id"]), "state": state, **said})
    more = {"IdSku": "1", "ProductId": said["id"]} if name == "broadcaster" else {"email": "a@mail.example"}
    return orjson.dumps({**more, **said}) if name in {"broadcaster", "masterdata"} else document


def _moment(when: datetime) -> str:
    """To 100 ns, as VTEX writes moments."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000+00:00")


def _cents(amount: str) -> int:
    return int(Decimal(amount) * 100)


def _line(number: int, line: SoldLine) -> dict[str, Any]:
    unit = _cents(line.unit)
    return {
        "uniqueId": f"{number:032d}",
        "id": line.variant,
        "productId": line.product,
        "quantity": line.quantity,
        "seller": "1",
        "name": line.name,
        "refId": line.sku,
        "price": unit,
        "listPrice": unit,
        "sellingPrice": unit,
        "imageUrl": "https://exampleaccount.vteximg.com.br/arquivos/ids/1/mug.jpg",
        "detailUrl": "/mug/p",
        "tax": 0,
        "isGift": False,
        "unitMultiplier": 1.0,
        "additionalInfo": {"brandName": "Example", "categories": [{"id": 10, "name": "Kitchen"}]},
        "priceDefinition": {"calculatedSellingPrice": unit, "total": unit * line.quantity},
    }


def _order(sale: Sale) -> Sent:
    status = _STATUS[sale.state]
    preferences = {"countryCode": "ESP", "timeZone": "Romance Standard Time"}
    returned = {
        "type": "Input",
        "restitutions": {"Refund": {"value": _cents(sale.total)}},
        "items": [],
    }
    document: dict[str, Any] = {
        "orderId": sale.id,
        "sequence": sale.id,
        "origin": "Marketplace",
        "affiliateId": "",
        "status": status,
        "value": _cents(sale.total),
        "creationDate": _moment(sale.placed),
        "lastChange": _moment(sale.changed),
        "authorizedDate": None if sale.state == "unsold" else _moment(sale.placed),
        "orderFormId": "cart",
        "items": [_line(number, line) for number, line in enumerate(sale.lines, 1)],
        "clientProfileData": {
            "email": sale.email,
            "firstName": sale.name,
            "lastName": sale.surname,
            "phone": "+34612345678",
            "userProfileId": sale.customer,
        },
        "clientPreferencesData": {"locale": "es-ES"},
        "salesChannel": "1",
        "marketingData": {"coupon": "MAY10"},
        "paymentData": {"transactions": [{"payments": [{"paymentSystemName": "Visa", "value": 2000}]}]},
        "packageAttachment": {"packages": [returned] if sale.state == "refunded" else []},
        "changesAttachment": None,
        "storePreferencesData": preferences,
    }
    if sale.currency is not None:
        preferences["currencyCode"] = sale.currency
    hook = {
        "Domain": "Marketplace",
        "OrderId": sale.id,
        "State": status,
        "LastChange": document["lastChange"],
    }

    def announced(said: dict[str, Any]) -> Announced:
        return Announced(hook, {f"/api/oms/pvt/orders/{sale.id}": said})

    return Sent(f"hook.{status}", document, announced)


def _given_back(sale: Sale, units: int) -> Sent:
    sent = _order(sale)
    returned = {
        "type": "Input",
        "restitutions": {"Refund": {"value": _cents(str(paid_back(sale, units)))}},
        "items": [{"itemIndex": 0, "quantity": units}],
    }
    return sent.saying(sent.document | {"packageAttachment": {"packages": [returned]}})


def _client(person: Person) -> Sent:
    document = {
        "id": person.id,
        "userId": person.id,
        "email": person.email,
        "firstName": person.name,
        "lastName": person.surname,
        "homePhone": "+34612345678",
        "phone": None,
        "birthDate": person.birthday and f"{person.birthday}T00:00:00Z",
        "isNewsletterOptIn": person.consent,
        "localeDefault": "es-ES",
        "createdIn": _moment(person.created),
        "updatedIn": _moment(person.changed),
    }
    trigger = {"id": person.id, "email": "", "isNewsletterOptIn": ""}

    def announced(said: dict[str, Any]) -> Announced:
        return Announced(trigger, {f"/api/dataentities/CL/documents/{person.id}?_fields=_all": said})

    return Sent("masterdata.CL", document, announced)


def _product(article: Article) -> Sent:
    document = {
        "Id": int(article.variant),
        "ProductId": int(article.id),
        "NameComplete": article.name,
        "ProductName": article.name,
        "SkuName": "blue",
        "IsActive": article.published,
        "ImageUrl": "https://exampleaccount.vteximg.com.br/arquivos/ids/1/mug.jpg",
        "DetailUrl": "/mug/p",
        "BrandName": "Example",
        "AlternateIds": {"RefId": article.sku},
        "ProductCategories": {"10": "Kitchen"},
        "ReleaseDate": "2023-01-01T00:00:00",
        "ProductIsVisible": article.published,
    }
    units = 3 if article.available else 0
    fellows = [{"Id": int(article.variant), "IsActive": article.published, "Name": article.name}]
    balance = {"totalQuantity": units, "reservedQuantity": 0, "hasUnlimitedQuantity": False}
    announcement = {
        "An": "exampleaccount",
        "IdSku": article.variant,
        "ProductId": int(article.id),
        "DateModified": _moment(article.changed),
        "IsActive": article.published,
    }

    def announced(said: dict[str, Any]) -> Announced:
        answers = {
            f"/api/catalog_system/pvt/sku/stockkeepingunitbyid/{article.variant}": said,
            f"/api/catalog_system/pvt/sku/stockkeepingunitByProductId/{article.id}": fellows,
            f"/api/logistics/pvt/inventory/skus/{article.variant}": {"balance": [balance]},
            f"/api/pricing/prices/{article.variant}": {
                "basePrice": float(article.price),
                "listPrice": 12.0,
                "fixedPrices": [],
            },
        }
        return Announced(announcement, answers)

    return Sent("broadcaster", document, announced)


BODIES = ShopBodies(
    order=_order,
    customer=_client,
    product=_product,
    deleted=lambda _kind, _entity: None,
    given_back=_given_back,
    total_at=("value",),
    rests_on={
        Kind.ORDER: frozenset(
            {
                "origin",
                "affiliateId",
                "status",
                "value",
                "creationDate",
                "lastChange",
                "authorizedDate",
                "items",
                "items[]",
                "items[].uniqueId",
                "items[].id",
                "items[].productId",
                "items[].quantity",
                "items[].price",
                "items[].priceDefinition.total",
                "clientProfileData",
                "clientProfileData.email",
            }
        ),
        Kind.CUSTOMER: frozenset({"email", "createdIn", "updatedIn"}),
        Kind.PRODUCT: frozenset({"ProductName", "DetailUrl", "ProductIsVisible", "Id"}),
    },
    subscribed=True,
    silent=(None, "", "perhaps", False, "False"),
    consent_has_time=False,
    without_clock=frozenset({Kind.PRODUCT}),
)
