"""`pipeline validate`: what is wrong, what is missing here, and what a reload would change."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipeline import config
from pipeline.cli.root import app
from pipeline.console import Console
from pipeline.local import snapshot
from pipeline.settings_changes import HIDDEN, changes
from pipeline.validate import show, validate
from tests.settings_trees import ACCOUNT, store_tree, stores_tree

UNSET = {"env": "NO_SUCH_VARIABLE_IS_SET"}


def written(directory: Path, tree: dict[str, Any], name: str = "pipeline.toml") -> Path:
    path = directory / name
    path.write_text(tomli_w.dumps(tree), encoding="utf-8")
    return path


def test_a_file_is_examined_as_a_whole_and_needs_no_secret(tmp_path: Path) -> None:
    tree = {
        "accounts": {"acme": ACCOUNT | {"api_key": UNSET}, "slow": ACCOUNT | {"calls_per_minute": 0}},
        "stores": {
            "good": store_tree(secrets=[UNSET]),
            "bad": store_tree(secrets=[UNSET], tax="perhaps", no_such=1),
            "follows": store_tree(account="slow", secrets=[UNSET]),
        },
    }
    found = validate(written(tmp_path, tree), {})
    assert (found.accounts, found.stores, found.exit_code) == (1, 1, 1)
    assert {place: len(lines) for place, lines in found.wrong.items()} == {
        "accounts.slow": 1,
        "stores.bad": 2,
        "stores.follows": 1,
    }
    assert sorted(found.missing) == ["accounts.acme", "stores.good"]
    out = io.StringIO()
    show(found, tmp_path, Console(file=out, width=200))
    for line in (
        "wrong: stores.bad.no_such: there is no such setting",
        "missing here: stores.good.secrets.0: environment variable NO_SUCH_VARIABLE_IS_SET is not set",
        "can be used: stores 1, accounts 1",
    ):
        assert line in out.getvalue()


@pytest.mark.parametrize(
    "text", ["nonsense", "no_such = 1", '[kafka]\nbootstrap = "no port"', 'data_dir = ""', "stores = 3"]
)
def test_what_is_wrong_for_all_makes_the_file_useless(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text(text)
    found = validate(path, {})
    assert (found.exit_code, list(found.wrong)) == (2, ["settings"])


def test_a_password_that_all_need_is_missing_here_and_no_fault(tmp_path: Path) -> None:
    kafka = {"bootstrap": "k.example:9092", "security": {"sasl.password": UNSET}}
    found = validate(written(tmp_path, {"kafka": kafka}), {})
    assert found.exit_code == 0
    assert "NO_SUCH_VARIABLE_IS_SET" in found.missing["settings"][0]


def parsed(**stores: dict[str, Any]) -> config.Settings:
    return config.parse(stores_tree(**stores), {}, isolate=True)


def test_each_setting_that_differs_is_told_and_no_secret_shown() -> None:
    old = parsed(acme=store_tree(), gone=store_tree(account="other"), breaks=store_tree(account="third"))
    new = parsed(
        acme=store_tree(tax="included", secrets=["new", "s"]),
        comes=store_tree(account="other"),
        breaks=store_tree(account="third", tax="perhaps"),
    )
    assert [(change.place, change.old, change.new) for change in changes(old, new)] == [
        ("stores.acme.secrets", HIDDEN, HIDDEN),
        ("stores.acme.tax", "as_shown", "included"),
        ("stores.breaks", "used", "left out, as it cannot be used"),
        ("stores.comes", "-", "used"),
        ("stores.gone", "used", "-"),
    ]


@pytest.mark.parametrize(
    "changed", [{"data_dir": "/elsewhere"}, {"kafka": {"shop_partitions": 9}}, {"kafka": {"java": "system"}}]
)
def test_what_cannot_be_taken_over_is_told_with_the_reason(changed: dict[str, Any], tmp_path: Path) -> None:
    before, after = written(tmp_path, {}, "before.toml"), written(tmp_path, changed, "after.toml")
    found = validate(after, {}, against=before)
    assert found.changes is not None
    [change] = found.changes
    assert "stop everything" in change.refusal
    assert found.exit_code == 1


@given(st.sampled_from(["tax", "domain", "timezone"]), st.sampled_from(["included", "b.example", "UTC"]))
def test_the_same_settings_have_no_changes_and_others_do(name: str, value: str) -> None:
    one = parsed(acme=store_tree())
    other = parsed(acme=store_tree(**{name: value}))
    assert not changes(one, parsed(acme=store_tree()))
    assert bool(changes(one, other)) == (one.model_dump() != other.model_dump() or bool(other.refused))


def test_against_what_runs_is_against_what_up_was_started_with(tmp_path: Path) -> None:
    tree = stores_tree(acme=store_tree()) | {"data_dir": str(tmp_path / "data")}
    path = written(tmp_path, tree)
    command = ["validate", "--config", str(path), "--against", "running", "--json"]
    nothing = CliRunner().invoke(app, command)
    assert nothing.exit_code != 0
    snapshot.write(config.load(path))
    same = json.loads(CliRunner().invoke(app, command).stdout)
    assert same["changes"] == []
    tree["stores"]["acme"]["tax"] = "included"
    written(tmp_path, tree)
    [change] = json.loads(CliRunner().invoke(app, command).stdout)["changes"]
    assert (change["place"], change["new"], change["refusal"]) == ("stores.acme.tax", "included", "")
