"""The webhooks that a check makes: genuine for their secret alone; they say a sale, its end, or nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline import config
from pipeline.check.store.context import trial_of
from pipeline.records import Contact, Op, Purchase, RecordKind
from pipeline.shops.base import Translation, WebhookRequest
from pipeline.shops.platform import AnyPlatform, raw_event
from pipeline.shops.probe import Message, is_trial
from pipeline.shops.registry import PLATFORMS
from pipeline.shops.settings import StoreSettings
from pipeline.translate.worker import Translator
from tests.platforms import settings_of
from tests.settings_trees import store_tree, stores_tree
from tests.stubengine import Message as KafkaMessage
from tests.stubengine import StubEngine

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
TRIAL = trial_of(NOW)
#: Whose webhooks hold whole orders.
WHOLE = ["shopify", "woocommerce", "generic"]


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
    platform, settings = PLATFORMS[name], settings_of(name, **changes)
    event = raw_event("acme", platform, request(platform, settings, message, "key"))
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


@pytest.mark.parametrize("purchase_id", ["id", "number", "name"])
@pytest.mark.parametrize("product_id", ["product", "variant", "sku"])
@pytest.mark.parametrize("name", WHOLE)
def test_a_test_sale_means_the_same_under_all_settings(name: str, purchase_id: str, product_id: str) -> None:
    probe = PLATFORMS[name].probe
    assert probe is not None
    assert probe.sold is not None
    settings = settings_of(name, purchase_id=purchase_id, product_id=product_id)
    found = meaning(name, probe.sold(settings, TRIAL), purchase_id=purchase_id, product_id=product_id)
    told = {draft.kind: draft for draft in found.drafts}
    purchase, contact = told[RecordKind.PURCHASE].body, told[RecordKind.CONTACT].body
    assert isinstance(purchase, Purchase)
    assert isinstance(contact, Contact)
    assert purchase.purchase_id == TRIAL.number
    assert [line.product_id for line in purchase.lines] == [TRIAL.product]
    assert purchase.contact_email == contact.email == TRIAL.address
    assert told[RecordKind.PRODUCT].id == TRIAL.product


@pytest.mark.parametrize("sold_statuses", [None, ["shipped"]])
@pytest.mark.parametrize("kept", ["keep", "retract"])
@pytest.mark.parametrize("name", WHOLE)
def test_its_end_takes_the_purchase_back_whatever_deletions_do(
    name: str, kept: str, sold_statuses: list[str] | None
) -> None:
    probe, changes = PLATFORMS[name].probe, {"on_order_deleted": kept, "sold_statuses": sold_statuses}
    assert probe is not None
    assert probe.sold is not None
    assert probe.gone is not None
    settings = settings_of(name, **changes)
    sold, gone = (meaning(name, say(settings, TRIAL), **changes) for say in (probe.sold, probe.gone))
    assert any(draft.kind is RecordKind.PURCHASE and draft.body is not None for draft in sold.drafts)
    assert [draft.op for draft in gone.drafts if draft.kind is RecordKind.PURCHASE] == [Op.RETRACT]
    assert gone.version > sold.version


@pytest.mark.parametrize("name", WHOLE)
async def test_a_test_sale_starts_no_workflow(name: str) -> None:
    platform, settings = PLATFORMS[name], settings_of(name)
    probe = platform.probe
    assert probe is not None
    assert probe.sold is not None
    event = raw_event("plain", platform, request(platform, settings, probe.sold(settings, TRIAL), "key"))
    tree = stores_tree(plain=store_tree(name, domain="plain.example"))
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
