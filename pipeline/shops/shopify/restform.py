"""Rows of the GraphQL Admin API in the form of the webhooks' bodies, which is the REST API's. Pure.

What GraphQL says differently: global ids beside numbers, states in capitals, `shopMoney` under another name,
amounts that may lack their last zero, times in UTC. What it does not say stays away, or is made:
`order_number` is the number in the order's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.shops.shopify.fields import mapping, shop_id

Node = Mapping[str, Any]
_DIGITS = re.compile(r"[0-9]+")
#: The largest number that every reader of JSON here takes.
_MOST = 2**63 - 1
#: States of consent that are a statement.
_STATEMENTS = frozenset({"SUBSCRIBED", "UNSUBSCRIBED"})


def order(node: Node) -> dict[str, Any]:
    """As under `orders/updated`."""
    email = node.get("email")
    return {
        **_own(node),
        "name": node.get("name"),
        "order_number": number_in(node.get("name")),
        "created_at": node.get("createdAt"),
        "updated_at": node.get("updatedAt"),
        "processed_at": node.get("processedAt"),
        "cancelled_at": node.get("cancelledAt"),
        "test": node.get("test"),
        "source_name": node.get("sourceName"),
        "financial_status": _lower(node.get("displayFinancialStatus")),
        "currency": node.get("currencyCode"),
        "presentment_currency": node.get("presentmentCurrencyCode"),
        "taxes_included": node.get("taxesIncluded"),
        "email": email,
        "contact_email": email,
        "phone": node.get("phone"),
        "customer_locale": node.get("customerLocale"),
        "buyer_accepts_marketing": node.get("customerAcceptsMarketing"),
        "cart_token": node.get("cartToken"),
        "discount_codes": [{"code": code} for code in _listed(node.get("discountCodes"))],
        "payment_gateway_names": list(_listed(node.get("paymentGatewayNames"))),
        "note_attributes": [
            {"name": one.get("key"), "value": one.get("value")}
            for one in _objects(node.get("customAttributes"))
        ],
        "customer": _buyer(node.get("customer")),
        "billing_address": _address(node.get("billingAddress")),
        "shipping_address": _address(node.get("shippingAddress")),
        **_amount("total_price", node.get("totalPriceSet")),
        **_amount("current_total_price", node.get("currentTotalPriceSet")),
        "line_items": [_line(one) for one in nodes(node.get("lineItems"))],
    }


def customer(node: Node) -> dict[str, Any]:
    """As under `customers/update`."""
    email = mapping(node.get("defaultEmailAddress"))
    body = {
        **_own(node),
        "email": email.get("emailAddress"),
        "first_name": node.get("firstName"),
        "last_name": node.get("lastName"),
        "phone": mapping(node.get("defaultPhoneNumber")).get("phoneNumber"),
        "state": _lower(node.get("state")),
        "created_at": node.get("createdAt"),
        "updated_at": node.get("updatedAt"),
        "default_address": _address(node.get("defaultAddress")),
    }
    if email.get("marketingState") == "REDACTED":
        body["email_marketing_consent"] = {"state": "redacted"}
    return body


def consent(node: Node) -> dict[str, Any] | None:
    """As under `customers_email_marketing_consent/update`; None where nothing was stated.

    A subscription without its time may be older than any withdrawal, and is none; a withdrawal without it
    counts from the customer's last change.
    """
    said = mapping(node.get("defaultEmailAddress"))
    state, said_at = said.get("marketingState"), said.get("marketingUpdatedAt")
    if not isinstance(state, str) or state not in _STATEMENTS or not said.get("emailAddress"):
        return None
    if not said_at and state == "SUBSCRIBED":
        return None
    return {
        "customer_id": _numeric(node.get("legacyResourceId") or node.get("id")),
        "email_address": said.get("emailAddress"),
        "email_marketing_consent": {
            "state": _lower(state),
            "opt_in_level": _lower(said.get("marketingOptInLevel")),
            "consent_updated_at": said_at or node.get("updatedAt"),
        },
    }


def product(node: Node) -> dict[str, Any]:
    """As under `products/update`."""
    picture = _picture(node.get("featuredMedia"))
    variants = nodes(node.get("variants"))
    pictures = {address: number for number, address in enumerate(filter(None, map(_of_variant, variants)), 1)}
    return {
        **_own(node),
        "title": node.get("title"),
        "handle": node.get("handle"),
        "status": _lower(node.get("status")),
        "vendor": node.get("vendor"),
        "product_type": node.get("productType"),
        "tags": list(_listed(node.get("tags"))),
        "body_html": node.get("descriptionHtml"),
        "published_at": node.get("publishedAt"),
        "created_at": node.get("createdAt"),
        "updated_at": node.get("updatedAt"),
        "category": _category(node.get("category")),
        "image": None if picture is None else {"src": picture},
        "images": [{"id": number, "src": address} for address, number in pictures.items()],
        "variants": [_variant(one, pictures) for one in variants],
    }


def nodes(connection: object) -> list[Node]:
    """The rows of a connection."""
    return _objects(mapping(connection).get("nodes"))


def is_cut(connection: object) -> bool:
    """Whether a connection has more than what was asked for."""
    return mapping(mapping(connection).get("pageInfo")).get("hasNextPage") is True


def _own(node: Node) -> dict[str, Any]:
    gid = node.get("id")
    return {"id": _numeric(node.get("legacyResourceId") or gid), "admin_graphql_api_id": gid}


def _numeric(value: object) -> int | str | None:
    """The number of an id; as text where JSON's readers would round it."""
    found = shop_id(value)
    return found if found is None or int(found) > _MOST else int(found)


