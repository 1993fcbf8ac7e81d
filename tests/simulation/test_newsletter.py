"""Newsletter statements on both sides, in virtual time: late, twice or back, the newest stays."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pipeline.deliver.state.commands import PutContact
from pipeline.deliver.state.contact import ContactState
from pipeline.deliver.state.diff import apply, diff
from pipeline.deliver.state.last_sent import LastSentContact
from pipeline.records import Contact, ContactRecord, Origin, RecordKind, Source, Subscription
from pipeline.shops.base import Draft, Look
from pipeline.shops.callbacks import Statement
from pipeline.shops.consent import Account, Wanted
from pipeline.sync.consent.memory import Memory
from pipeline.sync.consent.writing import Verdict, verdict
from pipeline.translate.looks import compared
from pipeline.translate.state import EntityState

ADDRESS = "ana@mail.example"
#: When the customer was made, epoch seconds.
CREATED = 1
#: What both sides hold where nobody ever said anything.
SILENCE = Statement(ADDRESS, "unsubscribed", 0)


class Act(NamedTuple):
    """Somebody says something, and how long each part of its way takes, in seconds."""

    after: int
    at_shop: bool
    state: Subscription
    arrives: int
    repeated: bool


@dataclass
class World:
    """Both sides, and the pipeline between them.

    A shop without a clock is looked at, when its webhook comes and where it holds what we brought: then
    newest is what was heard last, and what nobody looked at in time was never said.

    Attributes:
        clock: whether the shop says since when it holds what it holds.
        lag: seconds until deliver sends, until sync writes, and until an echo comes.
        lost: whether the shop's webhooks about what we wrote never come.
    """

    clock: bool
    lag: tuple[int, int, int]
    lost: bool = False
    now: int = 0
    shop: tuple[Subscription, int] = ("unsubscribed", 0)
    connectif: Subscription = "unsubscribed"
    memory: Memory = field(default_factory=Memory)
    told: LastSentContact | None = None
    calls: int = 0
    said: list[Statement] = field(default_factory=list)
    pending: Statement | None = None
    _later: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    customer: EntityState = field(default_factory=EntityState)
    _called: int = 0
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def later(self, seconds: int, do: Callable[[], None]) -> None:
        heapq.heappush(self._later, (self.now + seconds, next(self._numbers), do))

    def run(self) -> None:
        while self._later:
            self.now, _, do = heapq.heappop(self._later)
            do()

    # The sides.

    def act(self, act: Act) -> None:
        if act.at_shop:
            if self.clock:
                self.said.append(Statement(ADDRESS, act.state, self.now * 1_000))
            self.change_shop(act.state, self.now, act.arrives)
            return
        self.connectif = act.state
        for _ in range(1 + act.repeated):
            self.call_back(act.arrives, act.state, in_person=True)

    def call_back(self, delay: int, state: Subscription, *, in_person: bool) -> None:
        """Connectif's callbacks come in the order of what they say, each at a moment of its own."""
        self._called = max(self._called + 1, self.now + delay)
        self.later(self._called - self.now, lambda: self.called_back(state, in_person=in_person))

    def change_shop(self, state: Subscription, at: int, arrives: int) -> None:
        self.shop = state, at
        if self.clock:
            self.later(arrives, lambda: self.translated(state, at))
        else:
            self.later(arrives, self.look)

    def look(self) -> None:
        """The shop's flag is read, and what it means is told."""
        body = self.meant()
        if body.newsletter is not None and body.newsletter_ms is not None:
            self.said.append(Statement(ADDRESS, body.newsletter, body.newsletter_ms))
            self.translated(body.newsletter, body.newsletter_ms // 1_000)

    def meant(self) -> Contact:
        """What the flag means beside what earlier looks showed."""
        subscribed = self.shop[0] == "subscribed"
        seen = Look(subscribed, since_ms=CREATED * 1_000 if subscribed else 0)
        blank = Draft(RecordKind.CONTACT, ADDRESS, Origin.CUSTOMER, Contact(email=ADDRESS), look=seen)
        offset = next(self._numbers)
        [draft] = compared([blank], self.customer, offset, self.now * 1_000)
        assert isinstance(draft.body, Contact)
        return draft.body

    def tell_connectif(self, state: Subscription) -> None:
        self.calls += 1
        if state == "unsubscribed" != self.connectif:
            self.call_back(self.lag[2], state, in_person=False)
        self.connectif = state

    # The pipeline.

    def translated(self, state: Subscription, at: int) -> None:
        said = Statement(ADDRESS, state, at * 1_000)
        for _ in range(2):  # read again after a crash
            self.memory = self.memory.with_told(said, self.now * 1_000)
        self.later(self.lag[0], lambda: self.delivered(said, heard=False))

    def called_back(self, state: Subscription, *, in_person: bool) -> None:
        said = Statement(ADDRESS, state, self.now * 1_000, in_person)
        if self.memory.is_echo(said):
            assert not in_person
            return
        assert in_person, "an import of ours is no news"
        self.said.append(said)
        self.memory = self.memory.with_callback(said)
        self.later(self.lag[0], lambda: self.delivered(said, heard=True))
        if self.pending is None or self.pending.rank <= said.rank:
            self.pending = said
        self.later(self.lag[1], self.written)

    def delivered(self, said: Statement, *, heard: bool) -> None:
        record = ContactRecord(
            account="es",
            store="acme",
            id=ADDRESS,
            version=said.at_ms,
            source=Source(topic="shop.customers", partition=0, offset=0),
            origin=Origin.CUSTOMER,
            received_ms=self.now * 1_000,
            body=Contact(email=ADDRESS, newsletter=said.state, newsletter_ms=said.at_ms),
            heard=heard,
        )
        state = ContactState.from_json(ContactState.of(record).to_json())
        command = diff(self.told, state)
        if isinstance(command, PutContact) and (word := (command.fields or {}).get("newsletter")):
            self.tell_connectif("subscribed" if word == "subscribed" else "unsubscribed")
        known = apply(self.told, state)
        assert isinstance(known, LastSentContact)
        self.told = known

    def written(self) -> None:
        wanted, self.pending = self.pending, None
        if wanted is None:
            return
        state, at = self.shop
        account = Account("1", state, at * 1_000 if self.clock else None)
        shop_said = self.memory.shop_said
        found = verdict(Wanted(*wanted[:3]), account, shop_said, self.now * 1_000)
        if found is Verdict.WRITE:
            self.change_shop(wanted.state, wanted.at_ms // 1_000, 10**6 if self.lost else 1)
        if found in {Verdict.WRITE, Verdict.SAME} and not self.clock:
            self.look()  # the desk asks for each customer that holds the statement now


ACTS = st.builds(
    Act,
    after=st.integers(0, 120),
    at_shop=st.booleans(),
    state=st.sampled_from(("subscribed", "unsubscribed")),
    arrives=st.integers(0, 60),
    repeated=st.booleans(),
)


def known(world: World) -> World:
    """The shop was looked at long before, and Connectif was told of it."""
    world.meant()
    return world


def play(world: World, acts: list[Act]) -> Subscription:
    """Let the acts happen; what was said last."""
    moment = 1_000
    for act in acts:
        moment += act.after
        world.later(moment, lambda act=act: world.act(act))  # type: ignore[misc]
    world.run()
    return max(world.said, key=lambda one: one.rank, default=SILENCE).state


@given(st.lists(ACTS, min_size=1, max_size=8), st.tuples(*[st.integers(0, 200)] * 3))
@settings(max_examples=400, deadline=None)
def test_both_sides_end_with_the_newest_statement_whatever_comes_late_twice_or_back(
    acts: list[Act], lag: tuple[int, int, int]
) -> None:
    world = World(clock=True, lag=lag)
    newest = play(world, acts)
    assert world.shop[0] == newest
    assert world.connectif == newest


@given(st.lists(ACTS, min_size=1, max_size=8), st.tuples(*[st.integers(0, 200)] * 3), st.booleans())
@settings(max_examples=200, deadline=None)
def test_without_a_clock_both_sides_end_with_what_was_heard_last(
    acts: list[Act], lag: tuple[int, int, int], lost: bool
) -> None:
    world = known(World(clock=False, lag=lag, lost=lost))
    play(world, acts)
    moments = {(one.at_ms, one.state) for one in world.said}
    assume(len({at_ms for at_ms, _ in moments}) == len(moments))  # at one moment nothing is newer
    heard = max(world.said, key=lambda one: one.rank, default=None)
    if heard is not None:
        assert world.shop[0] == heard.state
    assert world.connectif == world.shop[0]


@given(
    acts=st.lists(ACTS, max_size=6),
    last=ACTS.map(lambda act: act._replace(after=2_000)),
    lag=st.tuples(*[st.integers(0, 200)] * 3),
    clock=st.booleans(),
    lost=st.booleans(),
)
@example(
    # The shop holds what was said in Connectif, and drops it before its webhook is looked into.
    acts=[
        Act(after=0, at_shop=False, state="subscribed", arrives=0, repeated=False),
        Act(after=0, at_shop=True, state="subscribed", arrives=1, repeated=False),
        Act(after=1, at_shop=True, state="unsubscribed", arrives=0, repeated=False),
    ],
    last=Act(after=2_000, at_shop=True, state="unsubscribed", arrives=0, repeated=False),
    lag=(0, 0, 0),
    clock=False,
    lost=False,
)
@settings(max_examples=200, deadline=None)
def test_what_is_said_after_a_silence_is_what_both_sides_end_with(
    acts: list[Act], last: Act, lag: tuple[int, int, int], clock: bool, lost: bool
) -> None:
    world = known(World(clock=clock, lag=lag, lost=lost and not clock))
    play(world, [*acts, last])
    assert (world.shop[0], world.connectif) == (last.state, last.state)


@pytest.mark.parametrize("clock", [True, False])
def test_what_we_write_at_the_shop_comes_back_and_costs_no_call(clock: bool) -> None:
    world = known(World(clock=clock, lag=(1, 1, 1), shop=("subscribed", 1), connectif="subscribed"))
    assert play(world, [Act(0, False, "unsubscribed", 1, False)]) == "unsubscribed"
    assert (world.shop[0], world.connectif, world.calls) == ("unsubscribed", "unsubscribed", 0)


def test_an_import_of_our_own_does_not_unsubscribe_who_has_come_back_to_the_shop() -> None:
    world = known(World(clock=False, lag=(1, 1, 100), shop=("subscribed", 1), connectif="subscribed"))
    acts = [Act(0, True, "unsubscribed", 1, False), Act(20, True, "subscribed", 1, False)]
    assert play(world, acts) == "subscribed"
    assert (world.shop[0], world.connectif) == ("subscribed", "subscribed")


def test_an_old_statement_of_the_shop_does_not_subscribe_who_left_in_connectif() -> None:
    world = known(World(clock=False, lag=(1, 1, 1), connectif="subscribed"))
    acts = [Act(0, True, "subscribed", 60, False), Act(5, False, "unsubscribed", 1, False)]
    assert play(world, acts) == "unsubscribed"
    assert (world.shop[0], world.connectif, world.calls) == ("unsubscribed", "unsubscribed", 0)


@given(st.booleans(), st.booleans(), st.integers(0, 10), st.integers(0, 10))
def test_a_memory_is_read_as_it_was_written(shop: bool, other: bool, one: int, two: int) -> None:
    memory = Memory((one, shop), (two, other), one * two)
    assert Memory.decode(memory.encode()) == memory
    assert Memory.decode(None) == Memory()
