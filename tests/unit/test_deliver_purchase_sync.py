"""A purchase's calls where the answers are such as the sandbox never gives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr

from pipeline.config_accounts import AccountSettings
from pipeline.connectif.answers import Answer
from pipeline.connectif.client import ConnectifClient
from pipeline.deliver.schedule.pending_index import PendingIndex
from pipeline.deliver.send.admission import Permit
from pipeline.deliver.send.health import Sign
from pipeline.deliver.send.purchase_sync import PurchaseSync, SyncProgress
from pipeline.deliver.send.record_calls import Result, Retry
from pipeline.deliver.state.commands import CreatePurchase, DeletePurchase, ReplacePurchase
from pipeline.deliver.state.ending import Ending
from pipeline.events import Lane
from pipeline.records import Outcome, RecordKind

BODY = {
    "purchase_id": "o1",
    "contact_email": "ann@example.com",
    "total_price": "20.00",
    "lines": [{"product_id": "p1", "name": "P", "url": "https://shop.example/p1", "unit_price": "20.00"}],
}
FOREIGN = {"status": 400, "code": "E0102", "detail": "no product", "productIds": ["64a000000000000000000001"]}
TAKEN = {"status": 409, "title": "Conflict", "detail": "Purchase o1 already exists."}
GONE = {"status": 404, "title": "Not Found"}


class _Permit:
    """A permit that never waits."""

    async def call(
        self,
        _route: str,
        make: Callable[[], Awaitable[Answer]],
        *,
        may_be_absent: bool = False,
        purpose: str = "",
    ) -> Answer:
        del may_be_absent, purpose
        return await make()


def _tell(
    command: CreatePurchase | DeletePurchase | ReplacePurchase,
    answers: list[tuple[str, int, Any]],
    progress: SyncProgress | None = None,
    index: PendingIndex | None = None,
) -> Result:
    """What becomes of the purchase where Connectif answers so; every answer is asked for, in this order."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        method, status, body = left.pop(0)
        assert request.method == method
        return httpx.Response(status, json=body) if body else httpx.Response(status)

    async def send() -> Result:
        settings = AccountSettings(api_key=SecretStr("a:b"), base_url="http://localhost")
        async with ConnectifClient("acme", settings, transport=httpx.MockTransport(answer)) as client:
            permit = cast("Permit", _Permit())
            known = SyncProgress() if progress is None else progress
            purchase_sync = PurchaseSync(
                client,
                permit,
                index or PendingIndex(),
                "o1",
                body=BODY,
                progress=known,
                last_sent_contact=lambda _contact: None,
            )
            return await purchase_sync.send(command)

    result = asyncio.run(send())
    assert left == []
    return result


def _held(total: str) -> Any:
    line = {"productId": "p1", "name": "P", "productDetailUrl": "https://shop.example/p1", "unitPrice": 20}
    return {"id": "1", "purchaseId": "o1", "totalPrice": float(total), "products": [line]}


def _sent_before() -> PendingIndex:
    index = PendingIndex()
    queue = index[RecordKind.PURCHASE]
    queue.add("o1", Lane.LIVE, 0)
    queue.mark_tried("o1")
    return index


def test_what_was_deleted_is_in_doubt_whatever_keeps_its_post_from_being_made() -> None:
    result = _tell(
        ReplacePurchase(verify=False), [("DELETE", 204, None), ("POST", 400, FOREIGN), ("GET", 503, None)]
    )
    assert result == Retry(Sign.AWAY, tried=True, reason="unreadable", detail="503; without a body")


def test_what_was_deleted_is_not_deleted_again() -> None:
    progress = SyncProgress()
    _tell(ReplacePurchase(verify=False), [("DELETE", 204, None), ("POST", 503, None)], progress)
    result = _tell(ReplacePurchase(verify=False), [("POST", 201, _held("20"))], progress)
    assert result == Ending(Outcome.DELIVERED, "replaced", status=201)


def test_what_the_lost_answer_had_stored_is_found() -> None:
    progress = SyncProgress(deleted=True)
    answers = [("POST", 409, TAKEN), ("GET", 200, _held("20"))]
    result = _tell(ReplacePurchase(verify=False), answers, progress)
    assert result == Ending(Outcome.DELIVERED, "already", status=200)


def test_another_version_that_appears_meanwhile_is_replaced_once_an_errand() -> None:
    other, progress = _held("5"), SyncProgress(deleted=True)
    answers = [("POST", 409, TAKEN), ("GET", 200, other), ("DELETE", 204, None)]
    result = _tell(
        ReplacePurchase(verify=False), [*answers, ("POST", 409, TAKEN), ("GET", 200, other)], progress
    )
    assert isinstance(result, Retry)
    assert (result.sign, result.tried, result.reason) == (Sign.WELL, True, "conflict")
    assert progress.deleted is False


NEW = CreatePurchase(trigger=True, compare=False)


def test_a_first_refusal_as_taken_counts_once_the_purchase_was_seen() -> None:
    result = _tell(NEW, [("POST", 409, TAKEN), ("GET", 200, _held("20"))])
    assert result == Ending(Outcome.DELIVERED, "already", status=200)


