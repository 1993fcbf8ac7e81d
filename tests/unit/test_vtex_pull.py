"""VTEX's lists, page by page: what is asked, what a page says, and where it goes on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest

from pipeline.events import Kind
from pipeline.sandbox.shops.quirks import Quirks
from pipeline.sandbox.shops.vtex_pages import VtexLists
from pipeline.shops.api import ApiRequest, documents_of
from pipeline.shops.base import Rejected
from pipeline.shops.pull import PullAnswer, PullPass, PullScope
from pipeline.shops.vtex import VTEX
from pipeline.shops.vtex.pull import PULL
from tests.platforms import settings_of
from tests.pulling import event_of, exchanges, ids, of_lists, pages, scope

SETTINGS: Any = settings_of("vtex")
DAY = 86_400_000


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000)


SINCE, UNTIL = ms("2024-05-06T12:00:00+00:00"), ms("2024-05-06T13:00:00+00:00")
CHANGED = scope(Kind.ORDER, PullPass.CHANGED, SINCE, UNTIL)


def path(request: ApiRequest | None) -> str:
    assert request is not None
    return unquote(request.path)


def of_orders(text: str) -> str:
    return f"/api/oms/pvt/orders?{text}&orderBy=creationDate,asc&per_page=100&page=1"


def test_orders_are_listed_by_id_and_each_is_looked_up() -> None:
    first = PULL.first(SETTINGS, CHANGED)
    assert path(first) == of_orders(
        "f_creationDate=creationDate:[2024-05-06T12:00:00.000Z TO 2024-05-06T13:00:00.000Z]"
    )
    page = PULL.read(SETTINGS, CHANGED, first, exchanges("vtex", "orders-list-page")[0][1])
    assert [row.entity for row in page.rows] == ["1400000000001-01", "1400000000002-01"]
    authorised = ms("2024-05-06T12:05:40+00:00")
    assert {(row.topic, row.body, row.modified_ms) for row in page.rows} == {
        ("fetched/order", b"", authorised)
    }
    assert page.lookups == [
        (0, ("/api/oms/pvt/orders/1400000000001-01",)),
        (1, ("/api/oms/pvt/orders/1400000000002-01",)),
    ]
    assert path(page.following) == of_orders(
        "f_creationDate=creationDate:[2024-05-06T12:00:01.000Z TO 2024-05-06T13:00:00.000Z]"
    )


def test_a_window_that_is_too_long_is_halved() -> None:
    month = scope(Kind.ORDER, PullPass.FULL, ms("2024-05-01T00:00:00+00:00"), ms("2024-06-01T00:00:00+00:00"))
    too_long = exchanges("vtex", "orders-list-page")[2][1]
    page = PULL.read(SETTINGS, month, PULL.first(SETTINGS, month), too_long)
    assert page.rows == []
    assert path(page.following) == of_orders(
        "f_creationDate=creationDate:[2024-05-01T00:00:00.000Z TO 2024-05-16T12:00:00.000Z]"
    )


def test_what_changed_is_read_by_the_dates_of_authorisation_and_invoice_too_and_cancellations_again() -> None:
    lists = VtexLists()
    asked = []

    def ask(request: ApiRequest) -> PullAnswer:
        asked.append(path(request))
        return of_lists(lists)(request)

    list(pages(VTEX, SETTINGS, CHANGED, ask))
    window = "[2024-05-06T12:00:00.000Z TO 2024-05-06T13:00:00.000Z]"
    years = "f_creationDate=creationDate:[2022-05-07T13:00:00.000Z TO 2024-05-06T13:00:00.000Z]"
    weeks = "f_creationDate=creationDate:[2024-04-06T13:00:00.000Z TO 2024-05-06T13:00:00.000Z]"
    assert asked == [
        of_orders(f"f_creationDate=creationDate:{window}"),
        of_orders(f"{years}&f_authorizedDate=authorizedDate:{window}"),
        of_orders(f"{years}&f_invoicedDate=invoicedDate:{window}"),
        of_orders(f"{weeks}&f_status=canceled"),
    ]


def order(number: int, made_ms: int, **more: Any) -> dict[str, Any]:
    made = datetime.fromtimestamp(made_ms / 1_000, UTC).isoformat(timespec="milliseconds")
    return {"orderId": f"{number}-01", "creationDate": made, "status": "handling", **more}


@pytest.mark.parametrize("shows_too_long", [True, False])
def test_of_a_list_of_more_than_thirty_pages_all_orders_are_read(*, shows_too_long: bool) -> None:
    lists = VtexLists()
    lists.shows_too_long = shows_too_long
    lists.orders = {str(n): order(n, SINCE + 500 * n) for n in range(3_500)}
    everything = scope(Kind.ORDER, PullPass.FULL, SINCE, SINCE + DAY)
    found = ids(VTEX, SETTINGS, everything, of_lists(lists))
    assert set(found) == {f"{n}-01" for n in range(3_500)}


def test_orders_of_one_moment_are_counted_and_more_than_vtex_lists_are_refused() -> None:
    lists = VtexLists()
    lists.orders = {str(n): order(n, SINCE) for n in range(250)}
    everything = scope(Kind.ORDER, PullPass.FULL, SINCE, SINCE + DAY)
    assert len(set(ids(VTEX, SETTINGS, everything, of_lists(lists)))) == 250
    lists.orders = {str(n): order(n, SINCE) for n in range(3_100)}
    with pytest.raises(Rejected, match="too_many_at_once"):
        ids(VTEX, SETTINGS, everything, of_lists(lists))


def test_orders_that_are_counted_and_never_listed_are_no_empty_list() -> None:
    lists = VtexLists()
    lists.quirks = Quirks(total=1_000_000)
    with pytest.raises(Rejected, match="too_many_at_once"):
        ids(VTEX, SETTINGS, CHANGED, of_lists(lists))


def test_clients_that_changed_are_searched_for_from_the_last_change_on() -> None:
    what = scope(Kind.CUSTOMER, PullPass.CHANGED, SINCE, UNTIL)
    first = PULL.first(SETTINGS, what)
    assert "_where=updatedIn between 2024-05-06T12:00:00 AND 2024-05-06T13:00:00" in path(first)
    assert first.headers == {"REST-Range": "resources=0-100"}
    page = PULL.read(SETTINGS, what, first, exchanges("vtex", "md-cl-search")[0][1])
    one, _ = page.rows
    assert one.entity == "8c1d8a8a-0000-4000-8000-000000000001"
    assert one.modified_ms == ms("2024-05-06T12:00:00+00:00")
    assert list(documents_of(event_of(VTEX, Kind.CUSTOMER, one))) == [
        "/api/dataentities/CL/documents/8c1d8a8a-0000-4000-8000-000000000001?_fields=_all"
    ]
    assert "between 2024-05-06T12:10:00 AND" in path(page.following)
    assert page.total == 3


def scroll(what: PullScope) -> list[list[str]]:
    """The ids on each page of the scroll's example."""
    found, request = [], PULL.first(SETTINGS, what)
    for asked, answer in exchanges("vtex", "md-cl-scroll"):
        assert unquote(asked).startswith(path(request).partition("_size")[0])
        page = PULL.read(SETTINGS, what, request, answer)
        found.append([row.entity[-1] for row in page.rows])
        if page.following is None:
            return found
        request = page.following
    raise AssertionError("it does not end")


