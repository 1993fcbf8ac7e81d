"""Shops whose webhooks only name what happened: nothing is lost, whatever is killed or fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any, Literal

import pytest

from tests.broker import RunningKafka
from tests.integration.notifying import GENERIC, MAGENTO, PRESTASHOP, VTEX, NotifyingShop
from tests.integration.operating import Site, running_site
from tests.local_http import http
from tests.processes import wait_until
from tests.shop_bodies import CHANGED, Sale, SoldLine

pytestmark = pytest.mark.kafka
KINDS = {
    "acme-br": VTEX,
    "acme-mg": MAGENTO,
    "acme-ps": PRESTASHOP,
    "acme-own": GENERIC,
    "acme-shut": MAGENTO,
}
SALES, REFUSED = range(16), 30
#: What is killed with the notification of a sale, and what goes wrong from one on, by the store.
KILLED, TROUBLED = {4: "sync", 10: "translate"}, 7
TROUBLES = {
    "acme-br": ("down", "html"),
    "acme-mg": ("html", "notice"),
    "acme-ps": ("down", "server_error"),
}


@pytest.fixture(scope="module")
def site(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    def stores(url: str) -> dict[str, Any]:
        return {store: kind.settings_of(store, url) for store, kind in KINDS.items()}

    with running_site(kafka, tmp_path_factory, "sync", stores) as made:
        yield made


def sale(
    number: int, *, state: Literal["sold", "unsold", "cancelled"] = "sold", units: int = 1, later: int = 0
) -> Sale:
    """An order of a person of its own, in a version that is so many minutes younger."""
    return Sale(
        str(1_000 + number),
        changed=CHANGED + timedelta(minutes=later),
        state=state,
        total=f"{10 * units}.00",
        lines=(SoldLine(product=str(500 + number), variant=str(9_000 + number), quantity=units),),
        customer=str(7_000 + number),
        email=f"buyer{number}@mail.example",
    )


def test_every_notification_ends_in_what_its_shop_holds_or_in_a_dead_letter_whatever_is_killed(
    site: Site,
) -> None:
    shops = [NotifyingShop(site, store, KINDS[store]) for store in ("acme-own", *TROUBLES)]
    asked = [shop for shop in shops if shop.store in TROUBLES]
    sold = {number: sale(number, units=1 + number % 3) for number in SALES}
    cancelled = SALES[::4]
    for shop, one in product(shops, sold.values()):
        shop.holds(one)
    for (number, one), shop in product(sold.items(), shops):
        shop.notifies(one)
        something_happens(site, number, shop)
    for shop in asked:  # what the API refuses, however often it is asked
        shop.holds(sale(REFUSED), status=400, body={"message": "no"})
        shop.notifies(sale(REFUSED))
    for shop, number in product(shops, cancelled):
        shop.sells(sale(number, state="cancelled", later=5))
        shop.notifies(sale(number, state="unsold", later=1))  # an old one, that comes after the news
    truth = {
        one.id: (float(one.total), one.email, 1) for number, one in sold.items() if number not in cancelled
    }
    wait_until(lambda: all(held(shop) == truth for shop in shops), 90, every=0.5)
    wait_until(lambda: not any(shop.waiting() for shop in asked), 20, every=0.5)
    wait_until(lambda: site.totals().is_at_rest, 20, every=0.5)
    totals = site.totals()
    assert list(totals.unbalanced(repeats=True)) == []
    assert all(totals.events[shop.store, "order"].total() >= shop.sent for shop in shops)
    dead = [(one["store"], one["reason"]) for one in site.dead()]
    assert sorted(dead) == [(store, "fetch_refused") for store in TROUBLES]


def something_happens(site: Site, number: int, shop: NotifyingShop) -> None:
    """A stage is killed, or an API does not answer, while a shop's notifications come."""
    if number in KILLED and shop.store == "acme-own":
        site.kill(KILLED[number])
    if number == TROUBLED:
        for trouble in TROUBLES.get(shop.store, ()):
            shop.fault(kind=trouble, count=2)


def held(shop: NotifyingShop) -> dict[str, tuple[float, str | None, int]]:
    """What Connectif holds of a shop: total, address, and how often it was made, by id."""
    return {
        key: (item["body"]["totalPrice"], item["body"]["contactEmail"], item["creates"])
        for key, item in shop.purchases().items()
    }


def test_a_store_whose_api_is_away_is_no_json_or_refuses_the_credentials_delays_no_other(site: Site) -> None:
    shops = {store: NotifyingShop(site, store, kind) for store, kind in KINDS.items()}
    ill = {"acme-br": "broken_answer", "acme-ps": "not_json", "acme-shut": "unauthorised"}
    shops["acme-br"].fault(kind="down")
    shops["acme-ps"].fault(kind="html")
    shops["acme-shut"].opens(scheme="bearer", token="another one")
    late, soon = range(40, 45), range(50, 53)
    for store in ill:
        for number in late:
            shops[store].sells(sale(number))
    for store, reason in ill.items():
        said = f"store {store}: its API cannot be asked now ({reason})"
        wait_until(lambda said=said: said in site.log("sync"), 20, every=0.2)  # type: ignore[misc]
    well = [shops["acme-mg"], shops["acme-own"]]
    for shop in well:
        for number in soon:
            shop.sells(sale(number))
    wanted = {str(1_000 + number) for number in soon}
    wait_until(lambda: all(wanted <= shop.purchases().keys() for shop in well), 15, every=0.2)
    text = http.get(f"{site.urls['sync']}/metrics").text
    for store, reason in ill.items():
        assert f'pipeline_sync_stopped{{reason="{reason}",store="{store}"}} 1.0' in text
        assert f'pipeline_sync_waiting{{store="{store}"}} {len(late)}.0' in text
    assert "the integration's" not in site.log("sync")
    shops["acme-br"].well()
    shops["acme-ps"].well()
    shops["acme-shut"].opens(**MAGENTO.access or {})
    for number in late:
        shops["acme-shut"].holds(sale(number))
    site.kill("sync")  # a restart, as an operator's after correcting the settings, asks at once
    wanted = {str(1_000 + number) for number in late}
    wait_until(lambda: all(wanted <= shops[store].purchases().keys() for store in ill), 60, every=0.5)
