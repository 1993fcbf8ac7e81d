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
from tests.simulation.scenario import Stage, minutes, play

ANN = "ann@example.com"
GET, PATCH = "GET /contacts/email/{email}", "PATCH /contacts/email/{email}"
DELETE = "DELETE /contacts/email/{email}"
STATUS, DATE = "_newsletterSubscriptionStatus", "_emailLastUnsubscribedDate"
WITHDRAWN = "consent_withdrawn_in_connectif"
HOUR, DAY = 3_600.0, 86_400.0


def _ago(seconds: float) -> int:
    return int((virtual.wall() - seconds) * 1_000)


def _says(
    stage: Stage,
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
    stage.world.say(
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


def _holds(stage: Stage, email: str = ANN, **fields: Any) -> None:
    """Connectif has this contact before anything is told."""
    connectif, behaviour = stage.connectif, stage.world.sandbox.simulation.behaviour
    connectif.data.contacts.patch("email", email, fields, virtual.wall(), behaviour)


def _status(stage: Stage, email: str = ANN) -> Any:
    return stage.world.holds("contacts")[email].get(STATUS, "none")


def _asked(stage: Stage) -> int:
    return sum(method == "GET" and route.startswith("/contacts") for method, route, _ in stage.calls())


def test_an_old_word_subscribes_nobody_who_has_left_since(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        _holds(stage, **{STATUS: "unsubscribed"})
        await minutes(30)
        _says(stage, "subscribed", _ago(2 * DAY), name="Ann", origin=Origin.ORDER)
        await stage.settle()
        assert _status(stage) == "unsubscribed"
        assert stage.world.holds("contacts")[ANN]["_name"] == "Ann"
        receipt = stage.receipt("contact", ANN)
        assert (receipt.outcome, receipt.notes, receipt.calls) == (Outcome.DELIVERED, (WITHDRAWN,), 2)

    play(tmp_path, story)


def test_what_connectif_knew_is_remembered_and_not_asked_for_again(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        _holds(stage, **{STATUS: "unsubscribed"})
        await minutes(30)
        for _ in range(3):
            _says(stage, "subscribed", _ago(2 * DAY))
            await stage.settle()
            await stage.restart()
        assert stage.ends("contact", ANN)[0] == (Outcome.UNCHANGED, WITHDRAWN)
        assert set(stage.ends("contact", ANN)[1:]) == {(Outcome.UNCHANGED, "same")}
        assert _asked(stage) == 1
        _says(stage, "subscribed", _ago(1))
        await stage.settle()
        assert _status(stage) == "subscribed"

    play(tmp_path, story)


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
    async def story(stage: Stage) -> None:
        _holds(stage, **{STATUS: "unsubscribed"})
        _holds(stage, **{DATE: date})
        said = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
        _says(stage, "subscribed", int(said * 1_000))
        await stage.settle()
        assert _status(stage) == status

    play(tmp_path, story)


def test_a_fresh_live_word_costs_no_question(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        _says(stage, "subscribed", _ago(30), name="Ann")
        await stage.settle()
        assert _status(stage) == "subscribed"
        assert stage.receipt("contact", ANN).calls == 1
        _says(stage, "subscribed", _ago(0), name="Ann", surname="Lee")
        _says(stage, "unsubscribed", _ago(0))
        await stage.settle()
        assert _asked(stage) == 0

    play(tmp_path, story)


def test_the_answer_to_a_fresh_word_may_name_a_withdrawal_that_is_newer(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        _holds(stage, **{STATUS: "unsubscribed"})
        _says(stage, "subscribed", _ago(30), name="Ann")
        await stage.settle()
        assert _status(stage) == "unsubscribed"
        assert stage.receipt("contact", ANN).notes == (WITHDRAWN,)

    play(tmp_path, story)


def test_who_subscribes_again_after_leaving_by_a_mail_is_subscribed(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        _says(stage, "subscribed", _ago(1), name="Ann")
        await stage.settle()
        await minutes(60)
        _holds(stage, **{STATUS: "unsubscribed"})
        await minutes(60)
        _says(stage, "subscribed", _ago(1), name="Ann")
        await stage.settle()
        assert (_status(stage), _asked(stage)) == ("subscribed", 0)

    play(tmp_path, story)


def test_a_backfill_asks_however_new_its_words_are(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        _says(stage, "subscribed", _ago(10), lane=Lane.BACKFILL, name="Ann")
        await stage.settle()
        assert (_status(stage), _asked(stage)) == ("subscribed", 1)

    play(tmp_path, story)


def test_a_word_in_doubt_after_a_restart_is_asked_for(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.fault("timeout_after_store", method="PATCH", route="/contacts*", count=1, seconds=60)
        _says(stage, "subscribed", _ago(1), name="Ann")
        await asyncio.sleep(5)
        assert _status(stage) == "subscribed"
        _holds(stage, **{STATUS: "unsubscribed"})  # she leaves by a mail
        await minutes(1)
        await stage.restart()
        await stage.settle()
        assert _status(stage) == "unsubscribed"

    play(tmp_path, story)


def test_a_shops_own_withdrawal_is_not_taken_for_one_in_connectif(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        _says(stage, "unsubscribed", _ago(40 * DAY), name="Ann")  # told now, and so dated now
        await stage.settle()
        await minutes(5)
        _says(stage, "subscribed", _ago(20 * DAY))
        await stage.settle()
        assert _status(stage) == "subscribed"
        _holds(stage, **{STATUS: "unsubscribed"})
        _says(stage, "subscribed", _ago(10 * DAY))
        _says(stage, "subscribed", _ago(10 * DAY), lane=Lane.BACKFILL, surname="Lee")
        await stage.settle()
        assert _status(stage) == "unsubscribed"

    play(tmp_path, story)


def test_a_withdrawal_that_comes_while_connectif_is_asked_is_the_only_word_told(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.fault("slow", method="GET", route="/contacts*", count=1, seconds=5.0)
        _says(stage, "subscribed", _ago(2 * DAY), name="Ann")
        await asyncio.sleep(2)
        _says(stage, "unsubscribed", _ago(0))
        await stage.settle()
        assert _status(stage) == "unsubscribed"
        assert stage.ends("contact", ANN)[0][0] is Outcome.DELIVERED
        assert any("consent_overtaken" in r.notes for r in stage.world.receipts())

    play(tmp_path, story)


def test_an_erased_person_who_had_left_is_not_subscribed_by_an_older_word(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.shop.customer(ANN, name="Ann")
        await stage.settle()
        stage.fault("slow", method="PATCH", route="/contacts*", count=1, seconds=5)
        stage.shop.customer(ANN, name="Anna")
        await asyncio.sleep(2)
        stage.shop.forget(ANN)
        stage.shop.in_lane(Lane.BACKFILL).customer(ANN, name="Anne", newsletter="subscribed")
        _holds(stage, **{STATUS: "unsubscribed"})
        stage.fault("reset", method="PATCH", route="/contacts*", after=1, count=2)
        await stage.settle()
        assert (stage.world.holds("contacts")[ANN]["_name"], _status(stage)) == ("Anne", "none")
        assert stage.routes()[DELETE] >= 1

    play(tmp_path, story, consent_fresh=0.0)


def test_explain_says_which_call_asks_for_consent(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.fault("slow", method="PATCH", route="/contacts*", count=1, seconds=10)
        stage.shop.customer("bea@example.com", name="Bea")
        await asyncio.sleep(1)
        _says(stage, "subscribed", _ago(2 * DAY), name="Ann")
        await asyncio.sleep(1)
        account = dict(stage.life.account_manager.accounts())["acme"]
        told = [call["what"] for call in explain_delivery(account)["next"]]
        assert told == ["question about a contact", "contact"]
        await stage.settle()

    play(tmp_path, story, concurrency=1)


def _backfill(stage: Stage, count: int) -> None:
    for number in range(count):
        _says(stage, "subscribed", _ago(30 * DAY), email=f"c{number}@example.com", lane=Lane.BACKFILL)


@pytest.mark.parametrize("kill", [False, True])
def test_a_backfill_asks_for_all_its_people_at_once(tmp_path: Path, kill: bool) -> None:
    async def story(stage: Stage) -> None:
        for number in range(0, 300, 3):
            _holds(stage, f"c{number}@example.com", **{STATUS: "unsubscribed"})
        await minutes(10)
        _backfill(stage, 300)
        if kill:
            await asyncio.sleep(8)
            await stage.restart()
        await stage.settle(3_000)
        held = stage.world.holds("contacts")
        for number in range(300):
            wanted = "unsubscribed" if number % 3 == 0 else "subscribed"
            assert held[f"c{number}@example.com"][STATUS] == wanted
        assert stage.routes()["POST /exports/"] >= 1
        assert len(stage.calls()) < 150

    play(tmp_path, story)


@pytest.mark.parametrize("trouble", ["forbidden", "error", "file"])
def test_without_an_export_people_are_asked_for_one_by_one(tmp_path: Path, trouble: str) -> None:
    async def story(stage: Stage) -> None:
        if trouble == "error":
            stage.fault("export_error", method="POST", route="/exports*")
        elif trouble == "forbidden":
            stage.fault("forbidden", method="POST", route="/exports*")
        else:
            stage.fault("expired_url")
        for number in range(0, 60, 3):
            _holds(stage, f"c{number}@example.com", **{STATUS: "unsubscribed"})
        await minutes(10)
        _backfill(stage, 60)
        await stage.settle(3_000)
        held = stage.world.holds("contacts")
        assert sum(body[STATUS] == "unsubscribed" for body in held.values()) == 20
        assert _asked(stage) >= 50

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("field", "value", "note"),
    [
        ("mobile_phone", "600", "phone_refused"),
        ("birthdate", "1990-02-31", "birthdate_refused"),
    ],
)
def test_a_contact_refused_for_a_field_is_told_without_it(
    tmp_path: Path, field: str, value: str, note: str
) -> None:
    async def story(stage: Stage) -> None:
        given: dict[str, Any] = {field: value}
        stage.shop.customer(ANN, name="Ann", newsletter="subscribed", **given)
        await stage.settle()
        held = stage.world.holds("contacts")[ANN]
        assert (held["_name"], _status(stage)) == ("Ann", "subscribed")
        receipt = stage.receipt("contact", ANN)
        assert (receipt.outcome, receipt.notes, receipt.calls) == (Outcome.DELIVERED, (note,), 2)
        assert "422" in receipt.detail
        stage.shop.customer(ANN, name="Anne", **given)
        await stage.settle()
        assert stage.receipt("contact", ANN).calls == 1  # what was refused once is not tried again
        assert stage.world.holds("contacts")[ANN]["_name"] == "Anne"

    play(tmp_path, story)


def test_a_contact_refused_again_without_the_field_is_dead_after_two_calls(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        errors = [{"name": "_mobilePhone", "path": "/_mobilePhone", "reason": "no"}]
        body = json.dumps({"status": 422, "validationErrors": errors})
        stage.fault("reply", method="PATCH", route="/contacts*", status=422, body=body)
        stage.shop.customer(ANN, name="Ann", mobile_phone="+34600000000")
        await stage.settle()
        receipt = stage.receipt("contact", ANN)
        assert (receipt.outcome, receipt.reason, receipt.calls) == (Outcome.DEAD, "invalid", 2)

    play(tmp_path, story)


def test_rows_refused_for_their_phone_are_told_without_it_and_stop_no_account(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for number in range(60):
            stage.shop.customer(f"c{number}@example.com", name="Ann", mobile_phone="600")
        await stage.settle()
        assert len(stage.world.holds("contacts")) == 60
        outcomes = stage.world.outcomes()
        assert outcomes["contact", "dead"] == 0

    play(tmp_path, story)
