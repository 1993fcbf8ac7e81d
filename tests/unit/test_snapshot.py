"""The settings that processes are given are those of the start, to the last of them, and hold no secret."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pipeline import config
from pipeline.errors import PipelineError
from pipeline.local import snapshot


def test_the_snapshot_reads_back_as_the_same_settings_and_holds_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_SECRET", "id:h\"u's\\h")
    path = tmp_path / "pipeline.toml"
    path.write_text(
        'data_dir = "d"\n'
        '[kafka]\nbootstrap = "k.example:9092"\nsession_timeout = 7.5\n'
        'security = { "sasl.password" = { env = "TEST_SECRET" }, "ssl.ca.location" = "ca.pem" }\n'
        '[sandbox]\nswitches = { window = "sliding", n = 1, on = true }\n'
        '[accounts.es]\napi_key = { env = "TEST_SECRET" }\npurchases_since = 2024-02-03\n'
        '[accounts.es.coupons.spring]\nset_id = "a"\nlow = 3\n'
        '[stores.shop]\nplatform = "woocommerce"\naccount = "es"\ndomain = "acme.example"\n'
        'secrets = [{ env = "TEST_SECRET" }, { env = "TEST_SECRET" }]\nsold_statuses = ["b", "a"]\n'
    )
    settings = config.load(path, {})
    variables = snapshot.write(settings)
    written = snapshot.path_in(settings.data_dir)
    assert written.stat().st_mode & 0o777 == 0o600
    assert 'h"u' not in written.read_text()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TEST_SECRET")
    read = config.load(written, {})
    assert read == settings
    assert read.accounts["es"].purchases_since == date(2024, 2, 3)
    assert read.accounts["es"].api_key.get_secret_value() == "id:h\"u's\\h"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "settings.partial").mkdir()
    with pytest.raises(PipelineError, match=r"settings\.toml cannot be written"):
        snapshot.write(config.Settings(data_dir=tmp_path))
