"""What the answers of feeds say: the events that webhooks would have brought, and how to go on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.events import RawEvent
from pipeline.shops.base import Rejected, WebhookRequest
from pipeline.shops.feed import MAX_ENTRIES, FeedAnswer, FeedPage, ShopFeed
from pipeline.shops.platform import raw_event
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.settings import StoreSettings
from pipeline.sync.feed_place import FeedPlace, decode, encode
from tests.platforms import settings_of

JOURNAL_URL = "https://events-va6.adobe.io/events-fast/organizations/1/integrations/2/3"
STORES: dict[str, StoreSettings] = {
    "vtex": settings_of("vtex", orders="feed"),
    "magento": settings_of(
        "magento",
        journal_url=JOURNAL_URL,
        events_client_id="client",
        events_client_secret="secret",
        events_organisation="1@AdobeOrg",
    ),
}
EACH = pytest.mark.parametrize("platform", STORES)
ITEM: dict[str, Any] = {
    "eventId": "00000000000000000000000000000001",
    "handle": "handle-1",
    "domain": "Marketplace",
    "state": "payment-approved",
    "lastState": "payment-pending",
    "orderId": "1400000000001-01",
    "lastChange": "2024-05-06T12:00:05Z",
    "currentChange": "2024-05-06T12:05:41.1234567Z",
}
HOOK: dict[str, Any] = {
    "Domain": "Marketplace",
    "OrderId": "1400000000001-01",
    "State": "payment-approved",
    "LastState": "payment-pending",
    "LastChange": "2024-05-06T12:00:05.0000000Z",
    "CurrentChange": "2024-05-06T12:05:41.1234567Z",
    "Origin": {"Account": "exampleaccount", "Key": "vtexappkey-example"},
}
SAVED: dict[str, Any] = {
    "specversion": "1.0",
    "id": "23f76cef",
    "type": "com.adobe.commerce.observer.sales_order_save_commit_after",
    "time": "2025-07-17T15:48:42.436Z",
    "eventid": "b0f2b088",
    "recipientclientid": "client",
    "data": {"key": "31a86bbd", "value": {"entity_id": "7"}},
}


def feed_of(platform: str) -> ShopFeed[StoreSettings]:
    feed = PLATFORMS[platform].feed
    assert feed is not None
    return feed


def read(platform: str, value: object, position: str = "", **headers: str) -> FeedPage:
    return feed_of(platform).read(STORES[platform], position, FeedAnswer(value, headers))


def kept(platform: str, body: bytes, **headers: str) -> RawEvent:
    """The event of a request with this body, whoever brought it."""
    return raw_event("acme", PLATFORMS[platform], WebhookRequest(headers, body, 1_800_000_000_000))


def identity(event: RawEvent) -> tuple[object, ...]:
    return event.kind, event.entity, event.topic, event.delivery


def page(*events: object, last: str = "moose:2") -> dict[str, Any]:
    """A page of a journal."""
    listed = [{"position": f"moose:{number}", "event": event} for number, event in enumerate(events)]
    return {"events": listed, "_page": {"last": last, "count": len(listed)}}


def test_an_item_of_vtexs_feed_is_the_event_that_its_hook_brings() -> None:
    [body] = read("vtex", [ITEM]).bodies
    event = kept("vtex", body)
    assert identity(event) == identity(kept("vtex", orjson.dumps(HOOK)))
    assert event.topic == "hook.payment-approved"
    assert event.entity == ITEM["orderId"]
    assert b"handle" not in body


@pytest.mark.parametrize(
    "change",
    [
        {"state": "invoiced"},
        {"currentChange": "2024-05-06T12:05:42Z"},
        {"lastChange": "2024-05-06T12:00:06Z"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_change_of_an_order_is_another_delivery(change: dict[str, Any]) -> None:
    one, other = (kept("vtex", body) for body in read("vtex", [ITEM, ITEM | change]).bodies)
    assert one.delivery != other.delivery


def test_a_notification_that_does_not_say_when_is_known_by_its_body_alone() -> None:
    plain = {name: value for name, value in HOOK.items() if name != "CurrentChange"}
    one, same, other = (
        kept("vtex", orjson.dumps(body)) for body in (plain, plain, plain | {"LastState": "another"})
    )
    assert one.delivery == same.delivery != other.delivery


def test_vtexs_items_are_committed_by_their_handles_and_more_are_asked_for_at_once() -> None:
    answer = read("vtex", [ITEM, ITEM | {"handle": "handle-2"}])
    assert answer.acknowledge is not None
    assert (answer.acknowledge.method, answer.acknowledge.path) == ("POST", "/api/orders/feed")
    assert orjson.loads(answer.acknowledge.body) == {"handles": ["handle-1", "handle-2"]}
    assert answer.wait == 0.0


@pytest.mark.parametrize("value", [[], None])
def test_an_empty_feed_of_vtex_rests_and_commits_nothing(value: object) -> None:
    assert read("vtex", value) == FeedPage([], wait=5.0)


def test_items_that_cannot_be_committed_are_not_asked_for_without_a_rest() -> None:
    answer = read("vtex", [{"orderId": "1", "handle": handle} for handle in (None, 7, "")])
    assert (len(answer.bodies), answer.acknowledge, answer.wait) == (3, None, 5.0)


def test_an_event_of_adobes_journal_is_the_one_that_its_webhook_brings() -> None:
    [body] = read("magento", page(SAVED)).bodies
    by_webhook = kept("magento", orjson.dumps(SAVED), **{"x-adobe-event-id": "b0f2b088"})
    assert identity(kept("magento", body)) == identity(by_webhook)
    assert kept("magento", body).entity == "7"


def test_the_position_is_that_of_the_next_link_and_of_no_other() -> None:
    links = (
        f'<{JOURNAL_URL}/validate?since=cow:1>; rel="validate", </x?since=rabbit:a:b&limit=100>; rel="next"'
    )
    answer = read("magento", page(SAVED), "cow:1", link=links)
    assert (answer.position, answer.wait, answer.acknowledge) == ("rabbit:a:b", 0.0, None)
    assert read("magento", page(SAVED), "cow:1").position == "moose:2"


def test_no_answer_says_where_the_token_goes() -> None:
    feed, elsewhere = feed_of("magento"), '<https://elsewhere.example/x?since=a%26b=%2F..>; rel="next"'
    position = read("magento", page(SAVED), link=elsewhere).position
    request = feed.request(STORES["magento"], position)
    assert request.path == f"{JOURNAL_URL}?since=a%26b%3D%2F..&limit=100"
    assert feed.request(STORES["magento"], "").path == f"{JOURNAL_URL}?limit=100"


@pytest.mark.parametrize(
    ("said", "wait"), [("10", 10.0), ("0", 1.0), ("86400", 300.0), ("soon", 10.0), ("-5", 10.0), ("", 10.0)]
)
def test_an_empty_journal_is_asked_again_when_it_says(said: str, wait: float) -> None:
    headers = {"retry-after": said, "link": '</x?since=cow:1>; rel="next"'}
    assert read("magento", None, "cow:1", **headers) == FeedPage([], position="cow:1", wait=wait)
    assert read("magento", None, "", **headers).position == "cow:1"


def test_a_journal_that_does_not_get_on_is_no_journal() -> None:
    with pytest.raises(Rejected, match="not_a_feed"):
        read("magento", page(SAVED, last="cow:1"), "cow:1")
    with pytest.raises(Rejected, match="not_a_feed"):
        read("magento", {"events": [{"event": SAVED}]})


@EACH
@pytest.mark.parametrize("value", [7, "text", {"message": "no"}, {"events": {}}, [0] * (MAX_ENTRIES + 1)])
def test_what_is_no_feed_is_said(platform: str, value: object) -> None:
    with pytest.raises(Rejected, match="not_a_feed"):
        read(platform, value)


_SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20)
_KEYS = st.sampled_from(
    [
        "events",
        "event",
        "_page",
        "last",
        "orderId",
        "state",
        "handle",
        "currentChange",
        "data",
        "value",
        "type",
    ]
)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner), max_leaves=12
)


@EACH
@given(value=_JSON, link=st.text(max_size=60), position=st.text(max_size=10))
def test_any_answer_is_a_page_or_none_and_each_entry_an_event(
    platform: str, value: object, link: str, position: str
) -> None:
    try:
        answer = read(platform, value, position, link=link)
    except Rejected:
        return
    for body in answer.bodies:
        assert kept(platform, body).entity
    assert feed_of(platform).request(STORES[platform], answer.position).path.isascii()


@EACH
@pytest.mark.parametrize("depth", [1, 300, 900])
def test_an_entry_that_nobody_can_read_is_a_dead_letter_of_its_own(platform: str, depth: int) -> None:
    entry: object = "text"
    for _ in range(depth):
        entry = [entry]
    value = [entry, ITEM] if platform == "vtex" else page(entry, SAVED)
    bad, good = (kept(platform, body) for body in read(platform, value).bodies)
    assert bad.entity.startswith("unread-")
    assert not good.entity.startswith("unread-")
    store = PLATFORMS[platform].store("acme", STORES[platform])
    with pytest.raises(Rejected):
        PLATFORMS[platform].translate(bad, store)


def test_a_place_of_another_source_is_the_beginning_and_what_expired_stays_known() -> None:
    row = encode(FeedPlace("journal", "cow:1", 7))
    assert decode(row, "journal") == FeedPlace("journal", "cow:1", 7)
    assert decode(row, "another") == FeedPlace("another", "", 7)
    assert decode(None, "journal") == FeedPlace("journal")


@pytest.mark.parametrize("missing", ["events_client_id", "events_client_secret", "events_organisation"])
def test_a_journal_without_its_credentials_stops_the_start(missing: str) -> None:
    given = {"events_client_id": "a", "events_client_secret": "b", "events_organisation": "c"}
    settings = settings_of("magento", journal_url=JOURNAL_URL, **{**given, missing: None})
    assert (settings.complaint([]) or "").startswith(f"{missing}: missing")
    assert settings_of("magento", journal_url=JOURNAL_URL, **given).complaint([]) is None


def test_a_feed_is_read_only_where_the_settings_choose_it() -> None:
    assert all(feed_of(platform).chosen(settings) for platform, settings in STORES.items())
    assert not any(feed_of(platform).chosen(settings_of(platform)) for platform in STORES)
