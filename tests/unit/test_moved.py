"""A store that is moved to another account is noticed at the next start."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import config, moved
from tests.settings_trees import ACCOUNT, store_tree


def settings(directory: Path, **accounts: str) -> config.Settings:
    """Settings of stores, each with its account."""
    tree = {
        "data_dir": str(directory),
        "accounts": dict.fromkeys(("old", "new"), ACCOUNT),
        "stores": {name: store_tree(account=to) for name, to in accounts.items()},
    }
    return config.parse(tree, {})


def test_a_store_that_tells_another_account_is_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert moved.look(settings(tmp_path, north="old", south="old")) == []
    assert moved.look(settings(tmp_path, north="new", south="old")) == ["north"]
    assert "store north fed account old until now, and feeds new from now on" in caplog.text
    assert moved.look(settings(tmp_path, north="new", south="old")) == []


def test_a_store_that_was_away_is_remembered(tmp_path: Path) -> None:
    moved.look(settings(tmp_path, north="old"))
    moved.look(settings(tmp_path))
    assert moved.look(settings(tmp_path, north="new")) == ["north"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"north": 5}'])
def test_a_damaged_memory_is_made_again(tmp_path: Path, content: str) -> None:
    (tmp_path / moved.FILE).write_text(content)
    assert moved.look(settings(tmp_path, north="old")) == []
    assert moved.look(settings(tmp_path, north="new")) == ["north"]


def test_a_memory_that_cannot_be_written_keeps_nothing_from_starting(tmp_path: Path) -> None:
    (tmp_path / moved.FILE).mkdir()
    assert moved.look(settings(tmp_path, north="old")) == []
