"""PrestaShop's bodies: the announcements of modules, and the documents of the webservice that they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from pipeline.events import Kind
from tests.shop_bodies import ZONE, Announced, Article, Person, Sale, Sent, ShopBodies, SoldLine, paid_back

_STATE = {"sold": "2", "unsold": "10", "cancelled": "6", "refunded": "2"}
_CURRENCIES = {"EUR": "1", "USD": "2", "JPY": "3"}


def signed(topic: str, body: bytes, secret: bytes, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a module that repeats a secret."""
    del topic, body
    return {"content-type": "application/json", **headers, "x-webhook-token": secret.decode("latin-1")}


def in_data(topic: str, document: bytes) -> bytes:
    """A document in an envelope that names the topic; what is no JSON as it stands."""
    try:
        orjson.loads(document)
    except orjson.JSONDecodeError:
        return document
    return b'{"topic":%b,"data":%b}' % (orjson.dumps(topic), document)


def _moment(when: datetime) -> str:
    """By the shop's own clock, without an offset."""
    return when.astimezone(ZoneInfo(ZONE)).strftime("%Y-%m-%d %H:%M:%S")


def _row(number: int, line: SoldLine) -> dict[str, Any]:
    return {
        "id": str(number),
        "product_id": line.product,
        "product_attribute_id": "0",
        "product_quantity": str(line.quantity),
        "product_name": line.name,
        "product_reference": line.sku or "",
        "unit_price_tax_incl": line.unit,
        "unit_price_tax_excl": line.unit,
    }


def _person(number: str, email: str | None, name: str, surname: str) -> dict[str, Any]:
    return {
        "id": int(number),
        "email": email or "",
        "firstname": name,
        "lastname": surname,
        "is_guest": "0",
        "deleted": "0",
        "id_shop": "1",
        "id_lang": "1",
    }


def _order(sale: Sale) -> Sent:
    refunded = sale.state == "refunded"
    order: dict[str, Any] = {
        "id": int(sale.id),
        "id_shop": "1",
        "id_lang": "1",
        "id_cart": "5",
        "id_customer": sale.customer or "13",
        "id_currency": _CURRENCIES.get(sale.currency or "", "0"),
        "id_address_invoice": "5",
        "current_state": _STATE[sale.state],
        "valid": str(int(sale.state in {"sold", "refunded"})),
        "date_add": _moment(sale.placed),
        "date_upd": _moment(sale.changed),
        "payment": "Card",
        "module": "ps_checkout",
        "reference": "ABCDEFGHI",
        "total_paid_tax_incl": sale.total,
        "total_products_wt": sale.total,
        "total_discounts": "0.000000",
        "associations": {"order_rows": [_row(number, line) for number, line in enumerate(sale.lines, 1)]},
    }
    person = _person(sale.customer or "13", sale.email, sale.name, sale.surname)
    slip = {
        "id": 4,
        "id_order": sale.id,
        "total_products_tax_incl": sale.total,
        "total_shipping_tax_incl": "0",
    }
    document: dict[str, Any] = {
        "order": order,
        "customer": person | {"is_guest": str(int(sale.customer is None))},
        "address": {"id": 5, "id_country": "6", "phone": "612345678", "phone_mobile": ""},
        "country": {"id": 6, "iso_code": "ES"},
        "order_slips": [slip] if refunded else [],
    }
    if sale.currency is not None:
        document["currency"] = {"id": int(order["id_currency"]), "iso_code": sale.currency}
    return Sent("order.updated", document, _announced("order", sale.id))


def _placed_locally(sale: Sale, local: str) -> Sent:
    sent = _order(sale)
    sent.document["order"]["date_add"] = local.replace("T", " ")
    return sent


def _given_back(sale: Sale, units: int) -> Sent:
    sent = _order(sale)
    detail = {"id_order_detail": "1", "product_quantity": str(units)}
    slip = {
        "id": 4,
        "id_order": sale.id,
        "total_products_tax_incl": str(paid_back(sale, units)),
        "total_shipping_tax_incl": "0",
        "associations": {"order_slip_details": [detail]},
    }
    goods = str(paid_back(sale, sale.lines[0].quantity))
    order = sent.document["order"] | {"total_products_wt": goods}
    return sent.saying(sent.document | {"order": order, "order_slips": [slip]})


