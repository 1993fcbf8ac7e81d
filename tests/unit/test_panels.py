"""Panels of what happened in the time shown: the first counts, and what is long over is at rest."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

DASHBOARD = Path(__file__).parents[2] / "grafana" / "dashboards" / "stores.json"
pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (Debian: it comes with the package prometheus)",
)


def expression(title: str, span: str = "1h") -> str:
    """The first of a panel, as it is asked for all stores and accounts."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    [panel] = [panel for panel in panels if panel["title"] == title]
    asked = re.sub(r"\$__(rate_interval|range)\b", span, panel["targets"][0]["expr"])
    return re.sub(r"\$(store|account)\b", ".*", asked).replace("$top", "10")


def shown(tmp_path: Path, title: str, series: dict[str, str], values: dict[str, dict[str, float]]) -> None:
    """The panel shows these values at these times; each by its labels."""
    asked = [
        {
            "expr": expression(title),
            "eval_time": at,
            "exp_samples": [{"labels": labels, "value": value} for labels, value in wanted.items()],
        }
        for at, wanted in values.items()
    ]
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": name, "values": said} for name, said in series.items()],
        "promql_expr_test": asked,
    }
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_was_given_up_is_red_while_it_is_new_and_not_for_ever(tmp_path: Path) -> None:
    shown(
        tmp_path,
        "Given up in the time shown",
        {
            'pipeline_account_events{store="s",outcome="rejected"}': "0x5 3x300",
            'pipeline_account_records{account="a",outcome="dead"}': "0x120 1x200",
        },
        {"10m": {"{}": 3}, "50m": {"{}": 3}, "100m": {"{}": 0}, "125m": {"{}": 1}, "200m": {"{}": 0}},
    )


def test_a_partition_that_moves_gives_nothing_up(tmp_path: Path) -> None:
    shown(
        tmp_path,
        "Given up in the time shown",
        {
            'pipeline_account_records{account="a",outcome="dead",instance="1"}': "7x100 stale",
            'pipeline_account_records{account="a",outcome="dead",instance="2"}': "_x103 7x200",
        },
        {"99m": {"{}": 0}, "102m": {"{}": 0}, "105m": {"{}": 0}, "164m": {"{}": 0}},
    )


def test_nothing_at_all_is_a_zero(tmp_path: Path) -> None:
    for title in ("Given up in the time shown", "Pending", "Accounts stopped", "Connectif fails for"):
        shown(tmp_path, title, {"up": "1x10"}, {"5m": {"{}": 0}})
    shown(tmp_path, "On the way between the stages", {"up": "1x10"}, {"5m": {"{}": 0}})


def test_the_first_event_and_the_first_record_that_are_given_up_are_seen(tmp_path: Path) -> None:
    shown(
        tmp_path,
        "Events rejected, by reason",
        {'pipeline_account_reasons{store="s",outcome="rejected",reason="no_email"}': "_x100 1x100"},
        {"105m": {'{store="s",reason="no_email"}': 1}, "190m": {'{store="s",reason="no_email"}': 0}},
    )
    records = 'pipeline_deliver_records_total{account="a",kind="%s",outcome="dead",reason="bad"}'
    shown(
        tmp_path,
        "Records refused, by reason",
        {
            records % "contact": "_x90 2x20",
            records % "purchase": "5x110",
        },
        {
            "100m": {
                '{account="a",kind="contact",reason="bad"}': 2,
                '{account="a",kind="purchase",reason="bad"}': 0,
            }
        },
    )


def test_the_first_429_is_seen(tmp_path: Path) -> None:
    shown(
        tmp_path,
        "Calls refused with 429",
        {'pipeline_deliver_calls_total{account="a",status="429"}': "_x30 1x200"},
        {"20m": {"{}": 0}, "40m": {"{}": 1}, "120m": {"{}": 0}},
    )


def test_the_first_call_that_fails_is_seen(tmp_path: Path) -> None:
    shown(
        tmp_path,
        "Calls of the minute by answer",
        {
            'pipeline_deliver_calls_total{account="a",status="200"}': "0+10x40",
            'pipeline_deliver_calls_total{account="a",status="503"}': "_x30 1x10",
        },
        {
            "20m": {'{status="200"}': 10},
            "30m": {'{status="200"}': 10, '{status="503"}': 1},
            "35m": {'{status="200"}': 10, '{status="503"}': 0},
        },
    )
