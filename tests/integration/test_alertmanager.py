"""A real Alertmanager with the settings of grafana/: which alerts it tells, and which it keeps back."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from pipeline.local.ports import free_port
from tests.integration.watching import RULES
from tests.processes import wait_until

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus-alertmanager") is None,
    reason="alertmanager is not installed (Debian: the package prometheus-alertmanager)",
)
SETTINGS = RULES[0].with_name("alertmanager.yml")
SEVERITIES = {
    rule["alert"]: rule["labels"]["severity"]
    for path in RULES
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
#: What fires, and whether it is told.
FIRING = [
    ({"alertname": "ProcessDown", "process": "deliver"}, True),
    ({"alertname": "NotReady", "process": "deliver"}, False),
    ({"alertname": "NotReady", "process": "gateway"}, True),
    ({"alertname": "WorkerFallsBehind", "topic": "connectif.contacts"}, False),
    ({"alertname": "StoreSilent", "store": "acme-es"}, True),
    ({"alertname": "AccountStopped", "account": "acme", "reason": "forbidden"}, True),
    ({"alertname": "CallsFail", "account": "acme"}, False),
    ({"alertname": "CallsFail", "account": "other"}, True),
    ({"alertname": "ShopApiStopped", "store": "acme-es", "reason": "not_json"}, True),
    ({"alertname": "FetchesLate", "store": "acme-es"}, False),
    ({"alertname": "FetchesLate", "store": "bottega"}, True),
    ({"alertname": "WebhooksLate"}, True),
    ({"alertname": "WebhooksLateForDays"}, False),
    ({"alertname": "DeadLetters", "account": "acme", "store": "acme-es", "kind": "purchase"}, True),
]


@pytest.fixture(name="manager")
def _manager(tmp_path: Path) -> Iterator[httpx.Client]:
    url = f"http://127.0.0.1:{free_port()}"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus-alertmanager",
                f"--config.file={SETTINGS}",
                f"--storage.path={tmp_path / 'data'}",
                f"--web.listen-address={url.partition('//')[2]}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
            wait_until(lambda: _is_ready(client), 30, every=0.1)
            yield client
    finally:
        process.terminate()
        process.wait(20)


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").is_success
    except httpx.HTTPError:
        return False


def test_a_warning_that_follows_from_something_critical_is_not_told(manager: httpx.Client) -> None:
    alerts = [{"labels": {**labels, "severity": SEVERITIES[labels["alertname"]]}} for labels, _ in FIRING]
    assert manager.post("/api/v2/alerts", json=alerts).is_success

    def found() -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = manager.get("/api/v2/alerts").json()
        return listed

    def judged() -> bool:
        return all(alert["status"]["state"] != "unprocessed" for alert in found())

    wait_until(lambda: len(found()) == len(FIRING) and judged(), 60, every=0.2)
    told = {
        frozenset((name, value) for name, value in alert["labels"].items() if name != "severity"): (
            alert["status"]["state"] == "active"
        )
        for alert in found()
    }
    assert told == {frozenset(labels.items()): is_told for labels, is_told in FIRING}
