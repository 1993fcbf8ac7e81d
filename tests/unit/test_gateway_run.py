"""What keeps the gateway from starting."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from pipeline import config
from pipeline.errors import PipelineError, SettingsError
from pipeline.gateway.member import ALONE
from pipeline.gateway.run import serve
from pipeline.gateway.spool import Spool
from tests.webhooks import STORES


def settings(data_dir: Path, **gateway: int) -> config.Settings:
    return config.parse({**STORES, "data_dir": str(data_dir), "gateway": gateway}, {})


def test_a_body_cap_that_kafka_could_not_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"kafka\.max_message_bytes.*\n.*set it to 50262144 or more"):
        serve(settings(tmp_path, max_body_bytes=50_000_000), "127.0.0.1", 0)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_refused_with_a_hint(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(PipelineError, match="another --port"),
    ):
        serve(settings(tmp_path), "127.0.0.1", taken.getsockname()[1])


def test_a_spool_in_use_is_refused(tmp_path: Path) -> None:
    async def made() -> Spool:
        return Spool(tmp_path / ALONE.spool, 1_000_000)

    with asyncio.Runner() as runner:
        spool = runner.run(made())
        with pytest.raises(PipelineError, match="data_dir of its own"):
            serve(settings(tmp_path), "127.0.0.1", 0)
        runner.run(spool.close())
