"""Rule by rule, on pages written for it."""

from __future__ import annotations

import pytest

from pipeline.check.page.expected import Expected
from pipeline.check.page.kinds import Kind
from tests.unit.pages import SCRIPT, line, page, purchase, report, said


def test_a_page_that_is_right_has_no_findings() -> None:
    assert said(page(purchase()), "error", "warning", "note") == []


@pytest.mark.parametrize("name", ["purchase_id", "total_quantity", "total_price"])
@pytest.mark.parametrize(("text", "code"), [(None, "missing"), ("  ", "empty")])
def test_a_purchase_without_what_it_needs_is_not_sent(name: str, text: str | None, code: str) -> None:
    html = page(purchase(**{name: text}))
    assert said(html) == [("error", f"purchase[0].{name}", code)]
    assert report(html)["sent"]["purchases"] == []


@pytest.mark.parametrize("name", ["product_id", "name", "url", "unit_price"])
def test_a_line_without_what_it_needs_is_dropped_and_the_purchase_sent(name: str) -> None:
    html = page(purchase(line(), line(**{name: None}), total_quantity="2", total_price="25"))
    assert said(html) == [("error", f"purchase[0].items[1].{name}", "missing")]
    (sent,) = report(html)["sent"]["purchases"]
    assert len(sent["lines"]) == 1


@pytest.mark.parametrize("name", ["quantity", "price"])
def test_a_line_without_quantity_or_price_is_an_error_and_still_sent(name: str) -> None:
    html = page(purchase(line(**{name: None})))
    assert said(html) == [("error", f"purchase[0].items[0].{name}", "missing")]
    assert report(html)["sent"]["purchases"][0]["lines"]


@pytest.mark.parametrize(
    ("values", "findings"),
    [
        ({"total_price": "-1"}, [("error", "purchase[0].total_price", "negative")]),
        ({"total_price": "12,50"}, [("error", "purchase[0].total_price", "cut")]),
        ({"total_price": "12.50 EUR"}, []),
        ({"total_price": "EUR 12.50"}, [("error", "purchase[0].total_price", "unreadable")]),
        ({"total_quantity": "1.0"}, []),
        ({"total_quantity": "one"}, [("error", "purchase[0].total_quantity", "unreadable")]),
        ({"total_quantity": "3"}, [("warning", "purchase[0].total_quantity", "quantities")]),
        ({"total_price": "9"}, [("warning", "purchase[0].total_price", "below_lines")]),
        ({"total_price": "1250"}, [("warning", "purchase[0].total_price", "above_lines")]),
        ({"total_price": "17.45"}, []),
        ({"cart_id": None}, [("warning", "purchase[0].cart_id", "missing")]),
        ({"purchase_date": "22/11/2026"}, [("error", "purchase[0].purchase_date", "not_iso")]),
        ({"purchase_date": "2026-11-22 14:05:12Z"}, []),
        ({"purchase_date": "2026-11-22T14:05:12"}, [("warning", "purchase[0].purchase_date", "no_zone")]),
        ({"source_type": "web"}, [("warning", "purchase[0].source_type", "not_listed")]),
        ({"source_type": "digital-store"}, []),
    ],
)
def test_values_of_a_purchase(values: dict[str, str | None], findings: list[tuple[str, str, str]]) -> None:
    assert said(page(purchase(**values))) == findings


@pytest.mark.parametrize(
    ("values", "findings"),
    [
        ({"url": "/wool-hat"}, [("warning", "purchase[0].items[0].url", "relative")]),
        ({"url": "https://other.example/"}, [("warning", "purchase[0].items[0].url", "unauthorised")]),
        ({"url": "https://acme.example/a%20b"}, [("warning", "purchase[0].items[0].url", "encoded")]),
        ({"url": "https://acme.example/?a=1&amp;b=2"}, []),
        ({"availability": "instock"}, []),
        ({"availability": "https://schema.org/InStock"}, []),
        ({"availability": "yes"}, [("warning", "purchase[0].items[0].availability", "not_listed")]),
        ({"rating_value": "9"}, [("warning", "purchase[0].items[0].rating_value", "too_large")]),
        ({"published_at": "1767225600"}, [("warning", "purchase[0].items[0].published_at", "seconds")]),
        ({"published_at": "1767225600000"}, []),
        ({"name": "Hat &amp;amp; scarf"}, []),
        ({"unit_price": "12.50<b> €</b>"}, []),
    ],
)
def test_values_of_a_line(values: dict[str, str | None], findings: list[tuple[str, str, str]]) -> None:
    assert said(page(purchase(line(**values)))) == findings


