"""A case's events: signed, checked and kept as the gateway does, then given to the rules."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline import config
from pipeline.config import Settings
from pipeline.events import Kind, RawEvent
from pipeline.gateway import answers
from pipeline.gateway.answers import HttpAnswer
from pipeline.gateway.message import Message, Stored
from pipeline.gateway.webhooks import PREFIX, Webhooks
from pipeline.records import CouponUse, Record
from pipeline.shops.api import IGNORED
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.reading import Stores, feeds, read
from pipeline.translate.rules import Outcome, Result, apply
from pipeline.translate.state import EntityState
from tests.platforms import IN_TESTS
from tests.simulation.case_api import CaseApi, looked_up
from tests.simulation.cases import Case, Event, Sign

RECORD: TypeAdapter[Record] = TypeAdapter(Record)
ACCOUNT, STORE = "acme", "shop"


def settings_of(case: Case, directory: Path) -> Settings:
    """A plain store of the case's platform, with what differs in it."""
    account = {
        "api_key": f"{ACCOUNT}:secret",
        "base_url": "http://localhost",
        "authorised_domains": ["https://shop.example", "https://acme.myshopify.com"],
    }
    store: dict[str, Any] = {
        "platform": case.platform,
        "account": ACCOUNT,
        "domain": "shop.example",
        "secrets": list(case.given.secrets.values()),
        **IN_TESTS[case.platform].settings,
    }
    tree: dict[str, Any] = {
        "data_dir": str(directory),
        "kafka": {"account_partitions": 1},
        "deliver": {"import_poll": 5.0},
        "accounts": {ACCOUNT: account | case.given.account},
        "stores": {STORE: store | case.given.store},
    }
    return config.parse(tree, {})


class Rules:
    """The translate stage: the memory of an entity lies in a table between two of its events."""

    def __init__(self, settings: Settings) -> None:
        self._feeds = feeds(settings, PLATFORMS)
        self._rows: dict[bytes, bytes] = {}
        self._offsets: dict[str, itertools.count[int]] = defaultdict(itertools.count)

    def read(self, message: Message) -> tuple[RawEvent, Feed]:
        """The event in a message, and its store."""
        kind = Kind(dict(message.headers)["pipeline-kind"].decode())
        return read(message.key, message.body, message.headers, kind, Stores(self._feeds))

    def hear(self, event: RawEvent, feed: Feed) -> tuple[Result, list[Record]]:
        """Apply the rules to the next event of its topic: the result, and the records that follow."""
        kind = event.kind
        row = self._rows.get(event.key)
        state = EntityState() if row is None else EntityState.decode(row)
        result = apply(event, EventPosition(kind.topic, 0, next(self._offsets[kind.topic])), state, feed)
        if result.remember:
            self._rows[event.key] = state.encode()
        return result, [RECORD.validate_json(emission.value) for emission in result.emissions]


class CaseShop:
    """The shop of a case, and our stages up to the records that Connectif is to be sent."""

    def __init__(self, case: Case, settings: Settings) -> None:
        self._case = case
        self._kept: list[Message] = []
        self._now = 0.0
        self._gateway = Webhooks(settings, PLATFORMS, self, lambda: self._now)
        self._rules = Rules(settings)
        self.answers: list[int] = []
        self.results: list[Result | None] = []
        self.uses: list[CouponUse] = []

    def submit(self, message: Message) -> asyncio.Future[Stored]:
        """What the gateway keeps."""
        self._kept.append(message)
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        future.set_result(Stored.KAFKA)
        return future

    def sends(self, event: Event) -> list[Record]:
        """Send one event at its own time; the records that follow from it."""
        self._now = event.received.timestamp()
        path = PREFIX + f"{self._case.platform}/{STORE}".encode()
        route = self._gateway.route(path)
        assert route is not None
        answer = self._gateway.keep(route, self._headers(event), event.raw)
        said = answer if isinstance(answer, HttpAnswer) else answers.KEPT[answer.result()]
        self.answers.append(int(said.start["status"]))
        records = [record for message in self._kept for record in self._translated(message, event)]
        if not self._kept:
            self.results.append(None)
        self._kept.clear()
        return records

    def _headers(self, event: Event) -> dict[str, str]:
        """The event's own, the topic, the time and the signature."""
        shop, sign = (
            IN_TESTS[self._case.platform],
            event.sign or Sign(secret=next(iter(self._case.given.secrets))),
        )
        own = {name.lower(): value for name, value in event.headers.items()}
        own = {**shop.at(self._now + sign.seconds), **own}
        secret = self._case.given.secrets[sign.secret].encode()
        headers = shop.signed(event.topic, event.raw, secret, own)
        if sign.before:
            name = shop.signatures_header
            headers[name] = " ".join((*sign.before, headers[name]))
        return headers

    def _translated(self, message: Message, sent: Event) -> list[Record]:
        """The records of an event, or of the documents that were fetched because of it."""
        event, feed = self._rules.read(message)
        result, records = self._rules.hear(event, feed)
        place, now_ms = f"{event.kind.topic}/0/{len(self.results)}", int(self._now * 1000)
        again = result.outcome is Outcome.DUPLICATE
        fetched = None if again else looked_up(event, feed, CaseApi(sent.fetched), place, now_ms)
        if fetched is not None:
            assert (result.reason, records) == (IGNORED, [])
            result, records = self._rules.hear(fetched, feed)
        self.results.append(result)
        self.uses += result.uses
        return records
