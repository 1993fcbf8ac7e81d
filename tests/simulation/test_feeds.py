"""Feeds on virtual time: nothing of them is lost, whatever is killed, limited, expired or no JSON."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.sandbox.shops.shop import Fault
from pipeline.shops.base import WebhookRequest
from pipeline.shops.platform import raw_event
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.rules import Outcome
from tests.simulation import virtual
from tests.simulation.feeding import STORE, World, change, hook, saved

ENTRY: dict[str, Callable[[int], dict[str, Any]]] = {"vtex": change, "magento": saved}
POINTS = {
    "vtex": ("before confirm", "after confirm", "before commit", "after commit"),
    "magento": ("before confirm", "after confirm", "before place", "after place"),
}
EACH = pytest.mark.parametrize("platform", ENTRY)


def told(world: World, count: int) -> set[str]:
    """Let so many orders change; returns their ids."""
    entries = [ENTRY[world.platform](number) for number in range(count)]
    world.tells(entries)
    return {str(entry.get("orderId") or entry["data"]["value"]["entity_id"]) for entry in entries}


def heard(world: World) -> Counter[str]:
    return Counter(event.entity for event in world.kafka)


@EACH
def test_all_that_a_feed_holds_comes_to_kafka_once_and_is_let_go(platform: str) -> None:
    world = World(platform)

    async def played() -> None:
        wanted = told(world, 250)
        await world.life(120.0)
        assert heard(world) == Counter(wanted)
        assert world.status.age(virtual.wall()) < 15

    virtual.run(played())
    if world.shop.queue is not None:
        assert world.shop.queue.figures() == {"items": 250, "given": 250, "committed": 250, "waiting": 0}


@EACH
@pytest.mark.parametrize("passage", [1, 2, 3])
def test_a_crash_between_any_two_steps_loses_nothing_and_repeats_are_duplicates(
    platform: str, passage: int, tmp_path: Path
) -> None:
    for point in POINTS[platform]:
        world = World(platform, kills={point: passage})

        async def played(world: World = world) -> None:
            wanted = told(world, 250 if world.platform == "magento" else 25)
            assert await world.lives(600.0) == 1
            assert heard(world).keys() == wanted

        virtual.run(played())
        deliveries = {event.delivery for event in world.kafka}
        outcomes = world.outcomes(tmp_path)
        assert outcomes.total() == len(world.kafka)
        assert outcomes[Outcome.IGNORED] == len(deliveries) == len(heard(world)), point
        assert outcomes[Outcome.DUPLICATE] == len(world.kafka) - len(deliveries)
        repeats = {"after confirm", "before commit", "before place"}
        assert (outcomes[Outcome.DUPLICATE] > 0) is (point in repeats), point


def test_every_pair_of_crashes_loses_nothing(tmp_path: Path) -> None:
    for platform, points in POINTS.items():
        for one, other in itertools.permutations(points, 2):
            world = World(platform, kills={one: 1, other: 2})

            async def played(world: World = world) -> None:
                wanted = told(world, 250 if world.platform == "magento" else 25)
                assert await world.lives(900.0) == 2
                assert heard(world).keys() == wanted

            virtual.run(played())
            assert world.outcomes(tmp_path)[Outcome.IGNORED] == len(heard(world))


def test_a_hook_beside_the_feed_makes_duplicates_not_doubles(tmp_path: Path) -> None:
    world = World("vtex")

    async def played() -> None:
        told(world, 20)
        for number in range(20):
            request = WebhookRequest({}, hook(change(number)), 1_700_000_000_000)
            world.kafka.append(raw_event(STORE, PLATFORMS["vtex"], request))
        await world.life(60.0)

    virtual.run(played())
    assert world.outcomes(tmp_path) == {Outcome.IGNORED: 20, Outcome.DUPLICATE: 20}


def test_what_is_not_committed_comes_again(tmp_path: Path) -> None:
    world = World("vtex")

    async def played() -> None:
        wanted = told(world, 5)
        world.shop.add_fault(Fault(kind="server_error", path="/api/orders/feed", count=1))
        world.kills = {"before commit": 1}
        await world.life(30.0)
        assert heard(world) == Counter(wanted)
        await world.life(200.0)
        assert heard(world) == Counter(wanted)  # they are not given out again before their time
        await world.life(60.0)
        assert set(heard(world).values()) == {2}

    virtual.run(played())
    assert world.outcomes(tmp_path)[Outcome.DUPLICATE] == 5


@EACH
@pytest.mark.parametrize("kind", ["html", "notice", "down", "unauthorised", "too_many", "server_error"])
def test_a_feed_that_fails_for_a_while_is_read_on_and_says_why_it_stands(
    platform: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(platform)

    async def played() -> None:
        world.shop.add_fault(Fault.model_validate({"kind": kind}))
        wanted = told(world, 15)
        running = asyncio.create_task(world.life(3_000.0))
        await asyncio.sleep(600.0)
        assert world.status.stopped
        assert world.status.age(virtual.wall()) >= 600
        asked = len(world.shop.log)
        assert asked < 60
        world.shop.clear_faults()
        await running
        assert world.status.stopped == ""
        assert heard(world) == Counter(wanted)

    with caplog.at_level(logging.INFO):
        virtual.run(played())
    events = [getattr(record, "event", "") for record in caplog.records]
    assert events.count("sync.feed_stopped") == events.count("sync.feed_goes_on") == 1
    assert "secret & more" not in caplog.text


def test_a_limit_is_kept_and_all_is_read() -> None:
    world = World("vtex")
    world.opens(limit={"requests": 20, "seconds": 60, "retry_after": 30})

    async def played() -> None:
        wanted = told(world, 200)
        await world.life(1_200.0)
        assert heard(world).keys() == wanted

    virtual.run(played())
    refused = [one for one in world.shop.log if one.status == 429]
    assert len(refused) < len(world.shop.log) / 3


def test_a_token_that_expires_is_renewed_and_the_journal_read_on() -> None:
    world = World("magento")

    async def played() -> None:
        for number in range(30):
            world.tells([saved(number)])
            await world.life(120.0)
        assert len(heard(world)) == 30

    virtual.run(played())
    assert world.shop.tokens_issued >= 6
    assert not [one for one in world.shop.log if one.status == 401]


def test_the_journal_is_not_asked_sooner_than_it_says() -> None:
    world = World("magento")
    virtual.run(world.life(600.0))
    asked = [one for one in world.shop.log if one.path.startswith("/events-fast")]
    assert 55 <= len(asked) <= 62


def test_an_expired_position_is_said_and_the_journal_read_from_its_oldest_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World("magento")

    async def played() -> None:
        told(world, 10)
        await world.life(60.0)
        assert world.shop.journal is not None
        world.tells([saved(number) for number in range(10, 20)])  # never read
        await asyncio.sleep(7 * 86_400)
        world.shop.journal.expire()
        world.tells([saved(number) for number in range(20, 30)])
        await world.life(60.0)

    virtual.run(played())
    assert heard(world).keys() == {str(1_000 + number) for number in (*range(10), *range(20, 30))}
    assert world.place.expired_ms == world.status.expired_ms > 0
    said = [one for one in caplog.records if getattr(one, "event", "") == "sync.feed_expired"]
    assert len(said) == 1
    assert f"pipeline sync {STORE}" in said[0].getMessage()


def test_a_position_that_expires_because_nothing_happened_is_no_loss(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World("magento")

    async def played() -> None:
        told(world, 10)
        for _ in range(6):
            await world.life(60.0)
            await asyncio.sleep(43_200.0)  # as if it had been asked meanwhile: nothing happens
        await world.life(60.0)
        await asyncio.sleep(86_400.0)  # the worker is away
        assert world.shop.journal is not None
        world.shop.journal.expire()
        world.tells([saved(number) for number in range(10, 15)])
        await world.life(60.0)

    virtual.run(played())
    assert len(heard(world)) == 15
    assert world.place.expired_ms == world.status.expired_ms == 0
    events = [getattr(one, "event", "") for one in caplog.records]
    assert "sync.feed_expired" not in events


def test_a_feed_that_is_not_there_is_asked_rarely_and_says_how_to_make_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World("vtex")
    world.opens(queue=None)
    virtual.run(world.life(3_600.0))
    assert world.status.stopped == "missing"
    assert len(world.shop.log) < 10
    assert "/api/orders/feed/config" in caplog.text


@EACH
def test_an_unreadable_entry_is_a_dead_letter_and_the_feed_goes_on(
    platform: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(platform, max_body=2_000)

    async def played() -> None:
        world.tells(["text", 7, None, ["list"], ENTRY[platform](0) | {"state": "x" * 3_000}])
        wanted = told(world, 3)
        await world.life(60.0)
        assert wanted <= heard(world).keys()

    virtual.run(played())
    outcomes = world.outcomes(tmp_path)
    assert outcomes[Outcome.IGNORED] == 3
    assert outcomes[Outcome.REJECTED] == 5
    assert outcomes.total() == len(world.kafka)
    assert "gateway.max_body_bytes" in caplog.text
