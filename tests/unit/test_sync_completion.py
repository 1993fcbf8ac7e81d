"""The rows of a page are completed in rounds, as a notification of the same entity would be looked up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from pipeline.events import Kind
from pipeline.shops.api import ApiRequest, documents_in
from pipeline.shops.prestashop import PRESTASHOP
from pipeline.shops.prestashop.pull import PULL
from pipeline.shops.pull import PulledRow, PullPage, PullPass
from pipeline.shops.vtex import VTEX
from pipeline.sync.answers import Answer, Failed, Found, Missing, Refused
from pipeline.sync.lanes import ShopLane
from pipeline.sync.pull.completion import Completed, Completion
from pipeline.sync.requests import ShopRequests
from tests.platforms import settings_of
from tests.pulling import exchanges, scope

JSON = "output_format=JSON"
DOCUMENTS: Mapping[str, Any] = {
    f"/api/customers/12?{JSON}": {"customer": {"id": 12, "email": "ana@mail.example", "passwd": "hash"}},
    f"/api/currencies/1?{JSON}": {"currency": {"id": 1, "iso_code": "EUR"}},
    f"/api/addresses/5?{JSON}": {"address": {"id": 5, "id_country": "6"}},
    f"/api/countries/6?{JSON}": {"country": {"id": 6, "iso_code": "ES"}},
}


class Shop:
    """Answers with documents, 404 to all else; each path fails as often as is said."""

    parallel = 3

    def __init__(self, documents: Mapping[str, Any], failures: int = 0) -> None:
        self.documents = documents
        self.failures: dict[str, int] = {}
        self.fails = failures
        self.refused: dict[str, int] = {}
        self.asked: list[str] = []
        self.under_way = self.most = 0

    async def send(self, request: ApiRequest, lane: ShopLane) -> Answer:  # noqa: ARG002
        self.asked.append(request.path)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        self.failures[request.path] = self.failures.get(request.path, 0) + 1
        if self.failures[request.path] <= self.fails:
            return Failed("server_error")
        if request.path in self.refused:
            return Refused(self.refused[request.path])
        found = self.documents.get(request.path)
        return Missing(404) if found is None else Found(json.dumps(found).encode(), found)


def complete(
    shop: Shop, page: PullPage, reads: PullPass = PullPass.CHANGED, platform: Any = PRESTASHOP
) -> Completed | None:
    store = platform.store("acme", settings_of(platform.name, timezone="Europe/Madrid"))
    completion = Completion(store, platform.pull, platform.api.withheld, cast("ShopRequests", shop))
    return asyncio.run(completion.complete(page, reads, ShopLane.DAILY, lambda: False))


def orders() -> PullPage:
    settings: Any = settings_of("prestashop", timezone="Europe/Madrid")
    what = scope(Kind.ORDER, PullPass.FULL)
    page = PULL.read(settings, what, PULL.first(settings, what), exchanges("prestashop", "orders-page")[0][1])
    return page._replace(rows=page.rows[:1])


def test_an_order_gets_all_that_it_needs_behind_its_own_document() -> None:
    found = complete(Shop(DOCUMENTS), orders())
    assert found is not None
    [row] = found.rows
    documents = documents_in(row.body)
    assert list(documents) == [
        f"/api/orders/51?{JSON}",
        f"/api/customers/12?{JSON}",
        f"/api/currencies/1?{JSON}",
        f"/api/addresses/5?{JSON}",
        f"/api/order_slip?filter[id_order]=[51]&display=full&{JSON}",
        f"/api/countries/6?{JSON}",
    ]
    assert found.requests == 5
    assert b"hash" not in row.body


def test_a_request_that_fails_is_made_again_and_one_that_keeps_failing_ends_it() -> None:
    assert complete(Shop(DOCUMENTS, failures=2), orders()) == complete(Shop(DOCUMENTS), orders())
    assert complete(Shop(DOCUMENTS, failures=3), orders()) is None


def test_what_a_list_only_names_is_asked_for_and_what_that_needs_too() -> None:
    order = "/api/oms/pvt/orders/1-01"
    alias = {"clientProfileData": {"email": f"{'a' * 32}@ct.vtex.com.br", "userProfileId": None}}
    row = PulledRow("1-01", "fetched/order", b"", None)
    shop = Shop({order: alias, f"{order}/conversation-message": []})
    found = complete(shop, PullPage([row], None, [(0, (order,))]), platform=VTEX)
    assert found is not None
    assert list(documents_in(found.rows[0].body)) == shop.asked == [order, f"{order}/conversation-message"]


def test_rows_of_ids_and_consents_need_nothing() -> None:
    for reads in (PullPass.PRESENT, PullPass.CONSENT):
        shop = Shop({})
        assert complete(shop, orders(), reads) == Completed(list(orders().rows))
        assert shop.asked == []


def test_as_many_rows_are_completed_at_once_as_the_shop_stands_and_keep_their_order() -> None:
    paths = [f"/api/oms/pvt/orders/{number}-01" for number in range(20)]
    rows = [PulledRow(f"{number}-01", "fetched/order", b"", None) for number in range(20)]
    shop = Shop({path: {"orderId": path} for path in paths})
    lookups = [(number, (path,)) for number, path in enumerate(paths)]
    found = complete(shop, PullPage(rows, None, lookups), platform=VTEX)
    assert found is not None
    assert [row.entity for row in found.rows] == [row.entity for row in rows]
    assert shop.most == shop.parallel


def test_a_row_that_keeps_failing_ends_the_others_of_its_page() -> None:
    rows = [PulledRow(f"{number}-01", "fetched/order", b"", None) for number in range(20)]
    lookups = [(number, (f"/api/oms/pvt/orders/{number}-01",)) for number in range(20)]
    shop = Shop({}, failures=3)
    assert complete(shop, PullPage(rows, None, lookups), platform=VTEX) is None
    assert len(shop.asked) <= 3 * shop.parallel


@pytest.mark.parametrize(("status", "left"), [(400, True), (410, True), (422, True), (403, False)])
def test_a_row_that_the_shop_refuses_is_left_out_unless_a_right_is_missing(status: int, left: bool) -> None:
    rows = [PulledRow(f"{number}-01", "fetched/order", b"", None) for number in range(20)]
    paths = [f"/api/oms/pvt/orders/{number}-01" for number in range(20)]
    shop = Shop({path: {"orderId": path} for path in paths})
    shop.refused[paths[7]] = status
    page = PullPage(rows, None, [(number, (path,)) for number, path in enumerate(paths)])
    found = complete(shop, page, platform=VTEX)
    if left:
        assert found is not None
        assert [row.entity for row in found.rows] == [row.entity for row in rows if row.entity != "7-01"]
        assert found.dropped == 1
        shop.refused = dict.fromkeys(paths, status)
        assert complete(shop, page, platform=VTEX) is None
    else:
        assert found is None
