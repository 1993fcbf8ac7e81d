"""Says something as the shop would: by signed webhook; what that only names follows as the API's documents.

The documents of the test sale are made here, for the shop has no such order: they are put where the sync
worker puts what it fetched.
"""

from __future__ import annotations

import asyncio
import time

import orjson

from pipeline.check.store.context import StoreCheck
from pipeline.check.store.gateway import Posted, post
from pipeline.check.store.result import Step, fault, ok
from pipeline.console import Console
from pipeline.errors import PipelineError
from pipeline.events import Kind, RawEvent
from pipeline.kafka.keys import partition_of_key, unique_key
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import full_name
from pipeline.shops.api import FETCHED, FOUND, fetched_event
from pipeline.shops.base import WebhookRequest
from pipeline.shops.platform import raw_event
from pipeline.shops.probe import Message, Saying
from pipeline.sync.answers import Answer, Found, Missing
from pipeline.sync.lookup import Documented, look_up
from pipeline.trace.life import EntityKey
from pipeline.trace.scan import LifeScan

NAME = "look-up at the shop"
#: Seconds between two looks, and by which clocks of brokers may differ.
PAUSE, SKEW = 0.5, 60.0
_NOT_FOUND = 404


class Teller:
    """Speaks for one store's shop."""

    def __init__(self, check: StoreCheck) -> None:
        self._check = check
        probe = check.platform.probe
        assert probe is not None  # noqa: S101 - asked before
        self._probe = probe
        self._secret = check.store.secrets[0].get_secret_value()

    @property
    def can_sign(self) -> bool:
        """Whether webhooks can be signed; else events are put into Kafka, past the gateway."""
        return self._probe.can_sign(self._check.store)

    async def say(self, saying: Saying) -> Posted:
        """Say it; returns once the gateway, or Kafka, has it."""
        if saying.documents is None:
            return await post(self._check, saying.message, self._secret)
        try:
            await asyncio.to_thread(self._write, await self._fetched(saying))
        except PipelineError as error:
            return Posted(None, error.message)
        return Posted(200)

    async def named(self) -> list[Step]:
        """A webhook that only names the test order: whether the shop is asked for it, which has none."""
        if self._probe.named is None:
            return []
        message, began = self._probe.named(self._check.trial), time.time()
        posted = await self._name(message)
        if not posted.taken:
            return [fault(NAME, f"not taken: {posted.status or posted.why}", "see the gateway's log")]
        until = time.monotonic() + self._check.wait
        while time.monotonic() < until:
            if await asyncio.to_thread(self._was_fetched, began):
                by = "the webhook" if self.can_sign else "an event in Kafka (only Adobe signs its own)"
                said = f"the shop was asked for what {by} named, {time.time() - began:.1f} s after it"
                return [ok(NAME, said)]
            await asyncio.sleep(PAUSE)
        said = f"within {self._check.wait:g} s the shop was not asked for an order that a webhook named"
        todo = "start `pipeline worker sync`; its log and pipeline_sync_stopped say what stands in its way"
        return [fault(NAME, said, todo)]

    async def _name(self, message: Message) -> Posted:
        if self.can_sign:
            return await post(self._check, message, self._secret)
        try:
            await asyncio.to_thread(self._write, as_kept(self._check, message, self._check.trial.number))
        except PipelineError as error:
            return Posted(None, error.message)
        return Posted(200)

    async def _fetched(self, saying: Saying) -> RawEvent:
        """The event of the documents that a webhook names, as the sync worker makes it."""
        check, api = self._check, self._check.platform.api
        assert api is not None  # noqa: S101 - what names documents has one
        held = saying.documents or {}

        async def ask(path: str) -> Answer:
            found = held.get(path, held.get(path.partition("?")[0]))
            return Missing(_NOT_FOUND) if found is None else Found(orjson.dumps(found), found)

        event = as_kept(check, saying.message, check.trial.number)
        answered = await look_up(event, api, check.platform.store(check.name, check.store), ask)
        assert isinstance(answered, Documented)  # noqa: S101 - a few small documents, all of them held
        assert any(status == FOUND for _, status, _ in answered.answers)  # noqa: S101
        topic, now_ms = api.fetched_topic(event), int(time.time() * 1_000)
        return fetched_event(event, answered.answers, topic, f"check/{check.trial.number}", now_ms)

    def _write(self, event: RawEvent) -> None:
        """Put an event into its topic; returns once it is confirmed."""
        settings = self._check.settings
        kafka = settings.kafka
        number = partition_of_key(event.key, kafka.shop_partitions)
        topic, headers = full_name(settings, event.kind.topic), event.to_kafka_headers()
        producer = Producer(client_config(settings), max_message_bytes=kafka.max_message_bytes, linger_ms=1)
        try:
            producer.send_all([Outgoing(topic, event.body, unique_key(event.key), number, headers)])
        finally:
            producer.close()

    def _was_fetched(self, began: float) -> bool:
        """Whether the sync worker has said what the shop answered about the test order."""
        check = self._check
        key = EntityKey(check.name, Kind.ORDER, check.trial.number)
        with RangeReader(client_config(check.settings)) as reader:
            scan = LifeScan(check.settings, reader, Console(quiet=True), int((began - SKEW) * 1_000))
            [life] = scan.lives([key])
        return any(event.topic.startswith(FETCHED) for event in life.events)


def as_kept(check: StoreCheck, message: Message, number: str) -> RawEvent:
    """A webhook about the entity of a number as the gateway keeps it."""
    probe, now_ms = check.platform.probe, int(time.time() * 1_000)
    assert probe is not None  # noqa: S101 - asked before
    secret = check.store.secrets[0].get_secret_value()
    signed = probe.signed(check.store, secret, message, now_ms // 1_000, number)
    headers = {name.lower(): value for name, value in signed.headers.items()}
    request = WebhookRequest(headers, message.body, now_ms, signed.query)
    split = check.platform.split
    [one] = [request] if split is None else split(request)
    return raw_event(check.name, check.platform, one)
