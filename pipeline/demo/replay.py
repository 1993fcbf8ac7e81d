"""Puts history into Kafka as a replay does: what the gateway would have kept, in the backfill's lane."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.config import Settings
from pipeline.demo.shop_history import Delivery
from pipeline.errors import BrokerError
from pipeline.events import Lane
from pipeline.gateway.message import Message
from pipeline.gateway.produce import Link
from pipeline.kafka import topics
from pipeline.shops.base import WebhookRequest
from pipeline.shops.platform import raw_event
from pipeline.shops.registry import PLATFORMS

LOOK_SECONDS = 0.01


def messages(deliveries: Iterable[Delivery], settings: Settings, at_ms: int) -> Iterator[Message]:
    """The messages of deliveries that a gateway would have kept, as if they all came at `at_ms`."""
    for one in deliveries:
        headers = {name.lower(): value for name, value in one.headers}
        request = WebhookRequest(headers, one.body, at_ms)
        event = raw_event(one.shop, PLATFORMS[one.platform], request, Lane.BACKFILL)
        topic = topics.full_name(settings, event.kind.topic)
        yield Message(topic, event.key, event.body, event.to_kafka_headers())


async def send(link: Link, history: Iterable[Message]) -> None:
    """Send all messages at once; returns when Kafka has every one of them.

    Raises:
        BrokerError: it did not take one.
    """
    left, refusals = 0, list[str]()

    def report(error: Any, _message: Any) -> None:
        nonlocal left
        left -= 1
        if error is not None:
            refusals.append(error.str())

    for topic, key, body, headers in history:
        link.send(topic, body, key, None, headers, report)
        left += 1
    while left:
        link.poll()
        await asyncio.sleep(LOOK_SECONDS)
    if refusals:
        raise BrokerError(f"Kafka did not take {len(refusals)} messages of the history: {refusals[0]}")
