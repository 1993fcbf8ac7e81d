"""People unsubscribe in Connectif's own mails: no older word of a shop subscribes them again."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.deliver.explain.explanation import explain_delivery
from pipeline.events import Lane
from pipeline.records import Contact, ContactRecord, Origin, Outcome, Source, Subscription
from tests.simulation import virtual
from tests.simulation.scenario import Scenario, minutes, run_scenario

ANN = "ann@example.com"
GET, PATCH = "GET /contacts/email/{email}", "PATCH /contacts/email/{email}"
DELETE = "DELETE /contacts/email/{email}"
STATUS, DATE = "_newsletterSubscriptionStatus", "_emailLastUnsubscribedDate"
WITHDRAWN = "consent_withdrawn_in_connectif"
HOUR, DAY = 3_600.0, 86_400.0


def _ago(seconds: float) -> int:
    return int((virtual.wall() - seconds) * 1_000)


def _says(
    scenario: Scenario,
    word: Subscription,
    moment: int,
    *,
    email: str = ANN,
    lane: Lane = Lane.LIVE,
    origin: Origin = Origin.CUSTOMER,
    **fields: Any,
) -> None:
    """A record whose person said `word` at a moment of the past."""
    body = Contact(email=email, newsletter=word, newsletter_ms=moment, **fields)
    now = _ago(0)
    scenario.environment.say(
        ContactRecord(
            account="acme",
            store="acme-shop",
            id=email,
            version=now,
            source=Source(topic="shop.customers", partition=0, offset=now),
            origin=origin,
            lane=lane,
            received_ms=now,
            body=body,
        )
    )


def _holds(scenario: Scenario, email: str = ANN, **fields: Any) -> None:
    """Connectif has this contact before anything is sent."""
    connectif, behaviour = scenario.connectif, scenario.environment.sandbox.simulation.behaviour
    connectif.data.contacts.patch("email", email, fields, virtual.wall(), behaviour)


def _status(scenario: Scenario, email: str = ANN) -> Any:
    return scenario.environment.holds("contacts")[email].get(STATUS, "none")


def _asked(scenario: Scenario) -> int:
    return sum(method == "GET" and route.startswith("/contacts") for method, route, _ in scenario.calls())


def test_an_old_word_subscribes_nobody_who_has_left_since(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        _holds(scenario, **{STATUS: "unsubscribed"})
        await minutes(30)
        _says(scenario, "subscribed", _ago(2 * DAY), name="Ann", origin=Origin.ORDER)
        await scenario.settle()
        assert _status(scenario) == "unsubscribed"
        assert scenario.environment.holds("contacts")[ANN]["_name"] == "Ann"
        receipt = scenario.receipt("contact", ANN)
        assert (receipt.outcome, receipt.notes, receipt.calls) == (Outcome.DELIVERED, (WITHDRAWN,), 2)

    run_scenario(tmp_path, steps)


def test_what_connectif_knew_is_remembered_and_not_asked_for_again(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        _holds(scenario, **{STATUS: "unsubscribed"})
        await minutes(30)
        for _ in range(3):
            _says(scenario, "subscribed", _ago(2 * DAY))
            await scenario.settle()
            await scenario.restart()
        assert scenario.ends("contact", ANN)[0] == (Outcome.UNCHANGED, WITHDRAWN)
        assert set(scenario.ends("contact", ANN)[1:]) == {(Outcome.UNCHANGED, "same")}
        assert _asked(scenario) == 1
        _says(scenario, "subscribed", _ago(1))
        await scenario.settle()
        assert _status(scenario) == "subscribed"

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize(
    ("date", "moment", "status"),
    [
        ("2023-11-01T10:00:00.000Z", "2023-11-02T10:00:00", "subscribed"),
        ("2023-11-02T10:00:00.900Z", "2023-11-02T10:00:00.100", "unsubscribed"),
        ("2023-11-02T10:00:00.100Z", "2023-11-02T10:00:00.900", "unsubscribed"),
        ("2023-11-02T09:59:57.000Z", "2023-11-02T10:00:00", "unsubscribed"),
        ("2023-11-02T09:59:54.000Z", "2023-11-02T10:00:00", "subscribed"),
        ("2023-11-03T10:00:00.000Z", "2023-11-02T10:00:00", "unsubscribed"),
    ],
)
def test_the_newer_word_wins_and_a_withdrawal_a_tie(
    tmp_path: Path, date: str, moment: str, status: str
) -> None:
    async def steps(scenario: Scenario) -> None:
        _holds(scenario, **{STATUS: "unsubscribed"})
        _holds(scenario, **{DATE: date})
        said = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
        _says(scenario, "subscribed", int(said * 1_000))
        await scenario.settle()
        assert _status(scenario) == status

    run_scenario(tmp_path, steps)


def test_a_fresh_live_word_costs_no_question(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        _says(scenario, "subscribed", _ago(30), name="Ann")
        await scenario.settle()
        assert _status(scenario) == "subscribed"
        assert scenario.receipt("contact", ANN).calls == 1
        _says(scenario, "subscribed", _ago(0), name="Ann", surname="Lee")
        _says(scenario, "unsubscribed", _ago(0))
        await scenario.settle()
        assert _asked(scenario) == 0

    run_scenario(tmp_path, steps)


def test_the_answer_to_a_fresh_word_may_name_a_withdrawal_that_is_newer(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        _holds(scenario, **{STATUS: "unsubscribed"})
        _says(scenario, "subscribed", _ago(30), name="Ann")
        await scenario.settle()
        assert _status(scenario) == "unsubscribed"
        assert scenario.receipt("contact", ANN).notes == (WITHDRAWN,)

    run_scenario(tmp_path, steps)


def test_who_subscribes_again_after_leaving_by_a_mail_is_subscribed(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        _says(scenario, "subscribed", _ago(1), name="Ann")
        await scenario.settle()
        await minutes(60)
        _holds(scenario, **{STATUS: "unsubscribed"})
        await minutes(60)
        _says(scenario, "subscribed", _ago(1), name="Ann")
        await scenario.settle()
        assert (_status(scenario), _asked(scenario)) == ("subscribed", 0)

    run_scenario(tmp_path, steps)


def test_a_backfill_asks_however_new_its_words_are(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        _says(scenario, "subscribed", _ago(10), lane=Lane.BACKFILL, name="Ann")
        await scenario.settle()
        assert (_status(scenario), _asked(scenario)) == ("subscribed", 1)

    run_scenario(tmp_path, steps)


def test_a_word_in_doubt_after_a_restart_is_asked_for(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("timeout_after_store", method="PATCH", route="/contacts*", count=1, seconds=60)
        _says(scenario, "subscribed", _ago(1), name="Ann")
        await asyncio.sleep(5)
        assert _status(scenario) == "subscribed"
        _holds(scenario, **{STATUS: "unsubscribed"})  # she leaves by a mail
        await minutes(1)
        await scenario.restart()
        await scenario.settle()
        assert _status(scenario) == "unsubscribed"

    run_scenario(tmp_path, steps)


def test_a_shops_own_withdrawal_is_not_taken_for_one_in_connectif(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        _says(scenario, "unsubscribed", _ago(40 * DAY), name="Ann")  # sent now, and so dated now
        await scenario.settle()
        await minutes(5)
        _says(scenario, "subscribed", _ago(20 * DAY))
        await scenario.settle()
        assert _status(scenario) == "subscribed"
        _holds(scenario, **{STATUS: "unsubscribed"})
        _says(scenario, "subscribed", _ago(10 * DAY))
        _says(scenario, "subscribed", _ago(10 * DAY), lane=Lane.BACKFILL, surname="Lee")
        await scenario.settle()
        assert _status(scenario) == "unsubscribed"

    run_scenario(tmp_path, steps)


def test_a_withdrawal_that_comes_while_connectif_is_asked_is_the_only_word_sent(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("slow", method="GET", route="/contacts*", count=1, seconds=5.0)
        _says(scenario, "subscribed", _ago(2 * DAY), name="Ann")
        await asyncio.sleep(2)
        _says(scenario, "unsubscribed", _ago(0))
        await scenario.settle()
        assert _status(scenario) == "unsubscribed"
        assert scenario.ends("contact", ANN)[0][0] is Outcome.DELIVERED
        assert any("consent_overtaken" in r.notes for r in scenario.environment.receipts())

    run_scenario(tmp_path, steps)


def test_an_erased_person_who_had_left_is_not_subscribed_by_an_older_word(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.shop.customer(ANN, name="Ann")
        await scenario.settle()
        scenario.fault("slow", method="PATCH", route="/contacts*", count=1, seconds=5)
        scenario.shop.customer(ANN, name="Anna")
        await asyncio.sleep(2)
        scenario.shop.forget(ANN)
        scenario.shop.in_lane(Lane.BACKFILL).customer(ANN, name="Anne", newsletter="subscribed")
        _holds(scenario, **{STATUS: "unsubscribed"})
        scenario.fault("reset", method="PATCH", route="/contacts*", after=1, count=2)
        await scenario.settle()
        assert (scenario.environment.holds("contacts")[ANN]["_name"], _status(scenario)) == ("Anne", "none")
        assert scenario.routes()[DELETE] >= 1

    run_scenario(tmp_path, steps, consent_fresh=0.0)


def test_explain_says_which_call_asks_for_consent(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        scenario.fault("slow", method="PATCH", route="/contacts*", count=1, seconds=10)
        scenario.shop.customer("bea@example.com", name="Bea")
        await asyncio.sleep(1)
        _says(scenario, "subscribed", _ago(2 * DAY), name="Ann")
        await asyncio.sleep(1)
        account = dict(scenario.life.account_manager.accounts())["acme"]
        shown = [call["what"] for call in explain_delivery(account)["next"]]
        assert shown == ["question about a contact", "contact"]
        await scenario.settle()

    run_scenario(tmp_path, steps, concurrency=1)


def _backfill(scenario: Scenario, count: int) -> None:
    for number in range(count):
        _says(scenario, "subscribed", _ago(30 * DAY), email=f"c{number}@example.com", lane=Lane.BACKFILL)


@pytest.mark.parametrize("kill", [False, True])
def test_a_backfill_asks_for_all_its_people_at_once(tmp_path: Path, kill: bool) -> None:
    async def steps(scenario: Scenario) -> None:
        for number in range(0, 300, 3):
            _holds(scenario, f"c{number}@example.com", **{STATUS: "unsubscribed"})
        await minutes(10)
        _backfill(scenario, 300)
        if kill:
            await asyncio.sleep(8)
            await scenario.restart()
        await scenario.settle(3_000)
        held = scenario.environment.holds("contacts")
        for number in range(300):
            wanted = "unsubscribed" if number % 3 == 0 else "subscribed"
            assert held[f"c{number}@example.com"][STATUS] == wanted
        assert scenario.routes()["POST /exports/"] >= 1
        assert len(scenario.calls()) < 150

    run_scenario(tmp_path, steps)


def test_an_export_says_nothing_of_whom_an_unsubscription_was_sent_for_since(tmp_path: Path) -> None:
    """It has the date of an earlier one of ours, which by then looks like the person's own."""
    people = [f"c{number}@example.com" for number in range(40)]

    said: list[tuple[Subscription, int, Lane]] = [
        ("unsubscribed", 40, Lane.LIVE),
        ("subscribed", 30, Lane.BACKFILL),  # the export is made for these
        ("unsubscribed", 20, Lane.LIVE),
        ("subscribed", 10, Lane.BACKFILL),
    ]

    async def steps(scenario: Scenario) -> None:
        for word, days, lane in said:
            for email in people:
                _says(scenario, word, _ago(days * DAY), email=email, lane=lane)
            await scenario.settle()
            assert {_status(scenario, email) for email in people} == {word}
        assert scenario.routes()["POST /exports/"] >= 1

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize("failure", ["forbidden", "error", "file"])
def test_without_an_export_people_are_asked_for_one_by_one(tmp_path: Path, failure: str) -> None:
    async def steps(scenario: Scenario) -> None:
        if failure == "error":
            scenario.fault("export_error", method="POST", route="/exports*")
        elif failure == "forbidden":
            scenario.fault("forbidden", method="POST", route="/exports*")
        else:
            scenario.fault("expired_url")
        for number in range(0, 60, 3):
            _holds(scenario, f"c{number}@example.com", **{STATUS: "unsubscribed"})
        await minutes(10)
        _backfill(scenario, 60)
        await scenario.settle(3_000)
        held = scenario.environment.holds("contacts")
        assert sum(body[STATUS] == "unsubscribed" for body in held.values()) == 20
        assert _asked(scenario) >= 50

    run_scenario(tmp_path, steps)


