"""Dashboards and alerts: of metrics there are, on paths there are, in PromQL that parses."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from pipeline import metrics, metrics_page
from pipeline.exposition import Exposition
from pipeline.metrics_page import every_series

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
ALERT_TESTS = sorted((GRAFANA / "prometheus").glob("*_test.yml"))
#: Labels that Prometheus, not the pipeline, puts on series.
SCRAPED = {"job", "instance", "process", "le"}
_SERIES = re.compile(r"\b(pipeline_[a-z_]+)(\{[^}]*\})?")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
#: What is to be done is to be done in the shop or in the settings.
LOOKED_UP_ELSEWHERE = {"StoreSilent"}
_ALERT_NAME = re.compile(r'alertname=~?"([\w|]+)"')
_GROUPING = re.compile(r"\b(?:by|on|group_left) \(([^)]+)\)")


@functools.cache
def series() -> dict[str, set[str]]:
    """Every series of the pipeline, with its labels."""
    found: dict[str, set[str]] = {}
    for one in every_series():
        for suffix in ("_bucket", "_sum", "_count") if one.kind == "histogram" else ("",):
            found[one.name + suffix] = set(one.labels)
    return found


def test_the_page_of_metrics_is_as_the_code_has_it() -> None:
    assert metrics_page.is_current(ROOT), "run `pipeline metrics --write`"
    assert len(every_series()) > 100
    assert all(one.meaning for one in every_series())


def dashboard(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def targets(path: Path) -> Iterator[dict[str, Any]]:
    for panel in dashboard(path)["panels"]:
        yield from panel.get("targets", ())


def all_rules() -> list[dict[str, Any]]:
    """Alerts, and what is computed for them, of every file that Prometheus is given."""
    files = yaml.safe_load((GRAFANA / "prometheus/prometheus.yml").read_text(encoding="utf-8"))["rule_files"]
    texts = [(GRAFANA / "prometheus" / name).read_text(encoding="utf-8") for name in files]
    return [rule for text in texts for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def rules() -> list[dict[str, Any]]:
    """Every alert."""
    return [rule for rule in all_rules() if "alert" in rule]


def expressions() -> list[str]:
    """Every PromQL expression there is."""
    return [target["expr"] for path in DASHBOARDS for target in targets(path)] + [
        rule["expr"] for rule in all_rules()
    ]


def named_wrongly(expression: str) -> list[str]:
    """The series and labels of an expression that no process exports."""
    known = series()
    labels: set[str] = set()
    wrong = []
    for name, matchers in _SERIES.findall(expression):
        if name not in known:
            wrong.append(name)
            continue
        wrong += set(_MATCHER.findall(re.sub(r'"[^"]*"', "", matchers))) - known[name] - SCRAPED
        labels |= known[name]
    if labels:
        for grouping in _GROUPING.findall(expression):
            wrong += {label.strip() for label in grouping.split(",")} - labels - SCRAPED
    return wrong


def test_there_are_dashboards_and_alerts() -> None:
    assert {path.stem for path in DASHBOARDS} == {"stores", "account", "store", "inside", "replay"}
    assert len(rules()) > 5


@pytest.mark.parametrize("expression", expressions())
def test_every_expression_names_series_and_labels_there_are(expression: str) -> None:
    assert named_wrongly(expression) == []


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
    used = {name for target in targets(path) for name in re.findall(r"\$([a-z_]\w*)", target["expr"])}
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
        option = "--admin-port" if name == "gateway" else "--port"
        listening.add(f"{name}:{command[command.index(option) + 1]}")
    assert places == listening
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert [urlsplit(source["url"]).hostname for source in sources] == ["prometheus"]


def test_service_levels_are_measured_at_bounds_of_the_buckets() -> None:
    asked = {
        (name, bound)
        for rule in all_rules()
        for name, bound in re.findall(r'(\w+_bucket)\{[^}]*le="([^"]+)"', rule["expr"])
    }
    assert {name for name, _ in asked} == {
        "pipeline_gateway_request_seconds_bucket",
        "pipeline_deliver_freshness_seconds_bucket",
    }
    metrics.DELIVER_FRESHNESS_SECONDS.labels("purchase", "live")
    exposed = "".join([*Exposition("gateway").parts(), *Exposition("deliver").parts()])
    for name, bound in asked:
        assert re.search(rf'^{name}\{{[^}}]*le="{re.escape(bound)}"', exposed, re.MULTILINE), (name, bound)


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


def promtool(*arguments: str, program: str = "promtool") -> None:
    """It must be content."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def names_of_alerts(expression: str) -> set[str]:
    """The alerts for which an expression asks."""
    return {name for names in _ALERT_NAME.findall(expression) for name in names.split("|")}


def split(path: Path, directory: Path) -> Iterator[Path]:
    """A file for each test of a file, with the alerts it asks for: promtool computes all at each step."""
    file = yaml.safe_load(path.read_text(encoding="utf-8"))
    for number, test in enumerate(file["tests"]):
        asked = [names_of_alerts(one["expr"]) for one in test["promql_expr_test"]]
        assert all(asked), test["name"]
        rules = directory / f"{path.stem}_{number}_rules.yml"
        groups = [
            group | {"rules": [one for one in group["rules"] if one.get("alert") in {None}.union(*asked)]}
            for name in file["rule_files"]
            for group in yaml.safe_load((path.parent / name).read_text(encoding="utf-8"))["groups"]
        ]
        rules.write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
        alone = directory / f"{path.stem}_{number}.yml"
        alone.write_text(
            yaml.safe_dump(file | {"rule_files": [rules.name], "tests": [test]}), encoding="utf-8"
        )
        yield alone


@needs_promtool
@pytest.mark.parametrize("path", ALERT_TESTS, ids=lambda path: path.stem)
def test_every_alert_fires_and_rests_as_its_test_says(path: Path, tmp_path: Path) -> None:
    promtool("test", "rules", *map(str, split(path, tmp_path)))


def test_every_alert_is_tested_firing_and_at_rest() -> None:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in ALERT_TESTS]
    asked = [one for file in files for test in file["tests"] for one in test["promql_expr_test"]]
    firing = {
        name
        for one in asked
        for sample in one.get("exp_samples", ())
        for name in re.findall(r'alertname="(\w+)"', sample["labels"])
    }
    at_rest = {name for one in asked if not one.get("exp_samples") for name in names_of_alerts(one["expr"])}
    alerts = {rule["alert"] for rule in rules()}
    assert firing == alerts
    assert at_rest == alerts


@needs_promtool
def test_promtool_reads_every_expression(tmp_path: Path) -> None:
    made = [
        {
            "record": f"test:expression:{number}",
            "expr": re.sub(r"\$__(rate_interval|range)", "5m", expression).replace("$top", "10"),
        }
        for number, expression in enumerate(expressions())
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "test", "rules": made}]}), encoding="utf-8")
    promtool("check", "rules", str(path))
    promtool("check", "config", str(GRAFANA / "prometheus/prometheus.yml"))
