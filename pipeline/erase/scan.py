"""The topics -> what they hold of a person."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import orjson

from pipeline.config import Settings
from pipeline.console import Console
from pipeline.erase.found import Found
from pipeline.erase.person import Person, Search, named_in
from pipeline.events import Kind
from pipeline.kafka.keys import entity_key
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import OffsetRange
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.topics import (
    COUPONS_USED,
    DEADLETTER_STATES,
    DEADLETTERS,
    RECEIPTS,
    REPLAY,
    SYNC_CONSENTS_TOPIC,
    SYNC_REQUESTS_TOPIC,
    full_name,
)
from pipeline.progress import scanning
from pipeline.records import RecordKind, Source
from pipeline.shops.api import bodies_in
from pipeline.shops.registry import PLATFORMS

#: Readings of the events, each of which may learn a further address or account.
MOST_READINGS = 8
#: What a record or receipt says of itself stands in its first bytes.
HEAD = 8_192
_STORE = re.compile(rb'"store":"([a-z0-9_-]+)"')
_OWNER = re.compile(rb'"owner":"order\|((?:[^"\\]|\\.)*)"')
#: What is given to whoever wants the messages themselves: topic without prefix, and the message.
Keep = Callable[[str, Any], object]


class PersonScan:
    """Reads topics.

    Args:
        settings: the program's.
        reader: of the cluster.
        console: is told how far it is.
        keep: called with every message found, once.
    """

    def __init__(
        self, settings: Settings, reader: RangeReader, console: Console, keep: Keep | None = None
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._console = console
        self._keep = keep or (lambda _topic, _message: None)

    def webhook(self, source: Source) -> tuple[bytes, bytes] | None:
        """Key and body of an event; None where it is gone."""
        place = TopicPartition(full_name(self._settings, source.topic), source.partition)
        ranges = [OffsetRange(place, source.offset, source.offset + 1)]
        for batch in self._reader.read(ranges, on_lost=lambda _: None):
            for raw in batch.raw:
                return raw.key() or b"", raw.value() or b""
        return None

    def find(self, person: Person) -> Found:
        """All that the topics hold of a person."""
        found = Found(everybody=person.everybody)
        search = Search(person)
        fields = PLATFORMS[self._settings.stores[person.store].platform].person
        kinds = list(Kind) if person.everybody else [Kind.ORDER, Kind.CUSTOMER]
        purchases: set[str] = set()
        events: list[tuple[str, int, bytes]] = []
        everybody: set[str] = set()
        for number in range(1, MOST_READINGS + 1):
            events.clear()
            purchases.clear()
            found.entities.clear()
            for topic, raw, kind, entity in self._events(person.store, kinds, found, number, search):
                body = raw.value() or b""
                if search.is_theirs(kind, entity, body, fields):
                    events.append((topic, raw.partition(), raw.key()))
                    found.entities.add(f"{kind}|{entity}")
                    if person.everybody:
                        # Their records may be gone, and their contacts are not.
                        said = named_in(body, fields)
                        everybody |= said.addresses if said is not None else frozenset()
                    if kind is Kind.ORDER:
                        purchases |= self._purchase_ids(person.store, entity, body)
            found.mentions = search.mentions
            if not search.learn():
                break
        for topic, partition, key in events:
            found.add(topic, partition, key)
        found.addresses, found.customers = person.addresses, set(person.customers)
        store = self._settings.stores[person.store]
        found.contacts |= {f"{account}|{name}" for account in store.accounts for name in everybody}
        accounts = self._accounts(person, found, purchases)
        names = set(found.addresses)
        if store.guests_without_email == "external_id":
            # Elsewhere another store of the account may have the same number.
            names |= {store.id_prefix + name for name in found.customers}
        found.contacts |= {f"{account}|{name}" for account in accounts for name in names}
        found.purchases |= {f"{account}|{purchase}" for account in accounts for purchase in purchases}
        self.follow(person.store, found)
        return found

    def follow(self, store: str, found: Found) -> None:
        """What the other topics hold, from where they were read up to; it is added."""
        letters: set[bytes] = set()
        judges: Mapping[str, Callable[[bytes, Any], bool]] = {
            RecordKind.CONTACT.topic: lambda key, raw: self._is_record(store, found, key, raw),
            RecordKind.PURCHASE.topic: lambda key, raw: self._is_record(store, found, key, raw),
            RECEIPTS: lambda key, raw: self._is_record(store, found, key, raw),
            DEADLETTERS: lambda key, raw: self._is_letter(store, found, key, raw, letters),
            COUPONS_USED: lambda key, _: self._is_use(store, found, key),
            REPLAY: lambda key, _: self._is_event_of(store, found, key),
            SYNC_CONSENTS_TOPIC: lambda key, _: self._is_statement_of(store, found, key),
            # Behind the entity's key is the place of the event.
            SYNC_REQUESTS_TOPIC: lambda key, _: self._is_event_of(store, found, key.rpartition(b"|")[0]),
        }
        if found.everybody:
            judges = {**judges, RecordKind.PRODUCT.topic: lambda _, raw: _store_of(raw.value()) == store}
        for topic, raw in self._read("records, receipts, letters", judges, found.ends):
            if judges[topic](entity_key(raw.key() or b""), raw):
                found.add(topic, raw.partition(), raw.key())
                self._keep(topic, raw)
        for topic, raw in self._read("states of letters", [DEADLETTER_STATES], found.ends):
            if raw.key() in letters:
                found.add(topic, raw.partition(), raw.key())

    def still_named(self, store: str, addresses: Collection[str]) -> dict[str, int]:
        """Messages of each topic that name one of the addresses."""
        needles = Person(store, asked=set(addresses)).address_needles()
        counts: dict[str, int] = {}
        topics = [
            *(kind.topic for kind in Kind),
            *(kind.topic for kind in RecordKind),
            *(RECEIPTS, DEADLETTERS, COUPONS_USED, REPLAY, SYNC_REQUESTS_TOPIC, SYNC_CONSENTS_TOPIC),
        ]
        for topic, raw in self._read("what is left", topics, {}):
            said = (raw.key() or b"") + b" " + (raw.value() or b"")
            if any(needle in said.lower() for needle in needles):
                counts[topic] = counts.get(topic, 0) + 1
        return counts

    # Inside.

    def _events(
        self, store: str, kinds: Iterable[Kind], found: Found, number: int, search: Search
    ) -> Iterator[tuple[str, Any, Kind, str]]:
        fed = set(self._settings.stores[store].accounts)
        beside = {
            name.encode()
            for name, other in self._settings.stores.items()
            if name != store and fed.intersection(other.accounts)
        }
        own = store.encode()
        needles = search.person.address_needles()
        title = "orders and customers" if number == 1 else f"orders and customers, reading {number}"
        for topic, raw in self._read(title, [kind.topic for kind in kinds], {}):
            said = entity_key(raw.key() or b"").split(b"|", 2)
            if said[0] == own and len(said) == 3:  # noqa: PLR2004 - store, kind and id
                try:
                    yield topic, raw, Kind(said[1].decode()), said[2].decode()
                except ValueError:
                    continue  # foreign
            elif said[0] in beside and any(needle in (raw.value() or b"").lower() for needle in needles):
                found.others.add(said[0].decode())

    def _purchase_ids(self, store: str, entity: str, body: bytes) -> set[str]:
        """What the purchase of an order may be called."""
        platform = PLATFORMS[self._settings.stores[store].platform]
        ids = {entity}
        try:
            tree = orjson.loads(body)
        except ValueError:
            return ids
        for document in bodies_in(tree):
            for name in platform.order_numbers:
                value: Any = document
                for step in name.split("."):
                    value = value.get(step) if isinstance(value, dict) else None
                if isinstance(value, int | str) and str(value):
                    ids |= {str(value), str(value).strip().lstrip("#")}
        prefix = self._settings.stores[store].id_prefix
        return ids | {prefix + name for name in ids}

    def _accounts(self, person: Person, found: Found, purchases: set[str]) -> set[str]:
        """The accounts that the store's records of the person went to; it may have moved."""
        store = self._settings.stores[person.store]
        accounts = set(store.accounts)
        names = person.addresses | {store.id_prefix + name for name in person.customers}
        shared: set[str] = set()
        topics = [RecordKind.CONTACT.topic, RecordKind.PURCHASE.topic]
        for topic, raw in self._read("records", topics, {}):
            account, _, name = entity_key(raw.key() or b"").decode(errors="replace").partition("|")
            name = name.partition("|")[2]
            of_store = _store_of(raw.value()) == person.store
            if person.everybody and topic == RecordKind.CONTACT.topic:
                (found.contacts if of_store else shared).add(f"{account}|{name}")
            elif of_store and (name in names or name in purchases):
                accounts.add(account)
        # A contact that another store speaks of, too, is that store's as well.
        found.contacts -= shared
        return accounts

    def _is_record(self, store: str, found: Found, key: bytes, raw: Any) -> bool:
        account, _, rest = key.decode(errors="replace").partition("|")
        kind, _, name = rest.partition("|")
        if kind == RecordKind.CONTACT:
            return f"{account}|{name}" in found.contacts
        if kind != RecordKind.PURCHASE:
            return found.everybody and _store_of(raw.value()) == store
        value = raw.value() or b""
        if _store_of(value) != store:
            return False
        owner = _OWNER.search(value, 0, HEAD)
        if found.everybody or f"{account}|{name}" in found.purchases:
            return True
        if owner is not None and f"order|{owner[1].decode(errors='replace')}" in found.entities:
            found.purchases.add(f"{account}|{name}")
            return True
        return False

    def _is_statement_of(self, store: str, found: Found, key: bytes) -> bool:
        """Whether it is about the person: its entity is the address."""
        own, _, rest = key.decode(errors="replace").partition("|")
        return own == store and (found.everybody or rest.partition("|")[2] in found.addresses)

    def _is_letter(self, store: str, found: Found, key: bytes, raw: Any, letters: set[bytes]) -> bool:
        theirs = self._is_event_of(store, found, key) or self._is_record(store, found, key, raw)
        if theirs:
            letters.add(f"{raw.partition()}:{raw.offset()}".encode())
        return theirs

    def _is_use(self, store: str, found: Found, key: bytes) -> bool:
        said = key.decode(errors="replace").split("|", 3)
        if len(said) != 4 or said[1] != store:  # noqa: PLR2004 - account, store, purchase and code
            return False
        return found.everybody or f"{said[0]}|{said[2]}" in found.purchases

    def _is_event_of(self, store: str, found: Found, key: bytes) -> bool:
        name, _, rest = key.decode(errors="replace").partition("|")
        return name == store and (found.everybody or rest in found.entities)

    def _read(self, title: str, topics: Iterable[str], ends: dict[str, int]) -> Iterator[tuple[str, Any]]:
        """Topic without prefix and message of some topics, from `ends` on, which is brought up to date."""
        prefix = self._settings.kafka.topic_prefix
        names = [full_name(self._settings, topic) for topic in topics]
        places = self._reader.offsets.partitions(*names)
        starts = {place: ends.get(f"{place.topic}|{place.partition}", 0) for place in places}
        ranges = self._reader.ranges(*names, start=starts)
        with scanning(title, self._console) as tell:
            for batch in self._reader.read(ranges, progress=tell, on_lost=lambda _: None):
                topic = batch.place.topic.removeprefix(prefix)
                for raw in batch.raw:
                    yield topic, raw
        ends.update({f"{one.place.topic}|{one.place.partition}": one.end for one in ranges})


def _store_of(value: bytes | None) -> str:
    found = _STORE.search(value or b"", 0, HEAD)
    return "" if found is None else found[1].decode()
