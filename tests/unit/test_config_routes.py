"""Settings of stores that feed several accounts: what a route is, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline import config
from pipeline.errors import SettingsError
from tests.settings_trees import ACCOUNT, store_tree

ES_AND_FR = [{"language": "es", "account": "es"}, {"language": "fr", "account": "fr"}]


@pytest.fixture(name="secret")
def _secret(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("SHOP_SECRET", "s")
    return {"secrets": [{"env": "SHOP_SECRET"}]}


def test_a_store_has_an_account_or_routes(secret: dict[str, Any]) -> None:
    both = store_tree("generic", routes=ES_AND_FR) | secret
    neither = store_tree("generic") | secret
    del neither["account"]
    accounts = {"acme": ACCOUNT, "es": ACCOUNT, "fr": ACCOUNT}
    for store in (both, neither):
        with pytest.raises(SettingsError, match=r"name the `account` that it feeds, or `routes` to several"):
            config.parse({"accounts": accounts, "stores": {"a": store}}, {})


@pytest.mark.parametrize(
    ("route", "place"),
    [
        ({"account": "es", "language": "Spanish!"}, "language"),
        ({"account": "es", "currency": "€"}, "currency"),
        ({"account": "es", "shop": ""}, "shop"),
        ({"account": "es", "colour": "red"}, "colour"),
        ({"language": "es"}, "account"),
    ],
)
def test_a_route_that_cannot_be_is_refused_by_name(
    route: dict[str, Any], place: str, secret: dict[str, Any]
) -> None:
    store = store_tree("generic", routes=[route]) | secret
    del store["account"]
    with pytest.raises(SettingsError, match=rf"stores\.a\.routes\.0\.{place}"):
        config.parse({"accounts": {"es": ACCOUNT}, "stores": {"a": store}}, {})


def test_a_route_to_an_unknown_account_is_refused(secret: dict[str, Any]) -> None:
    store = store_tree("generic", routes=[{"account": "nowhere"}]) | secret
    del store["account"]
    with pytest.raises(SettingsError, match=r"stores\.a\.routes: no account 'nowhere'"):
        config.parse({"accounts": {"es": ACCOUNT}, "stores": {"a": store}}, {})
