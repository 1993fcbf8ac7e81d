"""Every platform's pages: none is missed, all end, none is believed, and rows mean what webhooks mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.events import Kind, RawEvent
from pipeline.records import RecordKind
from pipeline.sandbox.shops.quirks import Quirks
from pipeline.shops.base import Draft, Rejected, StoreOf, Translation
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.pull import PullAnswer, PulledRow, PullPass
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.rules import apply
from pipeline.translate.state import EntityState
from tests.contract import platform_events
from tests.drafts import wherever
from tests.platforms import settings_of
from tests.pulling import event_of, ids, of_lists, pages, pull_of, scope, whole
from tests.shop_bodies import CHANGED, ZONE, Sent
from tests.shop_lists import SIMULATED, said
from tests.simulation.case_api import CaseApi
from tests.simulation.cases import Fetched

READ = pytest.mark.parametrize(
    ("platform", "kind"),
    [
        pytest.param(PLATFORMS[name], kind, id=f"{name}-{kind}")
        for name in SIMULATED
        for kind in pull_of(PLATFORMS[name]).passes
    ],
)
WITH_PULL = pytest.mark.parametrize(
    "platform",
    [one for one in PLATFORMS.values() if one.pull is not None],
    ids=lambda platform: platform.name,
)
SINCE = datetime(2024, 5, 6, 8, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=1)
#: Entities of a list: several pages of any platform's, and of some moments more than one.
ROWS = 620


def ms(at: datetime) -> int:
    return int(at.timestamp()) * 1_000


def settings_for(platform: AnyPlatform, **settings: Any) -> Any:
    return settings_of(platform.name, timezone=ZONE, **settings)


def changed(number: int) -> datetime:
    """When an entity was last changed: three in one second, and 150 in another."""
    return SINCE + timedelta(seconds=1_000 if 200 <= number < 350 else number // 3 + (number > 349) * 2_000)


def filled(platform: AnyPlatform, kind: Kind, rows: int = ROWS) -> Any:
    lists = SIMULATED[platform.name].lists()
    for number in range(1, rows + 1):
        SIMULATED[platform.name].put(lists, kind, said(platform.name, kind, str(number), changed(number)))
    return lists


@READ
@pytest.mark.parametrize("reads", PullPass)
def test_rows_that_change_and_go_between_two_pages_cost_no_other_row(
    platform: AnyPlatform, kind: Kind, reads: PullPass
) -> None:
    if reads not in pull_of(platform).passes[kind]:
        pytest.skip("not read")
    lists, simulated = filled(platform, kind), SIMULATED[platform.name]
    gone: set[str] = set()

    def between(count: int) -> None:
        """Three of the first rows change, and one of the first goes, and one of the last changes."""
        if 5 * count + 5 > ROWS - 5 * count:
            return
        gone.add(str(5 * count))
        simulated.take(lists, kind, str(5 * count))
        for number in (5 * count + 1, 5 * count + 2, 5 * count + 3, ROWS - 5 * count):
            later = UNTIL - timedelta(hours=1) + timedelta(seconds=count)
            simulated.put(lists, kind, said(platform.name, kind, str(number), later))

    what = scope(kind, reads, ms(SINCE), ms(UNTIL))
    found = ids(platform, settings_for(platform), what, of_lists(lists, between))
    assert {str(number) for number in range(1, ROWS + 1)} - gone <= set(found)
    assert len(found) < 3 * ROWS


@READ
def test_a_page_that_counts_the_rows_counts_those_of_the_whole_list(
    platform: AnyPlatform, kind: Kind
) -> None:
    """Not those that are left behind it: the time left would be wrong."""
    lists = filled(platform, kind)
    for reads in pull_of(platform).passes[kind]:
        what = scope(kind, reads, ms(SINCE), ms(UNTIL))
        told = [page.total for page in pages(platform, settings_for(platform), what, of_lists(lists))]
        assert set(told) <= {None, ROWS}, reads


@READ
@pytest.mark.parametrize(
    "quirks", [Quirks(repeats_last=True), Quirks(total=0), Quirks(total=1_000, repeats_last=True)], ids=str
)
def test_a_last_page_that_comes_again_or_a_total_that_lies_ends_all_the_same(
    platform: AnyPlatform, kind: Kind, quirks: Quirks
) -> None:
    lists = filled(platform, kind)
    SIMULATED[platform.name].quirk(lists, quirks)
    for reads in pull_of(platform).passes[kind]:
        what = scope(kind, reads, ms(SINCE), ms(UNTIL))
        found = ids(platform, settings_for(platform), what, of_lists(lists))
        assert set(found) == {str(number) for number in range(1, ROWS + 1)}, reads


@READ
def test_a_shop_that_gives_fewer_rows_than_it_is_asked_for_is_read_to_its_end(
    platform: AnyPlatform, kind: Kind
) -> None:
    if platform.name == "vtex":
        pytest.skip("its pages are as long as its documentation says")
    lists = filled(platform, kind)
    SIMULATED[platform.name].quirk(lists, Quirks(shortest=40))
    for reads in pull_of(platform).passes[kind]:
        what = scope(kind, reads, ms(SINCE), ms(UNTIL))
        found = ids(platform, settings_for(platform), what, of_lists(lists))
        assert set(found) == {str(number) for number in range(1, ROWS + 1)}, reads


@READ
def test_a_shop_without_rows_is_read_to_its_end(platform: AnyPlatform, kind: Kind) -> None:
    for reads in pull_of(platform).passes[kind]:
        what = scope(kind, reads, ms(SINCE), ms(UNTIL))
        lists = SIMULATED[platform.name].lists()
        assert ids(platform, settings_for(platform), what, of_lists(lists)) == []


@pytest.mark.parametrize(
    "value",
    [None, 7, "text", {}, {"message": "no"}, [7], {"errors": [{"code": 22}]}, {"items": "x", "list": 7}],
    ids=str,
)
@READ
def test_what_is_no_page_is_rejected(platform: AnyPlatform, kind: Kind, value: object) -> None:
    pull, settings = pull_of(platform), settings_for(platform)
    for reads in pull.passes[kind]:
        what = scope(kind, reads, ms(SINCE), ms(UNTIL))
        with pytest.raises(Rejected):
            pull.read(settings, what, pull.first(settings, what), PullAnswer(value, {}))


@READ
def test_any_value_in_any_place_of_a_page_is_read_or_rejected(platform: AnyPlatform, kind: Kind) -> None:
    lists, pull, settings = filled(platform, kind, 2), pull_of(platform), settings_for(platform)
    for reads in pull.passes[kind]:
        what = scope(kind, reads, ms(SINCE), ms(UNTIL))
        first = pull.first(settings, what)
        answer = of_lists(lists)(first)
        for broken in _broken(answer.value):
            try:
                pull.read(settings, what, first, PullAnswer(broken, answer.headers))
            except Rejected:
                continue


def _broken(value: Any) -> list[Any]:
    """The value with each of its parts, one at a time, replaced by something else."""
    found: list[Any] = [None, [], {}, -1, 1e30, "\ufffd", True, 1.5]
    if isinstance(value, dict):
        found += [{**value, key: other} for key, one in value.items() for other in _broken(one)]
    if isinstance(value, list) and value:
        found += [[other, *value[1:]] for other in _broken(value[0])]
    return found


# What a row means.


def translated(platform: AnyPlatform, event: RawEvent, store: StoreOf[Any]) -> Translation:
    event = RawEvent.from_kafka(event.body, event.to_kafka_headers())
    translation: Translation = platform.translate(event, store)
    return translation


def api_of(sent: Sent) -> Callable[[str], tuple[str, int, bytes]]:
    """Answers with the documents that belong to what is said."""
    answers = {} if sent.announced is None else sent.announced(sent.document).answers
    api = CaseApi([Fetched(request=path, body=body) for path, body in answers.items()])
    return api.ask


def pulled(platform: AnyPlatform, kind: Kind, reads: PullPass, sent: Sent, store: StoreOf[Any]) -> RawEvent:
    """The event of the only row of a list that has what is said."""
    lists = SIMULATED[platform.name].lists()
    SIMULATED[platform.name].put(lists, kind, sent)
    what = scope(kind, reads, ms(CHANGED) - 1_000_000, ms(CHANGED) + 1_000_000)
    found: list[PulledRow] = []
    for page in pages(platform, store.settings, what, of_lists(lists)):
        found += whole(platform, store, page, api_of(sent))
    assert len({(row.entity, row.body) for row in found}) == 1
    return event_of(platform, kind, found[0], platform_events.ARRIVED_MS)


@READ
@pytest.mark.parametrize("reads", [PullPass.CHANGED, PullPass.FULL])
def test_a_row_means_what_the_webhook_of_the_same_entity_means(
    platform: AnyPlatform, kind: Kind, reads: PullPass
) -> None:
    if reads not in pull_of(platform).passes[kind]:
        pytest.skip("not read")
    bodies = platform_events.bodies_of(platform)
    sent = said(platform.name, kind, "1001", CHANGED, consent=bodies.subscribed)
    store = platform.store("acme", settings_for(platform))
    heard = platform_events.event_of(platform, sent)
    event = pulled(platform, kind, reads, sent, store)
    assert (event.kind, event.entity) == (heard.kind, heard.entity)
    row, webhook = translated(platform, event, store), translated(platform, heard, store)
    assert row.drafts
    assert (row.version, row.clock) == (webhook.version, webhook.clock)
    assert wherever(row).drafts == wherever(webhook).drafts


@READ
def test_a_pass_over_ids_reads_the_ids_of_the_events_and_no_bodies(platform: AnyPlatform, kind: Kind) -> None:
    if PullPass.PRESENT not in pull_of(platform).passes[kind]:
        pytest.skip("not read")
    lists, settings = filled(platform, kind, 3), settings_for(platform)
    what = scope(kind, PullPass.PRESENT, None, ms(UNTIL))
    rows = [row for page in pages(platform, settings, what, of_lists(lists)) for row in page.rows]
    assert {(row.entity, row.body) for row in rows} == {("1", b""), ("2", b""), ("3", b"")}


@READ
def test_what_is_missing_from_the_ids_is_told_as_the_webhook_would_tell_it(
    platform: AnyPlatform, kind: Kind
) -> None:
    deletion = pull_of(platform).deletion
    if deletion is None or (told := deletion(kind, "77")) is None:
        assert PullPass.PRESENT not in pull_of(platform).passes[kind]
        return
    topic, body = told
    store = platform.store("acme", settings_for(platform, on_customer_deleted="delete"))
    gone = translated(platform, event_of(platform, kind, PulledRow("77", topic, body, None)), store)
    assert gone.drafts
    assert gone.ignored in {"deleted", "nothing_to_tell"}
    what = scope(kind, PullPass.FULL, None, ms(UNTIL))
    found = pages(platform, settings_for(platform), what, of_lists(filled(platform, kind, 1)))
    assert topic not in {row.topic for page in found for row in page.rows}


@READ
def test_a_pass_over_consents_says_who_subscribes_and_no_more_than_the_webhook(
    platform: AnyPlatform, kind: Kind
) -> None:
    if PullPass.CONSENT not in pull_of(platform).passes[kind]:
        pytest.skip("not read")
    bodies = platform_events.bodies_of(platform)
    sent = said(platform.name, kind, "12", CHANGED, consent=bodies.subscribed)
    store = platform.store("acme", settings_for(platform))
    light = pulled(platform, kind, PullPass.CONSENT, sent, store)
    heard = platform_events.event_of(platform, sent)
    [one], [other] = (translated(platform, event, store).drafts for event in (light, heard))
    assert one.look == other.look
    assert one.look is not None
    assert one.look.subscribed
    few, all_ = (
        json.loads(draft.body.model_dump_json(exclude_none=True)) for draft in (one, other) if draft.body
    )
    assert few.items() <= all_.items()
    assert len(light.body) < len(heard.body)


@READ
def test_who_unsubscribed_without_a_change_of_the_customer_is_found_and_loses_no_name(
    platform: AnyPlatform, kind: Kind
) -> None:
    if PullPass.CONSENT not in pull_of(platform).passes[kind]:
        pytest.skip("not read")
    subscribed = platform_events.bodies_of(platform).subscribed
    store = platform.store("acme", settings_for(platform))
    feed, state = Feed(store, platform, "acme"), EntityState()

    def hear(reads: PullPass, offset: int, consent: object) -> dict[str, Any]:
        sent = said(platform.name, kind, "12", CHANGED, consent=consent)
        event = pulled(platform, kind, reads, sent, store)
        event = replace(event, received_ms=event.received_ms + 1_000 * offset)
        result = apply(event, EventPosition(event.kind.topic, 0, offset), state, feed)
        contacts = [one for one in result.emissions if one.kind is RecordKind.CONTACT]
        return {} if not contacts else dict(json.loads(contacts[0].value)["body"])

    assert hear(PullPass.FULL, 1, subscribed)["newsletter"] == "subscribed"
    hear(PullPass.CONSENT, 2, subscribed)
    left = hear(PullPass.CONSENT, 3, _UNSUBSCRIBED[platform.name])
    assert left["newsletter"] == "unsubscribed"
    assert left["newsletter_ms"] == platform_events.ARRIVED_MS + 3_000
    assert left.get("name") in {None, "Ana"}


#: What stands where `subscribed` stood, in the same version of the customer.
_UNSUBSCRIBED: dict[str, object] = {"vtex": False, "magento": False, "prestashop": "0"}


def _said_by(draft: Draft) -> dict[str, Any]:
    assert draft.body is not None
    found: dict[str, Any] = json.loads(draft.body.model_dump_json(exclude_none=True))
    return found