def test_the_first_of_several_elements_is_read() -> None:
    twice = purchase().replace(
        '<span class="total_price">', '<i class="total_price"></i><span class="total_price">'
    )
    assert said(page(twice)) == [
        ("error", "purchase[0].total_price", "empty"),
    ]


def test_purchases_with_one_id_are_sent_twice() -> None:
    html = page(purchase(), purchase())
    assert said(html) == [("warning", "purchase[1]", "same_purchase")]
    assert len(report(html)["sent"]["purchases"]) == 2
    assert said(page(purchase(), purchase(purchase_id="10458"))) == []


def test_a_purchase_that_is_not_closed_takes_in_the_next() -> None:
    open_purchase = purchase().removesuffix("</div>")
    assert ("warning", "purchase[1]", "nested") in said(page(open_purchase, purchase(purchase_id="2")))


def test_names_that_nothing_reads_are_named() -> None:
    html = page(purchase(line(product_id=None, sku="H-1")))
    (finding,) = [one for one in report(html)["findings"] if one["severity"] == "error"]
    assert "class sku is not read" in finding["hint"]
    assert said(html, "note") == [("note", "purchase[0].items[0]", "not_read")]


@pytest.mark.parametrize(
    "hidden",
    [
        "<!-- {} -->",
        "<template>{}</template>",
        "<noscript>{}</noscript>",
        "<iframe>{}</iframe>",
        "<script>var a = '{}'</script>",
        "<textarea>{}</textarea>",
    ],
)
def test_tags_that_the_client_does_not_see_are_absent(hidden: str) -> None:
    html = page(hidden.format(purchase()))
    assert said(html) == [("error", "purchase", "absent")]
    (finding,) = [one for one in report(html)["findings"] if one["severity"] == "error"]
    assert "it is in a" in finding["what"]


def test_a_noscript_in_the_head_hides_its_tag_too() -> None:
    html = f"<html><head><noscript>{purchase()}</noscript>{SCRIPT}</head><body></body></html>"
    assert ("error", "purchase", "absent") in said(html)


def test_hidden_elements_are_read_and_a_tag_of_a_similar_name_is_not() -> None:
    assert said(page(f'<div hidden style="display:none">{purchase()}</div>')) == []
    html = page(purchase().replace("cn_purchase", "cn-purchase"))
    (finding,) = [one for one in report(html)["findings"] if one["severity"] == "error"]
    assert "class cn-purchase is not read" in finding["hint"]


def test_a_purchase_by_javascript_is_not_called_absent() -> None:
    script = (
        "<script>connectif.managed.sendEvents([{type: 'purchase', purchase: {purchaseId: '1'}}])</script>"
    )
    html = page(script)
    assert said(html) == []
    got = report(html)
    assert got["javascript_events"] == ["purchase"]
    assert any("purchase" in step["do"] for step in got["steps"])
    commented = page("<script>// connectif.managed.sendEvents([{type: 'purchase'}])</script>")
    assert said(commented) == [("error", "purchase", "absent")]


KEY = '<i class="primary_key">a@acme.example</i>'


