"""The rules of a check: lists compared, ids told, reports made, by themselves and by the recorded answers."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from pipeline.check.store import report
from pipeline.check.store.result import StoreReport, by_hand, fault, ok, skipped, warning
from pipeline.shops.registration import Registered, compare, is_connectif, shown
from pipeline.shops.registry import PLATFORMS
from tests.platforms import settings_of

ADDRESS = "https://hooks.acme.example/webhooks/woocommerce/acme"
OTHER = "https://erp.example/webhooks/woocommerce/other"


def listed(*rows: tuple[str, str, str]) -> list[Registered]:
    return [Registered(str(number), *row) for number, row in enumerate(rows)]


def test_a_list_is_compared_topic_by_topic() -> None:
    found = compare(
        ["a", "b", "c", "d"],
        listed(
            ("a", ADDRESS, ""),
            ("b", ADDRESS, "it is paused"),
            ("c", "https://old.example/webhooks/woocommerce/acme/", ""),
            ("d", OTHER, ""),
        ),
        ADDRESS,
    )
    assert (found.sound, found.missing) == (("a",), ("d",))
    assert [(one.webhook.topic, one.why) for one in found.broken] == [
        ("b", "it is paused"),
        ("c", "it posts to https://old.example/webhooks/woocommerce/acme/"),
    ]
    assert found.foreign == ()


def test_a_sound_webhook_beside_a_broken_one_is_enough() -> None:
    rows = listed(("a", ADDRESS, "it is paused"), ("a", ADDRESS, ""))
    found = compare(["a"], rows, ADDRESS)
    assert (found.sound, found.broken) == (("a",), ())


def test_where_there_is_room_for_one_another_ones_is_foreign() -> None:
    found = compare(["hook"], listed(("hook", OTHER, "")), ADDRESS, only_one=True)
    assert (found.missing, found.foreign) == (("hook",), (OTHER,))


@pytest.mark.parametrize(
    ("address", "theirs"),
    [
        ("https://eu1-api.connectif.cloud/x", True),
        ("https://connectif.ai", True),
        ("https://notconnectif.ai/x", False),
        ("https://connectif.ai.evil.example", False),
        ("https://[broken", False),
    ],
)
def test_connectifs_hosts_are_told_by_their_whole_name(address: str, theirs: bool) -> None:
    assert is_connectif(address) is theirs


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    assert shown("https://u:p@h.example:8443/a?token=t#f") == "https://h.example:8443/a"
    assert shown("https://[broken") == "an address that cannot be read"


@pytest.mark.parametrize(
    ("platform", "answer", "expected"),
    [
        (
            "shopify",
            {"data": {"orders": {"nodes": [{"legacyResourceId": "5", "number": 7, "name": "#7"}]}}},
            {"id": "5", "number": "7", "name": "#7"},
        ),
        ("woocommerce", [{"id": 5, "number": "W-7", "line_items": None}], {"id": "5", "number": "W-7"}),
        ("prestashop", {"orders": [{"id": 5, "reference": "ABC"}]}, {"id": "5", "name": "ABC"}),
        (
            "magento",
            {"items": [{"entity_id": 5, "increment_id": "000000007"}]},
            {"number": "000000007", "id": "5"},
        ),
        ("vtex", {"list": [{"orderId": "7-01", "sequence": "500"}]}, {"id": "7-01", "number": "500"}),
    ],
)
def test_recent_orders_tell_their_ids(platform: str, answer: Any, expected: dict[str, str]) -> None:
    examination = PLATFORMS[platform].examination
    assert examination is not None
    [order] = examination.orders(settings_of(platform), answer)
    assert order.purchase == expected


@pytest.mark.parametrize(
    "answer", [None, [], {}, "x", [None], {"data": {"orders": {"nodes": [3]}}}, {"items": 1}]
)
@pytest.mark.parametrize("platform", [name for name, one in PLATFORMS.items() if one.examination])
def test_an_answer_in_another_form_tells_no_orders(platform: str, answer: Any) -> None:
    examination = PLATFORMS[platform].examination
    assert examination is not None
    settings = settings_of(platform)
    assert list(examination.orders(settings, answer)) == []
    for question in examination.questions(settings):
        list(examination.remarks(settings, {question.right: answer}))


def test_scopes_that_shopify_does_not_list_are_named() -> None:
    examination, settings = PLATFORMS["shopify"].examination, settings_of("shopify")
    assert examination is not None
    granted = [{"handle": "write_orders"}, {"handle": "read_products"}]
    answer = {"data": {"currentAppInstallation": {"accessScopes": granted}}}
    first = examination.questions(settings)[0].right
    remarks = list(examination.remarks(settings, {first: answer}))
    assert [(one.said, one.is_fault) for one in remarks] == [("the app lacks scopes: read_customers", True)]


def test_a_client_secret_that_the_gateway_does_not_know_is_named() -> None:
    examination = PLATFORMS["shopify"].examination
    assert examination is not None
    app = {"client_id": "id", "client_secret": "signs", "webhooks_by": "app"}
    lacking = list(examination.remarks(settings_of("shopify", **app), {}))
    assert ["client_secret" in one.said and one.is_fault for one in lacking] == [True]
    known = settings_of("shopify", **app, secrets=("signs", "older"))
    assert list(examination.remarks(known, {})) == []


def test_a_plugin_of_connectifs_is_named() -> None:
    examination, settings = PLATFORMS["woocommerce"].examination, settings_of("woocommerce")
    assert examination is not None
    plugins = [{"plugin": "connectif/connectif.php", "name": "Connectif for WooCommerce"}, None, {"name": 3}]
    found = list(examination.remarks(settings, {"read the system status": {"active_plugins": plugins}}))
    assert ["Connectif for WooCommerce" in one.said for one in found] == [True]


def reports() -> list[StoreReport]:
    first = StoreReport("acme-es", "shopify", calls={"acme": 14})
    first.add([ok("key", "it [red]reads[/]"), warning("webhooks", "old", "look")])
    second = StoreReport("woo-fr", "woocommerce")
    second.add(
        [fault("key", "refused", "make one"), skipped("webhooks", "no key"), by_hand("browser", "look")]
    )
    return [first, second]


def printed(found: list[StoreReport], *, as_json: bool = False) -> str:
    console = Console(file=io.StringIO(), width=160)
    report.show(found, console, as_json=as_json)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_one_store_is_shown_step_by_step() -> None:
    told = printed(reports()[:1])
    assert "nothing is at fault" in told
    assert "it [red]reads[/]" in told, "what comes from outside is no markup"
    assert "14 of acme" in told


def test_several_stores_are_shown_side_by_side_with_what_asks_for_something() -> None:
    told = printed(reports())
    assert "1 fault;" in told
    assert "make one" in told
    assert "no key" not in told


def test_json_says_whether_all_is_sound(capsys: pytest.CaptureFixture[str]) -> None:
    printed(reports(), as_json=True)
    tree = json.loads(capsys.readouterr().out)
    assert tree["sound"] is False
    assert [store["faults"] for store in tree["stores"]] == [0, 1]
    assert tree["stores"][1]["steps"][2] == {
        "name": "browser",
        "outcome": "by hand",
        "said": "look",
        "todo": "",
    }