def _customer(person: Person) -> Sent:
    body = _person(person.id, person.email, person.name, person.surname) | {
        "date_add": _moment(person.created),
        "date_upd": _moment(person.changed),
        "newsletter": "0",
        "newsletter_date_add": "0000-00-00 00:00:00",
        "optin": "1",
        "birthday": person.birthday or "0000-00-00",
    }
    if person.consent == "1":
        body |= {"newsletter": "1", "newsletter_date_add": _moment(person.consented)}
    elif person.consent is not None:
        body["newsletter"] = person.consent
    return Sent("customer.updated", {"customer": body}, _announced("customer", person.id))


def _product(article: Article) -> Sent:
    product = {
        "id": int(article.id),
        "id_default_image": "21",
        "reference": article.sku or "",
        "price": article.price,
        "active": str(int(article.published)),
        "visibility": "both",
        "available_for_order": "1",
        "manufacturer_name": "Example",
        "name": [{"id": "1", "value": article.name}],
        "link_rewrite": [{"id": "1", "value": "mug"}],
        "description_short": [{"id": "1", "value": "<p>A mug.</p>"}],
        "date_add": _moment(article.changed),
        "date_upd": _moment(article.changed),
    }
    stock = {
        "id": 31,
        "id_product": article.id,
        "quantity": "3" if article.available else "0",
        "out_of_stock": "2",
    }
    document = {"product": product, "stock_availables": [stock]}
    return Sent("product.updated", document, _announced("product", article.id))


_PLACES = {
    "order": "orders",
    "customer": "customers",
    "currency": "currencies",
    "address": "addresses",
    "country": "countries",
    "product": "products",
}
_JSON = "output_format=JSON"
_LISTS = {"order_slips": "order_slip", "stock_availables": "stock_availables"}
_LINKS = {
    "customer": ("order", "id_customer"),
    "currency": ("order", "id_currency"),
    "address": ("order", "id_address_invoice"),
    "country": ("address", "id_country"),
}


def _announced(main: str, entity: str) -> Callable[[dict[str, Any]], Announced]:
    """A module names the entity; each document is where the one that names it says."""

    def announced(document: dict[str, Any]) -> Announced:
        answers: dict[str, Any] = {}
        for name, body in document.items():
            if name in _LISTS:
                answers[f"/api/{_LISTS[name]}"] = {name: body}
                continue
            parent, field = _LINKS.get(name, ("", "")) if name != main else ("", "")
            holder = document.get(parent)
            own = holder.get(field) if isinstance(holder, dict) else entity
            answers[f"/api/{_PLACES.get(name, name)}/{own}"] = {name: body}
        return Announced({"id": entity}, answers)

    return announced


def asked(sent: Sent) -> dict[str, Any]:
    """The webservice's answers of an order, by path and query as they are asked."""
    assert sent.announced is not None
    number = sent.document["order"]["id"]
    state = sent.document["order"]["current_state"]
    states = {f"/api/order_states/{state}": {"order_state": {"id": int(state), "paid": "0"}}}
    return {
        path
        + (f"?filter[id_order]=[{number}]&display=full&" if path.endswith("_slip") else "?")
        + _JSON: said
        for path, said in (sent.announced(sent.document).answers | states).items()
    }


BODIES = ShopBodies(
    order=_order,
    customer=_customer,
    product=_product,
    deleted=lambda kind, entity: Sent(f"{kind}.deleted", {"id": entity}),
    given_back=_given_back,
    total_at=("order", "total_paid_tax_incl"),
    rests_on={
        Kind.ORDER: frozenset(
            {
                "order",
                "order.id",
                "order.id_customer",
                "order.id_currency",
                "order.current_state",
                "order.valid",
                "order.date_add",
                "order.date_upd",
                "order.total_paid_tax_incl",
                "order.associations",
                "order.associations.order_rows",
                "order.associations.order_rows[]",
                "order.associations.order_rows[].product_id",
                "order.associations.order_rows[].product_quantity",
                "order.associations.order_rows[].unit_price_tax_incl",
                "customer",
                "customer.email",
                "order_slips",
            }
        ),
        Kind.CUSTOMER: frozenset(
            {
                "customer",
                "customer.id",
                "customer.email",
                "customer.deleted",
                "customer.date_add",
                "customer.date_upd",
            }
        ),
        Kind.PRODUCT: frozenset(
            {
                "product",
                "product.id",
                "product.price",
                "product.active",
                "product.name",
                "product.name[]",
                "product.name[].value",
                "product.date_add",
                "product.date_upd",
            }
        ),
    },
    subscribed="1",
    silent=("0", "", "maybe", [], False),
    local=_placed_locally,
    only_local=True,
)