@pytest.mark.parametrize(
    ("field", "value", "note"),
    [
        ("mobile_phone", "600", "phone_refused"),
        ("birthdate", "1990-02-31", "birthdate_refused"),
    ],
)
def test_a_contact_refused_for_a_field_is_sent_without_it(
    tmp_path: Path, field: str, value: str, note: str
) -> None:
    async def steps(scenario: Scenario) -> None:
        given: dict[str, Any] = {field: value}
        scenario.shop.customer(ANN, name="Ann", newsletter="subscribed", **given)
        await scenario.settle()
        held = scenario.environment.holds("contacts")[ANN]
        assert (held["_name"], _status(scenario)) == ("Ann", "subscribed")
        receipt = scenario.receipt("contact", ANN)
        assert (receipt.outcome, receipt.notes, receipt.calls) == (Outcome.DELIVERED, (note,), 2)
        assert "422" in receipt.detail
        scenario.shop.customer(ANN, name="Anne", **given)
        await scenario.settle()
        assert scenario.receipt("contact", ANN).calls == 1  # what was refused once is not tried again
        assert scenario.environment.holds("contacts")[ANN]["_name"] == "Anne"

    run_scenario(tmp_path, steps)


def test_a_contact_refused_again_without_the_field_is_dead_after_two_calls(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        errors = [{"name": "_mobilePhone", "path": "/_mobilePhone", "reason": "no"}]
        body = json.dumps({"status": 422, "validationErrors": errors})
        scenario.fault("reply", method="PATCH", route="/contacts*", status=422, body=body)
        scenario.shop.customer(ANN, name="Ann", mobile_phone="+34600000000")
        await scenario.settle()
        receipt = scenario.receipt("contact", ANN)
        assert (receipt.outcome, receipt.reason, receipt.calls) == (Outcome.DEAD, "invalid", 2)

    run_scenario(tmp_path, steps)


def test_rows_refused_for_their_phone_are_sent_without_it_and_stop_no_account(tmp_path: Path) -> None:
    async def steps(scenario: Scenario) -> None:
        for number in range(60):
            scenario.shop.customer(f"c{number}@example.com", name="Ann", mobile_phone="600")
        await scenario.settle()
        assert len(scenario.environment.holds("contacts")) == 60
        outcomes = scenario.environment.outcomes()
        assert outcomes["contact", "dead"] == 0

    run_scenario(tmp_path, steps)
