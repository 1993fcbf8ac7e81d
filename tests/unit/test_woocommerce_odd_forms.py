"""Bodies as plugins and PHP write them: lists with gaps, markup, broken characters, lines below zero."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest

from pipeline.records import Op, RecordKind
from pipeline.shops.base import Rejected, Translation
from pipeline.shops.catalogue import plain_name
from pipeline.shops.values import parse_json_object
from tests.woocommerce import contact_of, line, only, order, product_of, purchase_of, read, translate


def told(body: Any, **settings: Any) -> Translation:
    return translate(body, "order.updated", **settings)


def notes(translation: Translation) -> tuple[str, ...]:
    return only(translation, RecordKind.PURCHASE).notes


# Lists


@pytest.mark.parametrize(
    "listed", [{"1": {"code": "TEN"}}, {"ten": {"code": "TEN"}}, {"code": "TEN"}, [{"code": "TEN"}]]
)
def test_a_list_of_coupons_in_any_of_phps_forms_is_read(listed: Any) -> None:
    translation = told(order(coupon_lines=listed))
    assert only(translation, RecordKind.PURCHASE).coupons == ("TEN",)
    assert notes(translation) == ()


@pytest.mark.parametrize("nothing", [[], {}, None, False, ""])
def test_a_list_of_nothing_is_empty(nothing: Any) -> None:
    assert notes(told(order(coupon_lines=nothing, refunds=nothing, meta_data=nothing))) == ()


def test_refunds_and_lines_with_gaps_are_read() -> None:
    body = order(line_items={"1": line(1), "4": line(2)}, refunds={"2": {"total": "-6.00"}})
    assert [one.product_id for one in purchase_of(told(body)).lines] == ["1", "2"]
    assert purchase_of(told(body)).total_price == Decimal("10.00")


def test_meta_data_with_a_gap_still_tell_a_bundle() -> None:
    free = {"total": "0.00", "total_tax": "0.00", "subtotal": "0.00", "subtotal_tax": "0.00"}
    parent = line(1, meta_data={"2": {"key": "_bundle_cart_key", "value": "abc"}})
    part = line(2, meta_data={"5": {"key": "_bundled_by", "value": "abc"}}, **free)
    assert [one.product_id for one in purchase_of(told(order(parent, part))).lines] == ["1"]


# Pictures


@pytest.mark.parametrize(
    "image",
    [
        "https://shop.example/a.jpg",
        {"id": "1", "src": "https://shop.example/a.jpg"},
        [{"src": "https://shop.example/a.jpg"}],
        ["https://shop.example/a.jpg"],
        {"1": {"src": "https://shop.example/a.jpg"}},
    ],
)
def test_a_lines_picture_is_read_in_every_form_that_has_its_address(image: Any) -> None:
    translation = told(order(line(image=image)))
    assert purchase_of(translation).lines[0].image_url == "https://shop.example/a.jpg"
    assert notes(translation) == ()


@pytest.mark.parametrize("image", [88, "a.jpg", True, {"url": "x"}, ["88"], {"src": 7}])
def test_a_lines_picture_in_another_form_is_left_out_and_noted(image: Any) -> None:
    translation = told(order(line(image=image), line(94, image=image)))
    assert purchase_of(translation).lines[0].image_url is None
    assert notes(translation) == ("image_unreadable",)


@pytest.mark.parametrize("image", [None, False, "", [], {}, {"id": "", "src": ""}, {"id": 0, "src": False}])
def test_a_line_without_a_picture_needs_no_note(image: Any) -> None:
    assert notes(told(order(line(image=image)))) == ()


# Lines below zero, repeated lines, tax that makes no difference


@pytest.mark.parametrize(
    "below",
    [
        {"total": "-5.00", "subtotal": "-5.00"},
        {"total": -5, "subtotal": 0},
        {"subtotal": "-5.00"},
        {"quantity": -1},
        {"quantity": "-0.5", "total": "-5.00"},
    ],
)
def test_a_line_below_zero_is_left_out_and_the_total_stays(below: dict[str, Any]) -> None:
    translation = told(order(line(93), line(777, name="Trade-in", **below), total="11.00"))
    assert [one.product_id for one in purchase_of(translation).lines] == ["93"]
    assert purchase_of(translation).total_price == Decimal("11.00")
    assert notes(translation) == ("negative_line",)


def test_a_tax_below_zero_counts_only_where_prices_hold_it() -> None:
    body = order(line(93), line(94, total_tax="-1.00"))
    assert len(purchase_of(told(body)).lines) == 2
    assert len(purchase_of(told(body | {"prices_include_tax": True})).lines) == 1


def test_an_order_of_lines_below_zero_alone_has_no_products() -> None:
    body = order(line(total="-5.00"), line(total="-6.00"))
    with pytest.raises(Rejected, match="no_products"):
        told(body)
    assert purchase_of(told(body, placeholder_product="other")).lines[0].product_id == "other"


def test_a_line_repeated_under_its_own_id_counts_once() -> None:
    translation = told(order(line(93, id=5), line(93, id=5), line(93, id="6")))
    assert purchase_of(translation).total_quantity == 4
    assert notes(translation) == ("line_repeated",)


@pytest.mark.parametrize("own", [None, 0, "", [1]])
def test_lines_without_an_id_are_not_taken_for_one(own: Any) -> None:
    assert purchase_of(told(order(line(93, id=own), line(93, id=own)))).total_quantity == 4


def test_whether_prices_hold_tax_need_not_be_said_where_there_is_none() -> None:
    body = order(line(total_tax="0.00", subtotal_tax="0"))
    del body["prices_include_tax"]
    assert purchase_of(told(body)).lines[0].price == Decimal("10.00")
    body["line_items"][0]["total_tax"] = "0.01"
    with pytest.raises(Rejected, match="prices_include_tax"):
        told(body)


# Markup and broken characters


@pytest.mark.parametrize(
    ("markup", "name", "changed"),
    [
        ("Mug 2", "Mug 2", False),
        ("Mug <sup>2</sup> &amp; Co", "Mug 2 & Co", True),
        ('Mug <br/><small>Blue</small> 10"', 'Mug Blue 10"', True),
        ("Mug<br>Blue", "Mug Blue", True),
        ("H<sub>2</sub>O", "H2O", True),
        ("&lt;Variable&gt; mug", "<Variable> mug", False),
        ("&lt;b&gt;<b>x</b>&lt;/b&gt;", "<b>x</b>", True),
        ("a < b > c", "a < b > c", False),
        ("I <3 mugs", "I <3 mugs", False),
        ("Mug<script>alert(1)</script>", "Mug", True),
        ("<p></p>", None, True),
    ],
)
def test_a_name_without_its_markup(markup: str, name: str | None, changed: bool) -> None:
    assert plain_name(markup) == (name, changed)


def test_markup_without_end_is_read_in_no_time() -> None:
    started = time.process_time()
    for hostile in ("<a " * 9_000, "<" * 20_000, "<!--" * 9_000, "&#" + "9" * 20_000, "<b>" * 9_000):
        plain_name(hostile)
    assert time.process_time() - started < 1


def test_names_of_lines_and_products_lose_their_markup_and_say_so() -> None:
    translation = told(order(line(variation_id=9, name="x", parent_name="Mug <sup>2</sup> &amp; Co")))
    assert purchase_of(translation).lines[0].name == "Mug 2 & Co"
    assert notes(translation) == ("markup_removed",)
    body = read("product-simple-docs.json") | {
        "name": "Mug <sup>2</sup>",
        "categories": [{"name": "<i>Mugs</i>"}],
        "tags": [{"name": "&lt;new&gt;"}],
        "brands": [{"name": "Acme<br>"}],
    }
    product = product_of(translate(body, "product.updated"))
    assert (product.name, product.categories, product.tags, product.brand) == (
        "Mug 2",
        ("Mugs",),
        ("<new>",),
        "Acme",
    )


def test_half_a_surrogate_pair_is_replaced_and_noted_on_every_record() -> None:
    raw = json.dumps(order(billing={"email": "ana@example.com", "first_name": "Ana \ud83d"})).encode()
    translation = told(raw)
    assert contact_of(translation).name == "Ana \ufffd"
    assert all("broken_text" in draft.notes for draft in translation.drafts)


@pytest.mark.parametrize(
    ("body", "read_as"),
    [
        (rb'{"a":"x \ud83d y"}', "x \ufffd y"),
        (rb'{"a":"\ud83d\ude00 \ude00"}', "\U0001f600 \ufffd"),
        (rb'{"a":"\\ud83d \ud83d"}', "\\ud83d \ufffd"),
        (b'{"a":"\xed\xa0\xbd\xed\xb8\x80"}', "\U0001f600"),
        (b'{"a":"\xed\xa0\xbd"}', "\ufffd"),
        (b'{"a":"caf\xe9"}', "caf\ufffd"),
    ],
)
def test_a_broken_character_is_replaced(body: bytes, read_as: str) -> None:
    noted: list[str] = []
    assert parse_json_object(body, noted) == {"a": read_as}
    assert noted == ["broken_text"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":"\\ud83d', b'{"a":\\ud83d}', b"[1]", b'{"a":"\\x"}'])
def test_what_is_no_json_stays_refused(body: bytes) -> None:
    with pytest.raises(Rejected, match="invalid_json"):
        parse_json_object(body)


# Products


def product(**changes: Any) -> dict[str, Any]:
    body = read("product-simple-docs.json")
    assert isinstance(body, dict)
    return body | changes


@pytest.mark.parametrize("variations", [[{"id": 5011}], {"1": {"id": 5011}}, ["5011"], {"3": 5011}])
def test_variations_in_every_form_that_has_their_ids_leave_with_their_product(variations: Any) -> None:
    body = product(type="variable", status="draft", variations=variations)
    draft, parent = translate(body, "product.updated", product_id="variant").drafts
    assert (parent.op, parent.if_emitted) == (Op.HIDE, True)
    assert (draft.op, draft.id, draft.notes) == (Op.HIDE, "5011", ())


def test_variations_that_cannot_be_read_are_named_as_the_reason() -> None:
    body = product(type="variable", status="draft", variations="5011")
    translation = translate(body, "product.updated", product_id="variant")
    (parent,) = translation.drafts
    assert (parent.if_emitted, translation.ignored) == (True, "variations_unreadable")
    partly = body | {"variations": [5011, "x", {"name": "y"}]}
    draft, _ = translate(partly, "product.updated", product_id="variant").drafts
    assert (draft.id, draft.notes) == ("5011", ("variations_unreadable",))


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"categories": "all"}, "categories_unreadable"),
        ({"tags": ["new"]}, "tags_unreadable"),
        ({"brands": 7}, "brands_unreadable"),
        ({"images": ["none"]}, "image_unreadable"),
        ({"description": 7, "short_description": ""}, "description_unreadable"),
        ({"rating_count": "many"}, "rating_invalid"),
        ({"on_sale": True, "regular_price": {"a": 1}}, "regular_price_unreadable"),
        ({"stock_status": "lowstock"}, "unknown_stock_status"),
    ],
)
def test_what_decorates_a_product_is_left_out_and_noted_once(changes: dict[str, Any], note: str) -> None:
    draft = only(translate(product(**changes), "product.updated"), RecordKind.PRODUCT)
    assert draft.op is Op.UPSERT
    assert draft.notes == (note,)


def test_a_status_of_a_plugins_is_not_public_and_noted() -> None:
    draft = only(translate(product(status="archived"), "product.updated"), RecordKind.PRODUCT)
    assert (draft.op, draft.notes) == (Op.HIDE, ("unknown_status",))
    known = only(translate(product(status="private"), "product.updated"), RecordKind.PRODUCT)
    assert (known.op, known.notes) == (Op.HIDE, ())
