"""Make deploy/kubernetes/monitoring/rules.yaml: the rules for alerts as the operator takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pipeline.local.scraping import RULES

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "deploy" / "kubernetes" / "monitoring" / "rules.yaml"
_HEAD = "# Made by `python -m deploy.rules` from grafana/prometheus.\n"


def text() -> str:
    """The file as it must be."""
    groups: list[Any] = []
    for name in RULES:
        source = ROOT / "grafana" / "prometheus" / name
        groups += yaml.safe_load(source.read_text(encoding="utf-8"))["groups"]
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "pipeline"},
        "spec": {"groups": groups},
    }
    return _HEAD + yaml.safe_dump(rule, sort_keys=False, allow_unicode=True, width=110)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
