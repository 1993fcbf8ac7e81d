"""The settings: what is refused, and whether the error names the field and the way out, never a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline import config
from pipeline.config import Settings
from pipeline.config_checks import shared_secrets
from pipeline.errors import SettingsError

KEY = "keyid:s3kr1t"
ACCOUNT: dict[str, Any] = {"api_key": KEY, "base_url": "http://127.0.0.1:9100"}
STORE: dict[str, Any] = {
    "platform": "shopify",
    "account": "es",
    "domain": "acme.example",
    "secrets": ["s3kr1t"],
}


def parse(account: dict[str, Any] | None = None, store: dict[str, Any] | None = None) -> Settings:
    """Settings of one account and store with these changes."""
    tree = {"accounts": {"es": ACCOUNT | (account or {})}, "stores": {"acme": STORE | (store or {})}}
    return config.parse(tree, {})


def complaint(tree: dict[str, Any], environ: dict[str, str] | None = None) -> str:
    """What is said of settings that cannot be used."""
    with pytest.raises(SettingsError) as caught:
        config.parse(tree, environ or {})
    said = str(caught.value)
    assert "s3kr1t" not in said
    assert "-> " in said, "the way out"
    return said


def of_account(**changes: Any) -> str:
    """What is said of an account with these changes."""
    return complaint({"accounts": {"es": ACCOUNT | changes}, "stores": {"acme": STORE}})


def of_store(**changes: Any) -> str:
    """What is said of a store with these changes."""
    return complaint({"accounts": {"es": ACCOUNT}, "stores": {"acme": STORE | changes}})


def test_an_empty_secret_is_refused_since_anybody_can_sign_with_it(tmp_path: Path) -> None:
    empty = tmp_path / "secret"
    empty.write_text(" \n")
    assert "stores.acme.secrets.0: the secret is empty" in of_store(secrets=[{"file": str(empty)}])
    assert "stores.acme.secrets.1: the secret is empty" in of_store(secrets=["s3kr1t", ""])


@pytest.mark.parametrize(
    "key", ["s3kr1t", "keyid:", ":s3kr1t", "key:s3kr1t\r\nx: y", "key: s3kr1t", "k:s3kr1té"]
)
def test_an_api_key_that_no_header_can_carry_is_refused(key: str) -> None:
    assert 'accounts.es.api_key: an API key is "id:secret"' in of_account(api_key=key)


@pytest.mark.parametrize(
    "url",
    [
        "api.connectif.cloud",
        "",
        "http://[bad",
        "ftp://a.example",
        "https://u:p@a.example",
        "http://a:99999",
        5,
    ],
)
def test_a_base_url_that_is_no_address_is_refused(url: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", KEY)
    account = ACCOUNT | {"api_key": {"env": "SECRET"}, "base_url": url}
    store = STORE | {"secrets": [{"env": "SECRET"}]}
    assert "accounts.es.base_url: " in complaint({"accounts": {"es": account}, "stores": {"acme": store}})


@pytest.mark.parametrize(
    "servers",
    [
        "localhost",
        "",
        "k1:9092,k2",
        "k1:9092,",
        ":9092",
        "k1:0",
        "k1:65536",
        "k1:x",
        "kafka://k1:9092",
        "::1",
    ],
)
def test_a_kafka_without_host_and_port_is_refused_since_clients_would_wait_for_ever(servers: str) -> None:
    assert "kafka.bootstrap: must be host:port" in complaint({"kafka": {"bootstrap": servers}})


@pytest.mark.parametrize("servers", ["localhost:9092", "k-1.example:9092, k-2.example:9093", "[::1]:9092"])
def test_kafka_is_one_address_or_several(servers: str) -> None:
    assert config.parse({"kafka": {"bootstrap": servers}}, {}).kafka.bootstrap == servers


@pytest.mark.parametrize("domain", ["https://acme.example", "acme.example/", "", "acme example", "a/?b"])
def test_a_domain_that_makes_no_product_address_is_refused(domain: str) -> None:
    assert "stores.acme.domain: must be the shop's address without https://" in of_store(domain=domain)


@pytest.mark.parametrize("domain", ["acme.example", "localhost:8000", "acme.example/tienda/es"])
def test_a_domain_may_have_a_port_or_a_path(domain: str) -> None:
    assert parse(store={"domain": domain}).stores["acme"].domain == domain


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"stores": [1]}, "stores: must be a table"),
        ({"accounts": "x"}, "accounts: must be a table"),
        ({"accounts": {"es": "x"}}, "accounts.es: must be a table"),
        ({"accounts": {"es": ACCOUNT}, "stores": {"acme": 5}}, "stores.acme: must be a table"),
        ({"kafka": {"bootstrop": "x"}}, "kafka.bootstrop: there is no such setting"),
        ({"accounts": {"Es": ACCOUNT}}, "accounts.Es: a name is made of a-z"),
        ({"accounts": {"es": {"base_url": "http://127.0.0.1"}}}, "accounts.es.api_key: must be set"),
        ({"stores": {"acme": STORE | {"secrets": 5}}}, "stores.acme.secrets: must be a list"),
        ({"stores": {"acme": STORE | {"secrets": [{"env": "NOT_SET"}]}}}, "variable NOT_SET is not set"),
    ],
)
def test_settings_of_the_wrong_shape_are_named_by_their_field(tree: dict[str, Any], said: str) -> None:
    assert said in complaint(tree)


def test_only_the_cause_is_named_where_one_error_brings_another() -> None:
    said = of_store(secrets=[{"file": "/nowhere/secret"}])
    assert "stores.acme.secrets.0: cannot read /nowhere/secret: No such file" in said
    assert "at least" not in said


def test_a_store_of_an_unknown_account_is_named_once() -> None:
    said = complaint(
        {
            "accounts": {"es": ACCOUNT, "fr": ACCOUNT},
            "stores": {"a": STORE | {"account": "it", "secrets": []}},
        }
    )
    assert "stores.a.secrets" in said
    store = STORE | {"account": "it", "secrets": [{"env": "PATH"}]}
    said = complaint({"accounts": {"es": ACCOUNT}, "stores": {"a": store}})
    assert "\n  stores.a.account: no account 'it' in the settings" in said


def test_a_secret_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"\xff\xfe")
    assert f"stores.acme.secrets.0: {path} is not UTF-8 text" in of_store(secrets=[{"file": str(path)}])


def test_a_secret_in_the_file_is_refused_where_calls_leave_this_machine() -> None:
    assert "es / api_key: the secret stands in the settings file" in of_account(base_url="https://c.example")
    assert "acme / secrets: a secret stands" in complaint({"stores": {"acme": STORE}})


def test_the_environment_wins_over_the_file() -> None:
    tree = {"accounts": {"acme-es": dict(ACCOUNT)}}
    read = config.parse(tree, {"PIPELINE__ACCOUNTS__ACME_ES__CALLS_PER_MINUTE": "80"})
    assert read.accounts["acme-es"].calls_per_minute == 80


def test_stores_that_feed_one_account_with_ids_that_meet_are_refused() -> None:
    accounts = {"es": ACCOUNT, "fr": ACCOUNT}
    store = STORE | {"platform": "woocommerce"}
    stores = {"a": store, "b": store | {"account": "fr"}, "c": store}
    with pytest.raises(SettingsError) as refused:
        config.parse({"accounts": accounts, "stores": stores}, {})
    assert "stores.c.id_prefix: a and c feed one account, es, and order 1001 of a" in str(refused.value)
    stores["c"] = store | {"id_prefix": "c-"}
    assert config.parse({"accounts": accounts, "stores": stores}, {}).stores["c"].id_prefix == "c-"


def test_stores_that_share_a_secret_are_named_without_it() -> None:
    def store(*secrets: str) -> dict[str, Any]:
        return {
            "platform": "shopify",
            "account": "acme",
            "domain": "x.example",
            "secrets": list(secrets),
        }

    accounts = {"acme": {"api_key": "id:secret", "base_url": "http://127.0.0.1:1"}}
    stores = {"a": store("one", "old"), "b": store("two"), "c": store("old"), "d": store("own")}
    (warning,) = shared_secrets(config.parse({"accounts": accounts, "stores": stores}, {}))
    assert warning.startswith("stores a and c share a secret")
    assert "old" not in warning
