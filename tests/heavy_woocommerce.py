"""Bodies of WooCommerce that grow in each list, number and text a sender can grow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests import woocommerce
from tests.sizes import SKU, dumps, long, many, most, raw


def _woo_line(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "product_id": number,
        "quantity": 1,
        "total": "1",
        "subtotal": "1",
        "total_tax": "0",
        "subtotal_tax": "0",
    } | changes


def _woo_order(*lines: dict[str, Any], **changes: Any) -> bytes:
    return dumps(woocommerce.order(*lines, **changes))


def _woo_product(**changes: Any) -> bytes:
    return dumps(woocommerce.read("product-updated-docs.json") | {"status": "publish"} | changes)


WOO_ORDERS: dict[str, Callable[[int], bytes]] = {
    "the most lines": lambda n: _woo_order(
        *most(
            n,
            lambda i: _woo_line(
                i,
                sku=f"{i}{'/a' * 30}",
                name=f"<b>{i} &amp;amp; <a <a <a ",
                image={"src": "https://a"},
                meta_data=[{"key": "_bundle_cart_key", "value": f"{i}"}],
            ),
        )
    ),
    "lines": lambda n: _woo_order(*many(n, _woo_line)),
    "lines of one product": lambda n: _woo_order(*many(n, lambda i: _woo_line(i, product_id=7))),
    "lines under one id": lambda n: _woo_order(*many(n, lambda _: _woo_line(7))),
    "lines below zero": lambda n: _woo_order(*many(n, lambda i: _woo_line(i, total="-1"))),
    "lines as an object": lambda n: _woo_order(
        line_items={str(i): line for i, line in enumerate(many(n, _woo_line))}
    ),
    "names of escapes": lambda n: _woo_order(*many(n, lambda i: _woo_line(i, name="&amp;" * 5))),
    "names of open tags": lambda n: _woo_order(*many(n, lambda i: _woo_line(i, name="<a " * 1_300))),
    "names of ends of comments": lambda n: _woo_order(*many(n, lambda i: _woo_line(i, name="-->" * 1_300))),
    "names of tags within words": lambda n: _woo_order(*many(n, lambda i: _woo_line(i, name="<b>" * 1_300))),
    "SKUs of marks": lambda n: _woo_order(*many(n, lambda i: _woo_line(i, sku=f"{i}{SKU}"))),
    "bundles in a chain": lambda n: _woo_order(
        *many(
            n,
            lambda i: _woo_line(
                i,
                total="0",
                subtotal="0",
                bundled_by=str(i - 1),
                meta_data=[{"key": "_bundle_cart_key", "value": str(i)}],
            ),
        )
    ),
    "one bundle of many keys": lambda n: _woo_order(
        _woo_line(1, meta_data=many(n, lambda i: {"key": "_bundle_cart_key", "value": str(i)})),
        _woo_line(2, bundled_by=1),
    ),
    "meta data": lambda n: _woo_order(
        _woo_line(1), parent_id=3, meta_data=many(n, lambda i: {"key": f"_{i}", "value": "v"})
    ),
    "a key of underscores": lambda n: _woo_order(
        _woo_line(1), parent_id=3, meta_data=[{"key": "_" * n, "value": "v"}]
    ),
    "gift cards": lambda n: _woo_order(
        _woo_line(1), gift_cards=many(n, lambda i: {"id": i, "amount": "0.01"})
    ),
    "gift cards in meta data": lambda n: _woo_order(
        _woo_line(1),
        meta_data=many(n, lambda _: {"key": "_ywgc_applied_gift_cards_totals", "value": "0.001"}),
    ),
    "refunds": lambda n: _woo_order(_woo_line(1), refunds=many(n, lambda _: {"total": "-0.00001"})),
    "coupons": lambda n: _woo_order(_woo_line(1), coupon_lines=many(n, lambda i: {"code": f"c{i}"})),
    "images of a line": lambda n: _woo_order(_woo_line(1, image=many(n, lambda _: {"src": "x"}))),
    "a long total": lambda n: _woo_order(_woo_line(1), total="0." + "1" * n),
    "a long price": lambda n: _woo_order(_woo_line(1, total="0." + "1" * n, subtotal="0." + "1" * n)),
    "a payment method": lambda n: _woo_order(_woo_line(1), payment_method_title=long(n, "<a ")),
    "a status": lambda n: _woo_order(_woo_line(1), status="wc-" * (n // 3)),
    "an e-mail": lambda n: _woo_order(_woo_line(1), billing={"email": "." * n + "@a.example"}),
    "halves of pairs": raw(b'{"id":1,"a":"', rb"\ud800", b'"}'),
}


WOO_PRODUCTS: dict[str, Callable[[int], bytes]] = {
    "the most variations": lambda n: _woo_product(
        type="variable", status="draft", variations=most(n, lambda i: {"id": i})
    ),
    "categories": lambda n: _woo_product(categories=many(n, lambda i: {"name": f"c{i}"})),
    "categories of escapes": lambda n: _woo_product(categories=many(n, lambda i: {"name": f"{i}&amp;"})),
    "tags": lambda n: _woo_product(tags=many(n, lambda i: {"name": f"c{i}"})),
    "brands": lambda n: _woo_product(brands=many(n, lambda i: {"name": f"c{i}"})),
    "images": lambda n: _woo_product(images=many(n, lambda i: {"id": i, "src": "x"})),
    "images as an object": lambda n: _woo_product(images={f"a{i}": i for i in range(n // 16)}),
    "variations": lambda n: _woo_product(type="variable", status="draft", variations=many(n, lambda i: i)),
    "variations as objects": lambda n: _woo_product(
        type="variable", status="draft", variations=many(n, lambda i: {"id": i})
    ),
    "a name": lambda n: _woo_product(name=long(n, "<a ")),
    "a description": lambda n: _woo_product(short_description="", description=long(n, "<!--")),
    "a permalink": lambda n: _woo_product(permalink="https://" + "a" * n),
    "links": lambda n: _woo_product(_links={"up": many(n, lambda i: {"href": f"/products/{i}x"})}),
    "meta data": lambda n: _woo_product(meta_data=many(n, lambda i: {"key": f"k{i}", "value": "v"})),
}