@pytest.mark.parametrize(
    ("contact", "findings"),
    [
        ("", [("warning", "client_info", "missing")]),
        ('<div class="cn_client_info"></div>', [("warning", "client_info.primary_key", "missing")]),
        ('<div class="cn_private_client_info">x</div>', []),
        (
            '<div class="cn_client_info"><i class="primary_key x">a@acme.example</i></div>',
            [("error", "client_info.primary_key", "lost")],
        ),
        (
            '<div class="cn_client_info"><p><i class="primary_key">a@acme.example</i></p></div>',
            [("error", "client_info.primary_key", "lost")],
        ),
        (
            '<div class="cn_client_info"><i class="primary_key">Ana</i></div>',
            [("warning", "client_info.primary_key", "no_address")],
        ),
        (
            '<div class="cn_client_info"><i class="_newsletter_subscription_status">yes</i>' + KEY + "</div>",
            [("warning", "client_info._newsletter_subscription_status", "not_listed")],
        ),
    ],
)
def test_who_bought(contact: str, findings: list[tuple[str, str, str]]) -> None:
    assert said(page(purchase(), contact=contact)) == findings


def test_a_visitor_who_is_not_logged_in_is_nothing_to_warn_of_elsewhere() -> None:
    assert said(page(contact=""), kind=Kind.OTHER) == []


CART = (
    '<div class="cn_cart"><i class="cart_id">{id}</i><i class="total_quantity">{count}</i>'
    '<i class="total_price">{price}</i>{lines}</div>'
)


def test_an_emptied_cart_is_right_and_a_full_one_after_its_purchase_is_not() -> None:
    empty = CART.format(id="1", count=0, price=0, lines="")
    full = CART.format(id="20991", count=1, price=12.5, lines=line())
    assert said(page(empty), kind=Kind.CART) == []
    assert said(page(purchase(), empty)) == []
    assert said(page(purchase(), full)) == [("warning", "cart", "still_full")]
    assert said(page(full, empty), kind=Kind.CART) == [("warning", "cart", "duplicate")]
    assert said(page(), kind=Kind.CART) == [("error", "cart", "absent")]


def test_a_recovery_address_must_be_authorised() -> None:
    recovery = '<i class="cart_recovery_url">https://other.example/r?token=secret%3D</i>'
    html = page(CART.format(id="1", count=1, price=12.5, lines=recovery + line()))
    assert said(html, kind=Kind.CART) == [("warning", "cart.cart_recovery_url", "unauthorised")]


def test_tags_of_other_pages() -> None:
    assert said(page(purchase()), kind=Kind.CART) == [
        ("error", "cart", "absent"),
        ("warning", "purchase", "wrong_page"),
    ]
    visited = line().replace("product_basket_item", "cn_product_visited")
    assert said(page(visited, '<i class="cn_login"></i>'), kind=Kind.PRODUCT) == [
        ("warning", "cn_login", "wrong_page")
    ]
    assert said(page(visited, purchase())) == [("warning", "product", "wrong_page")]


def test_a_product_page_without_its_tag_is_milder_where_the_catalogue_comes_by_api() -> None:
    assert said(page(), kind=Kind.PRODUCT) == [("error", "product", "absent")]
    assert said(page(), kind=Kind.PRODUCT, fed_by_api=True) == [("warning", "product", "absent")]


def test_a_page_off_the_authorised_domains_sends_nothing() -> None:
    html = page(purchase())
    assert said(html, url="https://acme.example/done") == []
    assert said(html, url="https://pay.example/done") == [("error", "page.url", "unauthorised")]


# Ids.


@pytest.mark.parametrize(
    ("platform", "setting", "own", "known", "findings"),
    [
        ("shopify", "id", "10457", {}, []),
        ("shopify", "id", "#1118", {}, [("warning", "purchase[0].purchase_id", "form")]),
        ("shopify", "name", "#1118", {"name": "#1118"}, []),
        ("shopify", "name", "1118", {"name": "#1118"}, [("error", "purchase[0].purchase_id", "unknown_id")]),
        (
            "shopify",
            "id",
            "1118",
            {"id": "5678", "number": "1118"},
            [("error", "purchase[0].purchase_id", "other_id")],
        ),
        ("magento", "number", "000000012", {}, []),
        (
            "magento",
            "id",
            "000000012",
            {},
            [
                ("warning", "store.purchase_id", "module_differs"),
                ("warning", "purchase[0].purchase_id", "form"),
            ],
        ),
        ("prestashop", "id", "XKBKNABJK", {}, [("warning", "purchase[0].purchase_id", "form")]),
    ],
)
def test_the_purchases_id_beside_the_stores_setting(
    platform: str, setting: str, own: str, known: dict[str, str], findings: list[tuple[str, str, str]]
) -> None:
    expected = Expected("acme", platform, setting, "product", "", known)
    assert said(page(purchase(purchase_id=own)), expected=expected) == findings


