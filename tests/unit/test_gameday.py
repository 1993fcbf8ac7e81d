"""A game day names alerts that there are, and types what the runbook says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from benchmarks.gameday import rules
from benchmarks.gameday.incident import Incident
from benchmarks.gameday.incidents import ALL
from benchmarks.gameday.incidents.shops import LAG
from pipeline.local.wiring import ALL_STAGES
from pipeline.shops.registry import PLATFORMS
from tests.commands import complaint, shell_lines
from tests.integration.watching import RULES
from tests.unit.test_grafana import needs_promtool, promtool

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
ALERTS = {
    rule["alert"]: rule
    for path in RULES
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
each = pytest.mark.parametrize("incident", ALL.values(), ids=list(ALL))


def said(page: str) -> set[str]:
    """What a page says to type: its lines for a shell, without what is said of them, and what it quotes."""
    text = (RUNBOOKS / f"{page}.md").read_text(encoding="utf-8")
    lines = {re.split(r"\s{2,}# |\s+#  ", line)[0].strip() for line in shell_lines(text)}
    return lines | set(re.findall(r"`([^`\n]+)`", text))


@each
def test_its_alert_is_there(incident: Incident) -> None:
    assert incident.alert in ALERTS


@each
def test_what_is_typed_is_what_the_runbook_says(incident: Incident) -> None:
    there = set().union(*(said(page) for page in (incident.alert, *incident.pages)))
    assert set(incident.types) <= there
    for command in incident.types:
        if command.startswith("pipeline "):
            assert complaint(_words(command)) == ""


def _words(command: str) -> list[str]:
    return [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)][1:]


@each
def test_it_says_what_page_and_top_must_say(incident: Incident) -> None:
    assert incident.page_says or incident.top_says
    for pattern in (incident.page_says, incident.top_says, incident.doctor_says):
        assert not re.search(pattern, "nothing of the kind") or not pattern
    if "process" in incident.labels:
        assert incident.labels["process"] in ALL_STAGES


def test_a_sync_is_typed_when_it_reads_what_was_missed() -> None:
    for platform in ("woocommerce", "generic"):
        pull = PLATFORMS[platform].pull
        assert pull is not None
        assert pull.lag < LAG
    assert max(one.pull.lag for one in PLATFORMS.values() if one.pull) <= 300, "five minutes in the runbook"


def test_the_doctor_is_asked_but_where_what_breaks_is_none_of_its_subjects() -> None:
    silent = {name for name, incident in ALL.items() if not incident.doctor_says}
    assert silent == {"clock-off", "poison-message", "worker-killed", "tenfold", "shop-silent"}


def test_every_kind_of_fault_is_there() -> None:
    assert len(ALL) == 14
    assert [name for name, incident in ALL.items() if name != incident.name] == []


def test_a_minute_of_the_alerts_is_a_second() -> None:
    assert rules.shorter("increase(x[10m:1m] offset 1h) > 0", 60) == "increase(x[10s:1s] offset 60s) > 0"
    assert rules.shorter("a:b:ratio_rate5m > 5", 60) == "a:b:ratio_rate5m > 5"
    assert rules.shorter("began > time() - 3600", 60) == "began > time() - 60"
    changed = rules.changed({"alert": "ProcessDown", "expr": "up == 0", "for": "2m"})
    assert changed == {"alert": "ProcessDown", "expr": "up == 0", "for": "2s"}


def test_a_bound_that_an_alert_no_longer_has_is_noticed() -> None:
    with pytest.raises(ValueError, match="ConnectifFails has no bound > 120"):
        rules.changed({"alert": "ConnectifFails", "expr": "x > 240"})


@needs_promtool
def test_prometheus_reads_the_rules_of_a_game_day(tmp_path: Path) -> None:
    made = rules.written(RULES, tmp_path / "rules")
    promtool("check", "rules", *map(str, made))
    alerts = {
        rule["alert"]: rule
        for path in made
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    assert alerts.keys() == ALERTS.keys() - rules.LEFT_OUT
    long = [name for name, rule in alerts.items() if re.search(r"(?:[\[:]|offset )\d+[mhdw]\b", rule["expr"])]
    assert long == [], "every time is shorter"
