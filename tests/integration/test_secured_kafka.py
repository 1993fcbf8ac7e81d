"""All of `pipeline up` on a Kafka with TLS, a password and no rights but those that the page names."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.operating import SHOPIFY, WOO, Site
from tests.previous import history, watch
from tests.secured_kafka import PASSWORD, USER, SecuredKafka, secured_kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

PAGE = Path(__file__).parents[2] / "docs" / "production" / "kafka.md"
#: A line of the page's table of rights: resource, pattern, name, operations.
_RIGHT = re.compile(
    r"^\| (topic|group|broker) \| (prefixed|literal) \| `([^`]+)` \| ([\w, ]+) \|", re.MULTILINE
)
PREFIX = "shops."


@pytest.fixture(name="kafka", scope="module")
def _kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as kafka:
        yield kafka


def security(kafka: SecuredKafka, directory: Path, **changes: Any) -> dict[str, Any]:
    """As an operator has it in the settings."""
    password = directory / "password"
    password.write_text(PASSWORD + "\n", encoding="utf-8")
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": USER,
        "sasl.password": {"file": str(password)},
        "ssl.ca.location": str(kafka.authority),
        **changes,
    }


def site_of(kafka: SecuredKafka, directory: Path, **changes: Any) -> Site:
    base = {
        "bootstrap": kafka.bootstrap,
        "security": security(kafka, directory, **changes),
        "topic_prefix": PREFIX,
        "shop_partitions": 2,
        "account_partitions": 2,
    }
    return Site(directory, {"kafka": base})


def command(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    """A command; one that Kafka refuses is said once the client gives up, after half a minute."""
    argv = [sys.executable, "-m", "pipeline", *words, "--config", str(site.path)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=240, check=False)


def rights() -> list[tuple[str, str, str, list[str]]]:
    """What the page says that the user needs."""
    found = _RIGHT.findall(PAGE.read_text(encoding="utf-8"))
    assert len(found) >= 3
    return [(kind, how, name, operations.split(", ")) for kind, how, name, operations in found]


def test_orders_reach_connectif_with_the_rights_of_the_page_and_no_others(
    kafka: SecuredKafka, tmp_path: Path
) -> None:
    site = site_of(kafka, tmp_path)
    try:
        refused = command(site, "topics")
        assert refused.returncode == 3, refused.stderr
        for right in rights():
            kafka.allow(*right)
        site.start(within=240)
        told = [history.order(1), history.order(2), history.woo(1)]
        for webhook in told:
            assert webhook.post(site) == 200
        watch.wait_for(site, len(told), pending=False, seconds=240)
        # Told at once with the order, the change would take its place, and one purchase be made.
        assert history.order_changed(1).post(site) == 200
        watch.wait_for(site, len(told) + 1, pending=False, seconds=240)
        held = watch.ledger(site)
        assert {key: item["creates"] for key, item in held["acme"]["purchases"].items()} == {"1": 2, "2": 1}
        for words in (
            ["topics", "--check"],
            ["trace", SHOPIFY, "order", "1"],
            ["dead", "list"],
            ["replay", "start", "--store", WOO, "--dry-run"],
        ):
            done = command(site, *words)
            assert done.returncode == 0, (words, done.stdout[-2_000:], done.stderr[-2_000:])
        assert PASSWORD not in (tmp_path / "up.log").read_text()
        assert PASSWORD not in "".join(site.log(stage) for stage in site.urls)
    finally:
        site.stop()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
def test_the_other_mechanisms_open_it_too(kafka: SecuredKafka, tmp_path: Path, mechanism: str) -> None:
    site = site_of(kafka, tmp_path, **{"sasl.mechanism": mechanism})
    try:
        for right in rights():
            kafka.allow(*right)
        assert command(site, "topics").returncode == 0
    finally:
        site.stop()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sasl.username": "nobody"}, "password"),
        ({"ssl.ca.location": None}, "certificate"),
    ],
    ids=["password", "certificate"],
)
def test_what_does_not_open_it_is_said_in_words(
    kafka: SecuredKafka, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    site = site_of(kafka, tmp_path)
    wrong = {**site.tree["kafka"]["security"], **changes}
    site.tree["kafka"]["security"] = {name: value for name, value in wrong.items() if value is not None}
    site.write()
    try:
        done = command(site, "topics")
        assert done.returncode == 3
        assert said in done.stderr
        assert PASSWORD not in done.stderr
    finally:
        site.stop()