def number_in(name: object) -> int | None:
    """The longest number in an order's name, the last of equally long ones."""
    found = _DIGITS.findall(name) if isinstance(name, str) else []
    return int(max(reversed(found), key=len)[:18]) if found else None


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _amount(name: str, bag: object) -> dict[str, Any]:
    shop_money = mapping(mapping(bag).get("shopMoney"))
    if not shop_money:
        return {}
    written = shop_money.get("amount")
    return {
        name: written,
        f"{name}_set": {"shop_money": {"amount": written, "currency_code": shop_money.get("currencyCode")}},
    }


def _address(node: object) -> dict[str, Any] | None:
    if not isinstance(node, dict):
        return None
    return {
        "first_name": node.get("firstName"),
        "last_name": node.get("lastName"),
        "phone": node.get("phone"),
        "country_code": node.get("countryCodeV2"),
    }


def _buyer(node: object) -> dict[str, Any] | None:
    if not isinstance(node, dict):
        return None
    return {
        **_own(node),
        "email": mapping(node.get("defaultEmailAddress")).get("emailAddress"),
        "first_name": node.get("firstName"),
        "last_name": node.get("lastName"),
        "phone": mapping(node.get("defaultPhoneNumber")).get("phoneNumber"),
        "default_address": _address(node.get("defaultAddress")),
    }


def _line(node: Node) -> dict[str, Any]:
    return {
        **_own(node),
        "product_id": _numeric(mapping(node.get("product")).get("id")),
        "variant_id": _numeric(mapping(node.get("variant")).get("id")),
        "title": node.get("title"),
        "variant_title": node.get("variantTitle"),
        "name": node.get("name"),
        "sku": node.get("sku"),
        "vendor": node.get("vendor"),
        "quantity": node.get("quantity"),
        "current_quantity": node.get("currentQuantity"),
        **_amount("price", node.get("originalUnitPriceSet")),
        "discount_allocations": [
            _amount("amount", one.get("allocatedAmountSet"))
            for one in _objects(node.get("discountAllocations"))
        ],
        "tax_lines": [_amount("price", one.get("priceSet")) for one in _objects(node.get("taxLines"))],
    }


def _variant(node: Node, pictures: Mapping[str, int]) -> dict[str, Any]:
    tracked = mapping(node.get("inventoryItem")).get("tracked")
    stock = {} if tracked is None else {"inventory_management": "shopify" if tracked else None}
    address = _of_variant(node)
    return {
        **_own(node),
        "title": node.get("title"),
        "sku": node.get("sku"),
        "price": node.get("price"),
        "compare_at_price": node.get("compareAtPrice"),
        "inventory_quantity": node.get("inventoryQuantity"),
        "inventory_policy": _lower(node.get("inventoryPolicy")),
        **stock,
        "image_id": None if address is None else pictures.get(address),
    }


def _category(node: object) -> dict[str, Any] | None:
    return {"full_name": node.get("fullName")} if isinstance(node, dict) else None


def _picture(media: object) -> str | None:
    address = mapping(mapping(mapping(media).get("preview")).get("image")).get("url")
    return address if isinstance(address, str) else None


def _of_variant(node: Node) -> str | None:
    return next(filter(None, map(_picture, nodes(node.get("media")))), None)


def _listed(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _objects(value: object) -> list[Node]:
    return [one for one in _listed(value) if isinstance(one, dict)]
