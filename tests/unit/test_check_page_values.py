"""Numbers, dates and addresses as the client reads them, and how they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.check.page import values


@pytest.mark.parametrize(
    ("text", "number", "how"),
    [
        ("60.25", 60.25, "plain"),
        ("60.25 €", 60.25, "decorated"),
        ("60.25€", 60.25, "decorated"),
        ("60,25", 60.0, "cut"),
        ("1.234,56", 1.234, "cut"),
        ("1,234.56", 1.0, "cut"),
        ("1 234.56", 1.0, "cut"),
        ("1'234.56", 1.0, "cut"),
        ("1\u202f234.56", 1.0, "cut"),
        ("1.234.567", 1.234, "cut"),
        ("€ 60", None, "unreadable"),
        ("", None, "unreadable"),
        ("free", None, "unreadable"),
        (".5", 0.5, "plain"),
        ("5.", 5.0, "plain"),
        ("+5", 5.0, "plain"),
        ("-5", -5.0, "plain"),
        ("\u2212" + "5", None, "unreadable"),
        ("1e3", 1000.0, "plain"),
        ("9" * 400, None, "unreadable"),
        ("Infinity", None, "unreadable"),
        ("\u0661\u0662", None, "unreadable"),
        ("\ufeff\u00a07.5 ", 7.5, "plain"),
        ("60.25 (VAT 21%)", 60.25, "decorated"),
    ],
)
def test_an_amount_is_read_as_by_parse_float(text: str, number: float | None, how: str) -> None:
    assert values.parse_float(text) == number
    assert values.decimal_written(text).how == how


@pytest.mark.parametrize(
    ("text", "number", "how"),
    [
        ("3", 3, "plain"),
        ("3.0", 3, "decorated"),
        ("1.000", 1, "decorated"),
        ("1.500", 1, "cut"),
        ("1,5", 1, "cut"),
        ("3 units", 3, "decorated"),
        ("", None, "unreadable"),
        ("x3", None, "unreadable"),
        ("9" * 5_000, None, "unreadable"),
    ],
)
def test_a_count_is_read_as_by_parse_int(text: str, number: float | None, how: str) -> None:
    assert values.parse_int(text) == number
    assert values.integer_written(text).how == how


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for read in (values.parse_float, values.parse_int, values.date_faults, values.url_faults):
        read(text)
    values.authorised(text, (text, "https://*.acme.example"))


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("2026-11-22T14:05:12+01:00", ()),
        ("2026-11-22T14:05:12+0100", ()),
        ("2026-11-22T13:05:12Z", ()),
        ("2026-11-22T13:05Z", ()),
        ("2026-11-22T13:05:12.123Z", ()),
        ("2026-11-22T24:00:00Z", ()),
        ("2026-11-22T14:05:12", ("no_zone",)),
        ("2026-11-22 14:05:12Z", ("blank",)),
        ("2026-11-22 14:05:12", ("blank", "no_zone")),
        ("2026-11-22", ("no_time",)),
        ("2026-11-22 14:05:12 +0100", ("not_iso",)),
        ("20261122T140512Z", ("basic",)),
        ("20261322T140512Z", ("not_iso",)),
        ("22/11/2026 14:05", ("not_iso",)),
        ("2026-13-22T14:05:12Z", ("not_iso",)),
        ("2026-02-30T14:05:12Z", ("not_iso",)),
        ("2026-11-22T25:05:12Z", ("not_iso",)),
        ("2026-11-22T14:05:12+99:00", ("not_iso",)),
        ("0000-00-00 00:00:00", ("not_iso",)),
        ("Sun, 22 Nov 2026 14:05:12 GMT", ("not_iso",)),
        ("1764162312", ("not_iso",)),
        ("22.11.2026", ("not_iso",)),
    ],
)
def test_a_date_must_be_iso_8601(text: str, faults: tuple[str, ...]) -> None:
    assert values.date_faults(text) == faults


@pytest.mark.parametrize(
    ("url", "domain", "allowed"),
    [
        ("https://acme.example/a", "https://acme.example", True),
        ("https://acme.example/a", "https://acme.example/", True),
        ("https://acme.example:443/a", "https://acme.example", True),
        ("https://ACME.example/a", "https://acme.example", True),
        ("http://acme.example/a", "https://acme.example", False),
        ("https://acme.example.evil.example/a", "https://acme.example", False),
        ("https://acme.example@evil.example/a", "https://acme.example", False),
        ("https://www.acme.example/a", "https://acme.example", False),
        ("https://www.acme.example/a", "https://*.acme.example", True),
        ("https://evilacme.example/a", "https://*.acme.example", False),
        ("https://shop1.acme.example/a", "https://shop*.acme.example", True),
        ("https://acme.example:8443/a", "https://acme.example", False),
        ("https://acme.example/a", "acme.example", True),
    ],
)
def test_an_address_is_on_an_authorised_domain_or_not(url: str, domain: str, *, allowed: bool) -> None:
    assert values.authorised(url, (domain,)) is allowed


@pytest.mark.parametrize(
    ("url", "faults"),
    [
        ("https://acme.example/niño", ()),
        ("/camisa", ("relative",)),
        ("//acme.example/a", ("relative",)),
        ("acme.example/a", ("relative",)),
        ("javascript:alert(1)", ("scheme",)),
        ("http://[", ("broken",)),
        ("https:///a", ("broken",)),
        ("https://acme.example/ni%C3%B1o", ("encoded",)),
        ("https://acme.example/100%", ()),
        ("https://other.example/", ("unauthorised",)),
    ],
)
def test_a_products_address_is_whole_unencoded_and_authorised(url: str, faults: tuple[str, ...]) -> None:
    assert values.url_faults(url, ("https://acme.example",)) == faults
