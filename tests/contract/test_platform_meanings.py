"""What every platform's shops say means the same: requests, versions, money and dates."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest

from pipeline.events import Kind
from pipeline.records import Op, RecordKind
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.registry import PLATFORMS
from tests.contract.platform_events import (
    ARRIVED_MS,
    EACH,
    bodies_of,
    contact_of,
    event_of,
    meaning,
    only,
    purchase_of,
    raw,
    refusal,
)
from tests.platforms import IN_TESTS, verifies
from tests.shop_bodies import CHANGED, Article, Person, Sale, Sent, SoldLine

#: The two moments at which Madrid's clocks show half past two on the day they are set back.
FIRST = datetime(2023, 10, 29, 0, 30, tzinfo=UTC)
SECOND = datetime(2023, 10, 29, 1, 30, tzinfo=UTC)
NAMES = ["Ñandú", "Ænima ß", "Ελληνικά", "Кружка", "مرحبا", "漢字かな", "Tom & Jerry", "😀 mug"]


def ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000


def entities(platform: AnyPlatform) -> list[tuple[Kind, Sent, str]]:
    """One event of each kind, and whose it is."""
    bodies = bodies_of(platform)
    return [
        (Kind.ORDER, bodies.order(Sale()), "1001"),
        (Kind.CUSTOMER, bodies.customer(Person()), "12"),
        (Kind.PRODUCT, bodies.product(Article()), "77"),
    ]


# Verify and arrival


@EACH
def test_a_body_that_was_changed_on_its_way_is_not_genuine(platform: AnyPlatform) -> None:
    shop = IN_TESTS[platform.name]
    sent = shop.bodies.order(Sale())
    body = shop.with_topic(sent.topic, raw(sent))
    headers = shop.signed(sent.topic, body, b"key", {})
    assert verifies(platform, [b"key"], headers, body)
    for changed in (body + b" ", body[:-1], body.replace(b"1001", b"1002", 1), b"", b"{}"):
        assert verifies(platform, [b"key"], headers, changed) is not shop.signs_body


@EACH
def test_an_event_is_kept_under_its_entity_however_the_body_is_written(platform: AnyPlatform) -> None:
    for kind, sent, entity in entities(platform):
        backwards = dict(reversed(sent.body.items()))
        spaced = orjson.dumps(sent.body, option=orjson.OPT_INDENT_2)
        for body in (raw(sent), spaced, orjson.dumps(backwards)):
            event = event_of(platform, sent, body=body)
            assert (event.kind, event.entity, event.topic) == (kind, entity, sent.topic)


@EACH
def test_a_deletion_is_kept_under_the_entity_that_is_gone(platform: AnyPlatform) -> None:
    for kind, sent, entity in entities(platform):
        gone = bodies_of(platform).deleted(kind, entity)
        if gone is not None:
            assert event_of(platform, gone).key == event_of(platform, sent).key
            assert platform.topics.is_deletion(gone.topic)


# The clock of versions


@EACH
def test_the_version_is_the_moment_of_the_last_change_by_the_shops_clock(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    for later in (timedelta(0), timedelta(seconds=1), timedelta(days=-40)):
        changed = CHANGED + later
        for kind, sent in (
            (Kind.ORDER, bodies.order(Sale(changed=changed))),
            (Kind.CUSTOMER, bodies.customer(Person(changed=changed))),
            (Kind.PRODUCT, bodies.product(Article(changed=changed))),
        ):
            expected = ARRIVED_MS if kind in bodies.without_clock else ms(changed)
            assert meaning(platform, sent).version == expected, kind


# Money


@EACH
@pytest.mark.parametrize(
    ("currency", "unit", "total"),
    [("EUR", "9.99", "19.98"), ("EUR", "10.00", "24.95"), ("JPY", "1000", "2000"), ("EUR", "0.00", "0.00")],
)
def test_money_is_what_the_shop_says(platform: AnyPlatform, currency: str, unit: str, total: str) -> None:
    sale = Sale(currency=currency, total=total, lines=(SoldLine(unit=unit),))
    purchase = purchase_of(meaning(platform, bodies_of(platform).order(sale), currency=currency))
    assert purchase.total_price == Decimal(total)
    assert (purchase.total_quantity, len(purchase.lines)) == (2, 1)
    [line] = purchase.lines
    assert (line.quantity, line.unit_price, line.price) == (2, Decimal(unit), 2 * Decimal(unit))
    assert all(amount.as_tuple().exponent <= 0 for amount in (purchase.total_price, line.price))  # type: ignore[operator]


@EACH
@pytest.mark.parametrize("setting", ["replace", "keep"])
def test_part_of_a_sale_that_came_back_is_taken_off_or_left_as_the_setting_says(
    platform: AnyPlatform, setting: str
) -> None:
    sent = bodies_of(platform).given_back(Sale(total="24.95"), 1)
    purchase = purchase_of(meaning(platform, sent, on_partial_refund=setting))
    kept = setting == "keep"
    assert purchase.total_price == Decimal("24.95" if kept else "14.95")
    assert purchase.total_quantity == (2 if kept or not bodies_of(platform).names_units else 1)


@EACH
@pytest.mark.parametrize("setting", ["replace", "keep"])
def test_with_all_units_back_no_purchase_stays_though_postage_was_kept(
    platform: AnyPlatform, setting: str
) -> None:
    if not bodies_of(platform).names_units:
        pytest.skip("its refunds name no units")
    sent = bodies_of(platform).given_back(Sale(total="24.95"), 2)
    translation = meaning(platform, sent, on_partial_refund=setting)
    assert only(translation, RecordKind.PURCHASE).op is Op.RETRACT
    assert translation.ignored == "all_lines_refunded"


@EACH
@pytest.mark.parametrize("setting", ["replace", "keep"])
def test_with_all_money_back_no_purchase_stays_whatever_the_state_is_called(
    platform: AnyPlatform, setting: str
) -> None:
    sent = bodies_of(platform).given_back(Sale(total="20.00"), 2)
    assert only(meaning(platform, sent, on_partial_refund=setting), RecordKind.PURCHASE).op is Op.RETRACT


@EACH
def test_lines_of_one_product_are_one_line(platform: AnyPlatform) -> None:
    sale = Sale(total="50.00", lines=(SoldLine(), SoldLine(quantity=3), SoldLine("78", "780", "POT", "Pot")))
    purchase = purchase_of(meaning(platform, bodies_of(platform).order(sale)))
    assert [(line.product_id, line.quantity) for line in purchase.lines] == [("77", 5), ("78", 2)]
    assert purchase.total_price == Decimal("50.00")


@EACH
def test_an_order_in_another_currency_than_the_accounts_is_refused(platform: AnyPlatform) -> None:
    sent = bodies_of(platform).order(Sale(currency="USD"))
    assert refusal(platform, sent, currency="EUR").reason == "currency_mismatch"
    assert purchase_of(meaning(platform, sent, currency="USD")) == purchase_of(meaning(platform, sent))


@EACH
def test_an_order_without_a_currency_passes_only_where_the_account_has_none(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    if not bodies.without_currency:
        pytest.skip("its orders always say it")
    sent = bodies.order(Sale(currency=None))
    assert refusal(platform, sent, currency="EUR").reason == "missing_field"
    assert "currency_missing" in only(meaning(platform, sent), RecordKind.PURCHASE).notes


@EACH
@pytest.mark.parametrize("total", ["twenty", "NaN", "Infinity", "1e400", -5, True, [20], {"amount": "20"}])
def test_a_total_that_is_no_money_is_refused_by_name(platform: AnyPlatform, total: Any) -> None:
    bodies = bodies_of(platform)
    sent = bodies.order(Sale())
    *path, last = bodies.total_at
    node: Any = sent.document
    for key in path:
        node = node[key]
    assert last in node
    node[last] = total
    refused = refusal(platform, sent)
    assert refused.reason == "invalid_money"
    assert last in refused.field


# Dates


@EACH
def test_a_purchase_has_the_moment_it_was_placed_in_utc(platform: AnyPlatform) -> None:
    sale = Sale(placed=datetime(2023, 7, 1, 23, 59, 58, tzinfo=UTC))
    translation = meaning(platform, bodies_of(platform).order(sale))
    assert purchase_of(translation).purchase_date == "2023-07-01T23:59:58Z"
    assert only(translation, RecordKind.CONTACT).said_ms == ms(sale.placed)


@EACH
def test_the_hour_that_exists_twice_is_told_apart_or_is_the_earlier_one(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    found = [
        only(meaning(platform, bodies.order(Sale(placed=placed))), RecordKind.PURCHASE)
        for placed in (FIRST, SECOND)
    ]
    dates = [draft.body.purchase_date for draft in found]  # type: ignore[union-attr]
    if bodies.only_local:
        assert dates == ["2023-10-29T00:30:00Z"] * 2
        assert all("local_hour_unclear" in draft.notes for draft in found)
    else:
        assert dates == ["2023-10-29T00:30:00Z", "2023-10-29T01:30:00Z"]


@EACH
@pytest.mark.parametrize(
    ("local", "utc", "is_clear"),
    [
        ("2023-10-29T02:30:00", "2023-10-29T00:30:00Z", False),  # twice
        ("2024-03-31T02:30:00", "2024-03-31T00:30:00Z", False),  # never
        ("2023-10-29T03:00:00", "2023-10-29T02:00:00Z", True),
        ("2024-03-31T03:00:00", "2024-03-31T01:00:00Z", True),
        ("2024-07-01T00:30:00", "2024-06-30T22:30:00Z", True),
    ],
)
def test_a_local_time_is_read_with_the_stores_zone(
    platform: AnyPlatform, local: str, utc: str, is_clear: bool
) -> None:
    write = bodies_of(platform).local
    if write is None:
        pytest.skip("it writes no local times, or refuses them")
    draft = only(meaning(platform, write(Sale(), local)), RecordKind.PURCHASE)
    assert purchase_of(meaning(platform, write(Sale(), local))).purchase_date == utc
    assert ("local_hour_unclear" not in draft.notes) is is_clear


def test_every_field_of_what_a_platform_must_say_is_explained() -> None:
    bodies = type(next(iter(IN_TESTS.values())).bodies)
    explained = bodies.__doc__ or ""
    assert all(f"        {field.name}: " in explained for field in dataclasses.fields(bodies))


@pytest.mark.parametrize("name", ["generic", "magento", "prestashop", "vtex"])
@pytest.mark.parametrize(("written", "told"), [("1990-02-28", "1990-02-28"), ("0000-00-00", None)])
def test_a_day_of_birth_is_told_where_customers_have_one(name: str, written: str, told: str | None) -> None:
    platform = PLATFORMS[name]
    translation = meaning(platform, bodies_of(platform).customer(Person(birthday=written)))
    assert contact_of(translation).birthdate == told
    assert only(translation, RecordKind.CONTACT).notes == ()
