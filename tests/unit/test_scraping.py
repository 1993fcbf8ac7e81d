"""What `pipeline up --prometheus` writes: Prometheus takes it, and finds every process by its labels."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import PipelineError
from pipeline.local import scraping
from tests.unit.test_grafana import needs_promtool

ROOT = Path(__file__).parents[2]
URLS = {
    "gateway": "http://0.0.0.0:8090",
    "gateway-2": "http://127.0.0.1:8091",
    "deliver": "http://127.0.0.1:8082",
    "sandbox": "http://127.0.0.1:9100",
}


def of_compose() -> dict[str, Any]:
    text = (ROOT / "grafana/prometheus/prometheus.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_every_process_is_a_target_where_it_can_be_asked(tmp_path: Path) -> None:
    scraping.write(tmp_path / "made" / "prometheus", URLS)
    found = json.loads((tmp_path / "made" / "prometheus" / "targets.json").read_text())
    assert found == [
        {"targets": ["127.0.0.1:8090"], "labels": {"process": "gateway"}},
        {"targets": ["127.0.0.1:8091"], "labels": {"process": "gateway"}},
        {"targets": ["127.0.0.1:8082"], "labels": {"process": "deliver"}},
    ]


def test_the_configuration_is_that_of_the_containers_with_these_targets(tmp_path: Path) -> None:
    scraping.write(tmp_path, URLS)
    made, compose = yaml.safe_load((tmp_path / "prometheus.yml").read_text()), of_compose()
    assert made["rule_files"] == compose["rule_files"]
    assert made["global"].items() <= compose["global"].items()
    (job,), (same,) = made["scrape_configs"], compose["scrape_configs"]
    assert job["job_name"] == same["job_name"]
    assert [name for config in job["file_sd_configs"] for name in config["files"]] == ["targets.json"]


@needs_promtool
def test_prometheus_takes_it(tmp_path: Path) -> None:
    scraping.write(tmp_path, URLS)
    done = subprocess.run(
        ["promtool", "check", "config", str(tmp_path / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 rule files found" in done.stdout


def test_another_user_can_read_it_and_a_second_start_writes_it_anew(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        scraping.write(tmp_path / "made", URLS)
        scraping.write(tmp_path / "made", {"deliver": "http://127.0.0.1:9"})
    finally:
        os.umask(before)
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o755
    names = {"prometheus.yml", "targets.json", "alerts.yml", "service_levels.yml"}
    assert {path.name for path in (tmp_path / "made").iterdir()} == names
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "made").iterdir()} == {0o644}
    assert "127.0.0.1:9" in (tmp_path / "made" / "targets.json").read_text()


def test_a_place_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PipelineError, match="cannot be written") as raised:
        scraping.write(tmp_path / "file" / "below", URLS)
    assert "--prometheus" in str(raised.value)
