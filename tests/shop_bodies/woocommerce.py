"""WooCommerce's bodies."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.events import Kind
from tests.shop_bodies import ZONE, Article, Person, Sale, Sent, ShopBodies, SoldLine, paid_back

_STATUS = {"sold": "processing", "unsold": "pending", "cancelled": "cancelled", "refunded": "refunded"}


def _dates(name: str, when: datetime) -> dict[str, str]:
    """The pair of a local time and one in UTC; neither has an offset."""
    moments = {name: when.astimezone(ZoneInfo(ZONE)), f"{name}_gmt": when.astimezone(UTC)}
    return {key: moment.replace(tzinfo=None).isoformat(timespec="seconds") for key, moment in moments.items()}


def _line(number: int, line: SoldLine) -> dict[str, Any]:
    total = str(line.quantity * float(line.unit))
    return {
        "id": number,
        "name": line.name,
        "product_id": int(line.product),
        "variation_id": 0,
        "quantity": line.quantity,
        "sku": line.sku or "",
        "subtotal": total,
        "subtotal_tax": "0.00",
        "total": total,
        "total_tax": "0.00",
        "image": {"src": "https://shop.example/i/mug.jpg"},
        "meta_data": [],
    }


def _order(sale: Sale) -> Sent:
    body: dict[str, Any] = {
        "id": int(sale.id),
        "number": sale.id,
        "status": _STATUS[sale.state],
        **_dates("date_created", sale.placed),
        **_dates("date_modified", sale.changed),
        "total": sale.total,
        "prices_include_tax": True,
        "customer_id": int(sale.customer or 0),
        "billing": {
            "first_name": sale.name,
            "last_name": sale.surname,
            "email": sale.email or "",
            "phone": "612345678",
            "country": "ES",
        },
        "payment_method": "cod",
        "payment_method_title": "Cash on delivery",
        "coupon_lines": [],
        "line_items": [_line(number, line) for number, line in enumerate(sale.lines, 1)],
        "refunds": [],
    }
    if sale.currency is not None:
        body["currency"] = sale.currency
    return Sent("order.updated", body)


def _placed_locally(sale: Sale, local: str) -> Sent:
    topic, body = _order(sale)[:2]
    del body["date_created_gmt"]
    return Sent(topic, body | {"date_created": local})


def _given_back(sale: Sale, units: int) -> Sent:
    sent = _order(sale)
    refund = {"id": 8, "reason": "", "total": f"-{paid_back(sale, units)}"}
    return sent.saying(sent.document | {"refunds": [refund]})


def _customer(person: Person) -> Sent:
    body = {
        "id": int(person.id),
        **_dates("date_created", person.created),
        **_dates("date_modified", person.changed),
        "email": person.email or "",
        "first_name": person.name,
        "last_name": person.surname,
        "role": "customer",
        "billing": {"first_name": person.name, "phone": "612345678", "country": "ES"},
        "meta_data": [{"key": "newsletter", "value": person.consent}],
    }
    return Sent("customer.updated", body)


def _product(article: Article) -> Sent:
    body = {
        "id": int(article.id),
        "name": article.name,
        "permalink": "https://shop.example/mug",
        **_dates("date_created", article.changed),
        **_dates("date_modified", article.changed),
        "type": "simple",
        "status": "publish" if article.published else "draft",
        "catalog_visibility": "visible",
        "description": "<p>A mug.</p>",
        "short_description": "",
        "sku": article.sku or "",
        "price": article.price,
        "regular_price": "12.00",
        "on_sale": True,
        "purchasable": True,
        "manage_stock": False,
        "stock_status": "instock" if article.available else "outofstock",
        "rating_count": 0,
        "average_rating": "0.00",
        "categories": [{"id": 1, "name": "Kitchen"}],
        "tags": [{"id": 1, "name": "mugs"}],
        "images": [{"id": 5, "src": "https://shop.example/i/mug.jpg"}],
    }
    return Sent("product.updated", body)


BODIES = ShopBodies(
    order=_order,
    customer=_customer,
    product=_product,
    deleted=lambda kind, entity: Sent(f"{kind}.deleted", {"id": int(entity)}),
    given_back=_given_back,
    names_units=False,
    total_at=("total",),
    rests_on={
        Kind.ORDER: frozenset(
            {
                "id",
                "status",
                "date_created_gmt",
                "date_modified_gmt",
                "total",
                "currency",
                "prices_include_tax",
                "billing",
                "billing.email",
                "refunds",
                "line_items",
                "line_items[]",
                "line_items[].product_id",
                "line_items[].quantity",
                "line_items[].subtotal",
                "line_items[].subtotal_tax",
                "line_items[].total",
                "line_items[].total_tax",
            }
        ),
        Kind.CUSTOMER: frozenset({"id", "email", "date_created_gmt", "date_modified_gmt", "role"}),
        Kind.PRODUCT: frozenset(
            {
                "id",
                "name",
                "permalink",
                "type",
                "status",
                "price",
                "regular_price",
                "date_created_gmt",
                "date_modified_gmt",
            }
        ),
    },
    silent=("subscribed", "unsubscribed", "1", True),
    local=_placed_locally,
)
