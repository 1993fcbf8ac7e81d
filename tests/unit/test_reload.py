"""The processes of `pipeline up` say that a reload was refused: `up` itself has no HTTP side."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY
from tomli_w import dumps

from pipeline import metrics, reload
from pipeline.config import Settings
from pipeline.config_values import NO_SECRETS
from pipeline.local import snapshot
from pipeline.local.ports import free_port
from pipeline.process import version
from tests.local_http import http
from tests.processes import wait_until
from tests.settings_trees import store_tree, stores_tree

pytestmark = pytest.mark.real_time


@pytest.fixture(autouse=True)
def _hangups() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)
    metrics.SETTINGS_RELOAD_REFUSED.set_function(lambda: 0.0)


def refused() -> float | None:
    return REGISTRY.get_sample_value("pipeline_settings_reload_refused")


def test_its_processes_say_that_up_refused_a_reload_until_it_takes_one(tmp_path: Path) -> None:
    path = snapshot.path_in(tmp_path)
    reload.Reload(path, Settings(data_dir=tmp_path), NO_SECRETS).watch()
    assert refused() == 0, "none was asked for yet"
    path.parent.mkdir()
    outcome = path.with_name(reload.OUTCOME)
    for said, value in (("refused", 1), ("refused", 1), ("taken", 0), ("refused", 1), ("unchanged", 0)):
        outcome.write_text(json.dumps({"at": 1.0, "outcome": said}))
        assert refused() == value, said
    for broken in ("", "[1]", "{", "\x00"):
        outcome.write_text(broken)
        assert refused() == 0


def test_a_process_by_itself_does_not_look_there(tmp_path: Path) -> None:
    up = snapshot.path_in(tmp_path).parent
    up.mkdir()
    (up / reload.OUTCOME).write_text(json.dumps({"outcome": "refused"}))
    metrics.SETTINGS_RELOAD_REFUSED.set_function(lambda: 0.0)
    reload.Reload(tmp_path / "pipeline.toml", Settings(data_dir=tmp_path), NO_SECRETS).watch()
    assert refused() == 0


@pytest.mark.parametrize(
    "words", [["erase", "serve"], pytest.param(["archive", "run"], marks=pytest.mark.slow)]
)
def test_a_process_that_runs_by_itself_begins_again_with_other_settings(
    words: list[str], tmp_path: Path
) -> None:
    tree = {"kafka": {"bootstrap": "127.0.0.1:9"}, **stores_tree(**{"acme-es": store_tree()})}
    tree["archive"] = {"url": (tmp_path / "archive").as_uri()}
    path, port = tmp_path / "pipeline.toml", free_port()
    path.write_text(dumps(tree))
    command = [sys.executable, "-m", "pipeline", *words, "--config", str(path), "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)

    def said(line: str, times: int = 1) -> None:
        wait_until(lambda: (tmp_path / "log").read_text().count(line) >= times, 60, every=0.1)

    def answers() -> bool:
        try:
            return http.get(f"http://127.0.0.1:{port}/healthz", timeout=5).is_success
        except httpx.HTTPError:
            return False

    try:
        wait_until(answers, 60, every=0.1)
        path.write_text("[accounts.es\n")
        process.send_signal(signal.SIGHUP)
        said("is not valid TOML")
        tree["deliver"] = {"concurrency": 3}
        path.write_text(dumps(tree))
        process.send_signal(signal.SIGHUP)
        said("settings are others now")
        said(f"pipeline {version()}, {words[0]}: settings", 2)
        wait_until(answers, 60, every=0.1)
        assert process.poll() is None, "the same process"
    finally:
        process.kill()
        process.wait()
