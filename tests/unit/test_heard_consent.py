"""What Connectif itself said of a newsletter: an event, a record that is remembered, and no call."""

from __future__ import annotations

import orjson
import pytest
from pydantic import TypeAdapter

from pipeline.deliver.state.commands import PutContact, Unchanged
from pipeline.deliver.state.contact import OWN, ContactState
from pipeline.deliver.state.diff import UNSETTLED_MS, apply, diff
from pipeline.deliver.state.last_sent import LastSentContact
from pipeline.events import RawEvent
from pipeline.records import ContactRecord, Record
from pipeline.shops.base import Rejected
from pipeline.shops.callbacks import Statement, callback_event, heard, statement_of, told_event
from pipeline.translate.rules import EventPosition, Outcome, Result
from pipeline.translate.rules import apply as judge
from pipeline.translate.state import EntityState
from pipeline.translate.told import told_in
from tests.plainshop import feed

RECORDS: TypeAdapter[Record] = TypeAdapter(Record)
ADDRESS, HOUR = "ana@mail.example", 3_600_000
SAID_MS = 100 * HOUR


def called_back(what: str, at_ms: int = SAID_MS) -> RawEvent:
    return callback_event("plain", "shopify", what, ADDRESS, at_ms, True)


def translated(event: RawEvent, state: EntityState | None = None, offset: int = 1) -> Result:
    return judge(event, EventPosition("shop.customers", 0, offset), state or EntityState(), feed())


def record(what: str = "unsubscribed", at_ms: int = SAID_MS) -> ContactRecord:
    [emitted] = translated(called_back(what, at_ms)).emissions
    read = RECORDS.validate_json(emitted.value)
    assert isinstance(read, ContactRecord)
    return read


def by_shop(subscribed: bool, at_ms: int) -> ContactState:
    return ContactState(True, {}, {OWN: (at_ms, not subscribed)})


@pytest.mark.parametrize("what", ["subscribed", "unsubscribed"])
def test_a_callback_becomes_a_contact_record_that_was_heard(what: str) -> None:
    made = record(what)
    assert (made.heard, made.id, made.version) == (True, ADDRESS, SAID_MS)
    assert (made.body.newsletter, made.body.newsletter_ms) == (what, SAID_MS)


def test_a_bounce_makes_no_record() -> None:
    result = translated(called_back("bounced"))
    assert (result.outcome, result.reason, result.emissions) == (Outcome.IGNORED, "bounce", ())


def test_a_callback_that_is_read_again_is_a_duplicate() -> None:
    state = EntityState()
    assert translated(called_back("unsubscribed"), state).outcome is Outcome.ACCEPTED
    assert translated(called_back("unsubscribed"), state, 2).outcome is Outcome.DUPLICATE


def test_what_nobody_of_ours_wrote_is_refused() -> None:
    event = called_back("unsubscribed")
    for body in (b"{", b"{}", b'{"email":7}', b'{"email":"x"}'):
        broken = RawEvent.from_kafka(body, event.to_kafka_headers())
        with pytest.raises(Rejected):
            heard(broken)


def test_what_the_shop_said_is_told_and_what_connectif_said_is_not() -> None:
    said = {"email": ADDRESS, "newsletter": "subscribed", "newsletter_ms": 7}
    shops = {"version": 9, "received_ms": 8, "body": said}
    assert told_in(orjson.dumps(shops)) == Statement(ADDRESS, "subscribed", 7)
    assert told_in(orjson.dumps({**shops, "received_ms": 5})) == Statement(ADDRESS, "subscribed", 5)
    assert told_in(orjson.dumps({**shops, "heard": True})) is None
    assert told_in(orjson.dumps({**shops, "body": {"email": ADDRESS}})) is None
    assert told_in(orjson.dumps({**shops, "body": None})) is None
    event = told_event("plain", "shopify", Statement(ADDRESS, "subscribed", 7), 9)
    assert statement_of(event) == Statement(ADDRESS, "subscribed", 7)


def test_what_connectif_said_costs_no_call_and_is_remembered() -> None:
    state = ContactState.of(record())
    for before in (None, LastSentContact(consent={OWN: (SAID_MS - 2 * HOUR, False)})):
        assert diff(before, state) == Unchanged("same")
        after = apply(before, state)
        assert isinstance(after, LastSentContact)
        assert after.consent == {OWN: (SAID_MS, True)}
        assert after.left_ms == SAID_MS


def test_after_it_an_older_statement_of_the_shop_subscribes_nobody_and_a_newer_one_does() -> None:
    known = apply(None, ContactState.of(record()))
    assert diff(known, by_shop(True, SAID_MS - 1)) == Unchanged("same")
    assert diff(known, by_shop(True, SAID_MS + 1)) == PutContact({"newsletter": "subscribed"})


def test_what_we_wrote_at_the_shop_comes_back_without_a_call() -> None:
    known = apply(None, ContactState.of(record()))
    assert diff(known, by_shop(False, SAID_MS + 1_000)) == Unchanged("same")


def test_merged_with_a_newer_statement_of_the_shop_that_one_is_sent() -> None:
    both = ContactState.of(record()).merge(by_shop(True, SAID_MS + 1))
    assert diff(None, both) == PutContact({"newsletter": "subscribed"})
    assert ContactState.from_json(both.to_json()) == both
    older = ContactState.of(record()).merge(by_shop(True, SAID_MS - 1))
    assert diff(LastSentContact(), older) == Unchanged("same")


def test_soon_after_a_contrary_statement_of_ours_it_is_sent_to_be_sure() -> None:
    sent = LastSentContact(consent={OWN: (SAID_MS - UNSETTLED_MS, False)})
    assert diff(sent, ContactState.of(record())) == PutContact({"newsletter": "unsubscribed"})


def test_rows_without_such_a_statement_are_written_as_before() -> None:
    assert len(by_shop(True, 1).to_json()) == 4
