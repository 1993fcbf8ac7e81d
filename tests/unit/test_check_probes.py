"""The webhooks that a check makes: genuine for their secret alone; they say a sale, its end, or nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from pipeline import config
from pipeline.check.store.context import trial_of
from pipeline.events import RawEvent
from pipeline.gateway import answers
from pipeline.gateway.webhooks import Webhooks
from pipeline.records import Contact, Op, Purchase, RecordKind
from pipeline.shops.api import IGNORED as FETCHED_LATER
from pipeline.shops.api import fetched_event
from pipeline.shops.base import Translation, WebhookRequest
from pipeline.shops.platform import AnyPlatform, raw_event
from pipeline.shops.probe import Message, Saying, is_trial, unkept
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.settings import StoreSettings
from pipeline.sync.answers import Answer, Found, Missing
from pipeline.sync.lookup import Documented, look_up
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.rules import Outcome, apply
from pipeline.translate.state import EntityState
from pipeline.translate.worker import Translator
from tests.checked_shops import PUBLIC_KEY
from tests.platforms import IN_TESTS, settings_of
from tests.settings_trees import store_tree, stores_tree
from tests.stubengine import Message as KafkaMessage
from tests.stubengine import StubEngine
from tests.unit.gateway_app import RecordingKeeper

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
TRIAL = trial_of(NOW)
#: Whose events only Adobe signs.
ADOBE = {"secrets": [PUBLIC_KEY], "events_client_id": "client"}
SAYS: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in PLATFORMS] + [("magento", ADOBE)]
EACH = pytest.mark.parametrize(("name", "own"), SAYS, ids=[*PLATFORMS, "adobe"])


def request(platform: AnyPlatform, settings: StoreSettings, message: Message, secret: str) -> WebhookRequest:
    """What the gateway gets."""
    assert platform.probe is not None
    signed = platform.probe.signed(settings, secret, message, SECONDS, TRIAL.number)
    headers = {name.lower(): value for name, value in signed.headers.items()}
    return WebhookRequest(headers, message.body, SECONDS * 1_000, signed.query)


def genuine(platform: AnyPlatform, settings: StoreSettings, message: Message, secret: str) -> bool:
    keys = [one.get_secret_value().encode() for one in settings.secrets]
    return platform.verify(keys, request(platform, settings, message, secret), settings)


def meaning(name: str, message: Message, **changes: Any) -> Translation:
    return said(name, Saying(message), **changes)


def event_of(platform: AnyPlatform, settings: StoreSettings, saying: Saying) -> RawEvent:
    """The event of a webhook, or of the documents that it names."""
    event = raw_event("acme", platform, request(platform, settings, saying.message, "key"))
    if saying.documents is None:
        return event
    held, api = saying.documents, platform.api
    assert api is not None

    async def ask(path: str) -> Answer:
        found = held.get(path, held.get(path.partition("?")[0]))
        return Missing(404) if found is None else Found(orjson.dumps(found), found)

    answered = asyncio.run(look_up(event, api, platform.store("acme", settings), ask))
    assert isinstance(answered, Documented)
    return fetched_event(event, answered.answers, api.fetched_topic(event), "check", SECONDS * 1_000)


def said(name: str, saying: Saying, **changes: Any) -> Translation:
    platform, settings = PLATFORMS[name], settings_of(name, **changes)
    event = event_of(platform, settings, saying)
    found: Translation = platform.translate(event, platform.store("acme", settings, currency="EUR"))
    return found


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_message_is_genuine_for_its_secret_alone_and_says_nothing(name: str) -> None:
    platform, settings = PLATFORMS[name], settings_of(name)
    assert platform.probe is not None
    message = platform.probe.harmless(TRIAL.number)
    assert genuine(platform, settings, message, "key")
    assert not genuine(platform, settings, message, "another")
    assert meaning(name, message).ignored
    assert not meaning(name, message).drafts


@pytest.mark.parametrize("name", PLATFORMS)
async def test_one_of_the_doctor_s_is_answered_and_not_kept_if_it_is_genuine(name: str) -> None:
    platform, settings = PLATFORMS[name], settings_of(name)
    assert platform.probe is not None
    message = unkept(platform.probe.harmless(TRIAL.number))
    assert meaning(name, message).ignored  # by a gateway of an earlier release it is kept
    own: dict[str, Any] = {**IN_TESTS[name].settings, "secrets": ["key"]}
    tree = stores_tree(acme=store_tree(name, **own))
    keeper = RecordingKeeper()
    webhooks = Webhooks(config.parse(tree, {}), PLATFORMS, keeper, lambda: SECONDS)
    route = webhooks.route(f"/webhooks/{name}/acme".encode())
    assert route is not None
    for secret, answer in (("key", answers.PING), ("another", answers.UNAUTHORIZED)):
        sent = request(platform, settings, message, secret)
        assert webhooks.keep(route, sent.headers, sent.body, sent.query) is answer
    assert (keeper.kept, route.last_kept) == ([], 0.0)
    sent = request(platform, settings, platform.probe.harmless(TRIAL.number), "key")
    webhooks.keep(route, sent.headers, sent.body, sent.query)
    assert len(keeper.kept) == 1


@pytest.mark.parametrize("purchase_id", ["id", "number", "name"])
@pytest.mark.parametrize("product_id", ["product", "variant", "sku"])
@EACH
def test_a_test_sale_means_the_same_under_all_settings(
    name: str, own: dict[str, Any], purchase_id: str, product_id: str
) -> None:
    probe, changes = PLATFORMS[name].probe, own | {"purchase_id": purchase_id, "product_id": product_id}
    assert probe is not None
    found = said(name, probe.sold(settings_of(name, **changes), TRIAL), **changes)
    told = {draft.kind: draft for draft in found.drafts}
    purchase, contact = told[RecordKind.PURCHASE].body, told[RecordKind.CONTACT].body
    assert isinstance(purchase, Purchase)
    assert isinstance(contact, Contact)
    assert purchase.purchase_id == TRIAL.number
    assert [line.product_id for line in purchase.lines] == [TRIAL.product]
    assert purchase.contact_email == contact.email == TRIAL.address
    assert told[RecordKind.PRODUCT].id == TRIAL.product


@pytest.mark.parametrize("sold_statuses", [None, ["4"]])
@pytest.mark.parametrize("kept", ["keep", "retract"])
@EACH
def test_its_end_takes_the_purchase_back_whatever_deletions_do(
    name: str, own: dict[str, Any], kept: str, sold_statuses: list[str] | None
) -> None:
    changes = own | {"on_order_deleted": kept, "sold_statuses": sold_statuses}
    probe, settings = PLATFORMS[name].probe, settings_of(name, **changes)
    assert probe is not None
    sold, gone = (said(name, say(settings, TRIAL), **changes) for say in (probe.sold, probe.gone))
    assert any(draft.kind is RecordKind.PURCHASE and draft.body is not None for draft in sold.drafts)
    assert [draft.op for draft in gone.drafts if draft.kind is RecordKind.PURCHASE] == [Op.RETRACT]
    assert gone.version > sold.version


@EACH
def test_the_buyer_subscribes_and_unsubscribes_as_the_shop_says_it(name: str, own: dict[str, Any]) -> None:
    platform, settings = PLATFORMS[name], settings_of(name, **own)
    probe = platform.probe
    assert probe is not None
    if probe.consent is None:
        assert name == "woocommerce"
        return
    state, feed = EntityState(), Feed(platform.store("acme", settings, currency="EUR"), platform, "acme")
    for seconds, word in enumerate(("subscribed", "unsubscribed")):
        saying = probe.consent(settings, TRIAL, word, NOW + timedelta(seconds=seconds))  # type: ignore[arg-type]
        event = event_of(platform, settings, saying)
        result = apply(event, EventPosition("shop.customers", 0, seconds), state, feed)
        assert result.outcome is Outcome.ACCEPTED, result.rejection
        [emission] = result.emissions
        body = orjson.loads(emission.value)["body"]
        assert (emission.id, body["newsletter"]) == (TRIAL.address, word)


@pytest.mark.parametrize("name", [name for name, one in PLATFORMS.items() if one.probe and one.probe.named])
def test_a_test_order_that_is_only_named_is_asked_for_and_its_absence_says_nothing(name: str) -> None:
    platform, settings = PLATFORMS[name], settings_of(name)
    assert platform.probe is not None
    assert platform.probe.named is not None
    message = platform.probe.named(TRIAL)
    assert genuine(platform, settings, message, "key")
    found = meaning(name, message)
    assert (found.drafts, found.ignored) == ((), FETCHED_LATER)
    absent = said(name, Saying(message, {}))
    assert (absent.version, absent.drafts, absent.ignored) == (0, (), "not_found")


@EACH
async def test_a_test_sale_starts_no_workflow(name: str, own: dict[str, Any]) -> None:
    platform, settings = PLATFORMS[name], settings_of(name, **own)
    probe = platform.probe
    assert probe is not None
    event = await asyncio.to_thread(event_of, platform, settings, probe.sold(settings, TRIAL))
    event = replace(event, store="plain")
    tree = stores_tree(
        plain=store_tree(name, domain="plain.example", **dict[str, Any](IN_TESTS[name].settings), **own)
    )
    engine = StubEngine(config.parse({"kafka": {"topic_prefix": "x-"}, **tree}, {}))
    Translator(engine.as_engine(), {name: platform}, clock=lambda: 2_000.0)
    headers = tuple(event.to_kafka_headers())
    await engine.read(KafkaMessage("x-shop.orders", 3, 0, key=event.key, value=event.body, headers=headers))
    [record] = engine.to("x-connectif.purchases")
    assert b'"trigger":false' in (record.value or b"")


def test_only_a_trials_address_is_one() -> None:
    assert is_trial(TRIAL.address)
    assert not is_trial(None)
    for address in ("ann@example.com", "pipeline-check-1@example.com", TRIAL.address + ".evil.example"):
        assert not is_trial(address)


def test_numbers_of_trials_never_end_in_a_rounded_digit_and_differ() -> None:
    numbers = {trial_of(NOW).number for _ in range(200)}
    assert len(numbers) == 200
    assert all(len(one) == 18 and one[0] == "9" and one[-1] != "0" for one in numbers)
