"""Shopify refuses a query as a whole for one field or argument that it does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest

from pipeline.events import Kind
from pipeline.shops.shopify import consent, examination, queries, registration

#: Fields of the Admin API's types, and what type each has ("" for values), as the vendor's published schemas
#: have them: 2025-01, and for what came later (marked) the descriptions of 2025-10 to 2026-07.
FIELDS: Mapping[str, Mapping[str, str]] = {
    "Query": {
        "orders": "Orders",
        "ordersCount": "Count",
        "customers": "Customers",
        "customersCount": "Count",
        "customerByIdentifier": "Customer",
        "products": "Products",
        "productsCount": "Count",
        "deletionEvents": "DeletionEvents",
        "shop": "Shop",
        "currentAppInstallation": "AppInstallation",
        "webhookSubscriptions": "WebhookSubscriptions",
    },
    "Mutation": {
        "customerEmailMarketingConsentUpdate": "ConsentPayload",
        "webhookSubscriptionCreate": "WebhookPayload",
        "webhookSubscriptionUpdate": "WebhookPayload",
    },
    **{
        f"{name}s": {"nodes": name, "pageInfo": "PageInfo"}
        for name in (
            "Order",
            "Customer",
            "Product",
            "ProductVariant",
            "LineItem",
            "DeletionEvent",
            "WebhookSubscription",
            "Media",
        )
    },
    "PageInfo": {"hasNextPage": "", "endCursor": ""},
    "Count": {"count": "", "precision": ""},
    "Order": {
        **dict.fromkeys(
            (
                "id",
                "legacyResourceId",
                "name",
                "createdAt",
                "updatedAt",
                "processedAt",
                "cancelledAt",
                "test",
                "sourceName",
                "displayFinancialStatus",
                "currencyCode",
                "presentmentCurrencyCode",
                "taxesIncluded",
                "email",
                "phone",
                "customerLocale",
                "customerAcceptsMarketing",
                "discountCodes",
                "paymentGatewayNames",
                "cartToken",  # 2026-07
            ),
            "",
        ),
        "customAttributes": "Attribute",
        "customer": "Customer",
        "billingAddress": "MailingAddress",
        "shippingAddress": "MailingAddress",
        "totalPriceSet": "MoneyBag",
        "currentTotalPriceSet": "MoneyBag",
        "lineItems": "LineItems",
    },
    "Customer": {
        **dict.fromkeys(
            ("id", "legacyResourceId", "firstName", "lastName", "state", "createdAt", "updatedAt"), ""
        ),
        "defaultEmailAddress": "CustomerEmailAddress",  # after 2025-01
        "defaultPhoneNumber": "CustomerPhoneNumber",  # after 2025-01
        "defaultAddress": "MailingAddress",
    },
    "CustomerEmailAddress": dict.fromkeys(
        ("emailAddress", "marketingState", "marketingOptInLevel", "marketingUpdatedAt"), ""
    ),
    "CustomerPhoneNumber": {"phoneNumber": ""},
    "MailingAddress": dict.fromkeys(("firstName", "lastName", "phone", "countryCodeV2"), ""),
    "Attribute": {"key": "", "value": ""},
    "MoneyBag": {"shopMoney": "Money"},
    "Money": {"amount": "", "currencyCode": ""},
    "LineItem": {
        **dict.fromkeys(
            ("id", "title", "variantTitle", "name", "sku", "vendor", "quantity", "currentQuantity"), ""
        ),
        "product": "Product",
        "variant": "ProductVariant",
        "originalUnitPriceSet": "MoneyBag",
        "discountAllocations": "DiscountAllocation",
        "taxLines": "TaxLine",
    },
    "DiscountAllocation": {"allocatedAmountSet": "MoneyBag"},
    "TaxLine": {"priceSet": "MoneyBag"},
    "Product": {
        **dict.fromkeys(
            (
                "id",
                "legacyResourceId",
                "title",
                "handle",
                "status",
                "vendor",
                "productType",
                "tags",
                "publishedAt",
                "createdAt",
                "updatedAt",
                "descriptionHtml",
            ),
            "",
        ),
        "featuredMedia": "Media",
        "category": "TaxonomyCategory",
        "variants": "ProductVariants",
    },
    "TaxonomyCategory": {"fullName": ""},
    "ProductVariant": {
        **dict.fromkeys(
            (
                "id",
                "legacyResourceId",
                "title",
                "sku",
                "price",
                "compareAtPrice",
                "inventoryQuantity",
                "inventoryPolicy",
            ),
            "",
        ),
        "inventoryItem": "InventoryItem",
        "media": "Medias",
    },
    "InventoryItem": {"tracked": ""},
    "Media": {"preview": "MediaPreviewImage"},
    "MediaPreviewImage": {"image": "Image"},
    "Image": {"url": ""},
    "DeletionEvent": {"occurredAt": "", "subjectId": ""},
    "Shop": {
        **dict.fromkeys(("name", "myshopifyDomain", "currencyCode", "ianaTimezone", "taxesIncluded"), ""),
        "primaryDomain": "Domain",
        "enabledPresentmentCurrencies": "",
    },
    "Domain": {"url": "", "host": ""},
    "AppInstallation": {"accessScopes": "AccessScope"},
    "AccessScope": {"handle": ""},
    "WebhookSubscription": {
        **dict.fromkeys(("id", "topic", "format", "includeFields", "filter"), ""),
        "uri": "",  # after 2025-01
        "name": "",  # after 2025-01
        "apiVersion": "ApiVersion",
    },
    "ApiVersion": {"handle": ""},
    "ConsentPayload": {"customer": "Customer", "userErrors": "UserError"},
    "WebhookPayload": {"webhookSubscription": "WebhookSubscription", "userErrors": "UserError"},
    "UserError": {"field": "", "message": "", "code": ""},
}
#: Arguments of the fields that have any. The count of customers has no limit that could be lifted.
LISTS = frozenset({"first", "after", "query", "sortKey", "reverse"})
ARGUMENTS: Mapping[str, frozenset[str]] = {
    "orders": LISTS,
    "customers": LISTS,
    "products": LISTS,
    "ordersCount": frozenset({"query", "limit"}),
    "customersCount": frozenset({"query"}),
    "productsCount": frozenset({"query", "limit"}),
    "deletionEvents": LISTS | {"subjectTypes"},
    "customerByIdentifier": frozenset({"identifier"}),
    "lineItems": frozenset({"first", "after"}),
    "variants": frozenset({"first", "after"}),
    "media": frozenset({"first", "after"}),
    "webhookSubscriptions": frozenset({"first", "after"}),
    "customerEmailMarketingConsentUpdate": frozenset({"input"}),
    "webhookSubscriptionCreate": frozenset({"topic", "webhookSubscription"}),
    "webhookSubscriptionUpdate": frozenset({"id", "webhookSubscription"}),
}
SORTED_BY = {"ID", "UPDATED_AT", "CREATED_AT"}

_TOKEN = re.compile(r'"[^"]*"|[@$]?\w+|[{}()\[\]:!,]')

WRITTEN = {
    **{
        f"{kind} by_change={by_change} pictures={pictures}": queries.whole(
            kind, by_change=by_change, pictures=pictures
        )
        for kind in Kind
        for by_change in (True, False)
        for pictures in (True, False)
    },
    **{f"ids of {kind}": queries.ids(kind) for kind in Kind},
    "deletions": queries.deletions(),
    **{
        f"{module.__name__.rpartition('.')[2]}{name}": text
        for module in (consent, examination, registration)
        for name, text in vars(module).items()
        if isinstance(text, str) and re.match(r"\s*(query|mutation)\b", text)
    },
}


def unknown(text: str) -> Iterator[str]:
    """Fields and arguments of a query that the tables do not have."""
    tokens = _TOKEN.findall(text)
    kind, start = tokens[0], tokens.index("{")
    yield from _selection(tokens[start:], "Mutation" if kind == "mutation" else "Query")


def _selection(tokens: list[str], root: str) -> Iterator[str]:
    types, place, of = [], 0, root
    while place < len(tokens):
        token = tokens[place]
        place += 1
        if token == "{":
            types.append(of)
        elif token == "}":
            types.pop()
        elif token == ":":  # what stood before is an alias, which is no field
            continue
        elif token.startswith("@"):
            place = _behind(tokens, place)
        elif place < len(tokens) and tokens[place] == ":":
            continue
        else:
            if token not in FIELDS[types[-1]]:
                yield f"{types[-1]}.{token}"
            of = FIELDS[types[-1]].get(token, "")
            if place < len(tokens) and tokens[place] == "(":
                end = _behind(tokens, place)
                yield from _arguments(token, tokens[place:end])
                place = end


def _arguments(field: str, tokens: list[str]) -> Iterator[str]:
    depth = 0
    for token, after in zip(tokens, [*tokens[1:], ""], strict=True):
        depth += (token in "({[") - (token in ")}]")
        if depth == 1 and after == ":" and token not in ARGUMENTS.get(field, ()):
            yield f"{field}({token}:)"
    for name, _, value in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if name == "sortKey" and value not in SORTED_BY:
            yield f"sortKey: {value}"


def _behind(tokens: list[str], place: int) -> int:
    """The place behind a bracket that opens at `place`."""
    depth = 0
    while True:
        depth += (tokens[place] == "(") - (tokens[place] == ")")
        place += 1
        if not depth:
            return place


@pytest.mark.parametrize("name", WRITTEN)
def test_a_query_names_only_fields_and_arguments_that_the_schema_has(name: str) -> None:
    assert list(unknown(WRITTEN[name])) == []


def test_all_queries_are_looked_at() -> None:
    assert {"consent_FIND", "consent_WRITE", "registration_LIST", "examination_CHECK"} <= WRITTEN.keys()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("query { customersCount(query: $q, limit: null) { count } }", ["customersCount(limit:)"]),
        ("query { orders(first: 1) { nodes { number } } }", ["Order.number"]),
        ("query { orders(first: 1, sortKey: CHANGED) { nodes { id } } }", ["sortKey: CHANGED"]),
        ("query { oldest: orders(first: 1) @include(if: $a) { nodes { id lineItems { nodes { gid } } } } }",
         ["LineItem.gid"]),
    ],
)  # fmt: skip
def test_what_the_schema_does_not_have_is_found(text: str, found: list[str]) -> None:
    assert list(unknown(text)) == found
