"""A translate stage on a stub of the engine."""

from __future__ import annotations

from typing import Any

from pipeline import config
from pipeline.config import Settings
from pipeline.events import RawEvent
from pipeline.translate.totals import AccountCollector
from pipeline.translate.worker import Translator
from tests.plainshop import PLAIN_SHOP
from tests.settings_trees import store_tree, stores_tree
from tests.stubengine import Message, StubEngine

NOW = 2_000.0


SOLD = {"version": 5, "drafts": [["contact", "a@b.example", "Ann"], ["purchase", "7", "c1"]]}


def settings_of(**kafka: Any) -> Settings:
    """One store of the plain shop."""
    stores = stores_tree(plain=store_tree(domain="plain.example"))
    return config.parse({"kafka": {"topic_prefix": "x-", **kafka}, **stores}, {})


class TranslateStage:
    """A translator, and the next offset of its only partition."""

    def __init__(self, **kafka: Any) -> None:
        self.engine = StubEngine(settings_of(**kafka))
        self.translator = Translator(self.engine.as_engine(), {"shopify": PLAIN_SHOP}, clock=lambda: NOW)
        self.offset = -1

    def message(self, raw: RawEvent, **change: Any) -> Message:
        """The event as a message at the next offset."""
        self.offset += 1
        parts = {"key": raw.key, "value": raw.body, "headers": tuple(raw.to_kafka_headers()), **change}
        return Message("x-shop.orders", 3, parts.pop("offset", self.offset), **parts)

    async def reads(self, raw: RawEvent, **change: Any) -> None:
        """One message."""
        await self.engine.read(self.message(raw, **change))

    @property
    def letters(self) -> list[dict[str, str]]:
        """The headers of the dead letters."""
        sent = self.engine.to("x-deadletters")
        return [{name: value.decode(errors="replace") for name, value in letter.headers} for letter in sent]

    def account(self, series: str) -> dict[tuple[str, ...], float]:
        """A series of the exact account, by its labels, as far as anything was counted."""
        families = {family.name: family for family in AccountCollector(self.translator.books).collect()}
        samples = families[series].samples
        return {tuple(sample.labels.values()): sample.value for sample in samples if sample.value}
