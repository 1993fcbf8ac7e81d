"""A real Prometheus with the alerts of grafana/, that looks at real processes every second."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pytest
import yaml

from pipeline.local.ports import free_port
from tests.processes import wait_until

ALERTS = Path(__file__).parents[2] / "grafana" / "prometheus" / "alerts.yml"
DASHBOARDS = ALERTS.parents[1] / "dashboards"
RULES = [ALERTS, ALERTS.with_name("service_levels.yml")]
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None,
    reason="prometheus is not installed (Debian: the package prometheus)",
)
#: A series' labels, and its value.
Values = dict[frozenset[tuple[str, str]], float]


def labelled(**labels: str) -> frozenset[tuple[str, str]]:
    """The labels of one series."""
    return frozenset(labels.items())


class Prometheus:
    """Started on entering.

    Args:
        directory: of its own; made.
        targets: URLs by the name that is their label `process`.
        rules: the files of rules it evaluates.
        every: how often it looks at them.
    """

    def __init__(
        self,
        directory: Path,
        targets: Mapping[str, str],
        rules: Sequence[Path] = tuple(RULES),
        *,
        every: str = "1s",
    ) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        directory.mkdir()
        scraped = [
            {"targets": [url.partition("//")[2]], "labels": {"process": name}}
            for name, url in targets.items()
        ]
        config = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": "pipeline", "static_configs": scraped}],
        }
        (directory / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        self._directory = directory
        self._count = len(targets)
        self._client = httpx.Client(base_url=self.url, timeout=20)

    def __enter__(self) -> Self:
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self._directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._directory / 'data'}",
                    f"--web.listen-address={self.url.partition('//')[2]}",
                ],
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(self._looks, 30, every=0.1)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._client.close()

    def _looks(self) -> bool:
        with contextlib.suppress(httpx.HTTPError, ValueError):  # it answers 503 in plain text while it starts
            return sum(self.values('up{job="pipeline"}').values()) == self._count
        return False

    def values(self, expression: str, *, interval: str = "1m", seconds: str = "1h", **chosen: str) -> Values:
        """An expression now, as a panel asks it.

        Args:
            expression: PromQL; Grafana's variables may be in it.
            interval: what the panel rates over.
            seconds: the time that is shown.
            chosen: the dashboard's variables, where they are not all stores and accounts.
        """
        for name, value in {
            "__rate_interval": interval,
            "__range": seconds,
            "store": ".*",
            "account": ".*",
            "top": "100",
            **chosen,
        }.items():
            expression = re.sub(rf"\${name}\b", value, expression)
        answer = self._client.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", (expression, answer)
        assert not answer.get("warnings"), (expression, answer)
        return {
            frozenset(sample["metric"].items()): float(sample["value"][1])
            for sample in answer["data"]["result"]
        }

    def value(self, expression: str) -> float:
        """The only value there is."""
        [value] = self.values(expression).values()
        return value

    def alerts(self, *states: str) -> dict[str, list[dict[str, Any]]]:
        """The alerts that fire, or will where what they see stays, by name; only those in a state, if any."""
        found: dict[str, list[dict[str, Any]]] = {}
        for alert in self._client.get("/api/v1/alerts").json()["data"]["alerts"]:
            if not states or alert["state"] in states:
                found.setdefault(alert["labels"]["alertname"], []).append(alert["labels"])
        return found

    def sick_rules(self) -> list[str]:
        """What is wrong with alerts whose evaluation failed."""
        groups = self._client.get("/api/v1/rules").json()["data"]["groups"]
        return [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")]
