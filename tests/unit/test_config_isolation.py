"""One store or account that cannot be used is left out, with its reason; the others are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import config, config_needs
from pipeline.config_checks import require_store
from pipeline.config_values import ALL_SECRETS, SecretNames
from pipeline.errors import SettingsError
from pipeline.local import snapshot
from pipeline.shops.registry import PLATFORMS
from tests.settings_trees import ACCOUNT, store_tree

UNSET = {"env": "NO_SUCH_VARIABLE_IS_SET"}


@pytest.fixture(autouse=True, scope="module")
def _signing_secret() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_SECRET", "s3kr1t")
        yield


def by_reference(account: str = "acme", **changes: Any) -> dict[str, Any]:
    return store_tree(account=account, secrets=[{"env": "TEST_SECRET"}]) | changes


def isolated(tree: dict[str, Any], secrets: SecretNames = ALL_SECRETS, **environ: str) -> config.Settings:
    return config.parse(tree, environ, secrets=secrets, isolate=True)


def two_stores(**changes: Any) -> dict[str, Any]:
    return {
        "accounts": {"acme": ACCOUNT, "other": ACCOUNT},
        "stores": {"good": by_reference(), "bad": by_reference(account="other") | changes},
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"secrets": [UNSET]},
            "stores.bad.secrets.0: environment variable NO_SUCH",
        ),
        ({"secrets": [{"file": "/not/there"}]}, "cannot read /not/there"),
        ({"secrets": []}, "stores.bad.secrets"),
        ({"platform": "opencart"}, "stores.bad.platform: opencart is none of"),
        ({"timezone": "Mars/Olympus"}, "stores.bad.timezone: unknown time zone"),
        ({"no_such": 1}, "stores.bad.no_such: there is no such setting"),
        ({"account": "nobody"}, "stores.bad.account: no account 'nobody' in the settings"),
        ({"account": None}, "stores.bad"),
        ({"platform": "woocommerce", "consumer_key": "ck"}, "stores.bad.consumer_secret: missing"),
    ],
)
def test_a_store_that_cannot_be_used_is_left_out_alone(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as strict:
        config.parse(two_stores(**changes), {})
    settings = isolated(two_stores(**changes))
    assert list(settings.stores) == ["good"]
    assert settings.refused_stores == ["bad"]
    [refused] = settings.refused.values()
    assert said in "\n".join(refused.complaints)
    assert all(line in strict.value.message for line in refused.complaints)


def test_of_two_stores_whose_ids_could_meet_the_later_one_is_left_out() -> None:
    tree = {
        "accounts": {"acme": ACCOUNT},
        "stores": {name: by_reference(platform="woocommerce") for name in ("first", "second")},
    }
    settings = isolated(tree)
    assert settings.refused_stores == ["second"]
    [refused] = settings.refused.values()
    assert refused.complaints[0].startswith("stores.second.id_prefix: first and second feed one account")


def test_a_name_that_cannot_be_one_is_left_out_as_well() -> None:
    tree = two_stores()
    tree["stores"]["Not A Name"] = by_reference()
    tree["stores"]["unknown"] = by_reference(id_prefix="u-")
    settings = isolated(tree)
    assert sorted(settings.stores) == ["bad", "good"]
    assert sorted(settings.refused_stores) == ["Not A Name", "unknown"]


def test_an_account_that_cannot_be_used_takes_its_stores_with_it_and_no_other() -> None:
    tree = two_stores()
    tree["accounts"]["other"] = ACCOUNT | {"calls_per_minute": 0}
    settings = isolated(tree)
    assert list(settings.accounts) == ["acme"]
    assert list(settings.stores) == ["good"]
    assert sorted(settings.refused) == ["accounts.other", "stores.bad"]


@pytest.mark.parametrize("wrong", [{"kafka": {"no_such": 1}}, {"no_such": 1}, {"stores": 3}, {"accounts": 3}])
def test_what_is_wrong_for_all_is_refused_for_all(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="are not usable"):
        isolated(two_stores(secrets=[]) | wrong)


def test_a_process_misses_the_secrets_alone_that_it_needs() -> None:
    lacking = {
        "secrets": two_stores(secrets=[UNSET]),
        "callback_tokens": two_stores(callback_tokens=[UNSET]),
        "access_token": two_stores(api_url="http://127.0.0.1:1", access_token=UNSET),
    }
    lacking["api_key"] = two_stores()
    lacking["api_key"]["accounts"]["other"] = ACCOUNT | {"api_key": UNSET}
    needs = {
        "gateway": config_needs.GATEWAY,
        "translate": config_needs.KAFKA_ONLY,
        "deliver": config_needs.CONNECTIF,
        "sync": config_needs.SHOPS,
    }
    found = {
        name: {process for process, secrets in needs.items() if isolated(tree, secrets).refused}
        for name, tree in lacking.items()
    }
    assert found == {
        "secrets": {"gateway"},
        "callback_tokens": {"gateway"},
        "access_token": {"sync"},
        "api_key": {"deliver"},
    }


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
def test_the_secrets_of_every_platform_are_read_by_the_process_that_needs_them(platform: str) -> None:
    secret_settings = PLATFORMS[platform].secret_settings
    assert {"secrets", "callback_tokens"} <= config_needs.GATEWAY
    assert secret_settings - {"secrets", "callback_tokens"} <= config_needs.SHOPS


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "d", "e"]),
        st.sampled_from(["good", "secret", "value", "account", "key"]),
        max_size=5,
    )
)
def test_whatever_is_wrong_with_some_the_others_are_as_they_were(kinds: dict[str, str]) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "good": {},
        "key": {},
        "secret": {"secrets": [UNSET]},
        "value": {"tax": "perhaps"},
        "account": {"account": "nobody"},
    }
    tree = {
        "accounts": {
            name: ACCOUNT | ({"api_key": UNSET} if kind == "key" else {}) for name, kind in kinds.items()
        },
        "stores": {name: by_reference(account=name) | wrong[kind] for name, kind in kinds.items()},
    }
    good = {name for name, kind in kinds.items() if kind == "good"}
    alone = {table: {name: tree[table][name] for name in good} for table in tree}
    settings = isolated(tree)
    assert set(settings.stores) == good
    assert settings.stores == config.parse(alone, {}).stores
    assert set(settings.refused_stores) == kinds.keys() - good


def test_who_asks_about_a_store_that_is_left_out_reads_why() -> None:
    settings = isolated(two_stores(secrets=[UNSET]))
    require_store(settings, "good")
    with pytest.raises(SettingsError, match="NO_SUCH_VARIABLE_IS_SET is not set"):
        require_store(settings, "bad")
    with pytest.raises(SettingsError, match="there is no store 'third'"):
        require_store(settings, "third")


def test_the_processes_of_up_find_what_is_left_out_as_it_was(tmp_path: Path) -> None:
    tree = two_stores(secrets=[UNSET, "plain-one"]) | {"data_dir": str(tmp_path)}
    variables = snapshot.write(isolated(tree))
    path = snapshot.path_in(tmp_path)
    assert "plain-one" not in path.read_text()
    assert "plain-one" in variables.values()
    again = config.load(path, variables, secrets=config_needs.KAFKA_ONLY, isolate=True)
    assert sorted(again.stores) == ["bad", "good"]
    again = config.load(path, variables, secrets=config_needs.GATEWAY - {"secrets"}, isolate=True)
    assert not again.refused
