"""Connectif's JavaScript in a page, the settings it carries, encodings and kinds of pages."""

from __future__ import annotations

import json

import pytest

from pipeline.check.page import bounded, charset, configuration
from pipeline.check.page.kinds import Kind
from tests.unit.pages import CLIENT_ID, SCRIPT, page, purchase, report, said

OTHER_ID = "11111111-0000-4000-8000-00000000c0de"
GENERIC = f'<script async id="__cn_generic_script__{CLIENT_ID}">go()</script>'
_LOADS = "load('https://cdn.connectif.cloud/am1/client-script/' + _cnid)"
MODULE = f"<script>var _cnid = '{CLIENT_ID}'; {_LOADS}</script>"


@pytest.mark.parametrize(
    ("script", "form", "environment"),
    [(SCRIPT, "direct", "eu1"), (GENERIC, "generic", None), (MODULE, "module", "am1")],
)
def test_each_form_of_the_script_is_recognised(script: str, form: str, environment: str | None) -> None:
    found = report(page(purchase(), script=script))["script"]
    assert (found["form"], found["client_id"], found["environment"]) == (form, CLIENT_ID, environment)
    assert said(page(purchase(), script=script)) == []


@pytest.mark.parametrize(
    ("script", "findings"),
    [
        ("", [("error", "script", "absent")]),
        (
            '<script src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>',
            [("error", "script", "absent")],
        ),
        (
            '<script src="https://www.googletagmanager.com/gtm.js?id=GTM-ABCD12"></script>',
            [("warning", "script", "maybe_elsewhere")],
        ),
        (
            '<script src="https://acme.vtexassets.com/a.js"></script>',
            [("warning", "script", "maybe_elsewhere")],
        ),
        (
            '<script src="https://io.vtex.com.br/front-libs/jquery.js"></script>',
            [("warning", "script", "maybe_elsewhere")],
        ),
        (
            '<script>vtex.events.addData({"pageCategory": "Product"})</script>',
            [("warning", "script", "maybe_elsewhere")],
        ),
        (f"<!-- {SCRIPT} -->", [("error", "script", "absent")]),
        (f"<noscript>{SCRIPT}</noscript>", [("error", "script", "absent")]),
        (f"<script>/* {MODULE[8:-9]} */</script>", [("error", "script", "absent")]),
        (SCRIPT.replace("async", 'type="text/plain"'), [("warning", "script", "waits")]),
        (SCRIPT.replace(" src=", " data-src="), [("warning", "script", "waits")]),
        (SCRIPT + SCRIPT, []),
        (SCRIPT + SCRIPT.replace(CLIENT_ID, OTHER_ID), [("error", "script", "two_client_ids")]),
        (SCRIPT.replace(CLIENT_ID, "0000-c0de"), [("warning", "script", "odd_client_id")]),
        (SCRIPT.replace(CLIENT_ID, ""), [("warning", "script", "no_client_id")]),
    ],
)
def test_the_script_is_there_or_not(script: str, findings: list[tuple[str, str, str]]) -> None:
    assert said(page(purchase(), script=script)) == findings


def test_another_accounts_script_is_an_error() -> None:
    assert said(page(purchase()), client_id=CLIENT_ID.upper()) == []
    assert said(page(purchase()), client_id=OTHER_ID) == [("error", "script", "wrong_client_id")]


# The settings in the client script.

URL = "https://acme.example/done?order=1"


def served(**settings: object) -> str:
    return f"(function(){{}})();window.connectifConfiguration = {json.dumps(settings)};start()"


@pytest.mark.parametrize(
    ("settings", "findings"),
    [
        ({"webTrackingEnabled": True, "autoInitialize": True, "autoSendEventsOnInit": True}, []),
        ({"webTrackingEnabled": False}, [("error", "script.webTrackingEnabled", "off")]),
        ({"autoSendEventsOnInit": False}, [("error", "script.autoSendEventsOnInit", "off")]),
        ({"autoInitialize": False}, [("error", "script.autoInitialize", "off")]),
        ({"samplingTrackingPercent": 50}, [("warning", "script.samplingTrackingPercent", "sampled")]),
        ({"excludeTracking": ["/done"]}, [("error", "script.excludeTracking", "excluded")]),
        ({"excludeTracking": ["/cart", "(", 5]}, []),
        (
            {"trackAllByDefault": False, "includeTracking": ["/cart"]},
            [("error", "script.includeTracking", "excluded")],
        ),
        ({"trackAllByDefault": False, "includeTracking": ["/done"]}, []),
        ({"allowedDomains": ["https://www.acme.example"]}, [("error", "page.url", "unauthorised")]),
        ({"allowedDomains": ["https://acme.example"]}, []),
    ],
)
def test_settings_of_the_account_decide(
    settings: dict[str, object], findings: list[tuple[str, str, str]]
) -> None:
    assert said(page(purchase()), url=URL, client_script=served(**settings)) == findings


