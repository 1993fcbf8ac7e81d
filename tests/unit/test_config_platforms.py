"""The settings of stores by their platform: which there are, which are another's, and which are secrets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pipeline import config, config_tree
from pipeline.config_values import Secret
from pipeline.errors import SettingsError
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.settings import StoreSettings
from pipeline.shops.shopify.settings import ShopifySettings
from tests.platforms import IN_TESTS
from tests.settings_trees import ACCOUNT

STORE: dict[str, Any] = {"account": "es", "domain": "acme.example", "secrets": ["s"]}


def settings_of(**store: Any) -> StoreSettings:
    """The settings of a store that is otherwise plain."""
    return config.parse({"accounts": {"es": ACCOUNT}, "stores": {"acme": STORE | store}}, {}).stores["acme"]


def plain(value: object) -> object:
    """As it stands in a settings file."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def refusal(**store: Any) -> list[str]:
    """What is said of them: one line each."""
    with pytest.raises(SettingsError) as caught:
        settings_of(**store)
    return [line.strip() for line in str(caught.value).splitlines() if line.startswith("  stores.")]


@pytest.mark.parametrize(("name", "platform"), PLATFORMS.items(), ids=PLATFORMS)
def test_a_store_has_the_settings_of_its_platform(name: str, platform: Any) -> None:
    required = {key: plain(value) for key, value in IN_TESTS[name].settings.items()}
    assert type(settings_of(platform=name, **required)) is platform.settings


@pytest.mark.parametrize("name", ["opencart", "Shopify", "", 3, True, ["shopify"], {"shopify": 1}, "x" * 999])
def test_an_unknown_platform_is_refused_with_the_list_of_those_known(name: Any) -> None:
    [line] = refusal(platform=name)
    assert line == f"stores.acme.platform: {str(name)[:60]} is none of {', '.join(PLATFORMS)}"


def test_a_store_without_a_platform_is_told_which_there_are() -> None:
    assert refusal() == [f"stores.acme.platform: must be set, to one of {', '.join(PLATFORMS)}"]


@pytest.mark.parametrize("store", [3, "shopify", [], None])
def test_a_store_that_is_no_table_is_called_that(store: Any) -> None:
    with pytest.raises(SettingsError, match=r"stores\.acme: must be a table"):
        config.parse({"accounts": {"es": ACCOUNT}, "stores": {"acme": store}}, {})


def test_a_setting_of_another_platform_is_refused_as_that() -> None:
    said = "`{0}` is a setting of {1}; store acme is woocommerce"
    assert refusal(platform="woocommerce", consent_from_orders=True, accept_test_orders=3, speed=1) == [
        "stores.acme.consent_from_orders: " + said.format("consent_from_orders", "shopify"),
        "stores.acme.accept_test_orders: " + said.format("accept_test_orders", "shopify and generic"),
        "stores.acme.speed: there is no such setting",
    ]


def test_a_wrong_value_is_named_by_its_place_in_the_file() -> None:
    lines = refusal(platform="shopify", tax="maybe", consent_from_orders="often", secrets=[""])
    assert [line.partition(": ")[0] for line in lines] == [
        "stores.acme.secrets.0",
        "stores.acme.tax",
        "stores.acme.consent_from_orders",
    ]


def test_a_store_may_be_called_like_a_platform() -> None:
    tree = {"accounts": {"es": ACCOUNT}, "stores": {"shopify": {**STORE, "platform": "shopify", "tax": "x"}}}
    with pytest.raises(SettingsError, match=r"stores\.shopify\.tax: "):
        config.parse(tree, {})


def test_settings_that_were_read_can_be_read_again() -> None:
    read = config.parse(
        {"accounts": {"es": ACCOUNT}, "stores": {"acme": STORE | {"platform": "shopify"}}}, {}
    )
    again = config.Settings.model_validate({"accounts": read.accounts, "stores": read.stores})
    assert again == read
    assert isinstance(again.stores["acme"], ShopifySettings)


class KeyedSettings(StoreSettings):
    """Stores with secrets of their own: one, none or several."""

    api_key: Secret
    old_key: Secret | None = None
    tokens: tuple[Secret, ...] = ()
    region: str = ""


KEYED: AnyPlatform = replace(PLATFORMS["woocommerce"], name="keyed", settings=KeyedSettings)


def test_a_platform_says_which_of_its_settings_are_secrets() -> None:
    assert KEYED.secret_settings == {"callback_tokens", "secrets", "api_key", "old_key", "tokens"}
    assert KEYED.own_settings == {"api_key", "old_key", "tokens", "region"}


@pytest.mark.parametrize(
    ("store", "field"), [({"api_key": "k"}, "api_key"), ({"tokens": [{"env": "A"}, "t"]}, "tokens")]
)
def test_a_platforms_own_secrets_may_not_stand_in_the_file(store: dict[str, Any], field: str) -> None:
    account = {"base_url": "https://api.connectif.cloud"}
    tree = {"accounts": {"es": account}, "stores": {"acme": {"platform": "keyed", "account": "es", **store}}}
    plain = config_tree.plain_secrets(tree, {"keyed": KEYED.secret_settings})
    assert plain == [("stores.acme", field)]
    with pytest.raises(SettingsError, match="a secret stands in the settings file"):
        config_tree.refuse_plain_secrets(tree, plain)


def test_of_an_unknown_platform_whatever_may_be_a_secret_is_one() -> None:
    tree = {"stores": {"acme": {"platform": "keyd", "api_key": "k", "region": "eu"}}}
    assert config_tree.plain_secrets(tree, {"keyed": KEYED.secret_settings}) == [("stores.acme", "api_key")]


def test_the_files_of_a_platforms_own_secrets_are_relative_to_the_settings(tmp_path: Path) -> None:
    store: dict[str, Any] = {"api_key": {"file": "key"}, "tokens": [{"file": "/abs"}, {"env": "A"}], "x": "y"}
    config_tree.anchor({"stores": {"acme": store}}, tmp_path)
    assert store["api_key"] == {"file": str(tmp_path / "key")}
    assert store["tokens"] == [{"file": "/abs"}, {"env": "A"}]
