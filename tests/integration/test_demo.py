"""`pipeline demo` as its users run it: a command, its exit code, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import wait_until

pytestmark = pytest.mark.kafka

PROGRAM = [sys.executable, "-m", "pipeline", "demo"]
DEADLINE = 240
#: Shops whose webhooks only name orders.
ASKED = {"loja", "galerie", "boutique"}


def environment(tmp_path: Path) -> dict[str, str]:
    """Ours, with a place of its own for temporary directories; settings in it are not the demo's."""
    return {**os.environ, "TMPDIR": str(tmp_path), "PIPELINE__KAFKA__BOOTSTRAP": "nowhere:1"}


def left_running(tmp_path: Path) -> list[str]:
    """Command lines of processes that work in a directory."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            words = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has just ended
        if str(tmp_path) in words:
            found.append(words)
    return found


def test_a_small_demo_agrees_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "--events", "250", "--seed", "11", "--json"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout)
    assert told["agrees"]
    assert all(check["agrees"] for check in told["checks"])
    received = sum(row["received"] for row in told["stores"])
    kept = sum(count for status, count in told["answers"].items() if status.startswith("2")) - 1
    read = sum(told["synced"]["sent"].values()) + len(["who left in Connectif"])
    fetched = received - kept - told["replayed"] - read
    named = sum(row["ignored"] for row in told["stores"] if row["store"] in ASKED)
    assert 0 < fetched <= named, "all that was answered 2xx but the ping, the history, and what was fetched"
    assert told["synced"]["read"] == {"customer": 33, "product": 0, "order": 15}
    assert told["left"]["written"] == []
    assert told["checked"]["against"] == []
    assert len(told["reconciled"]) == len(told["accounts"]) + 1 == 7
    assert {row["lane"] for row in told["freshness"]} >= {"live", "backfill"}
    assert sum(row["records"] for row in told["freshness"]) == sum(
        row["delivered"] for row in told["records"]
    ), "each delivered record has its age"
    assert {row["kind"] for row in told["records"]} == {"contact", "product", "purchase"}
    assert all(account["refused"] == 0 < account["orders"] for account in told["accounts"].values())
    assert list(tmp_path.iterdir()) == []
    assert left_running(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, id="Ctrl-C"),
        pytest.param(signal.SIGHUP, id="the terminal's end"),
    ],
)
def test_an_interruption_stops_everything_and_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "out.txt"
    with log.open("w") as output:
        demo = subprocess.Popen(
            [*PROGRAM, "--events", "1000"], env=environment(tmp_path), stdout=output, stderr=output
        )
        wait_until(lambda: "\nwebhooks " in log.read_text() or demo.poll() is not None, DEADLINE, every=0.1)
        assert demo.poll() is None, log.read_text()
        demo.send_signal(number)
        assert demo.wait(DEADLINE) == 130, log.read_text()
    assert list(tmp_path.iterdir()) == [log]
    assert left_running(tmp_path) == []
    assert "Logs and data:" not in log.read_text()
    assert "Traceback" not in log.read_text()
