"""Whole pages: what Connectif's client sends of each, and what must be reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.check.page import report as reports
from pipeline.check.page.inspect import Asked, inspect
from pipeline.check.page.kinds import Kind
from tests.unit.pages import found, report

PAGES = Path(__file__).parents[1] / "data" / "pages"
EXPECTED: dict[str, Any] = json.loads((PAGES / "expected.json").read_text(encoding="utf-8"))


def of(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    expected = EXPECTED["pages"][name]
    domains = tuple(EXPECTED["settings"]["authorised_domains"])
    return report((PAGES / name).read_bytes(), kind=Kind(expected["kind"]), domains=domains), expected


def places(findings: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(one["severity"], one["about"]) for one in findings if one["severity"] != "note"}


@pytest.mark.parametrize("name", EXPECTED["pages"])
def test_what_must_be_reported_of_a_page_is_and_nothing_else(name: str) -> None:
    got, expected = of(name)
    may = places(expected.get("may", []))
    assert places(got["findings"]) - may == places(expected["findings"]) - may


@pytest.mark.parametrize("name", EXPECTED["pages"])
def test_what_the_client_sends_of_a_page_is_said(name: str) -> None:
    got, expected = of(name)
    wanted = expected["sent"]
    if wanted is None:
        assert got["sent"] is None
        return
    for ours, theirs in (("purchases", "purchases"), ("visited", "visited")):
        for one, other in zip(got["sent"][ours], wanted.get(theirs, []), strict=True):
            _same(one, other)
    if "cart" in wanted:
        _same(got["sent"]["cart"], wanted["cart"])
    if "primaryKey" in wanted:
        assert got["sent"]["primaryKey"] == wanted["primaryKey"]


def _same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for name, value in theirs.items():
        if name == "lines":
            lines = [
                [one["productId"], one["quantity"], one["price"], one["unitPrice"]] for one in ours["lines"]
            ]
            assert lines == value
        else:
            assert ours[name] == value


@pytest.mark.parametrize("name", EXPECTED["pages"])
def test_the_script_of_a_page_is_recognised(name: str) -> None:
    got, expected = of(name)
    script = got["script"]
    named = None if script is None else {key: script[key] for key in ("environment", "client_id", "form")}
    assert named == expected["script"]


@pytest.mark.parametrize("name", EXPECTED["pages"])
def test_a_page_has_steps_for_a_browser_and_shows_nothing_of_persons(name: str) -> None:
    got, _ = of(name)
    assert got["steps"]
    shown = json.dumps(reports.shown({**got, "notes": []}, show_personal=False))
    assert "ana@example.com" not in shown
    assert "Ruiz" not in shown
    revealed = json.dumps(reports.shown({**got, "notes": []}, show_personal=True))
    assert "Ruiz" in revealed


def test_a_page_without_the_tag_is_clean_as_a_cart_page_and_recognised_as_a_confirmation() -> None:
    body = (PAGES / "confirmation-tag-absent.html").read_bytes()
    assert not places(report(body, kind=Kind.CART)["findings"])
    assert report(body, kind=None)["page"]["kind"] == "confirmation"


MARKUP = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *"<>/\"'= &;",
                '<div class="cn_purchase">',
                "<div class=cn_purchase product_basket_item>",
                "</div>",
                "<!--",
                "-->",
                '<i class="total_price">',
                '<i class="purchase_id">',
                '<i class="product_basket_item">',
                "<template>",
                "<script>",
                "</script>",
                "cdn.connectif.cloud/eu1/client-script/",
                "sendEvents(",
                "type:'purchase'",
                "<div class='cn_client_info'><b class='primary_key'>",
                "1.067,35",
                "2026-13-45T99:99:99Z",
                "9" * 400,
                "<svg><title>",
                "<select><option>",
                "<noscript>",
                "<table><p>",
                "&amp;amp;",
                "1e999",
                "http://[",
            ]
        ),
        st.text(max_size=5),
    ),
    max_size=40,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(body=st.one_of(st.binary(max_size=300), MARKUP.map(str.encode)), kind=st.sampled_from([None, *Kind]))
def test_any_bytes_give_a_report_that_can_be_printed(body: bytes, kind: Kind | None) -> None:
    asked = Asked(kind=kind, url="https://acme.example/", client_script=body.decode(errors="replace"))
    got = inspect(body, asked, found)
    shown = reports.shown({**got, "notes": []}, show_personal=False)
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        from pipeline.console import Console  # noqa: PLC0415 - needs the file

        reports.show(shown, Console(file=nowhere), as_json=False)
