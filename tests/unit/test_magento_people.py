"""Magento's customers and newsletter subscribers: names, phones, consent, and those who are gone."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.events import Kind, RawEvent
from pipeline.records import Contact
from pipeline.shops.base import CONSENT_CLOCK, Audience, Look, Rejected, Translation
from pipeline.shops.magento import MAGENTO
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.rules import apply
from pipeline.translate.state import EntityState
from tests.magento import RECEIVED_MS, adobe, arrived, contact, customer, fetched, ms, read, store

SUBSCRIBER = "observer.newsletter_subscriber_save_commit_after"


def person(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = read("rest-customer-docs-created-is_subscribed.json")
    return body | changes


def flagged(value: Any) -> Look | None:
    [draft] = customer(person(extension_attributes={"is_subscribed": value})).drafts
    return draft.look


@pytest.mark.parametrize("value", [True, 1, "1", "true"])
def test_a_flag_that_is_set_is_a_look_of_a_subscriber(value: Any) -> None:
    assert flagged(value) == Look(True, ms("2020-07-22 23:12:47"))


@pytest.mark.parametrize("value", [False, 0, "0", "false"])
def test_a_flag_that_is_not_set_is_a_look_too(value: Any) -> None:
    found = flagged(value)
    # What PHP writes for nothing is nothing.
    assert found in {Look(False, 0), None}
    assert contact(customer(person())).newsletter is None


@pytest.mark.parametrize("value", [None, "", [], "yes?", 7, {"a": 1}])
def test_what_is_no_flag_is_no_look(value: Any) -> None:
    assert flagged(value) is None
    assert customer(person(extension_attributes=[])).drafts[0].look is None


class Shop:
    """The rules with the memory of one customer."""

    def __init__(self) -> None:
        self.state = EntityState()
        self.offset = 0

    def looks(self, subscribed: bool, minute: int) -> list[tuple[Any, Any]]:
        """The customer is looked at; what Connectif is told of newsletters."""
        body = person(extension_attributes={"is_subscribed": subscribed})
        now = RECEIVED_MS + minute * 60_000
        event = fetched(Kind.CUSTOMER, "2", body, received_ms=now)
        event = RawEvent(
            **{**{name: getattr(event, name) for name in event.__slots__}, "delivery": f"{minute}"}
        )
        result = apply(
            event, EventPosition("shop.customers", 0, self.offset), self.state, Feed(store(), MAGENTO, "a")
        )
        self.offset += 1
        self.state = EntityState.decode(self.state.encode())
        bodies = [orjson.loads(one.value)["body"] for one in result.emissions]
        return [(body.get("newsletter"), body.get("newsletter_ms")) for body in bodies]


def test_who_unsubscribes_between_two_looks_is_unsubscribed_at_the_second() -> None:
    shop = Shop()
    assert shop.looks(True, 0) == [("subscribed", ms("2020-07-22 23:12:47"))]
    assert shop.looks(False, 1) == [("unsubscribed", RECEIVED_MS + 60_000)]
    assert shop.looks(True, 2) == [("subscribed", RECEIVED_MS + 120_000)]


def test_who_was_never_asked_is_told_without_a_word_on_newsletters() -> None:
    shop = Shop()
    assert shop.looks(False, 0) == [(None, None)]
    assert {word for word, _ in shop.looks(False, 1)} <= {None}


def subscriber(**changes: Any) -> Translation:
    value = {
        "subscriber_id": "4",
        "store_id": "1",
        "customer_id": "0",
        "subscriber_email": "Ana@mail.example",
        "subscriber_status": "1",
        "change_status_at": "2025-06-01 10:00:00",
    }
    return MAGENTO.translate(arrived(adobe(SUBSCRIBER, value | changes)), store())


def test_a_subscriber_who_is_no_customer_is_a_contact_with_the_moment() -> None:
    said = subscriber()
    assert (said.version, said.clock) == (ms("2025-06-01 10:00:00"), CONSENT_CLOCK)
    assert said.drafts[0].body == Contact(
        email="ana@mail.example", newsletter="subscribed", newsletter_ms=ms("2025-06-01 10:00:00")
    )
    assert contact(subscriber(subscriber_status=3)).newsletter == "unsubscribed"
    assert subscriber(customer_id=9).drafts[0].owner == "customer|9"


@pytest.mark.parametrize("status", ["2", 4, None, "", "subscribed", [1]])
def test_a_subscription_that_is_not_confirmed_says_nothing(status: Any) -> None:
    said = subscriber(subscriber_status=status)
    assert (said.drafts, said.ignored) == ((), "no_statement")


def test_a_statement_without_a_moment_has_that_of_its_event() -> None:
    assert subscriber(change_status_at=None).version == ms("2025-06-15 15:06:40")
    bare = {"type": "subscriber", "data": {"subscriber_email": "a@mail.example", "subscriber_status": 3}}
    said = MAGENTO.translate(arrived(bare), store())
    assert (said.version, said.drafts[0].notes) == (RECEIVED_MS, ("consent_time_missing",))


def test_a_customer_of_another_website_is_another_shops() -> None:
    assert customer(person(), website_ids=["2"]).ignored == "other_shop"
    assert customer(person(), website_ids=["1", "2"]).drafts
    assert customer(person(website_id=None), website_ids=["2"]).drafts


def test_a_customer_says_the_view_and_its_language() -> None:
    [draft] = customer(person(store_id=3), languages={"3": "pt"}).drafts
    assert draft.audience == Audience(("pt",), ("3",))


def test_the_phone_is_that_of_the_default_bill() -> None:
    addresses = [
        {"telephone": "600123456", "country_id": "ES", "default_shipping": True},
        {"telephone": "600123457", "country_id": "ES", "default_billing": True},
        {"telephone": "600123458", "country_id": "ES"},
    ]
    assert contact(customer(person(addresses=addresses))).mobile_phone == "+34600123457"
    assert contact(customer(person(addresses=addresses[:1]))).mobile_phone == "+34600123456"
    assert contact(customer(person(addresses=addresses[2:]))).mobile_phone is None


def test_a_document_without_an_address_is_refused_and_an_erased_person_ignored() -> None:
    with pytest.raises(Rejected, match="no_email"):
        customer(person(email=None))
    assert customer(person(email="x@shop.invalid")).ignored == "anonymised"


def test_an_error_of_the_api_under_a_topic_is_said_to_be_one() -> None:
    error = {"type": "customer.updated", "data": {"message": "The consumer isn't authorized"}}
    with pytest.raises(Rejected, match="shop_api_error"):
        MAGENTO.translate(arrived(error), store())
