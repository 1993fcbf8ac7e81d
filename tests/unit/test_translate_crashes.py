"""Whatever arrives, in any order and however often, and wherever the worker dies: the newest is told last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.records import RecordKind
from pipeline.translate.rules import EventPosition, apply
from pipeline.translate.state import Address, EmittedMark, EntityState, Newest, SeenDelivery
from pipeline.translate.tally import EventTally, EventTotals
from tests.plainshop import event, feed

FEED = feed(recent_deliveries=2)
#: An entity's contents by version (1, 2, ...); None is its deletion.
CONTENTS = st.lists(st.sampled_from(["red", "blue", None]), min_size=1, max_size=5)
ENTITIES = st.lists(CONTENTS, min_size=1, max_size=3)


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[list[str | None]], list[tuple[int, int]]]:
    """Entities, and a log of (entity, version) that holds each at least once, in any order."""
    entities = draw(ENTITIES)
    each = [(entity, version) for entity, contents in enumerate(entities) for version in range(len(contents))]
    repeats = draw(st.lists(st.sampled_from(each), max_size=8))
    return entities, draw(st.permutations(each + repeats))


@dataclass
class Crash:
    """A worker that dies: having read up to `read`, it had committed, sent and stored only so much."""

    read: float
    committed: float
    sent: float
    stored: list[float] = field(default_factory=list)


CRASHES = st.lists(
    st.builds(
        Crash,
        st.floats(0, 1),
        st.floats(0, 1),
        st.floats(0, 1),
        st.lists(st.floats(0, 1), min_size=3, max_size=3),
    ),
    max_size=4,
)


def said(entities: list[list[str | None]], entity: int, version: int) -> Any:
    """What the shop says of an entity's version."""
    content = entities[entity][version]
    if content is None:
        return {"version": version + 1, "drafts": [["purchase", None, None, "retract"]]}
    ids = [["contact", f"{entity}@b.example", content], ["purchase", f"{entity}", content]]
    return {"version": version + 1, "drafts": ids}


class Environment:
    """A log, what was emitted from it, and every state each entity ever had."""

    def __init__(self, entities: list[list[str | None]], log: list[tuple[int, int]]) -> None:
        self.entities, self.log = entities, log
        self.emitted: list[tuple[int, RecordKind, str, Any]] = []
        self.history: list[list[tuple[int, bytes]]] = [[(-1, EntityState().encode())] for _ in entities]
        self.states = [EntityState() for _ in entities]
        self.tally, self.tallies = EventTally(), [(-1, EventTally().encode())]

    def read(self, start: int, end: int) -> None:
        """Process the events of these offsets."""
        for offset in range(start, end):
            entity, version = self.log[offset]
            body = said(self.entities, entity, version)
            deleted = self.entities[entity][version] is None
            topic = "orders/delete" if deleted else "orders/updated"
            raw = event(body, entity=str(entity), delivery=f"{entity}.{version}", topic=topic)
            place = EventPosition("shop.orders", 0, offset)
            result = apply(raw, place, self.states[entity], FEED)
            for emission in result.emissions:
                value = orjson.loads(emission.value)
                self.emitted.append((offset, emission.kind, emission.id, (value["op"], value["body"])))
            self.history[entity].append((offset, self.states[entity].encode()))
            self.tally.count("shop.orders", offset, raw.kind, result, "acme")
            self.tallies.append((offset, self.tally.encode()))

    def die(self, committed: int, sent: int, stored: list[int]) -> None:
        """What was sent after `sent` is lost; each entity has the state of an offset of its own."""
        self.emitted = [emission for emission in self.emitted if emission[0] < sent]
        for entity, history in enumerate(self.history):
            kept = [raw for offset, raw in history if offset < stored[entity]]
            self.states[entity] = EntityState.decode(kept[-1])
            self.history[entity] = [(-1, kept[-1])]
        tallies = [raw for offset, raw in self.tallies if offset < max(committed, stored[0])]
        self.tally, self.tallies = EventTally.decode(tallies[-1]), [(-1, tallies[-1])]


