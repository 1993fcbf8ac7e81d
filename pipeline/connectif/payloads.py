"""Records -> the JSON bodies Connectif takes. Amounts go from their text to a JSON number digit by digit.

Bodies come in the form of `model_dump(mode="json")`: our field names, decimals and dates as text.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

#: A contact's custom field `x` is the field `custom.x` of a flat body.
CUSTOM = "custom."


class ValueForm(enum.Enum):
    """How a value is written in JSON and in CSV."""

    PLAIN = "plain"
    DECIMAL = "decimal"
    LIST = "list"
    DATE = "date"  # yyyy-mm-dd in CSV, date-time in JSON


@dataclass(frozen=True, slots=True)
class Column:
    """Connectif's name for one of our fields; the same in JSON and CSV."""

    name: str
    form: ValueForm = ValueForm.PLAIN


CONTACT = {
    "email": Column("_email"),
    "external_id": Column("_externalId"),
    "name": Column("_name"),
    "surname": Column("_surname"),
    "birthdate": Column("_birthdate", ValueForm.DATE),
    "mobile_phone": Column("_mobilePhone"),
    "newsletter": Column("_newsletterSubscriptionStatus"),
}
PRODUCT = {
    "name": Column("name"),
    "url": Column("productDetailUrl"),
    "unit_price": Column("unitPrice", ValueForm.DECIMAL),
    "unit_price_original": Column("unitPriceOriginal", ValueForm.DECIMAL),
    "discounted_amount": Column("discountedAmount", ValueForm.DECIMAL),
    "discounted_percentage": Column("discountedPercentage", ValueForm.DECIMAL),
    "availability": Column("availability"),
    "image_url": Column("imageUrl"),
    "description": Column("description"),
    "brand": Column("brand"),
    "categories": Column("categories", ValueForm.LIST),
    "tags": Column("tags", ValueForm.LIST),
    "related": Column("relatedExternalProductIds", ValueForm.LIST),
    "published_at": Column("publishedAt"),
    "is_blacklisted": Column("isBlacklisted"),
    "rating": Column("rating", ValueForm.DECIMAL),
    "rating_count": Column("ratingCount"),
}
LINE = {
    "product_id": Column("productId"),
    "quantity": Column("quantity"),
    "price": Column("price", ValueForm.DECIMAL),
    **{
        name: PRODUCT[name]
        for name in (
            "name",
            "url",
            "unit_price",
            "unit_price_original",
            "image_url",
            "brand",
            "categories",
        )
    },
}
PURCHASE = {
    "purchase_id": Column("purchaseId"),
    "contact_email": Column("contactEmail"),
    "contact_external_id": Column("contactExternalId"),
    "cart_id": Column("cartId"),
    "purchase_date": Column("purchaseDate"),
    "total_price": Column("totalPrice", ValueForm.DECIMAL),
    "total_quantity": Column("totalQuantity"),
    "payment_method": Column("paymentMethod"),
}


def contact_column(field: str) -> Column:
    """The column of a contact's field; a custom field's name is its id in Connectif."""
    return Column(field.removeprefix(CUSTOM)) if field.startswith(CUSTOM) else CONTACT[field]


def contact_payload(fields: Mapping[str, str]) -> bytes:
    """The body of a contact's PATCH: only the fields given."""
    return orjson.dumps(
        {
            (column := contact_column(field)).name: _json_value(column, value)
            for field, value in fields.items()
        }
    )


def product_payload(fields: Mapping[str, Any]) -> bytes:
    """The body of a product's PATCH: only the fields given."""
    return orjson.dumps(_renamed(PRODUCT, fields))


def purchase_payload(body: Mapping[str, Any]) -> bytes:
    """The body of POST /purchases/."""
    lines = [_renamed(LINE, line) for line in body["lines"]]
    return orjson.dumps({**_renamed(PURCHASE, body), "products": lines})


def plain_decimal(text: str) -> str:
    """Decimal text without an exponent: `1E+2` -> `100`."""
    return format(Decimal(text), "f")


def same_purchase(ours: Mapping[str, Any], theirs: Any) -> bool:
    """Whether a purchase read back says what we would send.

    What Connectif leaves out of its answer (it names the contact by its own id) is not compared.
    """
    if not isinstance(theirs, Mapping):
        return False
    if not all(_same(column, ours.get(field), theirs) for field, column in PURCHASE.items()):
        return False
    lines = theirs.get("products")
    if not isinstance(lines, list) or not all(isinstance(line, Mapping) for line in lines):
        return lines is None
    by_id = {str(line.get("productId")): line for line in lines}
    if by_id.keys() != {line["product_id"] for line in ours["lines"]}:
        return False
    told = ("quantity", "price", "unit_price")
    return all(
        _same(LINE[field], line.get(field), by_id[line["product_id"]])
        for line in ours["lines"]
        for field in told
    )


def _same(column: Column, ours: Any, theirs: Mapping[str, Any]) -> bool:
    value = theirs.get(column.name)
    if ours is None or value is None:
        return ours is None or column.name not in theirs
    if column.form is ValueForm.DECIMAL:
        return _amount(value) == Decimal(ours)
    if column.name == "purchaseDate":
        return _moment(str(value)) == _moment(ours)
    return str(value).casefold() == str(ours).casefold()


def _amount(value: Any) -> Decimal | None:
    try:
        amount = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return amount if amount.is_finite() else None  # comparing with a signalling NaN raises


def _moment(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def _renamed(columns: Mapping[str, Column], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        column.name: _json_value(column, fields[field])
        for field, column in columns.items()
        if fields.get(field) not in (None, "", [])
    }


def _json_value(column: Column, value: Any) -> Any:
    if column.form is ValueForm.DECIMAL:
        return orjson.Fragment(plain_decimal(value))
    if column.form is ValueForm.DATE:
        return f"{value}T00:00:00Z"
    return value
