"""`pipeline doctor` beside a running `up`: all is well, then several things are really broken at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tomli_w import dumps

from pipeline import config
from pipeline.doctor import cluster, kafka
from pipeline.doctor.context import Context
from pipeline.events import Kind
from pipeline.kafka import topic_check
from pipeline.kafka.topics import full_name
from pipeline.local.broker import EmbeddedKafka
from tests.broker import KafkaSettings
from tests.integration.operating import SHOPIFY, WOO, Site
from tests.integration.receiving import events
from tests.processes import wait_until
from tests.webhooks import SECRET

pytestmark = pytest.mark.kafka
BASE = {"kafka", "data_dir"}


@pytest.fixture
def site(tmp_path: Path, kafka_settings: KafkaSettings) -> Iterator[Site]:
    """All of `up`, whose gateway is its own public address."""
    tree = kafka_settings.tree()
    made = Site(tmp_path, {name: tree[name] for name in BASE})
    made.tree["gateway"] = made.tree["gateway"] | {"public_url": made.gateway}
    made.path.write_text(dumps(made.tree), encoding="utf-8")
    try:
        made.start()
        wait_until(made.has_status_page, 30)
        yield made
    finally:
        made.stop()


def asked(path: Path) -> tuple[int, list[dict[str, str]]]:
    """The exit code and the findings."""
    command = [sys.executable, "-m", "pipeline", "doctor", "--json", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.stdout, done.stderr
    assert SECRET not in done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)["findings"]


def told(found: list[dict[str, str]], verdict: str) -> list[tuple[str, str]]:
    return [(one["subject"], one["said"]) for one in found if one["verdict"] == verdict]


def with_other_secret(site: Site) -> Path:
    """The same settings, with a secret that the running gateway does not have."""
    tree: dict[str, Any] = json.loads(json.dumps(site.tree))
    tree["stores"][WOO]["secrets"] = ["what-the-gateway-does-not-have"]
    path = site.path.with_name("other.toml")
    path.write_text(dumps(tree), encoding="utf-8")
    return path


@pytest.mark.slow
def test_what_is_broken_is_found_and_nothing_is_changed(site: Site, kafka_settings: KafkaSettings) -> None:
    settings = config.load(site.path)
    code, found = asked(site.path)
    assert told(found, "problem") == []
    # The tests' stores share a secret, and the settings name a Kafka that is a single broker.
    assert {subject for subject, _ in told(found, "warning")} <= {"settings", "cluster durability"}
    assert code == 0
    subjects = {subject for subject, _ in told(found, "ok")}
    assert subjects >= {
        *("secrets", "kafka", "topics", "processes", "accounts and stores", "webhook to itself"),
        *("connectif", "clock", "disk", "permissions", "versions"),
    }
    # The webhooks to itself were taken, and are not there.
    assert [event for kind in Kind for event in events(settings, kind)] == []

    topic = full_name(settings, Kind.ORDER.topic)
    kafka_settings.cluster.alter({topic: {"retention.ms": "60000"}})
    settings.data_dir.chmod(0o777)
    code, found = asked(with_other_secret(site))
    problems = dict(told(found, "problem"))
    assert code == 1
    assert set(problems) == {"topics", "permissions", "webhook to itself"}
    assert f"{topic}: retention.ms is 60000" in problems["topics"]
    assert "has the mode 0777" in problems["permissions"]
    assert f"{WOO}: refused is what the secret of the settings signs (401)" in problems["webhook to itself"]
    assert SHOPIFY not in problems["webhook to itself"]
    # It looked, and put nothing right.
    assert settings.data_dir.stat().st_mode & 0o777 == 0o777
    assert kafka_settings.cluster.overrides([topic])[topic]["retention.ms"] == "60000"

    settings.data_dir.chmod(0o700)
    [gateway] = site.pids("gateway")
    os.kill(gateway, signal.SIGSTOP)
    try:
        code, found = asked(site.path)
    finally:
        os.kill(gateway, signal.SIGCONT)
    stopped = told(found, "problem")
    assert code == 1
    assert any(said.startswith("gateway at ") for subject, said in stopped if subject == "processes")
    assert any("does not answer" in said for subject, said in stopped if subject == "webhook to itself")
    assert [event for kind in Kind for event in events(settings, kind)] == []


@pytest.mark.slow
def test_a_broker_that_is_killed_is_named_and_what_is_left_of_the_copies_is_said(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path, brokers=3, heap="256m") as three:
        tree = {
            "data_dir": str(tmp_path / "data"),
            "kafka": {
                "bootstrap": three.bootstrap,
                "replication": 3,
                "min_insync": 2,
                "shop_partitions": 2,
                "account_partitions": 2,
            },
        }
        settings = config.parse(tree, {})
        topic_check.ensure(settings)
        context = Context(tmp_path / "pipeline.toml", settings)

        def found() -> dict[tuple[str, str], str]:
            return {(one.subject, str(one.verdict)): one.said for one in kafka.examine(context)}

        wait_until(lambda: (cluster.DURABILITY, "ok") in found(), 30, every=0.5)
        assert "3 brokers" in found()[cluster.DURABILITY, "ok"]
        os.kill(three.pids[3], signal.SIGKILL)
        wait_until(lambda: (cluster.DURABILITY, "problem") in found(), 60, every=0.5)
        wait_until(lambda: (cluster.DURABILITY, "warning") in found(), 60, every=0.5)
        told_now = found()
        assert told_now[cluster.DURABILITY, "problem"] == "broker 3 is away and holds copies"
        assert "with copies that are not in step: shop.orders-0" in told_now[cluster.DURABILITY, "warning"]
        assert (cluster.TOPICS, "ok") in told_now
        three.start()
        wait_until(lambda: (cluster.DURABILITY, "ok") in found(), 60, every=0.5)
