"""The pages for alerts: one each, and what they say to type, ask and look for is there."""

from __future__ import annotations

import ast
import contextlib
import json
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import typer
import yaml

import pipeline
from pipeline.connectif.answers import Cause
from pipeline.deliver.send.call_failures import WRONG_ADDRESS
from pipeline.local.gateways import GATEWAY, admin_port
from pipeline.local.wiring import ALL_STAGES
from tests.commands import UsageError, parsed, pipeline_commands, shell_lines
from tests.unit.test_grafana import GRAFANA, named_wrongly, needs_promtool, promtool, rules, series

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
INDEX = RUNBOOKS / "README.md"
PAGES = sorted(path for path in RUNBOOKS.glob("*.md") if path != INDEX)
ALERTS = {rule["alert"]: rule for rule in rules()}
#: The headings of a page; one of each pair.
HEADINGS = (
    {"Meanwhile"},
    {"Look"},
    {"Causes and ways out", "Ways out", "What to do"},
    {"Over when"},
)
_PROMQL = re.compile(r"^```promql\n(.*?)^```", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"`(pipeline_[a-z_]+)(?:\{[^`]*)?`")
_GREP = re.compile(r"grep (?:-\S+ )*'([^']+)' (?=.*DATA_DIR/logs)")
_ROW = re.compile(r"^\| \[(\w+)\]\(\1\.md\) \| (\w+) \| (.+) \|$", re.MULTILINE)


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def meaning(page: str) -> str:
    """What a page says first."""
    return " ".join(page.split("\n\n")[1].split())


def asked(page: str) -> list[str]:
    """The PromQL of a page; a line that begins with an operator goes on with the one before."""
    found: list[str] = []
    for block in _PROMQL.findall(page):
        for line in block.strip().splitlines():
            if found and re.match(r"\s*(-|/|and|or|unless)\s", line):
                found[-1] += " " + line
            else:
                found.append(line)
    return found


def messages() -> list[str]:
    """Texts of the code: what a log can say."""
    found = []
    for path in sorted(Path(pipeline.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(text(path))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "%s" for part in node.values]
                found.append("".join(map(str, parts)))
    return found


MESSAGES = "\n".join(messages())
by_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


def test_each_alert_has_a_page_and_each_page_an_alert() -> None:
    assert {path.stem for path in PAGES} == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_names_its_page(name: str) -> None:
    assert ALERTS[name]["annotations"]["runbook_url"] == f"{{{{ $externalLabels.runbooks }}}}/{name}.md"


def test_where_the_pages_are_is_said_in_one_place() -> None:
    said = yaml.safe_load(text(GRAFANA / "prometheus" / "prometheus.yml"))
    assert ROOT / said["global"]["external_labels"]["runbooks"] == RUNBOOKS
    assert {"action": "labeldrop", "regex": "runbooks"} in said["alerting"]["alert_relabel_configs"]


@needs_promtool
def test_prometheus_makes_the_address_of_a_page(tmp_path: Path) -> None:
    name = "ProcessDown"
    probe = {
        "alert": name,
        "expr": "vector(1)",
        "annotations": {"runbook_url": ALERTS[name]["annotations"]["runbook_url"]},
    }
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "one", "rules": [probe]}]}))
    wanted = {"exp_annotations": {"runbook_url": f"https://git.example/runbooks/{name}.md"}}
    test = {
        "external_labels": {"runbooks": "https://git.example/runbooks"},
        "alert_rule_test": [{"eval_time": "1m", "alertname": name, "exp_alerts": [wanted]}],
    }
    path = tmp_path / "test.yml"
    path.write_text(json.dumps({"rule_files": ["rules.yml"], "tests": [test]}))
    promtool("test", "rules", str(path))


def test_the_index_has_every_alert_with_what_its_page_says_first() -> None:
    rows = {name: (severity, words) for name, severity, words in _ROW.findall(text(INDEX))}
    assert rows == {
        path.stem: (ALERTS[path.stem]["labels"]["severity"], meaning(text(path))) for path in PAGES
    }


