"""Every panel and every alert, as a real Prometheus sees a real run with faults: the values are the truth.

Then fault by fault: what the log, the metrics, the alerts, `explain` and `/readyz` say of it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from pipeline.events import Kind, RawEvent
from tests.broker import KafkaSettings, RunningKafka
from tests.integration.operating import SHOPIFY, WOO, Site, shopify_order, site, woo_order
from tests.integration.panel_truths import (
    BATCH,
    CODES,
    FORGED,
    GOOD,
    REPEATED,
    SHOWN,
    WOO_GOOD,
)
from tests.integration.showing import Shown, panels, wrong_panels
from tests.integration.watching import Prometheus, needs_prometheus
from tests.processes import wait_until

pytestmark = [pytest.mark.kafka, needs_prometheus]


class Run:
    """The scripted run, and what is known of it from outside the pipeline."""

    def __init__(self, running: Site, prometheus: Prometheus) -> None:
        self.site, self.prometheus = running, prometheus
        self.calls_before = running.connectif.calls()

    def sum(self, expression: str) -> float:
        """Of all series; 0 where there is none."""
        return sum(self.prometheus.values(expression).values())

    def until(self, expression: str, value: float, seconds: float = 40) -> None:
        """Wait until Prometheus has seen it."""
        try:
            wait_until(lambda: self.sum(expression) == value, seconds, every=0.2)
        except TimeoutError:
            raise AssertionError(f"{expression}: {self.prometheus.values(expression)}, not {value}") from None

    def until_alert(self, name: str, **labels: str) -> None:
        """Wait until an alert waits or fires."""
        wait_until(
            lambda: any(labels.items() <= found.items() for found in self.prometheus.alerts().get(name, ())),
            30,
            every=0.2,
        )

    def held(self, account: str, kind: str) -> int:
        """How many Connectif has, by its own ledger."""
        return sum(not item["deleted"] for item in self.site.connectif.ledger(account, kind))

    def carry_out(self) -> None:
        """What a day brings, in half a minute."""
        shop, connectif = self.site, self.site.connectif
        for number in range(1, GOOD + 1):
            assert shop.shopify("orders/paid", shopify_order(number), delivery=f"d{number}") == 200
        for number in range(1, REPEATED + 1):
            assert shop.shopify("orders/paid", shopify_order(number), delivery=f"d{number}") == 200
        for number in range(FORGED):
            assert shop.shopify("orders/paid", shopify_order(100 + number), secret="guessed") == 401
        assert shop.shopify("orders/paid", b'{"id": 50, "email') == 200
        assert shop.shopify("customers/redact", {"shop_id": 1, "customer": {"id": 9}}) == 200
        for number in range(1, WOO_GOOD + 1):
            assert shop.woocommerce(woo_order(number)) == 200
        shop.coupons("acme", "spring", *(f"SPRING{number}" for number in range(CODES)))
        self.until('pipeline_account_records{kind="purchase",outcome="delivered"}', GOOD + WOO_GOOD)
        self.until('pipeline_account_records{kind="coupon",outcome="delivered"}', BATCH)
        connectif.faults({"effect": "error", "status": 400, "route": "/purchases*", "account": "acme"})
        assert shop.shopify("orders/paid", shopify_order(60)) == 200
        self.until('pipeline_account_records{outcome="dead"}', 1)
        connectif.faults_gone()
        connectif.faults({"effect": "error", "status": 500, "route": "/purchases*", "account": "woo"})
        assert shop.woocommerce(woo_order(70)) == 200
        self.until('pipeline_account_records{account="woo",outcome="pending"}', 1)
        self.until('pipeline_account_failing_seconds{account="woo"} > bool 0', 1)
        self.until('pipeline_pending_oldest_seconds{account="woo",lane="retry"} > bool 1', 1)
        self.until('pipeline_erase_requests_open{wanted="customer"}', 1)
        # Each process is scraped by itself: translate's figures may be a second older than those of deliver.
        self.until(f'pipeline_account_events{{store="{WOO}",kind="order",outcome="accepted"}}', WOO_GOOD + 1)


@pytest.fixture(scope="module")
def run(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    directory = tmp_path_factory.mktemp("site")
    settings = KafkaSettings(kafka.bootstrap, directory)
    with site(directory, settings.tree()) as running:
        running.keep_filled("acme", "spring", low=5, batch=BATCH, every=10)
        running.start()
        with Prometheus(directory / "prometheus", running.urls) as prometheus:
            made = Run(running, prometheus)
            made.carry_out()
            yield made
    settings.remove_topics()


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.name)
def test_every_panel_tells_the_truth(run: Run, shown: Shown) -> None:
    assert list(panels(shown.file)) == list(shown.truths)
    wrong = wrong_panels(run.prometheus, shown)
    assert not wrong, "\n".join(wrong)


def test_what_is_delivered_is_what_connectif_has(run: Run) -> None:
    expressions = panels("stores")
    accepted, delivered, _, superseded, pending, dead = (
        {
            (dict(labels)["account"], dict(labels)["kind"]): value
            for labels, value in run.prometheus.values(expression).items()
        }
        for expression in expressions[
            "Records: accepted = delivered + unchanged + superseded + pending + dead"
        ]
    )
    for account, orders, told in (("acme", GOOD + 1, GOOD), ("woo", WOO_GOOD + 1, WOO_GOOD)):
        for kind in ("contact", "product"):
            assert accepted[account, kind] == orders
            assert delivered[account, kind] == run.held(account, f"{kind}s") == orders
        assert accepted[account, "purchase"] == orders
        assert delivered[account, "purchase"] == run.held(account, "purchases") == told
    assert delivered["acme", "coupon"] == BATCH
    assert (dead["acme", "purchase"], sum(dead.values())) == (1, 1)
    assert (pending["woo", "purchase"], pending["acme", "coupon"]) == (1, CODES - BATCH)
    assert sum(superseded.values()) == 0


def test_calls_are_counted_as_connectif_counts_them(run: Run) -> None:
    [expression] = panels("stores")["Calls per purchase delivered"]
    before = run.site.connectif.calls() - run.calls_before
    wait_until(lambda: run.sum("sum(pipeline_deliver_calls_total)") >= before.total(), 10, every=0.2)
    [ratio] = run.prometheus.values(expression).values()
    after = run.site.connectif.calls() - run.calls_before
    assert before.total() <= round(ratio * (GOOD + WOO_GOOD)) <= after.total()
    assert run.sum("sum(pipeline_budget_calls_total) - sum(pipeline_deliver_calls_total)") == 0


def test_webhooks_are_counted_as_they_were_answered(run: Run) -> None:
    kept = GOOD + REPEATED + 3 + WOO_GOOD + 1
    assert run.sum('pipeline_gateway_requests_total{outcome="confirmed"}') == kept
    assert run.sum('pipeline_gateway_requests_total{outcome="unauthorized"}') == FORGED
    assert run.sum('pipeline_gateway_requests_total{outcome!~"confirmed|unauthorized"}') == 0
    for stage, others in {"gateway": "translate|deliver", "translate": "gateway|deliver"}.items():
        exported = run.prometheus.values(f'{{__name__=~"pipeline_({others})_.*",process="{stage}"}}')
        assert exported == {}, "each process exports what is its own"


def test_the_alerts_are_those_of_what_happened(run: Run) -> None:
    assert run.prometheus.sick_rules() == []
    alerts = run.prometheus.alerts()
    alerts.pop("CallsFail", None)  # half of the few calls since the fault began
    alerts.pop("ErasureUnfinished", None)  # it waits for its day: the shop has just asked
    alerts.pop("DiskFillsUp", None)  # of this machine's disk, whatever else is on it
    assert alerts.keys() == {"WrongSecret", "EventsRejected", "DeadLetters"}
    assert [alert["store"] for name in alerts for alert in alerts[name]] == [SHOPIFY] * 3
    [dead] = alerts["DeadLetters"]
    assert (dead["account"], dead["kind"]) == ("acme", "purchase")


def test_service_levels_and_disks_are_measured(run: Run) -> None:
    assert run.prometheus.value("pipeline:records_late:ratio_rate5m") == 0
    assert run.prometheus.value("pipeline:records_late:increase6h") == 0
    assert 0 <= run.prometheus.value("pipeline:webhooks_late:ratio_rate5m") < 1
    room = run.prometheus.values("pipeline_disk_free_bytes / pipeline_disk_bytes")
    assert {dict(labels)["process"] for labels in room} >= {"gateway", "translate", "deliver"}
    assert all(0 < share <= 1 for share in room.values())


def test_explain_has_the_figures_that_prometheus_has(run: Run) -> None:
    for account in ("acme", "woo"):
        found = run.site.explain(account)
        figures = {
            (kind, lane["lane"]): count for lane in found["lanes"] for kind, count in lane["pending"].items()
        }
        values = run.prometheus.values(f'pipeline_pending_records{{account="{account}"}}')
        exported = {(dict(key)["kind"], dict(key)["lane"]): value for key, value in values.items()}
        assert figures == exported
        assert sum(figures.values()) == {"acme": CODES - BATCH, "woo": 1}[account]
        assert found["next"] or found["why_none"]


def test_what_only_a_person_can_do_is_said_without_names(run: Run) -> None:
    [line] = [line for line in run.site.log("translate").splitlines() if "asks to erase" in line]
    assert f"store {SHOPIFY}: the shop asks to erase a customer (erasure_request)" in line
    assert "@" not in line


def test_a_wrong_secret_is_in_the_log(run: Run) -> None:
    assert f"store {SHOPIFY}: 1 webhooks were answered 401" in run.site.log("gateway")


def test_a_record_that_waits_for_a_retry_is_not_silent(run: Run) -> None:
    groups: list[dict[str, Any]] = []

    def delayed() -> bool:
        groups[:] = run.site.explain("woo")["retries"]
        return bool(groups)

    wait_until(delayed, 20, every=0.1)
    [group] = groups
    assert (group["kind"], group["records"]) == ("purchase", 1)
    assert "500" in group["last"]
    assert "failed since" in group["why"]
    ages = run.prometheus.values('pipeline_pending_oldest_seconds{account="woo",kind="purchase"}')
    assert max(ages.values()) > 0
    shown = run.site.explained("woo")
    assert "Calls (purchases) fail since" in shown
    assert "it answers with an error of its own (500" in shown
    assert "Nothing is pending" not in shown
    assert run.site.log("deliver").count("account woo: calls to Connectif") == 1


def test_connectif_away_is_said_once_with_its_cause_and_once_when_it_is_over(run: Run) -> None:
    connectif = run.site.connectif
    connectif.faults_gone()
    run.until('pipeline_account_records{account="woo",outcome="pending"}', 0)
    run.until('pipeline_account_failing_seconds{account="woo"}', 0)
    assert "account woo: Connectif answers again" in run.site.log("deliver")
    connectif.faults({"effect": "bad_gateway", "account": "acme"})
    assert run.site.shopify("orders/paid", shopify_order(80)) == 200
    run.until('pipeline_account_failing_seconds{account="acme",cause="server_error"} > bool 1', 1)
    state = run.site.explain("acme")["state"]
    assert "it answers with an error of its own (502" in state
    assert state.count(" in ") + state.count(" now") <= 2
    assert run.site.ready("deliver")[0] == 200
    assert run.site.log("deliver").count("account acme: calls to Connectif") == 1
    connectif.faults_gone()
    run.until('pipeline_account_records{account="acme",kind="purchase",outcome="pending"}', 0)
    run.until('pipeline_account_failing_seconds{account="acme"}', 0)
    assert "account acme: Connectif answers again" in run.site.log("deliver")


@pytest.mark.slow
def test_kafka_away_is_spooled_and_said_and_nothing_is_lost(run: Run, kafka: RunningKafka) -> None:
    if kafka.embedded is None:
        pytest.skip("the broker is not ours to stop")
    running, orders = run.site, run.site.tree["kafka"]["topic_prefix"] + Kind.ORDER.topic
    delivered = 'pipeline_account_records{account="acme",kind="purchase",outcome="delivered"}'
    before, held = run.sum(delivered), run.held("acme", "purchases")
    pids = list(kafka.embedded.pids.values())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        for number in (91, 92):
            assert running.shopify("orders/paid", shopify_order(number)) == 200
        run.until("sum(pipeline_gateway_spool_events)", 2)
        assert run.sum("min(pipeline_gateway_kafka_up)") == 0
        run.until_alert("KafkaAway")
        assert running.ready("gateway")[0] == 200, "it keeps what it is sent"
        assert f"Kafka does not take {orders}" in running.log("gateway")
        wait_until(lambda: running.ready("translate")[0] == 503, 60, every=0.5)
        assert "Kafka has not answered" in running.ready("translate")[1]
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    run.until("sum(pipeline_gateway_spool_events)", 0, 60)
    run.until(delivered, before + 2, 120)
    wait_until(lambda: running.ready("translate")[0] == 200, 60, every=0.5)
    assert f"Kafka takes {orders} directly" in running.log("gateway")
    assert run.held("acme", "purchases") == held + 2
    run.until("min(pipeline_gateway_kafka_up)", 1, 30)


def test_a_store_that_translate_does_not_know_holds_its_partition_and_is_named(run: Run) -> None:
    event = RawEvent(
        store="later",
        platform="shopify",
        kind=Kind.ORDER,
        entity="1",
        topic="orders/paid",
        delivery="d",
        received_ms=int(time.time() * 1_000),
        body=b"{}",
    )
    kafka = run.site.tree["kafka"]
    producer = Producer({"bootstrap.servers": kafka["bootstrap"], "partitioner": "murmur2_random"})
    producer.produce(
        kafka["topic_prefix"] + Kind.ORDER.topic, event.body, event.key, headers=event.to_kafka_headers()
    )
    assert producer.flush(20) == 0
    run.until("sum(pipeline_translate_held_partitions)", 1)
    run.until('max(pipeline_lag_seconds{process="translate"}) > bool 1', 1)
    assert run.sum('sum(pipeline_lag_messages{process="translate"})') == 1
    status, said = run.site.ready("translate")
    assert (status, "later" in said) == (503, True)
    assert "no store 'later'" in run.site.log("translate")
    run.until_alert("PartitionsHeld")
    assert "EventsRejected" not in {
        name
        for name, found in run.prometheus.alerts().items()
        if any(alert.get("store") == "unknown" for alert in found)
    }


def test_a_stopped_account_says_why_and_what_to_do(run: Run) -> None:
    run.site.connectif.faults({"effect": "unauthorised", "account": "woo"})
    for number in range(81, 89):  # one of them is in the partition that goes on
        assert run.site.woocommerce(woo_order(number)) == 200
    run.until_alert("AccountStopped", account="woo", reason="unauthorised")
    found = run.site.explain("woo")
    assert found["stopped"] == "unauthorised"
    assert "check its api_key" in found["state"]
    assert "account woo: stopped, Connectif refuses its key" in run.site.log("deliver")
    assert "ConnectifFails" not in run.prometheus.alerts()
