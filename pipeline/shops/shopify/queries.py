"""The queries of Shopify's GraphQL Admin API that read orders, customers and products, page by page."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.events import Kind

_PAGE = "pageInfo { hasNextPage endCursor }"
_MONEY = "{ shopMoney { amount currencyCode } }"
_ADDRESS = "{ firstName lastName phone countryCodeV2 }"

_LINE = f"""
  id title variantTitle name sku vendor quantity currentQuantity product {{ id }} variant {{ id }}
  originalUnitPriceSet {_MONEY}
  discountAllocations {{ allocatedAmountSet {_MONEY} }}
  taxLines {{ priceSet {_MONEY} }}
"""
_ORDER = f"""
  id legacyResourceId name createdAt updatedAt processedAt cancelledAt test sourceName
  displayFinancialStatus currencyCode presentmentCurrencyCode taxesIncluded
  email phone customerLocale customerAcceptsMarketing cartToken discountCodes paymentGatewayNames
  customAttributes {{ key value }}
  customer {{
    id firstName lastName defaultEmailAddress {{ emailAddress }} defaultPhoneNumber {{ phoneNumber }}
    defaultAddress {_ADDRESS}
  }}
  billingAddress {_ADDRESS}
  shippingAddress {_ADDRESS}
  totalPriceSet {_MONEY}
  currentTotalPriceSet {_MONEY}
  lineItems(first: $nested) {{ nodes {{ {_LINE} }} {_PAGE} }}
"""
_CUSTOMER = f"""
  id legacyResourceId firstName lastName state createdAt updatedAt
  defaultEmailAddress {{ emailAddress marketingState marketingOptInLevel marketingUpdatedAt }}
  defaultPhoneNumber {{ phoneNumber }}
  defaultAddress {_ADDRESS}
"""
_VARIANT = """
  id title sku price compareAtPrice inventoryQuantity inventoryPolicy inventoryItem { tracked }
"""
_VARIANT_PICTURE = "media(first: 1) { nodes { preview { image { url } } } }"
_PRODUCT = """
  id legacyResourceId title handle status vendor productType tags publishedAt createdAt updatedAt
  descriptionHtml featuredMedia { preview { image { url } } } category { fullName }
"""

#: The list of each kind.
FIELDS: Mapping[Kind, str] = {Kind.ORDER: "orders", Kind.CUSTOMER: "customers", Kind.PRODUCT: "products"}
#: Counts end at 10,000 unless that is lifted; that of customers has no such argument, and refuses it.
_UNLIMITED: Mapping[Kind, str] = {
    Kind.ORDER: ", limit: null",
    Kind.CUSTOMER: "",
    Kind.PRODUCT: ", limit: null",
}


def whole(kind: Kind, *, by_change: bool, pictures: bool = False) -> str:
    """Rows with all that is read of them, by the time of change or by id.

    Args:
        kind: of the rows.
        by_change: their order.
        pictures: of products: those of the variants, too.
    """
    nested = {Kind.CUSTOMER: ""}.get(kind, ", $nested: Int!")
    return _list(kind, _nodes(kind, pictures=pictures), by_change=by_change, nested=nested)


def ids(kind: Kind) -> str:
    """Rows of which only the id is read."""
    return _list(kind, "legacyResourceId", by_change=False, nested="")


def deletions() -> str:
    """Products that were deleted."""
    return (
        "query ($first: Int!, $after: String, $query: String) "
        "{ deletionEvents(first: $first, after: $after, subjectTypes: [PRODUCT], query: $query) "
        f"{{ nodes {{ occurredAt subjectId }} {_PAGE} }} }}"
    )


def _nodes(kind: Kind, *, pictures: bool) -> str:
    if kind is Kind.ORDER:
        return _ORDER
    if kind is Kind.CUSTOMER:
        return _CUSTOMER
    variant = _VARIANT + (_VARIANT_PICTURE if pictures else "")
    return f"{_PRODUCT} variants(first: $nested) {{ nodes {{ {variant} }} {_PAGE} }}"


def _list(kind: Kind, nodes: str, *, by_change: bool, nested: str) -> str:
    field, key = FIELDS[kind], "UPDATED_AT" if by_change else "ID"
    count = f"{field}Count(query: $query{_UNLIMITED[kind]}) @include(if: $counted) {{ count precision }}"
    text = (
        f"query ($first: Int!, $after: String, $query: String, $counted: Boolean!{nested}) {{ "
        f"{field}(first: $first, after: $after, query: $query, sortKey: {key}) "
        f"{{ nodes {{ {nodes} }} {_PAGE} }} "
        f"{count} }}"
    )
    return " ".join(text.split())