@by_page
def test_a_page_says_what_happens_meanwhile_how_to_look_to_mend_and_to_see_that_it_is_over(
    path: Path,
) -> None:
    page = text(path)
    assert page.startswith(f"# {path.stem}\n\n")
    assert meaning(page).endswith(".")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert len(headings) == len(HEADINGS)
    assert all(found in wanted for found, wanted in zip(headings, HEADINGS, strict=True)), headings
    assert asked(page) or list(shell_lines(page)), "nothing to type"


def test_no_page_is_a_copy_of_another() -> None:
    bodies = [re.sub(r"^# .+\n", "", text(path)) for path in PAGES]
    assert len(set(bodies)) == len(bodies)
    assert len({meaning(text(path)) for path in PAGES}) == len(PAGES)


@pytest.mark.parametrize("path", [*PAGES, INDEX], ids=lambda path: path.stem)
def test_each_command_of_a_page_is_there_with_its_options(path: Path) -> None:
    for words in pipeline_commands(text(path)):
        parsed(words)


@pytest.mark.parametrize("name", ALERTS)
def test_each_command_of_an_alert_is_there_with_its_options(name: str) -> None:
    said = re.sub(r"\{\{[^}]*\}\}", "x", ALERTS[name]["annotations"]["description"])
    for words in pipeline_commands(said):
        with contextlib.suppress(typer.BadParameter):  # some are only named, without what they need
            parsed(words)


def test_a_command_that_is_not_there_would_be_noticed() -> None:
    page = "`pipeline dead lst`\n```sh\nls | wc\npipeline topics --wipe | tail  # all\n```"
    wrong = list(pipeline_commands(page))
    assert wrong == [["dead", "lst"], ["topics", "--wipe"]]
    for words in wrong:
        with pytest.raises(UsageError):
            parsed(words)


@pytest.mark.parametrize("path", [*PAGES, INDEX], ids=lambda path: path.stem)
def test_each_place_in_a_page_that_is_linked_is_there(path: Path) -> None:
    for file, place in re.findall(r"\]\(([\w./-]+\.md)#([\w-]+)\)", text(path)):
        headings = re.findall(r"^#+ (.+)$", text(path.parent / file), re.MULTILINE)
        assert place in {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}, place


@by_page
def test_each_series_of_a_page_is_there_with_its_labels(path: Path) -> None:
    page = text(path)
    known = series()
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in known} | known.keys()
    assert set(_NAMED.findall(page)) <= names
    recorded = {
        rule["record"]
        for rule in yaml.safe_load(text(GRAFANA / "prometheus/service_levels.yml"))["groups"][0]["rules"]
        if "record" in rule
    }
    assert set(re.findall(r"\bpipeline:[a-z_]+:\w+", page)) <= recorded
    assert [wrong for expression in asked(page) for wrong in named_wrongly(expression)] == []


@needs_promtool
def test_promtool_reads_what_the_pages_ask(tmp_path: Path) -> None:
    made = [
        {"record": f"test:{path.stem}:{number}", "expr": expression}
        for path in PAGES
        for number, expression in enumerate(asked(text(path)))
    ]
    assert len(made) > len(PAGES)
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "pages", "rules": made}]}), encoding="utf-8")
    promtool("check", "rules", str(path))


@by_page
def test_what_a_page_looks_for_in_a_log_is_what_a_log_can_say(path: Path) -> None:
    for pattern in _GREP.findall(text(path)):
        for one in pattern.replace("acme-es", "%s").split("|"):
            assert re.search(one.replace("(", r"\("), MESSAGES), one


def usual_ports() -> dict[str, int]:
    """Where each process of `pipeline up` answers operators, if nothing else is said."""
    ports = {name: 8080 + number for number, name in enumerate(ALL_STAGES)}
    return ports | {GATEWAY: admin_port(ports[GATEWAY])}


