"""What keeps the gateway from starting."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import config
from pipeline.cli import app, stages
from pipeline.errors import PipelineError, SettingsError
from pipeline.gateway import run
from pipeline.gateway.member import ALONE
from pipeline.gateway.run import serve
from pipeline.gateway.spool import Spool
from tests.webhooks import STORES

HOST = "127.0.0.1"
ANY = (HOST, 0)


def settings(data_dir: Path, **gateway: int) -> config.Settings:
    return config.parse({**STORES, "data_dir": str(data_dir), "gateway": gateway}, {})


def test_a_body_cap_that_kafka_could_not_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"kafka\.max_message_bytes.*\n.*set it to 50262144 or more"):
        serve(settings(tmp_path, max_body_bytes=50_000_000), ANY, ANY)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_refused_with_a_hint(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(PipelineError, match="another --port"),
    ):
        serve(settings(tmp_path), taken.getsockname(), ANY)


def test_a_taken_port_for_operators_is_refused_with_a_hint(tmp_path: Path) -> None:
    with (
        socket.create_server(ANY) as taken,
        pytest.raises(PipelineError, match="another --admin-port"),
    ):
        serve(settings(tmp_path), ANY, taken.getsockname())


@pytest.mark.parametrize(
    ("options", "admin"),
    [
        ([], ("127.0.0.1", 8090)),
        (["--host", "0.0.0.0"], ("127.0.0.1", 8090)),
        (["--port", "9000"], ("127.0.0.1", 9010)),
        (["--port", "0"], ("127.0.0.1", 0)),
        (["--admin-host", "10.0.0.7", "--admin-port", "9999"], ("10.0.0.7", 9999)),
    ],
)
def test_operators_are_answered_on_this_machine_alone_unless_it_is_said(
    options: list[str], admin: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(stages, "run_stage", lambda *said, secrets: said[2](secrets))
    monkeypatch.setattr(run, "serve", lambda *said: asked.extend(said))
    done = CliRunner().invoke(app, ["gateway", *options])
    assert done.exit_code == 0, done.output
    assert asked[2] == admin


def test_a_spool_in_use_is_refused(tmp_path: Path) -> None:
    async def made() -> Spool:
        return Spool(tmp_path / ALONE.spool, 1_000_000)

    with asyncio.Runner() as runner:
        spool = runner.run(made())
        with pytest.raises(PipelineError, match="data_dir of its own"):
            serve(settings(tmp_path), ANY, ANY)
        runner.run(spool.close())
