"""`pipeline sync`: what its options mean, and what it refuses before it gives a command."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from tomli_w import dumps
from typer.testing import CliRunner

from pipeline.cli.root import app
from pipeline.cli.sync import _seconds
from pipeline.config import parse
from pipeline.errors import SettingsError
from pipeline.events import Kind
from pipeline.shops.pull import PullPass
from pipeline.sync.pull import operate, shown
from pipeline.sync.pull.state import Command, Pass, PassStatus, Run, StoreState, Wanted
from tests.settings_trees import ACCOUNT

STORES = {
    "readable": {
        "platform": "woocommerce",
        "account": "es",
        "domain": "a.example",
        "secrets": ["s"],
        "consumer_key": "ck",
        "consumer_secret": "cs",
    },
    "plain": {
        "platform": "shopify",
        "account": "es",
        "domain": "b.example",
        "secrets": ["s"],
        "id_prefix": "b",
    },
}
TREE = {"accounts": {"es": ACCOUNT}, "stores": STORES}


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5_400), ("24h", 86_400), ("7d", 604_800), (None, None)]
)
def test_a_span_is_a_number_and_a_unit(text: str | None, seconds: float | None) -> None:
    assert _seconds(text) == seconds


@pytest.mark.parametrize("text", ["24", "h", "-1h", "0d", "1w", "24h7m", ""])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        _seconds(text)


def test_only_stores_whose_api_can_be_read_are_synchronised() -> None:
    settings = parse(TREE, {})
    assert operate.readable(settings) == ["readable"]
    for store, why in (("plain", "no credentials"), ("nowhere", "no store")):
        with pytest.raises(SettingsError, match=why):
            operate.require_readable(settings, store)


@pytest.mark.parametrize("words", [["--full", "--since", "24h"], ["--accept-deletions"], ["--since", "soon"]])
def test_options_that_contradict_each_other_are_refused(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(dumps(TREE))
    done = CliRunner().invoke(app, ["sync", "readable", *words, "--config", str(tmp_path / "p.toml")])
    assert done.exit_code == 2


def test_the_time_left_is_of_the_list_under_way_and_not_known_where_the_shop_counts_nothing() -> None:
    one = Pass(kind=Kind.ORDER, reads=PullPass.FULL, until_ms=0, status=PassStatus.READING, began_ms=1_000)
    one.read, one.total = 100, 300
    command = Command(id="r", store="readable", wanted=Wanted.FULL)
    state = StoreState(store="readable", run=Run(command=command, number=1, passes=[one], began_ms=1_000))
    said = state.as_json() | {"now_ms": 11_000, "trouble": "", "waiting": [], "daily": "03:30"}
    assert shown.seconds_left(said) == 20.0
    assert "pending" not in said["run"]["passes"][0], "requests are the shop's own"
    assert "20 s" in shown.line(said)
    one.total = None
    assert shown.seconds_left(state.as_json() | {"now_ms": 11_000}) is None
