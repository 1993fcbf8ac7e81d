"""Which properties each tag has, how the client reads each, and which it cannot do without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Type = Literal["text", "decimal", "integer", "url", "date", "moment", "email"]


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a tag.

    Attributes:
        sent: its name in what the client sends.
        type: how it is read.
        required: the client drops the tag without it.
        several: all elements of the class count, not the first alone.
    """

    sent: str
    type: Type = "text"
    required: bool = False
    several: bool = False


PRODUCT = {
    "product_id": Property("productId", required=True),
    "name": Property("name", required=True),
    "url": Property("productDetailUrl", "url", required=True),
    "unit_price": Property("unitPrice", "decimal", required=True),
    "image_url": Property("imageUrl"),
    "thumbnail_url": Property("thumbnailUrl"),
    "description": Property("description"),
    "availability": Property("availability"),
    "category": Property("categories", several=True),
    "tag": Property("tags", several=True),
    "brand": Property("brand"),
    "rating_value": Property("ratingValue", "decimal"),
    "rating_count": Property("ratingCount", "integer"),
    "review_count": Property("reviewCount", "integer"),
    "related_external_product_id": Property("relatedExternalProductIds", several=True),
    "priority": Property("priority", "integer"),
    "unit_price_original": Property("unitPriceOriginal", "decimal"),
    "unit_price_without_vat": Property("unitPriceWithoutVat", "decimal"),
    "discounted_amount": Property("discountedAmount", "decimal"),
    "discounted_percentage": Property("discountedPercentage", "decimal"),
    "published_at": Property("publishedAt", "moment"),
    "custom_field_1": Property("customField1"),
    "custom_field_2": Property("customField2"),
    "custom_field_3": Property("customField3"),
}
LINE = {"quantity": Property("quantity", "integer"), "price": Property("price", "decimal"), **PRODUCT}
PURCHASE = {
    "purchase_id": Property("purchaseId", required=True),
    "cart_id": Property("cartId"),
    "purchase_date": Property("purchaseDate", "date"),
    "total_quantity": Property("totalQuantity", "integer", required=True),
    "total_price": Property("totalPrice", "decimal", required=True),
    "payment_method": Property("paymentMethod"),
    "source_type": Property("source_type"),
    "source_name": Property("source_name"),
}
CART = {
    "cart_id": Property("cartId", required=True),
    "total_quantity": Property("totalQuantity", "integer", required=True),
    "total_price": Property("totalPrice", "decimal", required=True),
    "cart_recovery_url": Property("cartRecoveryUrl"),
}
SEARCH = {"search_text": Property("searchText", required=True)}
NEWSLETTER = {"email": Property("email", "email", required=True)}

ITEM_CLASS = "product_basket_item"
#: The classes by which tags are known.
TAGS = (
    "cn_purchase",
    "cn_cart",
    "cn_product_visited",
    "cn_product_searched",
    "cn_product_not_found",
    "cn_client_info",
    "cn_private_client_info",
    "cn_search",
    "cn_newsletter_subscribe",
    "cn_login",
    "cn_register",
    "cn_page_category",
    "cn_page_tag",
    "cn_banner_placeholder",
)
#: What shops write for a property, in lower case and without `_` and `-`.
LOOKALIKES = {
    "id": ("purchase_id", "product_id", "cart_id"),
    "orderid": ("purchase_id",),
    "ordernumber": ("purchase_id",),
    "orderreference": ("purchase_id",),
    "reference": ("purchase_id", "product_id"),
    "transactionid": ("purchase_id",),
    "sku": ("product_id",),
    "productsku": ("product_id",),
    "itemid": ("product_id",),
    "variantid": ("product_id",),
    "qty": ("quantity", "total_quantity"),
    "totalqty": ("total_quantity",),
    "total": ("total_price",),
    "amount": ("total_price", "price"),
    "grandtotal": ("total_price",),
    "title": ("name",),
    "productname": ("name",),
    "link": ("url",),
    "href": ("url",),
    "producturl": ("url",),
    "date": ("purchase_date",),
    "orderdate": ("purchase_date",),
    "image": ("image_url",),
    "email": ("primary_key",),
}


def bare(name: str) -> str:
    """A class name without what spellings differ in."""
    return name.lower().replace("_", "").replace("-", "")


def meant_by(name: str, properties: dict[str, Property]) -> tuple[str, ...]:
    """Which properties a class that is none may have been meant for."""
    spelled = tuple(known for known in properties if bare(known) == bare(name))
    return spelled or tuple(known for known in LOOKALIKES.get(bare(name), ()) if known in properties)
