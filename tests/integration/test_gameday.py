"""Three incidents of a game day; `make gameday` goes through all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.gameday.__main__ import carried_out

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_what_breaks_is_told_seen_and_mended_and_nothing_is_lost(tmp_path: Path) -> None:
    outcomes = carried_out(["broker-down", "worker-frozen", "bad-settings"], tmp_path)
    assert [(outcome.incident.name, outcome.wrong) for outcome in outcomes if outcome.wrong] == []
    for outcome in outcomes:
        assert outcome.top
        assert outcome.doctor
        assert outcome.over_after is not None
        assert outcome.purchases > 0
        assert outcome.alert_after is not None or shutil.which("prometheus") is None
