"""PrestaShop's documents, which modules only name."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from pipeline.events import Kind
from tests.shop_bodies import ZONE, Announced, Article, Person, Sale, Sent, ShopBodies, SoldLine

_NO_DATE = "0000-00-00 00:00:00"
_STATES = {"sold": "2", "unsold": "10", "cancelled": "6", "refunded": "7"}
#: The newest customer's row is a guest's own.
_GUEST = "14"


def signed(topic: str, body: bytes, secret: bytes, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a module that signs: hex(HMAC-SHA256(body)), and the topic where it names one."""
    signature = hmac.digest(secret, body, "sha256").hex()
    plain = {"content-type": "application/json", "x-prestashop-topic": topic}
    return {**plain, **headers, "x-prestashop-signature": signature}


def in_envelope(topic: str, document: bytes) -> bytes:
    """A document in an envelope that names the topic; what is no JSON as it stands."""
    try:
        orjson.loads(document)
    except orjson.JSONDecodeError:
        return document
    return b'{"topic":%b,"source":"https://acme.example","data":%b}' % (orjson.dumps(topic), document)


def local(when: datetime) -> str:
    """By the shop's clocks, without an offset."""
    return when.astimezone(ZoneInfo(ZONE)).strftime("%Y-%m-%d %H:%M:%S")


def _row(number: int, line: SoldLine) -> dict[str, Any]:
    return {
        "id": str(number),
        "product_id": line.product,
        "product_attribute_id": "0",
        "product_quantity": str(line.quantity),
        "product_name": line.name,
        "product_reference": line.sku or "",
        "product_ean13": "",
        "product_price": line.unit,
        "id_customization": "0",
        "unit_price_tax_incl": line.unit,
        "unit_price_tax_excl": line.unit,
    }


def _order(sale: Sale) -> Sent:
    customer = sale.customer or _GUEST
    document: dict[str, Any] = {
        "id": int(sale.id),
        "id_address_delivery": "5",
        "id_address_invoice": "5",
        "id_cart": "131",
        "id_currency": "1",
        "id_lang": "1",
        "id_customer": customer,
        "current_state": _STATES[sale.state],
        "module": "ps_checkout",
        "valid": "1" if sale.state in {"sold", "refunded"} else "0",
        "date_add": local(sale.placed),
        "date_upd": local(sale.changed),
        "id_shop": "1",
        "payment": "Card",
        "total_discounts": "0.000000",
        "total_paid": sale.total,
        "total_paid_tax_incl": sale.total,
        "total_paid_tax_excl": sale.total,
        "reference": "ABCDEFGHI",
        "associations": {"order_rows": [_row(number, line) for number, line in enumerate(sale.lines, 1)]},
    }
    currency = {"id": 1, "name": "Money", "precision": "2"}
    if sale.currency is not None:
        currency["iso_code"] = sale.currency
    person = {
        "id": int(customer),
        "email": "" if sale.email is None else sale.email,
        "firstname": sale.name,
        "lastname": sale.surname,
        "is_guest": "0" if sale.customer else "1",
        "newsletter": "0",
        "newsletter_date_add": _NO_DATE,
    }
    slip = {
        "id": 4,
        "id_order": sale.id,
        "total_products_tax_incl": sale.total,
        "total_products_tax_excl": sale.total,
        "total_shipping_tax_incl": "0.000000",
        "total_shipping_tax_excl": "0.000000",
    }
    answers: dict[str, Any] = {
        f"/api/customers/{customer}": {"customer": person},
        "/api/currencies/1": {"currency": currency},
        "/api/addresses/5": {
            "address": {"id": 5, "id_country": "6", "phone": "612345678", "phone_mobile": ""}
        },
        "/api/countries/6": {"country": {"id": 6, "iso_code": "ES"}},
        "/api/order_slip": {"order_slips": [slip]} if sale.state == "refunded" else [],
    }

    def announced(said: dict[str, Any]) -> Announced:
        named = {"id": int(sale.id), "id_shop": 1}
        return Announced(named, {f"/api/orders/{sale.id}": {"order": said}, **answers})

    return Sent("order.updated", document, announced)


