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
from pipeline.sync.pull import operate
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
