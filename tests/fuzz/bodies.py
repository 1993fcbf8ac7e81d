"""The bodies of each platform, through all the rules: webhooks, what is fetched, and pages of lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import orjson

from pipeline.deliver.partition.reading import read_record
from pipeline.events import Kind, RawEvent
from pipeline.records import partition_of
from pipeline.shops.api import FETCHED
from pipeline.shops.base import Rejected, WebhookRequest
from pipeline.shops.platform import AnyPlatform, raw_event
from pipeline.shops.pull import PullAnswer, PulledRow, PullPass, PullScope
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.rules import apply
from pipeline.translate.state import EntityState
from tests.contract.platform_events import ARRIVED_MS, bodies_of, event_of, raw
from tests.platforms import IN_TESTS, settings_of
from tests.shop_bodies import ZONE, Article, Person, Sale, Sent

_DATA = Path(__file__).parents[1] / "data"
_LARGEST = 6_000_000
#: Of pages' seeds, which are taken for rows one by one.
_ROWS = 5


def webhook_seeds(platform: AnyPlatform) -> list[bytes]:
    """`kind topic` and a body, an empty line between."""
    bodies = bodies_of(platform)
    sent: list[Sent | None] = [bodies.order(Sale(state=state)) for state in ("sold", "cancelled", "refunded")]
    sent += [bodies.customer(Person(consent=said)) for said in (bodies.subscribed, None)]
    sent += [bodies.product(Article(available=there)) for there in (True, False)]
    found = []
    for one in sent:
        if one is None:
            continue
        event = event_of(platform, one)
        found.append(f"{event.kind} {event.topic}\n\n".encode() + event.body)
        if one.announced is not None:
            found.append(f"{event.kind} {one.topic}\n\n".encode() + raw(one))
    return found


def read_webhook(platform: AnyPlatform, data: bytes) -> None:
    """A body as an event of the platform: its records are what deliver reads, or it is refused in words."""
    head, _, body = data.partition(b"\n\n")
    kind, _, topic = head.decode("latin-1").partition(" ")
    if topic.startswith(FETCHED):
        event = RawEvent(
            "acme",
            platform.name,
            Kind(kind) if kind in set(Kind) else Kind.ORDER,
            "1",
            topic,
            "d",
            ARRIVED_MS,
            body,
        )
    else:
        headers = IN_TESTS[platform.name].signed(topic, body, b"secret", {})
        request = WebhookRequest(headers, body, ARRIVED_MS)
        for one in ((request,) if platform.split is None else platform.split(request))[:_ROWS]:
            told(platform, raw_event("acme", platform, one))
        return
    told(platform, event)


def told(platform: AnyPlatform, event: RawEvent) -> None:
    """What translate does with an event, twice; its state and its records can be read again."""
    event = RawEvent.from_kafka(event.body, event.to_kafka_headers())
    store = platform.store("acme", settings_of(platform.name, timezone=ZONE))
    state = EntityState()
    for offset in (1, 2):
        result = apply(
            event, EventPosition(event.kind.topic, 0, offset), state, Feed(store, platform, "acme")
        )
        state = EntityState.decode(state.encode())
        for account, of_kind, _, _, value in result.emissions:
            read_record(value, of_kind, partition_of(account, 8), 8, max_bytes=_LARGEST)


def pull_seeds(platform: AnyPlatform) -> list[bytes]:
    """`kind` and `{"body": ..., "headers": ...}` of the answers to requests for pages."""
    found = []
    for folder in (_DATA / "pull" / platform.name, _DATA / "pulls" / platform.name):
        for path in sorted(folder.glob("pull-*.json")):
            kind = next((kind for kind in Kind if f"{kind}s" in path.name), Kind.CUSTOMER)
            for exchange in json.loads(path.read_bytes())["exchanges"]:
                said = exchange["response"]
                answer = {"body": said.get("body"), "headers": said.get("headers", {})}
                found.append(f"{kind}\n\n".encode() + orjson.dumps(answer))
    return found


def read_pull(platform: AnyPlatform, data: bytes) -> None:
    """An answer to a request for a page: rows that are events, or a refusal."""
    head, _, rest = data.partition(b"\n\n")
    kind = next((kind for kind in Kind if kind == head.decode("latin-1")), Kind.ORDER)
    try:
        tree = orjson.loads(rest)
    except ValueError:
        return
    said = tree if isinstance(tree, dict) else {"body": tree}
    headers = said.get("headers")
    answer = PullAnswer(
        said.get("body"), {str(k): str(v) for k, v in headers.items()} if isinstance(headers, dict) else {}
    )
    pull, settings = platform.pull, settings_of(platform.name, timezone=ZONE)
    assert pull is not None
    for reads in (PullPass.CHANGED, PullPass.FULL):
        scope = PullScope(kind, reads, 1_700_000_000_000 if reads is PullPass.CHANGED else None, ARRIVED_MS)
        try:
            page = pull.read(settings, scope, pull.first(settings, scope), answer)
        except Rejected:
            continue
        further = [*page.parts, *([page.following] if page.following else [])]
        asked = [one.path for one in further] + [path for _, paths in page.lookups for path in paths]
        # Whatever links an answer has, our credentials go to the shop's own host.
        assert all(path.startswith("/") and not path.startswith("//") for path in asked), asked
        for row in page.rows[:_ROWS]:
            _row(platform, kind, row)


def _row(platform: AnyPlatform, kind: Kind, row: PulledRow) -> None:
    told(platform, RawEvent("acme", platform.name, kind, row.entity, row.topic, "d", ARRIVED_MS, row.body))


def targets() -> dict[str, tuple[list[bytes], Callable[[bytes], None]]]:
    """By name: seeds, and what reads."""
    found: dict[str, tuple[list[bytes], Callable[[bytes], None]]] = {}
    for name, platform in PLATFORMS.items():
        found[f"bodies-{name}"] = webhook_seeds(platform), partial(read_webhook, platform)
        if platform.pull is not None:
            found[f"pages-{name}"] = pull_seeds(platform), partial(read_pull, platform)
    return found