def test_a_success_that_does_not_say_of_which_purchase_counts_once_the_purchase_was_seen() -> None:
    result = _tell(NEW, [("POST", 201, {"id": "1"}), ("GET", 200, _held("20"))])
    assert result == Ending(Outcome.DELIVERED, "created", status=201)
    for answer in ((404, GONE), (503, None), (200, {"id": "1"}), (200, _held("20") | {"purchaseId": "o2"})):
        result = _tell(NEW, [("POST", 201, {"id": "1"}), ("GET", *answer)])
        assert isinstance(result, Retry)
        assert result.sign is Sign.AWAY


def test_an_answer_of_another_purchase_says_nothing_of_this_one() -> None:
    others = _held("20") | {"purchaseId": "o2"}
    taken = TAKEN | {"detail": "Purchase o2 already exists."}
    result = _tell(NEW, [("POST", 201, others)])
    assert isinstance(result, Retry)
    index = _sent_before()
    result = _tell(NEW, [("POST", 409, taken), ("GET", 404, GONE)], index=index)
    assert isinstance(result, Retry)
    result = _tell(NEW, [("POST", 409, TAKEN | {"detail": "Purchase O1 already exists."})], index=index)
    assert result == Ending(Outcome.DELIVERED, "already", status=409)


@pytest.mark.parametrize("body", [{"id": "1"}, {"ok": True}, _held("20") | {"purchaseId": "o2"}])
def test_a_deletion_is_one_without_a_body_or_one_that_shows_what_was_deleted(body: Any) -> None:
    assert isinstance(_tell(DeletePurchase(), [("DELETE", 200, body)]), Retry)
    assert isinstance(_tell(DeletePurchase(), [("DELETE", 200, _held("20"))]), Ending)


def test_what_others_have_told_of_stays_as_it_is_and_the_receipt_says_so() -> None:
    result = _tell(NEW, [("POST", 409, TAKEN), ("GET", 200, _held("5"))])
    assert isinstance(result, Ending)
    assert (result.outcome, result.reason) == (Outcome.DELIVERED, "already")
    assert "other values" in result.detail


def test_what_is_said_to_be_taken_and_cannot_be_seen_is_not_delivered() -> None:
    for answer in ((503, None), (200, {"message": "ok"}), (404, {"message": "no route"})):
        result = _tell(NEW, [("POST", 409, TAKEN), ("GET", *answer)])
        assert isinstance(result, Retry)
        assert result.sign is Sign.AWAY
    assert isinstance(_tell(NEW, [("POST", 409, TAKEN), ("GET", 404, GONE)]), Retry)


def test_a_refusal_as_taken_is_believed_after_a_try_of_our_own() -> None:
    result = _tell(NEW, [("POST", 409, TAKEN)], index=_sent_before())
    assert result == Ending(Outcome.DELIVERED, "already", status=409)


def test_a_page_in_the_place_of_a_refusal_asks_nothing_and_delivers_nothing() -> None:
    result = _tell(NEW, [("POST", 409, {"message": "conflict"})])
    assert isinstance(result, Retry)
    assert (result.sign, result.tried) == (Sign.AWAY, True)


HALF = {"detail": "exists"}


def test_a_refusal_as_taken_in_part_of_its_form_counts_by_what_is_seen_alone() -> None:
    result = _tell(NEW, [("POST", 409, HALF), ("GET", 200, _held("20"))])
    assert result == Ending(Outcome.DELIVERED, "already", status=200)
    for answer in ((404, GONE), (404, {"title": "Not Found"}), (200, {"message": "ok"}), (503, None)):
        result = _tell(NEW, [("POST", 409, HALF), ("GET", *answer)])
        assert isinstance(result, Retry)
        assert result.sign is Sign.AWAY


def test_an_id_that_is_taken_by_nothing_is_given_up_after_three_looks() -> None:
    progress = SyncProgress()
    command, answers = CreatePurchase(trigger=False, compare=True), [("POST", 409, TAKEN), ("GET", 404, GONE)]
    assert isinstance(_tell(command, answers, progress), Retry)
    assert isinstance(_tell(command, answers, progress), Retry)
    result = _tell(command, answers, progress)
    assert isinstance(result, Ending)
    assert (result.outcome, result.reason, result.status) == (Outcome.DEAD, "id_used_up", 409)


def test_one_that_was_sent_before_costs_one_call_whether_it_is_there_or_not() -> None:
    again = CreatePurchase(trigger=False, compare=False, sent=True)
    made = {"id": "x", "purchaseId": "o1"}
    there, lost = _tell(again, [("POST", 409, TAKEN)]), _tell(again, [("POST", 201, made)])
    assert isinstance(there, Ending)
    assert isinstance(lost, Ending)
    assert [(end.outcome, end.reason) for end in (there, lost)] == [
        (Outcome.DELIVERED, "already"),
        (Outcome.DELIVERED, "created"),
    ]
