"""Each process exports its own series, and no other's: asked of real processes, without a Kafka."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tomli_w import dumps

from pipeline.exposition import ROOMS, Exposition, Room
from pipeline.local.gateways import admin_port
from pipeline.local.ports import free_port
from tests.local_http import http
from tests.processes import wait_until
from tests.settings_trees import store_tree, stores_tree

pytestmark = pytest.mark.real_time

TREE = {"kafka": {"bootstrap": "127.0.0.1:9"}, **stores_tree(**{"acme-es": store_tree()})}


@pytest.mark.parametrize(
    ("room", "words"),
    [
        ("gateway", ["gateway"]),
        ("translate", ["worker", "translate"]),
        ("deliver", ["worker", "deliver"]),
        ("reconcile", ["worker", "reconcile"]),
        ("archive", ["archive", "run"]),
        ("status", ["status", "serve"]),
        ("sandbox", ["sandbox"]),
    ],
)
def test_a_process_exports_its_own_series_alone(room: Room, words: list[str], tmp_path: Path) -> None:
    settings = tmp_path / "pipeline.toml"
    settings.write_text(dumps(TREE | {"archive": {"url": (tmp_path / "archive").as_uri()}}))
    port = free_port()
    asked = admin_port(port) if room == "gateway" else port
    command = [sys.executable, "-m", "pipeline", *words, "--config", str(settings), "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_until(lambda: answer(asked) is not None, 60)
            page = answer(asked) or ""
        finally:
            process.kill()
            process.wait()
    names = set(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE))
    for other, beginnings in ROOMS.items():
        for beginning in beginnings:
            assert any(name.startswith(beginning) for name in names) is (other == room), beginning
    assert "pipeline_build_info" in names
    assert not [name for name in names if name.endswith("_created")]


def answer(port: int) -> str | None:
    """The page of the process's metrics, once it listens."""
    try:
        return http.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    except httpx.HTTPError:
        return None


def test_a_room_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no room 'pipeline-deliver'"):
        Exposition("pipeline-deliver")  # type: ignore[arg-type]
