"""Three workers on a real Kafka, each killed in its turn while a backfill takes all of every budget."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence

import pytest

from pipeline.events import Lane
from pipeline.records import Outcome
from tests.broker import KafkaSettings
from tests.integration.delivering import Environment, running_environment
from tests.processes import wait_until
from tests.simulation import expected_state
from tests.simulation.shop import Shop
from tests.simulation.shop_actions import ShopLoad

pytestmark = pytest.mark.kafka

ACCOUNTS = tuple(f"acme-{number}" for number in range(10))
#: 40 calls in four seconds: a killed worker is back within them, so what it did before counts after.
LIMIT, SPEED = 40, 15
#: A worker that is gone for good is missed after so many seconds: the least a broker allows.
BROKER = {"account_partitions": 12, "session_timeout": 6}
#: Orders of each account's backfill, and the people who gave them: half a minute of calls.
ORDERS, PEOPLE = 360, 40


@pytest.mark.slow
def test_three_workers_killed_in_turn_under_a_backfill_deliver_each_record_once(
    kafka_settings: KafkaSettings,
) -> None:
    with running_environment(
        kafka_settings, *ACCOUNTS, per_minute=LIMIT, speed=SPEED, broker=BROKER
    ) as environment:
        for account in ACCOUNTS:
            _backfill(Shop(environment, account, Lane.BACKFILL, time.time))
        lives = [
            ShopLoad(Shop(environment, account, wall=time.time), seed)
            for seed, account in enumerate(ACCOUNTS)
        ]
        for number in range(1, 4):
            environment.worker(f"w{number}")
        _wait_for_calls(environment)

        for worker in environment.workers:
            _act(lives)
            worker.kill()
            worker.restart()
            _wait_for_calls(environment)

        _act(lives)
        gone = environment.workers.pop()
        gone.kill()
        _wait_for_calls(environment)
        _act(lives)
        gone.restart()
        environment.workers.append(gone)
        wait_until(lambda: gone.calls() > 0, 40, every=0.2)
        gone.kill()  # what was called by whom it has its accounts from counts all the same
        gone.restart()
        assert environment.records()["pending"] > 0, "the backfill must outlast all that"

        environment.settle(90)
        for account in ACCOUNTS:
            expected_state.check_state(environment, account)
            environment.limit_kept(account)
        assert environment.accounted()["dead"] == 0
        _all_have_receipts(environment)


def _backfill(shop: Shop) -> None:
    for number in range(ORDERS):
        say = shop.order if number < PEOPLE else shop.purchase
        say(f"old-{number}", f"old-{number % PEOPLE}@example.com", f"old-{number % 5}")


def _act(loads: Sequence[ShopLoad]) -> None:
    for load in loads:
        load.act(10)


def _wait_for_calls(environment: Environment) -> None:
    """Wait until every account has been called again."""
    before = environment.connectif.calls()
    wait_until(lambda: set(environment.connectif.calls() - before) == set(ACCOUNTS), 40, every=0.2)


def _all_have_receipts(environment: Environment) -> None:
    """Each version that was said has one; where it repeats, after a crash, it says the same.

    But for one: superseded before the crash, with the receipt in Kafka and the merged record not yet, a
    version may be told by itself afterwards. That receipt was nobody's, and is the one that is not counted.
    """
    outcomes: dict[tuple[str, str, int], set[str]] = defaultdict(set)
    for receipt in environment.receipts():
        outcomes[receipt.account, receipt.kind, receipt.record.offset].add(receipt.outcome)
    assert len(outcomes) == len(environment.said)
    differing = [said for said in outcomes.values() if len(said - {Outcome.SUPERSEDED}) > 1]
    assert not differing
