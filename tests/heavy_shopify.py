"""Bodies of Shopify that grow in each list, number and text a sender can grow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests import shopify
from tests.sizes import PLACED, SKU, dumps, long, many, most, raw


def _shopify_order(**changes: Any) -> bytes:
    return dumps(shopify.paid_order(**changes))


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
    return dumps(body | changes)


def _line(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": number, "product_id": number, "quantity": 1, "price": "1.00", "title": "t"} | changes


def _variant(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": number, "price": "1.00"} | changes


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
    "repeated keys": raw(b'{"id":1', b',"id":1', b"}"),
    "blanks in front": raw(b"", b" ", b'{"id":1}'),
    "blanks before the id": raw(b'{"id":', b" ", b'1,"a":1}'),
    "arrays in arrays": lambda n: b'{"a":' + b"[" * (n // 2) + b"]" * (n // 2) + b"}",
    "objects in objects": lambda n: b'{"a":' * (n // 6) + b"1" + b"}" * (n // 6),
    "halves of pairs": raw(b'{"id":1,"a":"', rb"\ud800", b'"}'),
    "halves the other way": raw(b'{"id":1,"a":"', rb"\udc00\ud800", b'"}'),
    "escapes and half a pair": raw(rb'{"id":1,"b":"\ud800","a":"', rb"\n", b'"}'),
    "backslashes and half a pair": raw(rb'{"id":1,"b":"\ud800","a":"', rb"\\", b'"}'),
    "bytes that are no text": raw(b'{"id":1,"a":"', b"\xff", b'"}'),
    "halves as bytes": raw(b'{"id":1,"a":"', b"\xed\xa0\x80", b'"}'),
    "pairs as bytes": raw(b'{"id":1,"a":"', b"\xed\xa0\x80\xed\xb0\x80", b'"}'),
    "halves as bytes and no text": raw(b'{"id":1,"b":"\xff","a":"', b"\xed\xa0\x80", b'"}'),
    "an open text": raw(b'{"id":1,"a":"', rb"\ud800", b""),
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
