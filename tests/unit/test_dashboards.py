"""Dashboards: as their source has them, legible with 500 stores, and every link leads somewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from grafana.source.files import DIRECTORY, drifted, made, write
from pipeline.metrics_page import every_series
from tests.unit.test_grafana import COMPOSE, rules, series

ROOT = Path(__file__).parents[2]
DASHBOARDS: dict[str, dict[str, Any]] = {name: json.loads(text) for name, text in made().items()}
BY_UID = {found["uid"]: found for found in DASHBOARDS.values()}
#: What Prometheus itself and its client's library export.
OTHERS = {
    "ALERTS",
    "ALERTS_FOR_STATE",
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
}
FUNCTIONS = {
    *("sum", "max", "min", "topk", "abs", "time", "vector", "clamp_min", "rate", "increase", "sort_desc"),
    *("max_over_time", "last_over_time", "histogram_quantile", "label_replace", "end"),
    *("and", "or", "unless", "by", "on", "ignoring", "group_left", "group_right", "offset"),
}
#: The sandbox's own; what is said by each topic's figure; the size of what is counted.
NOT_SHOWN = {
    "pipeline_sandbox_calls_total",
    "pipeline_gateway_kafka_up",
    "pipeline_archive_bytes_total",
    "pipeline_archive_files_total",
}
#: Labels with as many values as there are stores.
MANY = {"store", "account"}


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every panel but the headings, with its dashboard's address."""
    for uid, found in BY_UID.items():
        for panel in found["panels"]:
            if panel["type"] != "row":
                yield uid, panel


def asked() -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every expression, with its panel and its dashboard's address."""
    for uid, panel in panels():
        for target in panel["targets"]:
            yield uid, panel, target["expr"]


def test_the_files_are_as_their_source_has_them() -> None:
    assert drifted(DIRECTORY) == [], "run `make schemas`"


def test_a_file_that_is_changed_missing_or_made_by_nothing_is_found_and_put_right(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "stores.json").write_text("{}")
    (tmp_path / "store.json").unlink()
    (tmp_path / "gone.json").write_text("{}")
    assert drifted(tmp_path) == ["gone.json", "store.json", "stores.json"]
    assert write(tmp_path) == ["gone.json", "store.json", "stores.json"]
    assert drifted(tmp_path) == []
    assert {path.name for path in tmp_path.iterdir()} == set(DASHBOARDS)


def test_each_dashboard_and_each_panel_has_an_id_of_its_own() -> None:
    assert len(BY_UID) == len(DASHBOARDS)
    for found in DASHBOARDS.values():
        assert len({panel["id"] for panel in found["panels"]}) == len(found["panels"])
        titles = [panel["title"] for panel in found["panels"] if panel["type"] != "row"]
        assert len(set(titles)) == len(titles)


def test_each_panel_says_in_words_what_it_tells() -> None:
    for _, panel in panels():
        said = panel["description"]
        assert len(said.split()) >= 4, panel["title"]
        assert said.endswith("."), panel["title"]


def named(expression: str) -> set[str]:
    """The series of an expression."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(by|on|ignoring|group_left|group_right) \([^)]*\)", " ", bare)
    bare = re.sub(r"\boffset \S+?(?=[\s)]|$)", "", bare)
    return set(re.findall(r"(?<![\w$.])[a-zA-Z_:][\w:]*", bare)) - FUNCTIONS


def test_each_series_is_one_of_the_registry_or_of_prometheus() -> None:
    recorded = {
        rule["record"]
        for group in yaml.safe_load((ROOT / "grafana/prometheus/service_levels.yml").read_text())["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    for uid, panel, expression in asked():
        found = named(expression)
        assert found, (uid, panel["title"])
        assert found <= series().keys() | recorded | OTHERS, (uid, panel["title"])


def test_each_series_of_the_registry_is_in_a_panel() -> None:
    shown = set().union(*(named(expression) for _, _, expression in asked()))
    missing = {one.name for one in every_series()} - {re.sub(r"_(bucket|count)$", "", name) for name in shown}
    assert missing == NOT_SHOWN


def test_no_panel_has_a_line_or_a_row_for_each_store_but_for_the_highest() -> None:
    several = [uid for uid, found in BY_UID.items() if "top" in names_of_variables(found)]
    assert several == ["pipeline-stores", "pipeline-inside"]
    for uid, panel in panels():
        for target in panel["targets"]:
            expression = target["expr"]
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            if target.get("format") == "table":
                shown |= set(panel["transformations"][1]["options"]["indexByName"])
            if shown & MANY and not re.search(r'(store|account)="\$\1"', expression):
                assert "topk(" in expression, (uid, panel["title"])


def names_of_variables(found: dict[str, Any]) -> set[str]:
    return {variable["name"] for variable in found["templating"]["list"]}


def links(found: Any) -> Iterator[str]:
    """Every address in a dashboard."""
    if isinstance(found, dict):
        if isinstance(found.get("url"), str):
            yield found["url"]
        for value in found.values():
            yield from links(value)
    elif isinstance(found, list):
        for value in found:
            yield from links(value)


def test_each_link_leads_to_a_dashboard_with_its_variable_or_to_the_page_of_an_alert() -> None:
    led = set()
    for uid, found in BY_UID.items():
        for url in links(found):
            if not url:
                continue  # the list of dashboards with the tag
            if url.startswith("${runbooks}/"):
                assert url == "${runbooks}/${__value.raw}.md"
                assert "runbooks" in names_of_variables(found), uid
                continue
            parts = urlsplit(url)
            place = parts.path.removeprefix("/d/")
            led.add(place)
            [variable] = [name for name in parse_qs(parts.query) if name.startswith("var-")]
            assert variable.removeprefix("var-") in names_of_variables(BY_UID[place]), url
            assert "${__url_time_range}" in url
    assert led == {"pipeline-account", "pipeline-store", "pipeline-replay"}


def test_a_label_that_a_link_takes_is_one_of_the_lines() -> None:
    for uid, panel in panels():
        for url in links(panel["fieldConfig"]["defaults"]):
            for label in re.findall(r"\$\{__field\.labels\.(\w+)\}", url):
                lines = [target["legendFormat"] for target in panel["targets"]]
                assert any(f"{{{{{label}}}}}" in line for line in lines), (uid, panel["title"])


def test_the_pages_that_alerts_link_are_where_grafana_serves_them() -> None:
    mounts = dict(mount.split(":")[:2] for mount in COMPOSE["services"]["grafana"]["volumes"])
    [said] = {
        variable["query"]
        for found in BY_UID.values()
        for variable in found["templating"]["list"]
        if variable["name"] == "runbooks"
    }
    served = f"/usr/share/grafana{said}"
    [pages] = [Path(ROOT, place) for place, at in mounts.items() if at == served]
    assert {rule["alert"] for rule in rules()} <= {path.stem for path in pages.glob("*.md")}


@pytest.mark.parametrize("uid", sorted(BY_UID))
def test_every_dashboard_can_be_reached_from_the_others(uid: str) -> None:
    found = BY_UID[uid]
    [others] = found["links"]
    assert (others["type"], others["keepTime"]) == ("dashboards", True)
    assert set(others["tags"]) == set(found["tags"]) == {"pipeline"}
    for variable in found["templating"]["list"]:
        if variable["type"] == "query":
            assert variable["query"]["query"].startswith("label_values(pipeline_")
