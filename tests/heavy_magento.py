"""Bodies of Magento that grow in each list, number and text a sender can grow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests import magento
from tests.shop_bodies.magento import in_data
from tests.sizes import SKU, dumps, long, many, most

ORDER, PRODUCT, CUSTOMER = "sales.order.updated", "catalog.product.updated", "customer.updated"


def _order(*lines: dict[str, Any], **changes: Any) -> bytes:
    return in_data(ORDER, dumps(magento.sold(items=list(lines), **changes)))


def _line(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "item_id": number,
        "product_id": number,
        "qty_ordered": 1,
        "row_total": 1,
        "row_total_incl_tax": 1,
        "tax_amount": 0,
    } | changes


def _product(**changes: Any) -> bytes:
    shown = {"visibility": 4, "price": 5}
    return in_data(PRODUCT, dumps(magento.read("rest-product-docs-simple.json") | shown | changes))


def _attributes(*values: tuple[str, Any]) -> bytes:
    return _product(custom_attributes=[{"attribute_code": code, "value": value} for code, value in values])


def _customer(**changes: Any) -> bytes:
    return in_data(CUSTOMER, dumps(magento.read("rest-customer-storefront.json") | changes))


MAGENTO_ORDERS: dict[str, Callable[[int], bytes]] = {
    "the most lines": lambda n: _order(
        *most(
            n,
            lambda i: _line(i, sku=f"{i}{'/a' * 30}", name=f"<b>{i} &amp;amp; <a <a <a ", discount_amount=1),
        )
    ),
    "lines": lambda n: _order(*many(n, _line)),
    "lines of one product": lambda n: _order(*many(n, lambda i: _line(i, product_id=7))),
    "lines under one id": lambda n: _order(*many(n, lambda _: _line(7))),
    "lines below zero": lambda n: _order(*many(n, lambda i: _line(i, row_total=-1))),
    "lines that hang on each other": lambda n: _order(*many(n, lambda i: _line(i, parent_item_id=i - 1))),
    "lines that hang on one": lambda n: _order(*many(n, lambda i: _line(i, parent_item_id=int(i > 1)))),
    "lines that hang on nothing": lambda n: _order(*many(n, lambda i: _line(i, parent_item_id=10**9 + i))),
    "lines with a copy of their parent": lambda n: _order(
        *many(n, lambda i: _line(i, parent_item={"item_id": i - 1}))
    ),
    "lines whose tax is not said": lambda n: _order(*many(n, lambda i: _line(i, tax_amount=None))),
    "lines given back": lambda n: _order(_line(0), *many(n, lambda i: _line(i, qty_refunded=1))),
    "names of open tags": lambda n: _order(*many(n, lambda i: _line(i, name="<a " * 1_300))),
    "SKUs of marks": lambda n: _order(*many(n, lambda i: _line(i, sku=f"{i}{SKU}"))),
    "a long total": lambda n: _order(_line(1), grand_total="0." + "1" * n),
    "a long price": lambda n: _order(_line(1, row_total="0." + "1" * n)),
    "a payment's titles": lambda n: _order(
        _line(1), payment={"additional_information": many(n, lambda i: f"t{i}")}
    ),
    "an e-mail": lambda n: _order(_line(1), customer_email="." * n + "@a.example"),
    "a coupon": lambda n: _order(_line(1), coupon_code="c" * n),
    "a state": lambda n: _order(_line(1), state="s" * n),
}

MAGENTO_PRODUCTS: dict[str, Callable[[int], bytes]] = {
    "attributes": lambda n: _attributes(*[(f"a{i}", "v") for i in range(n // 45)]),
    "attributes under one code": lambda n: _attributes(*[("url_key", "v")] * (n // 45)),
    "a mapping of attributes": lambda n: _product(custom_attributes={f"a{i}": "v" for i in range(n // 12)}),
    "a description": lambda n: _attributes(("description", long(n, "<!--"))),
    "a key": lambda n: _attributes(("url_key", "/a" * (n // 2))),
    "a picture": lambda n: _attributes(("image", "/" * n)),
    "pictures": lambda n: _product(media_gallery_entries=many(n, lambda i: {"id": i, "disabled": True})),
    "websites": lambda n: _product(extension_attributes={"website_ids": many(n, lambda i: i)}),
    "a name": lambda n: _product(name=long(n, "<a ")),
}

MAGENTO_CUSTOMERS: dict[str, Callable[[int], bytes]] = {
    "addresses": lambda n: _customer(
        addresses=many(n, lambda i: {"telephone": f"{i}", "default_billing": True, "country_id": "ES"})
    ),
    "a first name": lambda n: _customer(firstname=long(n, "&amp;#")),
}
