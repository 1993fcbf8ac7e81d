"""The demo with its gateway, workers and broker killed on the way: the account at the end is the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_kill_9_of_everything_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "demo", "--events", "400", "--seed", "3", "--kill", "--json"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout)
    assert set(told["killed"]) == {"gateway", "translate", "deliver", "sync", "kafka"}
    assert all(check["agrees"] for check in told["checks"])