def test_events_by_script_make_automatic_sending_needless() -> None:
    html = page("<script>connectif.managed.sendEvents([{type: 'purchase'}])</script>")
    assert said(html, url=URL, client_script=served(autoSendEventsOnInit=False)) == []


@pytest.mark.parametrize(
    "text", ["", "connectifConfiguration = {", "connectifConfiguration = " + '{"a":' * 100_000, "{}"]
)
def test_a_script_that_says_nothing_is_none(text: str) -> None:
    assert configuration.read(text) is None


def test_a_pattern_from_outside_is_tried_within_a_bound() -> None:
    assert bounded.matches("done", URL) is True
    assert bounded.matches("^cart", URL) is False
    assert bounded.matches("(", URL) is None
    assert bounded.matches("(a+)+$", "a" * 40 + "!") is None


def test_a_page_that_takes_too_long_is_ended() -> None:
    from pipeline.check.page.inspect import Asked  # noqa: PLC0415 - of this test only

    with pytest.raises(bounded.TooSlow, match="cannot be read within"):
        bounded.inspect_bounded(b"<div>" * 1_000_000, Asked(), cpu_seconds=1)


def test_a_page_is_read_the_same_in_a_process_of_its_own() -> None:
    from pipeline.check.page.inspect import Asked  # noqa: PLC0415 - of this test only

    body = page(purchase(total_price="1,5")).encode()
    got = bounded.inspect_bounded(body, Asked(kind=Kind.CONFIRMATION, domains=("https://acme.example",)))
    assert got == report(body)


# Encodings.


@pytest.mark.parametrize(
    ("body", "header", "encoding", "text"),
    [
        ("niño".encode(), "", "utf-8", "niño"),
        ("niño".encode("latin-1"), "", "windows-1252", "niño"),
        (b"5 \x80 \x81", "text/html; charset=ISO-8859-1", "windows-1252", "5 € \x81"),
        ("niño".encode(), "text/html; charset=utf-8", "utf-8", "niño"),
        (b'<meta charset="iso-8859-15">\xa4', "", "iso8859-15", "€"),
        (
            b'<meta http-equiv=content-type content="text/html; charset=windows-1251">\xd1',
            "",
            "cp1251",
            "\u0421",
        ),
        (b'<!-- <meta charset="koi8-r"> -->ni\xc3\xb1o', "", "utf-8", "niño"),
        (b'<meta charset="utf-16">ni\xc3\xb1o', "", "utf-8", "niño"),
        (b'<meta charset="koi8-r">ni\xc3\xb1o', "text/html; charset=utf-8", "utf-8", "niño"),
        (b"\xef\xbb\xbfni\xc3\xb1o", "text/html; charset=iso-8859-1", "utf-8", "niño"),
        ("\ufeffniño".encode("utf-16-le"), "", "utf-16-le", "niño"),
        (b'<meta charset="rot13">ni\xc3\xb1o', "text/html; charset=nonsense", "utf-8", "niño"),
        ("ニット".encode("shift_jis"), "text/html; charset=Shift_JIS", "cp932", "ニット"),
    ],
)
def test_bytes_are_decoded_as_browsers_do(body: bytes, header: str, encoding: str, text: str) -> None:
    got = charset.decode(body, header)
    assert got.encoding == encoding
    assert got.text.endswith(text)


def test_what_cannot_be_read_in_its_encoding_is_warned_of() -> None:
    html = page(purchase()).encode() + b"\xff\xfe"
    found = said(html, content_type="text/html; charset=utf-8")
    assert found == [("warning", "page", "encoding")]
    assert said(page(purchase()), content_type="application/json") == [("error", "page", "no_html")]


# Kinds.


@pytest.mark.parametrize(
    ("html", "url", "kind"),
    [
        ("<body class='woocommerce-order-received'>", "", "confirmation"),
        ("<body id=order-confirmation>", "", "confirmation"),
        ("<body class='checkout-onepage-success'>", "", "confirmation"),
        ("<body id=product>", "", "product"),
        ("<body class='single-product x'>", "", "product"),
        ("<body class='checkout-cart-index'>", "", "cart"),
        ("", "https://acme.example/checkout/onepage/success/", "confirmation"),
        ("", "https://acme.example/checkout/order-received/123/?key=1", "confirmation"),
        ("", "https://acme.example/index.php?controller=order-confirmation&id_cart=1", "confirmation"),
        ("", "https://acme.example/1234/checkouts/abc/thank_you", "confirmation"),
        ("", "https://acme.example/cart", "cart"),
        ("", "https://acme.example/products/hat", "product"),
        ("", "https://acme.example/cartoons", "other"),
        ("<div class=cn_purchase>", "", "confirmation"),
        ("<div class=cn_product_visited>", "", "product"),
        ("", "http://[", "other"),
    ],
)
def test_a_page_is_recognised(html: str, url: str, kind: str) -> None:
    assert report(html, kind=None, url=url)["page"]["kind"] == kind