def test_all_clients_are_read_by_a_scroll_that_ends_with_an_empty_page() -> None:
    assert scroll(scope(Kind.CUSTOMER, PullPass.FULL)) == [["1", "3"], ["5"], []]


def test_a_scroll_that_was_lost_begins_anew_a_few_times() -> None:
    what = scope(Kind.CUSTOMER, PullPass.FULL)
    instead = PULL.instead
    assert instead is not None
    first = PULL.first(SETTINGS, what)
    assert instead(SETTINGS, what, first, 400) is None
    request: ApiRequest | None = first
    for _ in range(4):
        assert request is not None
        page = PULL.read(SETTINGS, what, request, exchanges("vtex", "md-cl-scroll")[0][1])
        assert page.following is not None
        request = instead(SETTINGS, what, page.following, 400)
    assert request is None


def test_a_pass_over_consents_asks_for_few_fields_and_one_over_ids_for_the_id_alone() -> None:
    consent = path(PULL.first(SETTINGS, scope(Kind.CUSTOMER, PullPass.CONSENT)))
    assert "isNewsletterOptIn" in consent
    assert "firstName" not in consent
    assert path(PULL.first(SETTINGS, scope(Kind.CUSTOMER, PullPass.PRESENT))).endswith("_fields=id")


def test_products_are_read_with_their_articles() -> None:
    what = scope(Kind.PRODUCT, PullPass.FULL)
    first = PULL.first(SETTINGS, what)
    exchange = exchanges("vtex", "product-and-sku-ids")
    assert first.path == exchange[0][0]
    page = PULL.read(SETTINGS, what, first, exchange[0][1])
    assert [row.entity for row in page.rows] == ["501", "502", "503"]
    assert page.lookups[0] == (0, ("/api/catalog_system/pvt/sku/stockkeepingunitByProductId/501",))
    assert page.following is None  # its ids are above its places: places are counted, and three are all


def test_where_articles_are_told_each_is_a_row_of_its_product() -> None:
    what = scope(Kind.PRODUCT, PullPass.FULL)
    settings: Any = settings_of("vtex", product_id="variant")
    page = PULL.read(
        settings, what, PULL.first(settings, what), exchanges("vtex", "product-and-sku-ids")[0][1]
    )
    assert [row.entity for row in page.rows] == ["501", "501", "502"]
    assert page.lookups[1] == (1, ("/api/catalog_system/pvt/sku/stockkeepingunitbyid/1002",))


def test_products_whose_ids_are_counted_are_read_to_their_end() -> None:
    def ask(request: ApiRequest) -> PullAnswer:
        begin, end = (int(part.partition("=")[2]) for part in request.path.partition("?")[2].split("&"))
        data = {str(n): [n] for n in range(1, 901) if begin <= n <= end and n % 2}
        return PullAnswer({"data": data, "range": {"total": 450, "from": begin, "to": end}}, {})

    found = ids(VTEX, SETTINGS, scope(Kind.PRODUCT, PullPass.PRESENT), ask)
    assert set(found) == {str(n) for n in range(1, 901) if n % 2}


@pytest.mark.parametrize("kind", Kind)
def test_a_last_page_that_comes_again_and_a_wrong_total_end_it_all_the_same(kind: Kind) -> None:
    lists = VtexLists()
    lists.orders = {str(n): order(n, SINCE + 1_000 * n) for n in range(150)}
    lists.clients = {
        str(n): {"id": f"c{n}", "updatedIn": order(n, SINCE + 1_000 * n)["creationDate"]}
        for n in range(1_500)
    }
    lists.products = {str(n): [n] for n in range(1, 400)}
    for quirks in (Quirks(repeats_last=True), Quirks(total=0), Quirks(total=1_000, repeats_last=True)):
        lists.quirks = quirks
        for reads in PULL.passes[kind]:
            found = ids(VTEX, SETTINGS, scope(kind, reads, SINCE, SINCE + DAY), of_lists(lists))
            assert len(set(found)) == {Kind.ORDER: 150, Kind.CUSTOMER: 1_500, Kind.PRODUCT: 399}[kind], quirks
