"""What the workflows of security and of releases run: pinned tools, what there is, no registry's address."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
EACH = pytest.mark.parametrize("name", ["security", "release"])


def text_of(name: str) -> str:
    return (ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8")


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in yaml.safe_load(text_of(name))["jobs"].values() for step in job["steps"]]


@EACH
def test_every_tool_and_action_is_pinned_and_no_registry_is_named(name: str) -> None:
    tools = re.findall(r"tools/bin/pip install (.+)", text_of(name))
    assert tools
    assert all(re.fullmatch(r"[a-z-]+==[0-9.]+", tool) for line in tools for tool in line.split())
    assert all(re.search(r"@v\d+$", step["uses"]) for step in steps(name) if "uses" in step)
    assert not re.search(r"https?://|index-url", text_of(name))


@EACH
def test_it_reads_unless_a_job_needs_more_and_runs_what_there_is(name: str) -> None:
    tree = yaml.safe_load(text_of(name))
    assert tree["permissions"] == {"contents": "read"}
    known = set(re.findall(r'"(\w+)": \[', (ROOT / "make.py").read_text(encoding="utf-8")))
    said = " ".join(step["run"] for step in steps(name) if "run" in step)
    named = re.findall(r"make(?:\.py)? (\w+)", said)
    assert named
    assert set(named) <= known
    assert "cyclonedx-py environment" in said
    listed = {"security": " .venv/bin/python", "release": " /tmp/plain/bin/python"}[name]
    assert f"sbom.cdx.json{listed}" in said


def test_what_a_release_lists_is_what_the_image_installs() -> None:
    said = " ".join(step["run"] for step in steps("release") if "run" in step)
    installs = "pip install --require-hashes --only-binary :all: -r deploy/locks/plain.txt"
    dockerfile = " ".join((ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").split())
    assert installs in said
    assert installs in dockerfile


@pytest.mark.parametrize("name", ["ci", "nightly"])
def test_prometheus_is_there_where_tests_ask_it(name: str) -> None:
    for job in yaml.safe_load(text_of(name))["jobs"].values():
        said = [step.get("run", "") for step in job["steps"]]
        [installs] = [number for number, run in enumerate(said) if "install" in run and " prometheus" in run]
        assert all("make" not in run for run in said[:installs])
        assert "prometheus-alertmanager" in said[installs] or said[-1] == "make gameday"


def test_the_slow_tests_and_a_game_day_run_each_night_with_the_release_before() -> None:
    tree = yaml.safe_load(text_of("nightly"))
    assert tree[True]["schedule"], "YAML takes `on` for true"
    said = [step["run"] for step in steps("nightly") if "run" in step]
    assert {"make nightly", "make gameday"} <= set(said)
    assert tree["jobs"]["test"]["steps"][0]["with"] == {"fetch-depth": 0}


def test_what_is_installed_is_audited_and_a_release_is_signed() -> None:
    said = " ".join(step["run"] for step in steps("security") if "run" in step)
    assert "pip-audit --strict --requirement constraints.txt" in said
    assert (ROOT / "constraints.txt").is_file()
    [signing] = [step for step in steps("release") if "attest" in step.get("uses", "")]
    assert signing["with"] == {"subject-path": "dist/*"}