def _local(sale: Sale, placed: str) -> Sent:
    sent = _order(sale)
    return sent.saying({**sent.document, "date_add": placed.replace("T", " ")})


def _customer(person: Person) -> Sent:
    """`subscribed` and `left` are our words: the flag alone also stands for whoever was never asked."""
    decided = person.consent in ("subscribed", "left")
    flags = {"subscribed": "1", "left": "0"}
    document: dict[str, Any] = {
        "id": int(person.id),
        "id_lang": "1",
        "email": person.email,
        "firstname": person.name,
        "lastname": person.surname,
        "newsletter": flags[person.consent] if decided else person.consent,
        "newsletter_date_add": local(person.consented if person.consent == "subscribed" else person.created)
        if decided
        else _NO_DATE,
        "optin": "1",
        "deleted": "0",
        "is_guest": "0",
        "active": "1",
        "id_shop": "1",
        "date_add": local(person.created),
        "date_upd": local(person.consented if person.consent == "left" else person.changed),
    }

    def announced(said: dict[str, Any]) -> Announced:
        named = {"id": int(person.id), "email": "of-the-call@mail.example"}
        return Announced(named, {f"/api/customers/{person.id}": {"customer": said}})

    return Sent("customer.updated", document, announced)


def _product(article: Article) -> Sent:
    document: dict[str, Any] = {
        "id": int(article.id),
        "id_category_default": "4",
        "id_default_image": "11",
        "manufacturer_name": "Example",
        "quantity": "0",
        "reference": article.sku or "",
        "price": article.price,
        "active": "1" if article.published else "0",
        "available_for_order": "1",
        "visibility": "both",
        "date_add": local(article.changed),
        "date_upd": local(article.changed),
        "name": [{"id": "1", "value": article.name}, {"id": "2", "value": ""}],
        "link_rewrite": [{"id": "1", "value": "mug"}],
        "description_short": "<p>A mug.</p>",
        "associations": {
            "categories": [{"id": "2"}, {"id": "4"}],
            "images": [{"id": "11"}],
            "stock_availables": [{"id": "40", "id_product_attribute": "0"}],
        },
    }
    stock = {
        "id": 40,
        "id_product": article.id,
        "id_product_attribute": "0",
        "quantity": "3" if article.available else "0",
        "out_of_stock": "2",
    }
    category = {"id": 4, "name": "Kitchen", "link_rewrite": "kitchen", "level_depth": "2"}

    def announced(said: dict[str, Any]) -> Announced:
        named = {"id": int(article.id), "price": 7.5}
        return Announced(
            named,
            {
                f"/api/products/{article.id}": {"product": said},
                "/api/stock_availables": {"stock_availables": [stock]},
                "/api/categories": {"categories": [category]},
            },
        )

    return Sent("product.updated", document, announced)


def _deleted(kind: Kind, entity: str) -> Sent:
    return Sent(f"{kind}.deleted", {"id": int(entity), "date_upd": "2022-05-17 17:50:34"})


BODIES = ShopBodies(
    order=_order,
    customer=_customer,
    product=_product,
    deleted=_deleted,
    total_at=("total_paid",),
    rests_on={
        Kind.ORDER: frozenset(
            {
                "valid",
                "date_add",
                "date_upd",
                "total_paid",
                "id_customer",
                "associations",
                "associations.order_rows",
                "associations.order_rows[]",
                "associations.order_rows[].id",
                "associations.order_rows[].product_id",
                "associations.order_rows[].product_quantity",
                "associations.order_rows[].unit_price_tax_incl",
            }
        ),
        Kind.CUSTOMER: frozenset({"email", "date_upd", "deleted"}),
        Kind.PRODUCT: frozenset({"name", "name[]", "name[].value", "price", "active", "date_upd"}),
    },
    subscribed="subscribed",
    unsubscribed="left",
    silent=(None, "", "0", False, "perhaps", []),
    local=_local,
    only_local=True,
)
