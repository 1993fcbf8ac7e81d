"""A store that feeds an account for each language: in whatever order it speaks, each holds its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipeline import config
from pipeline.config import Settings
from pipeline.records import Record
from pipeline.shops.platform import raw_event
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.feed import EventPosition
from pipeline.translate.reading import feeds
from pipeline.translate.rules import Outcome, apply
from pipeline.translate.state import EntityState
from tests.platforms import genuine
from tests.settings_trees import store_tree
from tests.shop_bodies import CHANGED, Person, Sale, Sent
from tests.shop_bodies.generic import BODIES
from tests.simulation import virtual
from tests.simulation.environment import Environment, Life

RECORD: TypeAdapter[Record] = TypeAdapter(Record)
ACCOUNTS = ("es", "fr")
EPOCH = CHANGED.timestamp()


class Step(NamedTuple):
    """What the shop says of one of its orders or customers.

    Attributes:
        minute: its version; no two of an entity are the same.
        entity: `order 1` or `customer 1`.
        language: `de` has no account.
        word: of an order its state, of a customer the consent.
        settles: whether what waits is delivered then.
    """

    minute: int
    entity: str
    language: str
    word: str | None
    settles: bool

    @property
    def is_order(self) -> bool:
        return self.entity.startswith("order")

    @property
    def sent(self) -> Sent:
        changed, number = CHANGED + timedelta(minutes=self.minute), self.entity[-1]
        if self.is_order:
            email = f"guest{number}@mail.example"
            sale = Sale(id=f"O{number}", changed=changed, customer=None, email=email)
            topic, document, *_ = BODIES.order(replace(sale, state=self.word))  # type: ignore[arg-type]
            return Sent(topic, document | {"locale": self.language})
        person = Person(f"C{number}", self.address, changed=changed, consent=self.word, consented=changed)
        topic, document, *_ = BODIES.customer(person)
        return Sent(topic, document | {"locale": self.language})

    @property
    def address(self) -> str:
        return f"customer{self.entity[-1]}@mail.example"

    @property
    def has_account(self) -> bool:
        """Whether it is understood: what takes back needs none."""
        return self.language in ACCOUNTS or self.word in {"cancelled", "unsubscribed"}


states_of_orders = st.sampled_from(["sold", "sold", "cancelled"])
consents = st.sampled_from([None, "subscribed", "subscribed", "unsubscribed"])


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Versions of two orders and two customers, in any order of arrival."""
    minutes = draw(st.permutations(range(1, 10)))
    steps = []
    for minute in minutes:
        entity = draw(st.sampled_from(["order 1", "order 2", "customer 1", "customer 2"]))
        word = draw(states_of_orders if entity.startswith("order") else consents)
        language = draw(st.sampled_from(["es", "fr", "fr", "de"]))
        steps.append(Step(minute, entity, language, word, draw(st.booleans())))
    return steps


def settings_in(directory: Path) -> Settings:
    store = store_tree("generic", domain="shop.example")
    del store["account"]
    store["routes"] = [{"language": name, "account": name} for name in ACCOUNTS]
    account: dict[str, Any] = {"base_url": "http://localhost", "authorised_domains": ["https://shop.example"]}
    tree = {
        "data_dir": str(directory),
        "kafka": {"account_partitions": 1},
        "deliver": {"import_poll": 5.0},
        "accounts": {name: account | {"api_key": f"{name}:secret"} for name in ACCOUNTS},
        "stores": {"shop": store},
    }
    return config.parse(tree, {})


#: What Connectif holds: by account, kind and key.
Held = dict[str, dict[str, dict[str, dict[str, Any]]]]


