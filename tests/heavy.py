"""Bodies of a given size that cost the most time for it: for each list, text and number a sender can grow."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson

from pipeline.shops.base import MAX_RECORDS
from tests import shopify, woocommerce

SKU = "/" * 200
PLACED = "2026-11-20T10:00:00Z"


class Heavy(NamedTuple):
    """A delivery that grows.

    Attributes:
        platform: of the shop.
        topic: of the delivery.
        body: makes one of about so many bytes.
        settings: of the store.
    """

    platform: str
    topic: str
    body: Callable[[int], bytes]
    settings: dict[str, Any]


def many(size: int, item: Callable[[int], object]) -> list[Any]:
    """So many different items that they make about `size` bytes of JSON."""
    count = max(2, size // (len(orjson.dumps(item(12_345))) + 1))
    return [item(number) for number in range(1, count + 1)]


def most(size: int, item: Callable[[int], dict[str, Any]]) -> list[dict[str, Any]]:
    """As `many`, of as many items as are read: what is left of the size stands in a text of each."""
    empty = many(size, item)[: MAX_RECORDS - 2]
    room = max(0, size // len(empty) - len(orjson.dumps(item(12_345))) - 10)
    return [one | {"text": "x" * room} for one in empty]


def long(size: int, piece: str) -> str:
    """A text of about `size` bytes."""
    return piece * (size // len(orjson.dumps(piece)[1:-1]) + 1)


def _dumps(body: Any) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)


def _shopify_order(**changes: Any) -> bytes:
    return _dumps(shopify.paid_order(**changes))


def _product(**changes: Any) -> bytes:
    body = {
        "id": 1,
        "title": "t",
        "handle": "h",
        "status": "active",
        "published_at": PLACED,
        "updated_at": PLACED,
        "variants": [{"id": 1, "price": "1.00"}],
        "images": [],
    }
    return _dumps(body | changes)


def _line(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": number, "product_id": number, "quantity": 1, "price": "1.00", "title": "t"} | changes


def _variant(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": number, "price": "1.00"} | changes


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
    return _dumps(woocommerce.order(*lines, **changes))


def _woo_product(**changes: Any) -> bytes:
    return _dumps(woocommerce.read("product-updated-docs.json") | {"status": "publish"} | changes)


def _raw(prefix: bytes, piece: bytes, suffix: bytes) -> Callable[[int], bytes]:
    return lambda size: prefix + piece * (size // len(piece)) + suffix


SHOPIFY_ORDERS: dict[str, Callable[[int], bytes]] = {
    "the most lines": lambda n: _shopify_order(
        line_items=most(
            n,
            lambda i: _line(
                i,
                sku=f"{i}{'/a' * 30}",
                vendor="v",
                discount_allocations=[{"amount": "0.1"}],
                tax_lines=[{"price": "0.1"}],
            ),
        )
    ),
    "lines": lambda n: _shopify_order(line_items=many(n, _line)),
    "lines of one product": lambda n: _shopify_order(line_items=many(n, lambda i: _line(i, product_id=7))),
    "lines under one id": lambda n: _shopify_order(line_items=many(n, lambda _: _line(7))),
    "lines below zero": lambda n: _shopify_order(line_items=many(n, lambda i: _line(i, price="-1.00"))),
    "lines that are null": lambda n: _shopify_order(line_items=[*many(n, lambda _: None), _line(1)]),
    "lines whose texts are odd": lambda n: _shopify_order(
        line_items=many(n, lambda i: _line(i, sku={"a": 1}, vendor=[1], title={"a": 1}))
    ),
    "SKUs of marks": lambda n: _shopify_order(line_items=many(n, lambda i: _line(i, sku=f"{i}{SKU}"))),
    "SKUs of emoji": lambda n: _shopify_order(
        line_items=many(n, lambda i: _line(i, sku=f"{i}" + "\N{GRINNING FACE}" * 190))
    ),
    "discounts": lambda n: _shopify_order(
        line_items=[_line(1, discount_allocations=many(n, lambda _: {"amount": "0.00001"}))]
    ),
    "discounts below zero": lambda n: _shopify_order(
        line_items=[_line(1, price="-1", discount_allocations=many(n, lambda _: {"amount": "1"}))]
    ),
    "taxes": lambda n: _shopify_order(
        taxes_included=False, line_items=[_line(1, tax_lines=many(n, lambda _: {"price": "0.1"}))]
    ),
    "a long price": lambda n: _shopify_order(line_items=[_line(1, price="0." + "1" * n)]),
    "a long price and quantity": lambda n: _shopify_order(
        line_items=[_line(1, price="0." + "1" * (n // 2), quantity="1." + "1" * (n // 2))]
    ),
    "long prices and discounts": lambda n: _shopify_order(
        line_items=[
            _line(
                1,
                price="0." + "1" * (n // 4),
                quantity="3." + "7" * (n // 4),
                current_quantity="1." + "3" * (n // 4),
                discount_allocations=[{"amount": "0." + "7" * (n // 4)}],
            )
        ]
    ),
    "many long prices": lambda n: _shopify_order(
        line_items=many(
            n,
            lambda i: _line(
                i,
                product_id=7,
                price="0." + "1" * 1_000,
                quantity="3." + "7" * 1_000,
                current_quantity="1." + "3" * 1_000,
                discount_allocations=[{"amount": "0." + "7" * 1_000}],
            ),
        )
    ),
    "quantities of 10^-6": lambda n: _shopify_order(
        line_items=many(n, lambda i: _line(i, quantity="0.0000011", price="999999999999.99"))
    ),
    "a long e-mail of dots": lambda n: _shopify_order(email="a@" + "a." * (n // 2)),
    "a long e-mail of hyphens": lambda n: _shopify_order(email="a-" * (n // 4) + "@" + "b-" * (n // 4)),
    "an e-mail of ats": lambda n: _shopify_order(email="@" * n),
    "an e-mail of letters of all scripts": lambda n: _shopify_order(email="a@" + "\u0ba8" * (n // 3)),
    "a long phone": lambda n: _shopify_order(customer={"id": 1, "phone": "+" + "1" * n}),
    "long names": lambda n: _shopify_order(customer={"id": 1, "first_name": "\x00" * (n // 6)}),
    "discount codes": lambda n: _shopify_order(discount_codes=many(n, lambda i: {"code": f"c{i}"})),
    "note attributes": lambda n: _shopify_order(
        note_attributes=many(n, lambda i: {"name": f"n{i}", "value": "v"})
    ),
    "note attributes that are odd": lambda n: _shopify_order(
        note_attributes=many(n, lambda _: {"name": [1], "value": "v"})
    ),
    "payment gateways": lambda n: _shopify_order(payment_gateway_names=many(n, lambda i: f"g{i}")),
    "payment gateways that are odd": lambda n: _shopify_order(payment_gateway_names=many(n, lambda i: i)),
    "refunds": lambda n: _shopify_order(refunds=many(n, lambda i: {"id": i})),
    "keys": lambda n: _shopify_order(**{f"k{i}": i for i in range(n // 16)}),
    "an id of digits": lambda n: b'{"id":' + b"9" * n + b"}",
    "an id of digits as text": lambda n: _shopify_order(id="9" * n),
    "a global id": lambda n: _shopify_order(admin_graphql_api_id="gid://shopify/Order/" + "9" * n),
    "a date of digits": lambda n: _shopify_order(updated_at="2" * n),
    "a date of blanks": lambda n: _shopify_order(updated_at=" " * n + PLACED),
    "a currency": lambda n: _shopify_order(currency="E" * n),
    "line ids of one hash": lambda n: _shopify_order(line_items=many(n, lambda i: _line(i << 44))),
    "repeated keys": _raw(b'{"id":1', b',"id":1', b"}"),
    "blanks in front": _raw(b"", b" ", b'{"id":1}'),
    "blanks before the id": _raw(b'{"id":', b" ", b'1,"a":1}'),
    "arrays in arrays": lambda n: b'{"a":' + b"[" * (n // 2) + b"]" * (n // 2) + b"}",
    "objects in objects": lambda n: b'{"a":' * (n // 6) + b"1" + b"}" * (n // 6),
    "halves of pairs": _raw(b'{"id":1,"a":"', rb"\ud800", b'"}'),
    "halves the other way": _raw(b'{"id":1,"a":"', rb"\udc00\ud800", b'"}'),
    "escapes and half a pair": _raw(rb'{"id":1,"b":"\ud800","a":"', rb"\n", b'"}'),
    "backslashes and half a pair": _raw(rb'{"id":1,"b":"\ud800","a":"', rb"\\", b'"}'),
    "bytes that are no text": _raw(b'{"id":1,"a":"', b"\xff", b'"}'),
    "halves as bytes": _raw(b'{"id":1,"a":"', b"\xed\xa0\x80", b'"}'),
    "pairs as bytes": _raw(b'{"id":1,"a":"', b"\xed\xa0\x80\xed\xb0\x80", b'"}'),
    "halves as bytes and no text": _raw(b'{"id":1,"b":"\xff","a":"', b"\xed\xa0\x80", b'"}'),
    "an open text": _raw(b'{"id":1,"a":"', rb"\ud800", b""),
}

SHOPIFY_PRODUCTS: dict[str, Callable[[int], bytes]] = {
    "the most variants": lambda n: _product(
        variants=most(
            n, lambda i: _variant(i, sku=f"{i}{'/a' * 30}", title="t", compare_at_price="x", image_id=i)
        ),
    ),
    "variants": lambda n: _product(variants=many(n, _variant)),
    "variants without a price": lambda n: _product(
        variants=[*many(n // 2, lambda i: {"id": i, "price": None}), *many(n // 2, _variant)]
    ),
    "variants that are null": lambda n: _product(
        variants=[*many(n // 2, lambda _: None), *many(n // 2, _variant)]
    ),
    "variants under one SKU": lambda n: _product(variants=many(n, lambda i: _variant(i, sku="s"))),
    "variants under long SKUs": lambda n: _product(variants=many(n, lambda i: _variant(i, sku=f"{i}{SKU}"))),
    "variants and images": lambda n: _product(
        variants=many(n // 2, lambda i: _variant(i, image_id=999_999_999)),
        images=many(n // 2, lambda i: {"id": i}),
    ),
    "variants and images of odd ids": lambda n: _product(
        variants=many(n // 2, lambda i: _variant(i, image_id=[i])),
        images=many(n // 2, lambda i: {"id": [i]}),
    ),
    "variants and one picture of a long address": lambda n: _product(
        variants=many(n // 2, lambda i: _variant(i, image_id=7)),
        images=[{"id": 7, "src": "https://" + "a" * (n // 2)}],
    ),
    "variants and tags": lambda n: _product(
        variants=many(n // 2, _variant), tags=",".join(f"t{i}" for i in range(n // 16))
    ),
    "variants and odd tags": lambda n: _product(
        variants=many(n // 2, _variant), tags=many(n // 2, lambda _: [1])
    ),
    "variants and odd images": lambda n: _product(
        variants=many(n // 2, _variant), images=many(n // 2, lambda _: {"src": "x"})
    ),
    "variants and a description": lambda n: _product(
        variants=many(n // 2, _variant), body_html=long(n // 2, "\N{GRINNING FACE} ")
    ),
    "variants that are hidden": lambda n: _product(status="draft", variants=many(n, lambda i: {"id": i})),
    "variant gids": lambda n: _product(variant_gids=many(n, lambda i: {"admin_graphql_api_id": f"{i}"})),
    "odd stocks": lambda n: _product(variants=many(n, lambda i: _variant(i, inventory_quantity="x"))),
    "prices before": lambda n: _product(variants=many(n, lambda i: _variant(i, compare_at_price="x"))),
    "commas": lambda n: _product(tags="," * n),
    "tags": lambda n: _product(tags=",".join(f"t{i}" for i in range(n // 8))),
    "tags of blanks": lambda n: _product(tags=" " * n),
    "tags as a list": lambda n: _product(tags=many(n, lambda i: f"t{i}")),
    "images": lambda n: _product(images=many(n, lambda i: {"id": i, "src": "x"})),
    "media": lambda n: _product(media=many(n, lambda _: {"preview_image": {"src": "x"}})),
    "a description of open tags": lambda n: _product(body_html=long(n, "<a ")),
    "a description of comments": lambda n: _product(body_html=long(n, "<!--")),
    "a description of scripts": lambda n: _product(body_html=long(n, "<script></style>")),
    "a description of escapes": lambda n: _product(body_html=long(n, "&amp;amp;")),
    "a description of digits": lambda n: _product(body_html="&#" + "9" * n),
    "a description of blanks": lambda n: _product(body_html=" " * n),
    "a title of control characters": lambda n: _product(title="\x01" * (n // 6)),
    "a handle": lambda n: _product(handle="/" * n),
    "a handle of marks and variants": lambda n: _product(handle="/" * 500, variants=many(n, _variant)),
    "a category": lambda n: _product(category={"full_name": long(n, "a > ")}),
}

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
    "halves of pairs": _raw(b'{"id":1,"a":"', rb"\ud800", b'"}'),
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


def _named(
    platform: str, topic: str, bodies: dict[str, Callable[[int], bytes]], **settings: Any
) -> Iterator[tuple[str, Heavy]]:
    told = ", ".join(f"{key}={value}" for key, value in settings.items())
    for name, body in bodies.items():
        yield f"{platform} {topic} {told}: {name}", Heavy(platform, topic, body, settings)


#: Every delivery, by its name.
HEAVY: dict[str, Heavy] = dict(
    (
        *_named("shopify", "orders/updated", SHOPIFY_ORDERS),
        *_named("shopify", "orders/paid", SHOPIFY_ORDERS, product_id="sku", tax="included"),
        *_named("shopify", "products/update", SHOPIFY_PRODUCTS),
        *_named("shopify", "products/update", SHOPIFY_PRODUCTS, product_id="variant"),
        *_named("shopify", "products/update", SHOPIFY_PRODUCTS, product_id="sku"),
        *_named("woocommerce", "order.updated", WOO_ORDERS),
        *_named("woocommerce", "order.updated", WOO_ORDERS, product_id="sku", tax="included"),
        *_named("woocommerce", "product.updated", WOO_PRODUCTS),
        *_named("woocommerce", "product.updated", WOO_PRODUCTS, product_id="variant"),
    )
)

FILLERS: dict[str, Callable[[int], Any]] = {
    "blanks": lambda n: " " * n,
    "digits": lambda n: "9" * n,
    "dots": lambda n: "." * n,
    "tags": lambda n: long(n, "<a "),
    "escapes": lambda n: long(n, "&amp;#"),
    "commas": lambda n: "," * n,
    "emoji": lambda n: long(n, "\N{GRINNING FACE}"),
    "numbers": lambda n: many(n, lambda i: i),
    "objects": lambda n: many(n, lambda i: {"id": i, "name": "a"}),
    "keys": lambda n: {f"k{i}": i for i in range(n // 16)},
}


def swept(body: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each place of a body: its path, the body's own copy, and the key under which something can be put.

    Of a list's items the first is taken.
    """
    for path in _paths(body):
        grown = copy.deepcopy(body)
        node = grown
        for step in path[:-1]:
            node = node[step]
        yield ".".join(map(str, path)), grown, (node, path[-1])


def _paths(node: Any) -> Iterator[tuple[Any, ...]]:
    inside = node.items() if isinstance(node, dict) else enumerate(node[:1]) if isinstance(node, list) else ()
    for key, value in inside:
        yield (key,)
        for path in _paths(value):
            yield (key, *path)
