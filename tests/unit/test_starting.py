"""What keeps a process from starting: it is said before anything is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import config
from pipeline.config import Settings
from pipeline.engine import worker
from pipeline.errors import PipelineError, SettingsError
from pipeline.gateway import run
from pipeline.listening import bound_socket
from tests.webhooks import STORES


@pytest.fixture(name="settings")
def _settings(tmp_path: Path) -> Settings:
    return config.parse({"data_dir": str(tmp_path / "data"), **STORES}, {})


STAGE = worker.Stage("pipeline-test", "translate", lambda _: None)


@pytest.mark.parametrize("port", [65_536, 99_999, -1])
def test_a_port_that_cannot_be_is_named(port: int) -> None:
    with pytest.raises(PipelineError, match=f"cannot listen on 127.0.0.1:{port}: there is no such port"):
        bound_socket("127.0.0.1", port)


@pytest.mark.parametrize("name", ["", "a/../b", "a b", "..", "-x", "n" * 64, "a\nb"])
def test_a_worker_whose_name_is_no_directory_is_refused(name: str, settings: Settings) -> None:
    with pytest.raises(SettingsError, match="--worker"):
        worker.run(STAGE, settings, worker=name, host="127.0.0.1", port=0)
    assert not settings.data_dir.exists()


def test_a_gateway_without_a_store_is_refused(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    with pytest.raises(SettingsError, match="no store in the settings"):
        run.serve(settings, ("127.0.0.1", 0), ("127.0.0.1", 0))
    assert not settings.data_dir.exists()