def test_a_prefix_of_the_store_must_be_in_the_page() -> None:
    expected = Expected("acme", "generic", "id", "product", "es-")
    assert said(page(purchase()), expected=expected) == [
        ("error", "purchase[0].purchase_id", "no_prefix"),
        ("error", "purchase[0].items[0].product_id", "no_prefix"),
    ]


def test_products_and_addresses_are_compared_with_what_the_shop_says() -> None:
    known = {"product": "407", "variant": "408", "email": "ANA@acme.example"}
    assert said(page(purchase()), expected=Expected("a", "generic", "id", "product", "", known)) == []
    assert said(page(purchase()), expected=Expected("a", "generic", "id", "variant", "", known)) == [
        ("error", "product_id", "other_id")
    ]
    other = Expected(known={"email": "bob@acme.example"})
    assert said(page(purchase()), expected=other) == [("error", "client_info.primary_key", "other_address")]


# What pages do that were written in haste, or to do harm.


def test_a_field_of_a_contact_with_a_second_class_is_lost() -> None:
    contact = f'<div class="cn_client_info">{KEY}<i class="_name big">Ana</i></div>'
    assert said(page(purchase(), contact=contact)) == [("warning", "client_info._name", "lost")]


def test_two_contacts_and_two_addresses_are_warned_of() -> None:
    one = f'<div class="cn_client_info">{KEY}</div>'
    assert said(page(purchase(), contact=one + one)) == [("warning", "client_info", "duplicate")]
    two = f'<div class="cn_client_info">{KEY}<i class="primary_key">b@acme.example</i></div>'
    assert said(page(purchase(), contact=two)) == [("warning", "client_info.primary_key", "duplicate")]


def test_lines_that_are_not_read_are_counted_and_totals_are_not_judged_without_them() -> None:
    lines = [line(quantity="1", price="1")] * 1_100
    html = page(purchase(*lines, total_quantity="1100", total_price="1100"))
    assert said(html) == [("warning", "product_basket_item", "too_many")]
    assert "100 further" in report(html)["findings"][0]["what"]


def test_errors_are_kept_where_notes_are_too_many() -> None:
    lines = [line(unit_price="9", id="x")] * 600
    html = page(purchase(*lines, line(price="1,5"), total_quantity="601", total_price="9000"))
    got = report(html)
    assert ("error", "purchase[0].items[600].price", "cut") in said(html)
    assert got["findings_left_out"] > 0


def test_unclosed_tags_and_attributes_are_read_as_browsers_do() -> None:
    html = page(
        "<div class=cn_purchase><p class=purchase_id>1<p class=total_quantity>1<p class=total_price>5"
    )
    assert report(html)["sent"]["purchases"][0]["purchaseId"] == "1"
    swallowed = page(f'<div title="open>{purchase()}')
    assert ("error", "purchase", "absent") in said(swallowed)
    repeated = page(purchase().replace('class="cn_purchase"', 'class="cn_purchase" class="other"'))
    assert said(repeated) == []


def test_a_table_does_not_keep_a_tag_that_stands_wrongly_in_it() -> None:
    html = page(f"<table><tr>{purchase()}</tr></table>")
    assert said(html) == []
    assert report(html)["sent"]["purchases"][0]["lines"]


def test_entities_are_characters() -> None:
    html = page(purchase(line(name="Ni&ntilde;o &amp; Ni&#241;a", unit_price="12&#46;50")))
    (sent,) = report(html)["sent"]["purchases"]
    assert sent["lines"][0]["name"] == "Niño & Niña"
    assert said(html) == []


def test_points_that_part_thousands_throughout_are_warned_of() -> None:
    html = page(purchase(line(price="1.250", unit_price="1.250"), total_price="1.250"))
    assert said(html) == [("warning", "purchase[0].total_price", "thousands")]