async def played(history: Sequence[Step], killed_after: int) -> tuple[Held, list[Outcome]]:
    """Let the shop say it all; a worker is killed after one of the steps."""
    with tempfile.TemporaryDirectory() as directory:
        environment = Environment(settings_in(Path(directory)))
        feed = feeds(environment.settings, PLATFORMS)["shop"]
        life = Life(environment, "w1")
        await life.start()
        states: dict[bytes, EntityState] = {}
        outcomes: list[Outcome] = []
        for offset, step in enumerate(history):
            topic, document, *_ = step.sent
            headers = {"webhook-id": f"m{offset}"}
            request = genuine(feed.platform, topic, orjson.dumps(document), b"key", headers)
            arrived_ms = int((EPOCH + 3_600) * 1_000) + offset
            event = raw_event("shop", feed.platform, request._replace(received_ms=arrived_ms))
            state = EntityState.decode(states.get(event.key, EntityState()).encode())
            result = apply(event, EventPosition(event.kind.topic, 0, offset), state, feed)
            outcomes.append(result.outcome)
            if result.remember:
                states[event.key] = state
            for emission in result.emissions:
                environment.say(RECORD.validate_json(emission.value))
            if step.settles:
                await environment.settle(life, within=1_800.0)
            if offset == killed_after:
                await life.kill()
                life = Life(environment, "w1")
                await life.start()
        await environment.settle(life, within=1_800.0)
        environment.accounted(life)
        for account in ACCOUNTS:
            environment.limit_kept(account)
        await life.stop()
        held = {
            account: {kind: environment.holds(kind, account) for kind in ("purchases", "contacts")}
            for account in ACCOUNTS
        }
        return held, outcomes


def heard(history: Sequence[Step], entity: str) -> list[Step]:
    """What counts of an entity's events: those understood and not overtaken, in the order of arrival."""
    counted: list[Step] = []
    for step in history:
        if step.entity == entity and step.has_account and all(step.minute > one.minute for one in counted):
            counted.append(step)
    return counted


LEFT_AND_BACK = [
    Step(1, "customer 1", "es", "subscribed", True),
    Step(2, "customer 1", "fr", "subscribed", True),
    Step(3, "customer 1", "es", "subscribed", False),
    Step(4, "order 1", "es", "sold", True),
    Step(5, "order 1", "de", "sold", False),
    Step(6, "order 1", "fr", "sold", True),
    Step(7, "order 1", "de", "cancelled", False),
]


@settings(max_examples=25, deadline=None)
@given(histories(), st.integers(0, 8))
@example(LEFT_AND_BACK, 3)
def test_each_account_holds_what_is_its_own(history: list[Step], killed_after: int) -> None:
    held, outcomes = virtual.run(played(history, killed_after), epoch=EPOCH + 3_600)
    for step, outcome in zip(history, outcomes, strict=True):
        assert (outcome is Outcome.REJECTED) is not step.has_account or outcome is Outcome.STALE
    for entity in {step.entity for step in history}:
        counted = heard(history, entity)
        for account in ACCOUNTS:
            if entity.startswith("order"):
                last = counted[-1] if counted else None
                is_sold = last is not None and (last.language, last.word) == (account, "sold")
                assert (f"O{entity[-1]}" in held[account]["purchases"]) is is_sold, entity
            else:
                check_contact(held, account, counted)


def check_contact(everything: Held, account: str, counted: Sequence[Step]) -> None:
    """The contact is where the person was, and subscribed only where the person is and said so last.

    A withdrawal makes it everywhere, as it does for somebody unknown.
    """
    if not counted:
        return
    held = everything[account]["contacts"].get(counted[-1].address)
    was_there = any(step.language == account or step.word == "unsubscribed" for step in counted)
    assert (held is not None) is was_there, (account, counted)
    status = (held or {}).get("_newsletterSubscriptionStatus")
    last = counted[-1]
    if last.word == "unsubscribed" or last.language != account:
        assert status != "subscribed", (account, counted)
    elif last.word == "subscribed":
        assert status == "subscribed", (account, counted)


def test_the_example_moves_a_person_there_and_back() -> None:
    held, _ = virtual.run(played(LEFT_AND_BACK, -1), epoch=EPOCH + 3_600)
    assert [held[name]["purchases"] for name in ACCOUNTS] == [{}, {}]
    contacts = {name: held[name]["contacts"]["customer1@mail.example"] for name in ACCOUNTS}
    assert contacts["es"]["_newsletterSubscriptionStatus"] == "subscribed"
    assert contacts["fr"]["_newsletterSubscriptionStatus"] == "unsubscribed"
