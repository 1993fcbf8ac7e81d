"""Dead letters of several reasons on a real Kafka: listed, shown, sent again after the fix, dropped."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from confluent_kafka import Producer
from tomli_w import dumps

from pipeline.dead.acting import alone
from pipeline.events import Lane
from pipeline.kafka import topic_check
from pipeline.kafka.deadletters import dead_headers
from pipeline.kafka.topics import DEADLETTERS
from pipeline.records import RecordKind, partition_of
from tests.broker import KafkaSettings, RunningKafka
from tests.integration import translating
from tests.integration.delivering import Connectif, Environment, running_environment
from tests.integration.translating import STORE, TREE
from tests.integration.worker_process import WorkerProcess
from tests.processes import wait_until
from tests.shopify import delivered, paid_order
from tests.simulation.shop import Shop

pytestmark = pytest.mark.kafka


class Dead:
    """`pipeline dead` of one settings file."""

    def __init__(self, config_path: Path) -> None:
        self._config = config_path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command."""
        return subprocess.run(
            self.command(*words),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def command(self, *words: str) -> list[str]:
        """Its words."""
        return [sys.executable, "-m", "pipeline", "dead", *words, "--config", str(self._config)]

    def tree(self, *words: str) -> Any:
        """Its `--json`."""
        done = self.run(*words, "--json")
        assert done.returncode in {0, 1}, done.stderr
        return json.loads(done.stdout)

    def groups(self, *words: str) -> dict[tuple[str, str], tuple[int, int]]:
        """(kind, reason) -> count, and how many of them came back."""
        return {
            (group["kind"], group["reason"]): (group["count"], group["came_back"])
            for group in self.tree("list", *words)["groups"]
        }

    def letters(self, *words: str) -> list[dict[str, Any]]:
        """Single letters."""
        done = self.run("list", "--each", "--json", *words)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


def authorise(play: Environment, *domains: str) -> None:
    """Connectif is another one from here on: empty, with other authorised domains."""
    play.connectif.stop()
    tree = tomllib.loads(play.config_path.read_text())
    for account in tree["accounts"].values():
        account["authorised_domains"] = list(domains)
    path = play.config_path.with_name(f"connectif-{len(domains)}-{time.monotonic_ns()}.toml")
    path.write_text(dumps(tree))
    play.connectif = Connectif(path, urlsplit(play.connectif.url).port or 0)


def put(play: Environment, topic: str, value: bytes, partition: int, headers: list[Any]) -> None:
    """A message of anybody's."""
    producer = Producer({"bootstrap.servers": play.settings.kafka.bootstrap})
    producer.produce(play.settings.kafka.topic_prefix + topic, value, b"k", partition, headers=headers)
    assert producer.flush(10) == 0


def refused_again(worker: WorkerProcess) -> dict[tuple[str, ...], float]:
    """What the worker counts of letters that were sent again and refused again."""
    labels = ("stage", "account", "kind", "reason")
    return {
        tuple(sample.labels[label] for label in labels): sample.value
        for sample in worker.samples("pipeline_redriven_rejected")
        if sample.name.endswith("_total")
    }


def refused_while_another_is_at_work(play: Environment, dead: Dead) -> None:
    """Nothing is sent or dropped meanwhile, and who is at work is said."""
    with alone(play.settings, "ann@desk"):
        for words in (("redrive",), ("drop", "--why", "a test")):
            refused = dead.run(*words, "--all", "--yes")
            assert refused.returncode == 1
            assert "is at work: ann@desk" in refused.stderr


def dropped(dead: Dead, letter: str) -> None:
    """Drop the only letter that is open: who did it and why is kept, and a second time nothing is done."""
    drop = ("drop", letter, "--why", "a test of somebody", "--by", "ann", "--yes")
    assert dead.run(*drop).returncode == 0
    assert dead.groups() == {}
    assert "by ann: a test of somebody" in dead.run("show", letter).stdout
    assert dead.run(*drop).returncode == 1


@pytest.mark.slow
def test_letters_are_sent_again_once_what_kept_them_is_mended(kafka_settings: KafkaSettings) -> None:
    with running_environment(kafka_settings, "acme") as play:
        authorise(play, "https://other.example")
        dead, worker, shop = Dead(play.config_path), play.worker(), Shop(play, wall=time.time)
        for number in range(3):
            shop.order(f"o{number}", f"ann{number}@example.com", f"p{number}")
        partition = partition_of("acme", play.settings.kafka.account_partitions)
        put(play, "connectif.purchases", b"no record", partition, [("from", b"a stranger")])
        play.settle()
        bad = ("product", "bad_domain")
        wait_until(lambda: len(dead.groups()) == 3, 30, every=0.5)
        before = dead.groups()
        assert sorted(before.values()) == [(1, 0), (3, 0), (3, 0)], before
        assert before[bad] == (3, 0)
        assert before["purchase", "invalid_record"] == (1, 0)

        refused_while_another_is_at_work(play, dead)

        # Too early: what is sent again comes back, and is not sent a third time unasked.
        early = dead.tree("redrive", "--kind", "product", "--yes")
        assert early["count"] == 3
        wait_until(lambda: worker.records()["dead"] == 9, 30)
        wait_until(lambda: dead.groups()[bad] == (3, 3), 20, every=0.5)
        [came_back] = {letter["standing"] for letter in dead.letters("--kind", "product")}
        assert came_back == "came back x1"
        assert refused_again(worker) == {("deliver", "acme", "product", "bad_domain"): 3}
        kept = dead.run("redrive", "--kind", "product", "--yes")
        assert kept.returncode == 1
        assert "3 are left (came_back)" in kept.stderr
        assert "3 are left (redriven)" in kept.stderr

        authorise(play, "https://shop.example")
        sent = dead.tree("redrive", "--account", "acme", "--again", "--yes")
        assert sent["to"] == {"connectif.products": 3, "connectif.purchases": 3}
        assert {left["why"]: left["count"] for left in sent["left"]} == {"redriven": 3}
        accepted = len(play.said) + 3 + 6
        wait_until(lambda: worker.records()["accepted"] == accepted, 30)
        wait_until(lambda: worker.records()["pending"] == 0, 60)
        counts = worker.records()
        assert sum(counts[end] for end in ("delivered", "unchanged", "superseded", "dead")) == accepted
        assert counts["dead"] == 9
        assert play.made("purchases", "acme") == {f"o{number}": 1 for number in range(3)}

        assert dead.groups() == {("purchase", "invalid_record"): (1, 0)}
        assert dead.tree("list", "--state", "redriven")["count"] == 9
        again = dead.run("redrive", "--account", "acme", "--yes")
        assert again.returncode == 1
        assert "0 will be sent again" in again.stderr
        play.limit_kept("acme")

        # What nobody can send again is dropped, with a reason.
        [stranger] = dead.letters()
        refused = dead.run("redrive", stranger["id"], "--yes")
        assert refused.returncode == 1
        assert "no record of this program's" in refused.stderr
        dropped(dead, stranger["id"])


@pytest.mark.slow
def test_a_letter_sent_again_makes_nothing_older(kafka_settings: KafkaSettings) -> None:
    with running_environment(kafka_settings, "acme") as play:
        authorise(play, "https://other.example")
        dead, worker, shop = Dead(play.config_path), play.worker(), Shop(play, wall=time.time)
        shop.order("o1", "ann@example.com", "p1", total="10.00")
        play.settle()
        wait_until(lambda: len(dead.groups()) == 2, 30, every=0.5)
        authorise(play, "https://shop.example")
        shop.product("p1", name="the newest")
        shop.order("o1", "ann@example.com", "p1", total="7.00")
        play.settle()
        assert dead.tree("redrive", "--all", "--yes")["count"] == 2
        accepted = len(play.said) + 2
        wait_until(lambda: worker.records()["accepted"] == accepted, 30)
        wait_until(lambda: worker.records()["pending"] == 0, 30)
        receipts = {(receipt.kind, receipt.lane): receipt for receipt in play.receipts()}
        assert receipts[RecordKind.PURCHASE, Lane.RETRY].outcome == "unchanged"
        assert receipts[RecordKind.PURCHASE, Lane.RETRY].reason == "older"
        assert receipts[RecordKind.PRODUCT, Lane.RETRY].outcome == "unchanged"
        assert [body["totalPrice"] for body in play.holds("purchases", "acme").values()] == [7]
        assert [body["name"] for body in play.holds("products", "acme").values()] == ["the newest"]
        assert dead.groups() == {}


@pytest.mark.slow
def test_letters_of_another_prefix_are_sent_again_under_this_one(
    kafka_settings: KafkaSettings, kafka: RunningKafka, tmp_path: Path
) -> None:
    old = KafkaSettings(kafka.bootstrap, tmp_path)
    try:
        with running_environment(kafka_settings, "acme") as play:
            dead, worker = Dead(play.config_path), play.worker()
            old_settings = old({})
            topic_check.ensure(old_settings)
            said: list[Any] = []
            Shop(type("Hearer", (), {"say": staticmethod(said.append)})(), wall=time.time).customer(
                "ann@example.com", name="Ann"
            )
            producer = Producer({"bootstrap.servers": kafka.bootstrap})
            for _ in range(2):
                producer.produce(
                    old_settings.kafka.topic_prefix + DEADLETTERS,
                    said[0].model_dump_json().encode(),
                    b"acme|contact|ann@example.com",
                    1,
                    headers=dead_headers(
                        reason="invalid",
                        stage="deliver",
                        topic="connectif.contacts",
                        partition=0,
                        offset=0,
                        at_ms=1,
                        store="acme-shop",
                        account="acme",
                    ),
                )
            assert producer.flush(10) == 0
            other = ("--from-prefix", old_settings.kafka.topic_prefix)
            assert dead.groups() == {}
            assert dead.groups(*other) == {("contact", "invalid"): (2, 0)}
            assert dead.tree("redrive", "1:0", *other, "--yes")["count"] == 1
            wait_until(lambda: worker.records()["delivered"] == 1, 30)
            assert list(play.holds("contacts", "acme")) == ["ann@example.com"]
            assert dead.groups(*other) == {("contact", "invalid"): (1, 0)}
            assert dead.tree("redrive", "1:0", *other, "--yes")["count"] == 0
            shown = dead.run("show", "1:1", *other).stdout
            assert "ann@example.com" not in shown
            assert "Ann" not in shown
            assert "ann@example.com" in dead.run("show", "1:1", *other, "--reveal").stdout
    finally:
        old.remove_topics()


def test_an_event_is_sent_again_once_a_setting_mends_it(kafka_settings: KafkaSettings) -> None:
    with translating.running_environment(kafka_settings) as play:

        def currency(name: str) -> None:
            account = {"acme": TREE["accounts"]["acme"] | {"currency": name}}
            kafka_settings.write(TREE | {"accounts": TREE["accounts"] | account})

        currency("USD")
        dead, worker = Dead(play.config_path), play.worker()
        order = paid_order()
        event = replace(delivered("orders/paid", order), store=STORE)
        play.put([event])
        play.settle()
        assert +worker.account() == {"rejected": 1}
        wait_until(lambda: dead.groups() == {("order", "currency_mismatch"): (1, 0)}, 20, every=0.5)

        # Too early.
        assert dead.tree("redrive", "--reason", "currency_mismatch", "--yes")["to"] == {"shop.replay": 1}
        wait_until(lambda: dead.groups() == {("order", "currency_mismatch"): (1, 1)}, 30, every=0.5)
        assert refused_again(worker) == {("translate", "acme", "order", "currency_mismatch"): 1}
        assert dead.tree("redrive", "--reason", "currency_mismatch", "--yes")["count"] == 0
        [letter] = dead.letters()
        shown = dead.tree("show", letter["id"])
        assert shown["in_words"] == "The order is in another currency than the account"
        assert shown["body"]["email"] == "***"
        assert shown["origin"] == {"topic": "shop.orders"} | {
            name: shown["origin"][name] for name in ("partition", "offset")
        }

        currency("EUR")
        assert worker.stop() == 0
        worker.restart()
        assert dead.tree("redrive", letter["id"], "--again", "--yes")["to"] == {"shop.replay": 1}
        wait_until(lambda: bool(play.told("connectif.purchases")), 60, every=0.5)
        told = [orjson.loads(message.value() or b"") for message in play.messages("connectif.purchases")]
        assert [(record["id"], record["lane"]) for record in told] == [(event.entity, "backfill")]
        assert dead.groups() == {}
        assert dead.tree("list", "--state", "redriven")["count"] == 2
        assert +worker.account() == {"rejected": 1}


@pytest.mark.slow
def test_200_000_letters_are_listed_and_sent_again_in_bounded_memory(kafka_settings: KafkaSettings) -> None:
    settings = kafka_settings({})
    room = {"queue.buffering.max.messages": 300_000, "linger.ms": 50}
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap, **room})
    said: list[Any] = []
    hearer: Any = type("Hearer", (), {"say": staticmethod(said.append)})()
    Shop(hearer, wall=time.time).customer("ann@example.com", name="Ann")
    body = said[0].model_dump_json(exclude_none=True).encode()
    for number in range(200_000):
        headers = dead_headers(
            reason="conflict" if number % 10 == 0 else "invalid",
            stage="deliver",
            topic="connectif.contacts",
            partition=0,
            offset=number,
            at_ms=number,
            detail="a sentence of Connectif's, as long as most of them are" * 4,
            store=f"shop{number % 5}",
            account="acme",
        )
        producer.produce(settings.kafka.topic_prefix + DEADLETTERS, body, b"%d" % number, headers=headers)
        producer.poll(0)
    assert producer.flush(60) == 0
    account = {"api_key": "acme:secret", "base_url": "http://127.0.0.1:1"}
    dead = Dead(kafka_settings.write({"accounts": {"acme": account}}))
    tree = measured(dead, "list", "--json")
    assert tree["count"] == 200_000
    assert {group["store"] for group in tree["groups"]} == {f"shop{number}" for number in range(5)}
    assert measured(dead, "redrive", "--reason", "conflict", "--yes", "--json")["count"] == 20_000
    assert measured(dead, "list", "--json")["count"] == 180_000
    assert measured(dead, "list", "--state", "redriven", "--json")["count"] == 20_000


def measured(dead: Dead, *words: str) -> Any:
    """The command's output; asserts that it had little memory, and says how much."""
    script = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "sys.stdout.buffer.write(done.stdout)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)\n"
    )
    command = [sys.executable, "-c", script, *dead.command(*words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=150)
    output, figures = done.stdout.strip().rsplit("\n", 1)
    seconds, megabytes = map(float, figures.split())
    sys.stdout.write(f"{' '.join(words)}: {seconds:.1f} s of processor time, {megabytes:.0f} MB at most\n")
    assert megabytes < 250
    return json.loads(output)
