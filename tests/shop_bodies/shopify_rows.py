"""What Shopify's GraphQL Admin API lists of the same sales, people and articles that its webhooks tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.shop_bodies import Article, Person, Sale, SoldLine

_STATUS = {"sold": "PAID", "unsold": "PENDING", "cancelled": "PAID", "refunded": "REFUNDED"}
_LAST = {"hasNextPage": False, "endCursor": None}


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _own(kind: str, number: str) -> dict[str, Any]:
    return {"id": f"gid://shopify/{kind}/{number}", "legacyResourceId": number}


def _money(amount: str, currency: str | None) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": currency}}


def order(sale: Sale) -> dict[str, Any]:
    """A row of `orders`."""
    customer = None
    if sale.customer is not None:
        customer = {
            "id": f"gid://shopify/Customer/{sale.customer}",
            "firstName": sale.name,
            "lastName": sale.surname,
            "defaultEmailAddress": {"emailAddress": sale.email},
            "defaultPhoneNumber": {"phoneNumber": "+34612345678"},
        }
    left = "0.0" if sale.state == "refunded" else sale.total
    return {
        **_own("Order", sale.id),
        "name": f"#{sale.id}",
        "createdAt": _utc(sale.placed),
        "processedAt": _utc(sale.placed),
        "updatedAt": _utc(sale.changed),
        "cancelledAt": _utc(sale.changed) if sale.state == "cancelled" else None,
        "test": False,
        "displayFinancialStatus": _STATUS[sale.state],
        "currencyCode": sale.currency,
        "taxesIncluded": True,
        "email": sale.email,
        "customerLocale": "es",
        "cartToken": "cart",
        "customer": customer,
        "billingAddress": {"firstName": sale.name, "lastName": sale.surname, "countryCodeV2": "ES"},
        "paymentGatewayNames": ["bogus"],
        "discountCodes": [],
        "totalPriceSet": _money(sale.total, sale.currency),
        "currentTotalPriceSet": _money(left, sale.currency),
        "lineItems": {"nodes": [_line(one, sale, number) for number, one in enumerate(sale.lines, 1)]},
    }


def _line(line: SoldLine, sale: Sale, number: int) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/LineItem/{number}",
        "title": line.name,
        "name": line.name,
        "sku": line.sku,
        "vendor": "Example",
        "quantity": line.quantity,
        "currentQuantity": 0 if sale.state == "refunded" else line.quantity,
        "product": {"id": f"gid://shopify/Product/{line.product}"},
        "variant": {"id": f"gid://shopify/ProductVariant/{line.variant}"},
        "originalUnitPriceSet": _money(line.unit, sale.currency),
        "discountAllocations": [],
        "taxLines": [],
    }


def customer(person: Person) -> dict[str, Any]:
    """A row of `customers`; `consent` is a state of theirs."""
    said = {"marketingState": person.consent or "NOT_SUBSCRIBED", "marketingUpdatedAt": None}
    if person.consent:
        said["marketingUpdatedAt"] = _utc(person.consented)
    return {
        **_own("Customer", person.id),
        "firstName": person.name,
        "lastName": person.surname,
        "state": "DISABLED",
        "createdAt": _utc(person.created),
        "updatedAt": _utc(person.changed),
        "defaultEmailAddress": None if person.email is None else {"emailAddress": person.email, **said},
        "defaultPhoneNumber": {"phoneNumber": "+34612345678"},
    }


def product(article: Article) -> dict[str, Any]:
    """A row of `products`."""
    variant = {
        "id": f"gid://shopify/ProductVariant/{article.variant}",
        "title": "Default Title",
        "sku": article.sku,
        "price": article.price,
        "compareAtPrice": None,
        "inventoryQuantity": 5 if article.available else 0,
        "inventoryPolicy": "DENY",
        "inventoryItem": {"tracked": True},
    }
    return {
        **_own("Product", article.id),
        "title": article.name,
        "handle": article.name.lower(),
        "status": "ACTIVE" if article.published else "DRAFT",
        "publishedAt": _utc(article.changed) if article.published else None,
        "createdAt": _utc(article.changed),
        "updatedAt": _utc(article.changed),
        "descriptionHtml": "",
        "variants": {"nodes": [variant], "pageInfo": _LAST},
    }