@settings(max_examples=300, deadline=None)
@given(logs(), CRASHES)
def test_the_newest_of_each_record_is_sent_last_and_every_event_is_counted_once(
    made: tuple[list[list[str | None]], list[tuple[int, int]]], crashes: list[Crash]
) -> None:
    entities, log = made
    environment = Environment(entities, log)
    start = 0
    for crash in crashes:
        read = start + round(crash.read * (len(log) - start))
        environment.read(start, read)
        committed = start + round(crash.committed * (read - start))
        sent, *stored = (
            committed + round(share * (read - committed)) for share in (crash.sent, *crash.stored)
        )
        environment.die(committed, sent, stored)
        start = committed
    environment.read(start, len(log))

    last = {(kind, record_id): what for _, kind, record_id, what in environment.emitted}
    for entity, contents in enumerate(entities):
        purchase = last.get((RecordKind.PURCHASE, str(entity)))
        if contents[-1] is None:
            assert purchase is None or purchase[0] == "retract"
        else:
            assert purchase is not None
            assert (purchase[0], purchase[1]["cart_id"]) == ("upsert", contents[-1])
            assert last[RecordKind.CONTACT, f"{entity}@b.example"][1]["name"] == contents[-1]
    assert EventTotals.of([environment.tally]).received == len(log)


@settings(max_examples=100, deadline=None)
@given(logs())
def test_without_a_crash_nothing_is_sent_twice_in_a_row(
    made: tuple[list[list[str | None]], list[tuple[int, int]]],
) -> None:
    entities, log = made
    environment = Environment(entities, log)
    environment.read(0, len(log))
    last: dict[tuple[RecordKind, str], Any] = {}
    for _, kind, record_id, what in environment.emitted:
        assert last.get((kind, record_id)) != what
        last[kind, record_id] = what


MARKS = st.integers(0, 2**53)
STATES = st.builds(
    EntityState,
    newest=st.dictionaries(
        st.sampled_from(["entity", "consent"]),
        st.builds(
            Newest, st.integers(0, 2**60), MARKS, st.booleans(), st.integers(0, 2**60), st.integers(0, 999)
        ),
    ),
    emitted=st.dictionaries(
        st.text(max_size=5),
        st.dictionaries(
            st.tuples(st.sampled_from(list(RecordKind)), st.text(max_size=20)),
            st.builds(EmittedMark, st.text("0123456789abcdef", min_size=12, max_size=12), MARKS),
            max_size=5,
        ),
        max_size=2,
    ),
    address=st.none() | st.builds(Address, st.text(max_size=20), MARKS, MARKS),
    seen=st.lists(
        st.builds(SeenDelivery, st.text("0123456789abcdef", max_size=12), MARKS, st.booleans()), max_size=8
    ),
)


def test_a_state_of_the_first_format_is_read() -> None:
    raw = orjson.dumps([1, [0, 9, 4, 1], [], []])
    assert EntityState.decode(raw) == EntityState(newest={"entity": Newest(9, 4, True)})


def test_what_an_earlier_format_says_was_sent_is_of_the_account_the_store_has_now() -> None:
    raw = orjson.dumps([2, [], ["u", "7001", "00", 4], []])
    state = EntityState.decode(raw)
    assert state.emitted_to("acme") == {(RecordKind.PURCHASE, "7001"): EmittedMark("00", 4)}
    assert state.emitted_to("other") == {}


@given(STATES)
def test_a_state_survives_its_encoding(state: EntityState) -> None:
    assert EntityState.decode(state.encode()) == state


def test_a_typical_state_takes_less_than_400_bytes() -> None:
    state = EntityState()
    for offset in range(8):
        body = {"version": 1_772_000_000_000 + offset, "drafts": [
            ["contact", "someone.with.a.long.name@example.com", f"n{offset}"],
            *(["product", f"817252920{n}", "x"] for n in range(2)),
            ["purchase", "5123456789012", f"c{offset}"],
        ]}  # fmt: skip
        place = EventPosition("shop.orders", 0, 123_456_789 + offset)
        apply(event(body, delivery=f"d{offset}"), place, state, feed())
    assert len(state.encode()) < 500
