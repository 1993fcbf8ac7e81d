"""docs/reference/alerts.md: every alert with its expression, and the page that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pipeline.local.scraping import RULES

_HEAD = """\
# Alerts

Made by `python -m documentation` from `grafana/prometheus`. What to do when one fires: its page in [the
runbook](../runbooks/README.md). How each was tested: `alerts_test.yml` beside the rules.
"""


def text(root: Path) -> str:
    """The page."""
    return (
        _HEAD + "\n".join(line for name in RULES for line in _file(root / "grafana/prometheus" / name)) + "\n"
    )


def _file(path: Path) -> Iterator[str]:
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield from _alert(rule) if "alert" in rule else _recorded(rule)


def _alert(rule: dict[str, Any]) -> Iterator[str]:
    waits = f", after `{rule['for']}`" if "for" in rule else ""
    name = rule["alert"]
    yield from ("", f"## {name}", "")
    yield f"{rule['labels']['severity']}{waits}: [what to do](../runbooks/{name}.md)"
    yield from ("", "```promql", rule["expr"].strip(), "```")


def _recorded(rule: dict[str, Any]) -> Iterator[str]:
    yield from ("", f"## `{rule['record']}`", "", "Computed for the alerts on service levels:", "")
    yield from ("```promql", rule["expr"].strip(), "```")
