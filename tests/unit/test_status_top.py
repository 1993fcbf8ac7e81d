"""`pipeline top` on a terminal, where nothing runs: it says so, and Ctrl-C ends it in order."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tomli_w import dumps
from typer.testing import CliRunner

from pipeline.cli import app
from tests.processes import wait_until
from tests.settings_trees import store_tree, stores_tree

pytestmark = pytest.mark.real_time


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of a pipeline that does not run."""
    path = tmp_path / "pipeline.toml"
    path.write_text(
        dumps({"kafka": {"bootstrap": "127.0.0.1:9"}, **stores_tree(**{"acme-es": store_tree()})})
    )
    return path


def test_on_a_terminal_it_is_live_until_ctrl_c(config: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pipeline", "top", "--interval", "0.2", "--config", str(config)]
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell may have it ignored
    try:
        process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}
        )
    finally:
        signal.signal(signal.SIGINT, before)
    os.close(theirs)
    said = bytearray()
    try:

        def has_said(text: bytes) -> bool:
            said.extend(os.read(ours, 65_536))
            return text in said

        wait_until(lambda: has_said(b"to look at"), 60)
        process.send_signal(signal.SIGINT)
        wait_until(lambda: has_said(b"\x1b[?1049l"), 30)
        assert process.wait(30) == 1, "there is something to look at"
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert b"Traceback" not in said
    assert b"no deliver worker" in said or b"does not say where it runs" in said


def test_once_where_nothing_runs_it_says_what_is_missing_and_ends_with_1(config: Path) -> None:
    done = CliRunner().invoke(app, ["top", "--once", "--config", str(config)])
    assert done.exit_code == 1
    assert "translate is not ready: Kafka does not say where it runs" in done.output
    assert "note: no gateway is known" in done.output
    assert "unknown" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--outcome", "lost"], "lost is none of dead"), (["--kind", "orders"], "orders is none of contact")],
)
def test_what_cannot_pass_is_not_waited_for(config: Path, words: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["tap", *words, "--config", str(config)], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert said in done.output
