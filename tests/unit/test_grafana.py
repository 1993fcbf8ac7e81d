"""Dashboards and alerts: of metrics there are, on paths there are, in PromQL that parses."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import yaml
from prometheus_client import Metric

from pipeline import metrics
from pipeline.deliver.collector import DeliverCollector
from pipeline.engine.engine import Engine, LagCollector
from pipeline.erase.serve import ErasureCollector
from pipeline.replay.watching import RunsCollector
from pipeline.sync.consent.desk import ConsentCollector
from pipeline.sync.feeds import FeedCollector
from pipeline.sync.pull.collector import PullCollector
from pipeline.sync.worker import SyncCollector
from pipeline.translate.totals import AccountCollector, StoreTallies

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
ALERT_TESTS = sorted((GRAFANA / "prometheus").glob("alerts_*test.yml"))
#: Labels that Prometheus, not the pipeline, puts on series.
SCRAPED = {"job", "instance", "process", "le"}
_SERIES = re.compile(r"\b(pipeline_[a-z_]+)(\{[^}]*\})?")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
#: What is to be done is to be done in the shop or in the settings.
LOOKED_UP_ELSEWHERE = {"StoreSilent"}
_GROUPING = re.compile(r"\bby \(([^)]*)\)")


def families() -> Iterator[Metric]:
    """What the workers read from their tables at every scrape, without any figures."""
    yield from AccountCollector(StoreTallies()).collect()
    yield from DeliverCollector(tuple, tuple, configured={}, partitions=1).collect()
    yield from ErasureCollector().collect()
    yield from RunsCollector(dict).collect()
    yield from SyncCollector(dict, dict, float).collect()
    yield from FeedCollector(dict, float).collect()
    yield from ConsentCollector({}, float).collect()
    yield from PullCollector(dict, float).collect()
    yield from LagCollector(cast("Engine", SimpleNamespace(not_ready="starting"))).collect()


def series() -> dict[str, set[str]]:
    """Every series of the pipeline, with its labels."""
    found = {family.name: set(getattr(family, "_labelnames", ())) for family in families()}
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
    for metric in vars(metrics).values():
        if hasattr(metric, "_labelnames"):
            for family in metric.describe():
                for suffix in suffixes.get(family.type, [""]):
                    found[family.name + suffix] = set(metric._labelnames)
    return found


def dashboard(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def targets(path: Path) -> Iterator[dict[str, Any]]:
    for panel in dashboard(path)["panels"]:
        yield from panel.get("targets", ())


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((GRAFANA / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    """Every PromQL expression there is."""
    return [target["expr"] for path in DASHBOARDS for target in targets(path)] + [
        rule["expr"] for rule in rules()
    ]


def test_there_are_a_dashboard_and_alerts() -> None:
    assert [path.name for path in DASHBOARDS] == ["account.json"]
    assert len(rules()) > 5


@pytest.mark.parametrize("expression", expressions())
def test_every_expression_names_series_and_labels_there_are(expression: str) -> None:
    known = series()
    labels: set[str] = set()
    for name, matchers in _SERIES.findall(expression):
        assert name in known, name
        assert set(_MATCHER.findall(re.sub(r'"[^"]*"', "", matchers))) <= known[name] | SCRAPED, expression
        labels |= known[name]
    for grouping in _GROUPING.findall(expression):
        assert {label.strip() for label in grouping.split(",")} <= labels | SCRAPED, expression


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_every_panel_has_its_place_and_the_provisioned_source(path: Path) -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    uids = {source["uid"] for source in sources}
    found = dashboard(path)
    places: set[tuple[int, int]] = set()
    for panel in found["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not places & cells, panel["title"]
        places |= cells
    assert {target["datasource"]["uid"] for target in targets(path)} <= uids
    assert len({panel["id"] for panel in found["panels"]}) == len(found["panels"])
    variables = {variable["name"] for variable in found["templating"]["list"]}
    used = {name for target in targets(path) for name in re.findall(r"\$(\w+)", target["expr"])}
    assert used <= variables | {"__rate_interval", "__range"}


def test_provisioning_points_into_the_mounts() -> None:
    mounts = dict(mount.split(":")[:2] for mount in COMPOSE["services"]["grafana"]["volumes"])
    assert mounts["./grafana/provisioning"] == "/etc/grafana/provisioning"
    providers = yaml.safe_load((GRAFANA / "provisioning/dashboards/files.yml").read_text())["providers"]
    assert {provider["options"]["path"] for provider in providers} == {mounts["./grafana/dashboards"]}
    home = COMPOSE["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (GRAFANA / "dashboards" / Path(home).name).exists()


def test_prometheus_scrapes_every_process_where_it_listens() -> None:
    scraped = yaml.safe_load((GRAFANA / "prometheus/prometheus.yml").read_text())
    assert all((GRAFANA / "prometheus" / name).exists() for name in scraped["rule_files"])
    places = {
        target
        for job in scraped["scrape_configs"]
        for config in job["static_configs"]
        for target in config["targets"]
    }
    listening = set()
    for name in ("gateway", "translate", "deliver", "erase", "reconcile", "sync", "status"):
        command = COMPOSE["services"][name]["command"]
        listening.add(f"{name}:{command[command.index('--port') + 1]}")
    assert places == listening
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert [urlsplit(source["url"]).hostname for source in sources] == ["prometheus"]


def test_every_alert_says_what_is_wrong_and_how_bad() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


def test_every_alert_says_what_to_type_or_where_to_look() -> None:
    for rule in rules():
        said = rule["annotations"]["description"]
        assert "`" in said or rule["alert"] in LOOKED_UP_ELSEWHERE, rule["alert"]


needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (Debian: it comes with the package prometheus)",
)


def promtool(*arguments: str) -> None:
    """It must be content."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_every_alert_fires_and_rests_as_its_test_says() -> None:
    promtool("test", "rules", *map(str, ALERT_TESTS))


def test_every_alert_is_tested_firing_and_at_rest() -> None:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in ALERT_TESTS]
    asked = [one for file in files for test in file["tests"] for one in test["promql_expr_test"]]
    firing = {
        name
        for one in asked
        for sample in one.get("exp_samples", ())
        for name in re.findall(r'alertname="(\w+)"', sample["labels"])
    }
    at_rest = {
        name
        for one in asked
        if not one.get("exp_samples")
        for names in re.findall(r'alertname=~?"([\w|]+)"', one["expr"])
        for name in names.split("|")
    }
    alerts = {rule["alert"] for rule in rules()}
    assert firing == alerts
    assert at_rest == alerts


@needs_promtool
def test_promtool_reads_every_expression(tmp_path: Path) -> None:
    made = [
        {
            "record": f"test:expression:{number}",
            "expr": re.sub(r"\$__(rate_interval|range)", "5m", expression),
        }
        for number, expression in enumerate(expressions())
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "test", "rules": made}]}), encoding="utf-8")
    promtool("check", "rules", str(path))
    promtool("check", "config", str(GRAFANA / "prometheus/prometheus.yml"))
