"""Any history, any range, any repeat: Connectif holds what it holds without the replay, at no more calls.

Translate's rules and deliver's are the real ones; Connectif is a dictionary that takes their commands.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipeline.deliver.state.commands import (
    CreatePurchase,
    DeletePurchase,
    PutContact,
    ReplacePurchase,
    Unchanged,
)
from pipeline.deliver.state.diff import apply as sent_after
from pipeline.deliver.state.diff import diff
from pipeline.deliver.state.last_sent import LastSent
from pipeline.deliver.state.states import State, merged, state_of
from pipeline.events import RawEvent
from pipeline.records import Record, RecordKind
from pipeline.translate.emit import Again
from pipeline.translate.replayed import apply_again
from pipeline.translate.rules import EventPosition, Result, apply
from pipeline.translate.state import EntityState
from tests.plainshop import event, feed

RECORD: TypeAdapter[Record] = TypeAdapter(Record)
FEED = feed(recent_deliveries=2)
Key = tuple[RecordKind, str]


class Deliver:
    """Deliver's rules, and a Connectif that does as it is told."""

    def __init__(self) -> None:
        self.holds: dict[Key, dict[str, Any]] = {}
        self.calls: Counter[Key] = Counter()
        self._pending: dict[Key, tuple[State, bool]] = {}
        self._sent: dict[Key, LastSent | None] = {}

    def take(self, record: Record) -> None:
        """A record waits, merged with what waits of its key."""
        key, state, resend = (record.kind, record.id), state_of(record), record.resend
        if key in self._pending:
            before, sent_again = self._pending[key]
            state, resend = merged(before, state), resend or sent_again
        self._pending[key] = state, resend

    def drain(self) -> None:
        """Everything that waits is sent."""
        for key, (state, resend) in self._pending.items():
            sent = self._sent.get(key)
            command = diff(sent, state, resend=resend)
            self.calls[key] += self._carry_out(key, command, state)
            self._sent[key] = sent_after(sent, state)
        self._pending.clear()

    def _carry_out(self, key: Key, command: Any, state: Any) -> int:
        """Returns the calls."""
        match command:
            case Unchanged():
                return 0
            case PutContact():
                if command.delete_first:
                    self.holds.pop(key, None)
                self.holds.setdefault(key, {}).update(command.fields or {})
            case CreatePurchase():
                self.holds.setdefault(key, state.body)
            case ReplacePurchase():
                self.holds[key] = state.body
                return 2
            case DeletePurchase():
                self.holds.pop(key, None)
        return 1


class World:
    """A shop of two orders of two buyers, and all that follows."""

    def __init__(self) -> None:
        self.log: list[RawEvent] = []
        self.deliver = Deliver()
        self._states: dict[bytes, EntityState] = {}

    def live(self, order: str, version: int, content: str | None) -> None:
        """The shop says something; None: the order is deleted."""
        if content is None:
            drafts: list[list[Any]] = [["purchase", None, None, "retract"]]
        else:
            drafts = [["contact", f"{order}@b.example", content], ["purchase", order, content]]
        said = {"version": version * 1_000, "drafts": drafts}
        topic = "orders/delete" if content is None else "orders/updated"
        offset = len(self.log)
        raw = event(said, entity=order, delivery=f"d{offset}", topic=topic, received_ms=1_000_000 + offset)
        self.log.append(raw)
        state = self._states.setdefault(raw.key, EntityState())
        self._told(apply(raw, EventPosition("shop.orders", 0, offset), state, FEED))

    def again(self, offset: int, *, resend: bool) -> None:
        """A replay repeats an event."""
        raw = self.log[offset]
        state = self._states[raw.key].copy()
        place = EventPosition("shop.orders", 0, offset)
        result = apply_again(raw, place, state, FEED, Again(resend=resend))
        if result.remember:
            self._states[raw.key] = state
        self._told(result)

    def _told(self, result: Result) -> None:
        for emission in result.emissions:
            self.deliver.take(RECORD.validate_json(emission.value))


LIVE = st.tuples(
    st.just("live"),
    st.sampled_from(["7", "8"]),
    st.integers(1, 4),
    st.sampled_from(["red", "blue", "green", None]),
)
AGAIN = st.tuples(st.just("again"), st.integers(0, 11), st.booleans())
STEPS = st.lists(LIVE | AGAIN | st.just(("drain",)), min_size=1, max_size=14)


def lived(steps: list[tuple[Any, ...]], *, replays: bool) -> World:
    """What comes of a story, with the replays in it or without."""
    world = World()
    for what, *details in steps:
        if what == "live":
            world.live(*details)
        elif what == "drain":
            world.deliver.drain()
        elif replays and details[0] < len(world.log):
            world.again(details[0], resend=details[1])
    world.deliver.drain()
    return world


@settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_live_events_and_replays_in_any_order_leave_what_live_events_alone_leave(
    steps: list[tuple[Any, ...]],
) -> None:
    assert lived(steps, replays=True).deliver.holds == lived(steps, replays=False).deliver.holds


@settings(max_examples=400)
@given(STEPS, st.integers(0, 12), st.integers(0, 12), st.integers(1, 3))
def test_an_emptied_account_holds_of_each_repeated_order_its_newest_statement(
    steps: list[tuple[Any, ...]], start: int, length: int, times: int
) -> None:
    world = lived(steps, replays=True)
    before = {key: dict(body) for key, body in world.deliver.holds.items()}
    world.deliver.holds.clear()
    for _ in range(times):
        for offset in range(start, min(start + length, len(world.log))):
            world.again(offset, resend=True)
        world.deliver.drain()
    repeated = {world.log[offset].entity for offset in range(start, min(start + length, len(world.log)))}
    for (kind, key), body in world.deliver.holds.items():
        assert body == before[kind, key], "never older"
    if start == 0 and length >= len(world.log):
        purchases = {key for kind, key in before if kind is RecordKind.PURCHASE}
        assert purchases == {key for kind, key in world.deliver.holds if kind is RecordKind.PURCHASE}
        # The deletion of an order says nothing of its contact.
        there = {f"{order}@b.example" for order in purchases & repeated}
        assert there <= {key for kind, key in world.deliver.holds if kind is RecordKind.CONTACT}


@settings(max_examples=400)
@given(STEPS, st.booleans())
def test_however_many_versions_a_range_holds_an_order_costs_no_more_than_its_newest(
    steps: list[tuple[Any, ...]], resend: bool
) -> None:
    world = lived(steps, replays=True)
    world.deliver.calls.clear()
    for offset in range(len(world.log)):
        world.again(offset, resend=resend)
    world.deliver.drain()
    most = 1 if resend else 0
    assert all(calls <= most for calls in world.deliver.calls.values()), world.deliver.calls
    world.deliver.calls.clear()
    for offset in range(len(world.log)):
        world.again(offset, resend=False)
        world.deliver.drain()
    assert not +world.deliver.calls, "what Connectif was told costs nothing, however it is repeated"
