"""The storage of elements against a plain dictionary, and the virtual clock."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox.connectif.model.ids import id_maker
from pipeline.sandbox.connectif.model.storage import ElementStorage
from pipeline.sandbox.connectif.simulation.clock import VirtualClock

KEYS = st.sampled_from(["a", "b", "c"])
BODIES = st.dictionaries(st.text(max_size=5), st.text() | st.integers(-(2**40), 2**40), max_size=4)
ORDERS = st.lists(st.tuples(st.sampled_from(["put", "drop"]), KEYS, BODIES), max_size=40)


@given(ORDERS)
def test_a_storage_holds_what_was_last_put_and_counts_every_creation(
    orders: list[tuple[str, str, dict[str, Any]]],
) -> None:
    storage = ElementStorage(id_maker(7))
    held: dict[str, dict[str, Any]] = {}
    writes: dict[str, int] = {}
    creates: dict[str, int] = {}
    for number, (what, key, body) in enumerate(orders):
        if what == "put":
            creates[key] = creates.get(key, 0) + (key not in held)
            writes[key] = writes.get(key, 0) + 1
            held[key] = body
            storage.put(key, body, 1_000.0 + number)
        elif (element := storage.find(key)) is not None:
            storage.delete(element, 1_000.0 + number)
            del held[key]
    assert {element.key: element.body for element in storage.existing()} == held
    assert storage.held == len(held)
    for key, count in writes.items():
        element = storage.find_even_deleted(key)
        assert element is not None
        assert (element.writes, element.creates, element.deleted) == (count, creates[key], key not in held)
        found = storage.find_by_id(element.id)
        assert (found is not None) == (key in held)
    assert storage.created - storage.recreated == len(storage)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=400), max_size=10))
def test_a_body_survives_its_compression(body: dict[str, str]) -> None:
    storage = ElementStorage(id_maker(1))
    storage.put("key", body, 5.0)
    element = storage.find("key")
    assert element is not None
    assert element.body == body


def test_an_id_of_another_kind_of_element_is_none_here() -> None:
    one, other = ElementStorage(id_maker(1)), ElementStorage(id_maker(2))
    element = one.put("a", {}, 5.0)
    other.put("a", {}, 5.0)
    assert other.find_by_id(element.id) is None
    assert one.find_by_id(f"{element.id[:-1]}1") is None
    assert one.find_by_id("x" * 24) is None
    assert one.find_by_id("f" * 24) is None


async def test_sleepers_wake_in_order_at_their_own_moments() -> None:
    clock = VirtualClock(start=0.0)
    woken: list[tuple[str, float]] = []

    async def sleep(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woken.append((name, clock.now()))

    tasks = [asyncio.ensure_future(sleep("a", 3, 3)), asyncio.ensure_future(sleep("b", 4, 0))]
    await clock.advance(5)
    assert woken == [("a", 3), ("b", 4), ("b", 4)]
    await clock.advance(1)
    assert woken[3:] == [("a", 6)]
    await asyncio.gather(*tasks)


async def test_a_sleeper_that_gave_up_is_passed_over() -> None:
    clock = VirtualClock(start=0.0)
    task = asyncio.ensure_future(clock.sleep(1))
    await clock.advance(0.5)
    task.cancel()
    await clock.advance(1)
    assert clock.now() == 1.5
