"""The demo's backfill: what is put into Kafka for it, and how the freshness of the lanes is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.demo import demo_settings as setting
from pipeline.demo import freshness, replay, traffic
from pipeline.demo.freshness import Freshness, quantile
from pipeline.demo.traffic import Traffic
from pipeline.errors import BrokerError
from pipeline.events import Lane
from pipeline.gateway.message import Message, Stored
from pipeline.gateway.webhooks import PREFIX, Webhooks
from pipeline.records import Outcome, Receipt, RecordKind, Source
from pipeline.shops.registry import PLATFORMS
from tests.unit.queued_link import QueuedLink

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


@pytest.fixture(scope="module", name="made")
def _made() -> Traffic:
    return traffic.make(400, 3, NOW)


class Keeper:
    """Keeps what a gateway would."""

    def __init__(self) -> None:
        self.kept: list[Message] = []

    def submit(self, message: Message) -> asyncio.Future[Stored]:
        self.kept.append(message)
        return asyncio.get_running_loop().create_future()


async def test_what_is_replayed_is_what_the_gateway_would_have_kept(made: Traffic, tmp_path: Path) -> None:
    _, settings = setting.write(tmp_path, 60)
    keeper = Keeper()
    gateway = Webhooks(settings, PLATFORMS, keeper, now=lambda: NOW_MS / 1000)
    for one in made.replayed:
        route = gateway.route(PREFIX + f"{one.platform}/{one.shop}".encode())
        assert route is not None
        gateway.keep(route, {name.lower(): value for name, value in one.headers}, one.body)
    sent = list(replay.messages(made.replayed, settings, NOW_MS))
    assert len(sent) == len(made.replayed)
    slower = {("pipeline-lane", b"live"): ("pipeline-lane", b"backfill")}
    assert sent == [
        one._replace(headers=[slower.get(header, header) for header in one.headers]) for one in keeper.kept
    ]


class Refusal:
    """What librdkafka says."""

    def str(self) -> str:
        return "too large"


class StubLink(QueuedLink):
    """A link whose broker decides two messages a look."""

    def __init__(self, refused: Sequence[bytes] = ()) -> None:
        super().__init__()
        self.decided: list[bytes] = []
        self._refused = refused

    def poll(self) -> None:
        now, self.queue = self.queue[:2], self.queue[2:]
        for message, report in now:
            self.decided.append(message.key)
            report(Refusal() if message.key in self._refused else None, None)

    def purge(self) -> None: ...

    def refuses(self, error: object) -> bool:  # noqa: ARG002 - the contract
        return False

    def probe(self, topic: str) -> str | None: ...

    def close(self) -> None: ...


HISTORY = [Message("shop.orders", key, b"{}", []) for key in (b"1", b"2", b"3", b"4", b"5")]


async def test_a_replay_is_over_when_kafka_has_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "LOOK_SECONDS", 0)
    link = StubLink()
    await replay.send(link, HISTORY)
    assert link.decided == [b"1", b"2", b"3", b"4", b"5"]


async def test_history_that_kafka_refuses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "LOOK_SECONDS", 0)
    with pytest.raises(BrokerError, match="did not take 2 messages of the history: too large"):
        await replay.send(StubLink(refused=(b"2", b"5")), HISTORY)


def receipt(offset: int, seconds: float, **changes: Any) -> Receipt:
    source = Source(topic="connectif.purchases", partition=0, offset=offset)
    values = {
        "account": "acme",
        "store": "acme-es",
        "kind": RecordKind.PURCHASE,
        "id": "7",
        "version": 1,
        "source": source,
        "record": source,
        "outcome": Outcome.DELIVERED,
        "lane": Lane.LIVE,
        "received_ms": NOW_MS,
        "at_ms": NOW_MS + int(seconds * 1000),
    }
    return Receipt.model_validate(values | changes)


def test_each_lane_and_kind_has_its_own_ages() -> None:
    found = freshness.of(
        [
            *(receipt(offset, offset / 10) for offset in range(1, 101)),
            receipt(200, 60, lane=Lane.BACKFILL),
            receipt(201, 3, kind=RecordKind.CONTACT, lane=Lane.BACKFILL),
        ]
    )
    assert found == (
        Freshness("live", "purchase", 100, 5.0, 9.5),
        Freshness("backfill", "contact", 1, 3.0, 3.0),
        Freshness("backfill", "purchase", 1, 60.0, 60.0),
    )


def test_only_what_was_delivered_has_an_age_and_each_record_one() -> None:
    found = freshness.of(
        [receipt(1, 9), receipt(1, 2), receipt(2, 50, outcome=Outcome.SUPERSEDED), receipt(3, -1)]
    )
    assert found == (Freshness("live", "purchase", 2, 0.0, 2.0),)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_the_least_value_that_enough_do_not_exceed(ages: list[float], share: float) -> None:
    ordered = sorted(ages)
    found = quantile(ordered, share)
    assert sum(age <= found for age in ordered) >= share * len(ordered)
    assert sum(age < found for age in ordered) < share * len(ordered)