@pytest.mark.parametrize("path", [*PAGES, INDEX], ids=lambda path: path.stem)
def test_each_address_is_that_of_the_process_which_is_named_beside_it(path: Path) -> None:
    ports = {port: name for name, port in usual_ports().items()}
    lines = [line for line in shell_lines(text(path)) if line.startswith("curl -s localhost")]
    for line in lines:
        port = urlsplit("//" + line.split()[2]).port
        assert port is not None
        assert re.search(rf"# {ports[port]}\b", line), line


def test_the_page_of_a_stopped_shop_says_what_to_do_for_each_reason_there_is() -> None:
    sync = Path(pipeline.__file__).parent / "sync"
    reasons = {"unauthorised", "too_many"}  # words of `ShopLimit` itself
    for name in ("client", "answers"):
        for words in re.findall(r"Failed\((.*?)\)", text(sync / f"{name}.py")):
            reasons |= set(re.findall(r'"(\w+)"', words))
    assert len(reasons) > 8
    page = text(RUNBOOKS / "ShopApiStopped.md")
    assert {reason for reason in reasons if f"`{reason}`" not in page} == set()


def test_the_page_of_a_failing_connectif_says_what_to_do_for_each_cause_there_is() -> None:
    causes = {cause.value for cause in Cause if cause} | {WRONG_ADDRESS}
    page = text(RUNBOOKS / "ConnectifFails.md")
    assert {cause for cause in causes if f"`{cause}`" not in page} == set()


def test_the_index_says_where_each_process_answers() -> None:
    compose = yaml.safe_load(text(ROOT / "docker-compose.yml"))["services"]
    for name, port in usual_ports().items():
        option = "--admin-port" if name == GATEWAY else "--port"
        command = compose.get(name, {}).get("command")
        there = f"{name}:{command[command.index(option) + 1]}" if command else "(not there)"
        assert f"| {name} | {port} | {there} |" in text(INDEX)


# Alertmanager.

MANAGER = yaml.safe_load(text(GRAFANA / "prometheus" / "alertmanager.yml"))


def matched(matchers: list[str]) -> dict[str, set[str]]:
    """What labels must be."""
    found = {}
    for matcher in matchers:
        name, values = re.fullmatch(r'(\w+)=~?"([^"]+)"', matcher).groups()  # type: ignore[union-attr]
        found[name] = set(values.split("|"))
    return found


def test_only_warnings_are_kept_back_and_by_something_critical() -> None:
    for rule in MANAGER["inhibit_rules"]:
        source, target = matched(rule["source_matchers"]), matched(rule["target_matchers"])
        assert source["alertname"] | target["alertname"] <= set(ALERTS)
        assert {ALERTS[name]["labels"]["severity"] for name in source["alertname"]} == {"critical"}
        assert {ALERTS[name]["labels"]["severity"] for name in target["alertname"]} == {"warning"}
        for label in rule.get("equal", ()):
            for name in source["alertname"] | target["alertname"]:
                assert f"$labels.{label} " in ALERTS[name]["annotations"]["summary"], (name, label)
        if "process" in source:
            assert source["process"] <= set(ALL_STAGES)


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")
def test_amtool_reads_the_settings_of_alertmanager() -> None:
    promtool("check-config", str(GRAFANA / "prometheus" / "alertmanager.yml"), program="amtool")


def test_prometheus_tells_the_alertmanager_of_compose_which_has_its_settings() -> None:
    said = yaml.safe_load(text(GRAFANA / "prometheus" / "prometheus.yml"))["alerting"]
    places = [
        place
        for manager in said["alertmanagers"]
        for config in manager["static_configs"]
        for place in config["targets"]
    ]
    service = yaml.safe_load(text(ROOT / "docker-compose.yml"))["services"]["alertmanager"]
    assert places == [f"alertmanager:{port.split(':')[-1]}" for port in service["ports"]]
    mounts = dict(mount.split(":")[:2] for mount in service["volumes"])
    at = mounts["./grafana/prometheus/alertmanager.yml"]
    assert f"--config.file={at}" in service["command"]
