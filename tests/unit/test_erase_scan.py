"""What the topics hold of a person, found by key, by body and by what followed from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson

from pipeline.config import Settings, parse
from pipeline.console import Console
from pipeline.erase.found import Found
from pipeline.erase.person import Person
from pipeline.erase.scan import PersonScan
from pipeline.kafka.keys import unique_key
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import MessageBatch, OffsetRange
from pipeline.kafka.reader import RangeReader

ANN, BOB = "ann@x.example", "bob@x.example"


def settings(tmp_path: Path) -> Settings:
    store = {"platform": "shopify", "account": "acme", "secrets": ["not-a-secret"]}
    return parse(
        {
            "data_dir": str(tmp_path),
            "kafka": {"topic_prefix": "x-"},
            "accounts": {
                "acme": {
                    "api_key": "acme:secret",
                    "base_url": "http://127.0.0.1:9",
                    "authorised_domains": ["https://a.example"],
                }
            },
            "stores": {
                "one": store | {"domain": "a.example"},
                "two": store | {"domain": "b.a.example", "secrets": ["another"]},
            },
        },
        {},
    )


class Log:
    """Topics as lists, read like ranges; all messages are in partition 0."""

    def __init__(self) -> None:
        self.topics: dict[str, list[Any]] = {}
        self.offsets = SimpleNamespace(partitions=lambda *names: [TopicPartition(name, 0) for name in names])

    def add(self, topic: str, about: str, value: object) -> bytes:
        """A message; returns its key."""
        own, messages = unique_key(about.encode()), self.topics.setdefault(f"x-{topic}", [])
        body, offset = value if isinstance(value, bytes) else orjson.dumps(value), len(messages)
        messages.append(
            SimpleNamespace(key=lambda: own, value=lambda: body, partition=lambda: 0, offset=lambda: offset)
        )
        return own

    def ranges(self, *names: str, start: Mapping[TopicPartition, int]) -> list[OffsetRange]:
        places = [TopicPartition(name, 0) for name in names]
        found = [
            OffsetRange(place, start.get(place, 0), len(self.topics.get(place.topic, ()))) for place in places
        ]
        return [one for one in found if len(one)]

    def read(self, ranges: list[OffsetRange], **_: object) -> Iterator[MessageBatch]:
        for one in ranges:
            yield MessageBatch(one.place, self.topics[one.place.topic][one.start : one.end], one.end)


def record(kind: str, record_id: str, store: str = "one", owner: str = "") -> dict[str, Any]:
    return {"account": "acme", "store": store, "kind": kind, "owner": owner, "id": record_id}


def filled() -> tuple[Log, dict[str, set[bytes]]]:
    """Topics with Ann's and Bob's messages, and the keys of Ann's."""
    log, hers = Log(), dict[str, set[bytes]]()

    def ann(topic: str, about: str, value: object) -> None:
        hers.setdefault(topic, set()).add(log.add(topic, about, value))

    ann("shop.customers", "one|customer|7", {"id": 7, "email": ANN})
    ann("shop.orders", "one|order|70", {"id": 70, "name": "#1070", "email": ANN})
    ann("shop.orders", "one|order|70", {"id": 70})
    log.add("shop.orders", "one|order|80", {"id": 80, "email": BOB})
    log.add("shop.orders", "two|order|70", {"id": 70, "email": ANN})
    ann("connectif.contacts", f"acme|contact|{ANN}", record("contact", ANN))
    log.add("connectif.contacts", f"acme|contact|{BOB}", record("contact", BOB))
    ann("connectif.purchases", "acme|purchase|70", record("purchase", "70", owner="order|70"))
    ann("connectif.purchases", "acme|purchase|odd", record("purchase", "odd", owner="order|70"))
    log.add("connectif.purchases", "acme|purchase|80", record("purchase", "80", owner="order|80"))
    ann("connectif.receipts", f"acme|contact|{ANN}", record("contact", ANN))
    ann("connectif.receipts", "acme|purchase|odd", record("purchase", "odd"))
    log.add("connectif.receipts", "acme|product|1", record("product", "1"))
    ann("deadletters", "one|order|70", {"id": 70})
    log.add("deadletters", "one|order|80", {"id": 80})
    ann("deadletters", f"acme|contact|{ANN}", record("contact", ANN))
    ann("coupons.used", "acme|one|1070|CODE", {})
    log.add("coupons.used", "acme|two|1070|CODE", {})
    ann("shop.replay", "one|order|70", {"id": 70})
    ann("sync.requests", "one|order|70|shop.orders/0/1", {"id": 70})
    log.add("sync.requests", "one|order|80|shop.orders/0/3", {"id": 80})
    return log, hers


def scan(tmp_path: Path, log: Log) -> PersonScan:
    return PersonScan(settings(tmp_path), cast("RangeReader", log), Console(quiet=True))


def keys(found: Found) -> dict[str, set[bytes]]:
    return {topic: {key for _, key in messages} for topic, messages in found.messages.items()}


def test_all_that_follows_from_a_person_is_found_and_nothing_of_others(tmp_path: Path) -> None:
    log, hers = filled()
    states = log.topics.setdefault("x-deadletters.state", [])
    for letter in (b"0:0", b"0:1", b"0:2"):
        states.append(
            SimpleNamespace(
                key=lambda own=letter: own, value=lambda: b"{}", partition=lambda: 0, offset=lambda: 0
            )
        )
    found = scan(tmp_path, log).find(Person("one", asked={ANN}))
    assert keys(found) == {**hers, "deadletters.state": {b"0:0", b"0:2"}}
    assert found.entities == {"customer|7", "order|70"}
    assert f"acme|{ANN}" in found.contacts
    assert found.others == {"two"}


def test_what_comes_after_the_first_reading_is_found_by_the_second(tmp_path: Path) -> None:
    log, _ = filled()
    looking = scan(tmp_path, log)
    found = looking.find(Person("one", asked={ANN}))
    before = found.counts()["connectif.receipts"]
    log.add("connectif.receipts", f"acme|contact|{BOB}", record("contact", BOB))
    log.add("connectif.receipts", f"acme|contact|{ANN}", record("contact", ANN))
    looking.follow("one", found)
    assert found.counts()["connectif.receipts"] == before + 1


def test_everybody_of_a_store_is_found_but_for_contacts_that_another_store_speaks_of(tmp_path: Path) -> None:
    log, hers = filled()
    log.add("connectif.contacts", f"acme|contact|{BOB}", record("contact", BOB, store="two"))
    found = scan(tmp_path, log).find(Person("one", everybody=True))
    assert f"acme|{ANN}" in found.contacts
    assert f"acme|{BOB}" not in found.contacts
    assert hers["shop.orders"] < keys(found)["shop.orders"]
    assert not any(re.match(rb"two\|", key) for key in keys(found)["shop.orders"])


def test_what_still_names_a_person_is_counted(tmp_path: Path) -> None:
    log, _ = filled()
    assert scan(tmp_path, log).still_named("one", {BOB}) == {
        "shop.orders": 1,
        "connectif.contacts": 1,
    }
