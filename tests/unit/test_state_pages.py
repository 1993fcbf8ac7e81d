"""What a worker says of one record and of one entity: why it waits, in words, and never a value."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline import config
from pipeline.deliver.explain import messages
from pipeline.deliver.explain.explanation import ExplainedAccount
from pipeline.deliver.explain.record_page import AskedRecord, asked_record, remembered_record
from pipeline.deliver.schedule.import_jobs import ImportBatch
from pipeline.deliver.schedule.retries import Retries
from pipeline.deliver.state.entry import NOTHING, Entry, Stamp, Waiting
from pipeline.deliver.state.key import Key
from pipeline.deliver.state.last_sent import (
    LastSent,
    LastSentContact,
    LastSentCoupon,
    LastSentProduct,
    LastSentPurchase,
)
from pipeline.deliver.state.states import Claim, PurchaseState
from pipeline.errors import SettingsError
from pipeline.events import Kind, Lane
from pipeline.records import Origin, RecordKind
from pipeline.translate.entity_page import LONGEST, MOST, asked_entity, remembered_entity
from pipeline.translate.state import EmittedMark, EntityState, Newest, SeenDelivery
from tests.plainshop import event
from tests.unit.explaining import LimitedAccount
from tests.unit.scheduling import WALL
from tests.unit.translate_stage import SOLD, TranslateStage

CONTACT, PRODUCT, PURCHASE, COUPON = RecordKind
ORDER, ANN = Key(PURCHASE, "7"), Key(CONTACT, "ann@b.example")


def entry() -> Entry:
    """One live version of a purchase waits, and one that it superseded has no receipt yet."""
    source = ("shop.orders", 3, 9)
    stamp = Stamp("plain", 5, source, 4, Origin.ORDER, Lane.LIVE, 1_000, ("rounded",), "order|7")
    state = PurchaseState({"order|7": Claim(5, 4, {"total_price": "1", "lines": []})})
    older = Stamp("plain", 4, source, 3, Origin.ORDER, Lane.BACKFILL, 900, (), "order|7")
    return Entry(Waiting(stamp, state, Lane.LIVE, 2_000, False), owed=(older,))


def said(limited: LimitedAccount | None, key: Key = ORDER, sent: LastSent | None = None) -> dict[str, Any]:
    """What is said of a record that waits."""
    now = 0.0
    account = None
    if limited is not None:
        now = limited.now
        account = ExplainedAccount(
            "acme", limited.scheduler, limited.admission, limited.index, tries=limited.tries
        )
    asked = AskedRecord("acme", key)
    found = remembered_record(asked, entry(), sent, account, now=now, wall=WALL + now)
    orjson.dumps(found)
    return found


def test_the_versions_that_wait_are_named_with_lane_offset_and_source() -> None:
    current, older = said(None)["versions"]
    assert (current["place"], current["lane"], current["offset"]) == ("current", "live", 4)
    assert current["source"] == {"topic": "shop.orders", "partition": 3, "offset": 9}
    assert (current["accepted_ms"], current["owner"], current["notes"]) == (2_000, "order|7", ["rounded"])
    assert (older["place"], older["lane"], older["offset"]) == ("superseded", "backfill", 3)
    assert "total_price" not in str(said(None))


def test_of_a_record_that_does_not_wait_nothing_is_said_to_wait() -> None:
    found = remembered_record(AskedRecord("acme", ORDER), NOTHING, None, None, now=0, wall=WALL)
    assert (found["pending"], found["why"], found["versions"], found["phase"]) == (False, "", [], "")


def test_before_its_account_is_open_a_record_waits_for_that() -> None:
    assert said(None)["why"] == messages.NOT_OPEN


def test_a_record_found_on_disk_waits_for_the_receipts() -> None:
    account = LimitedAccount()
    account.index[PURCHASE].load("7", Lane.LIVE, int(WALL))
    assert (said(account)["phase"], said(account)["why"]) == ("loaded", messages.LOADED)


def test_a_record_in_its_queue_says_its_lane_and_how_long_it_has_waited() -> None:
    account = LimitedAccount()
    account.order("7", Lane.LIVE)
    account.now = 30.0
    found = said(account)
    assert found["phase"] == "waiting"
    assert "It waits for its turn in the live lane, with 1 purchase; so far for 30 s." in found["why"]


def test_a_purchase_whose_contact_goes_first_says_so_without_naming_it() -> None:
    account = LimitedAccount()
    account.order("7", Lane.LIVE, ANN, *(Key(PRODUCT, f"p{number}") for number in range(7)))
    account.next()
    found = said(account)
    assert found["phase"] == "held"
    assert "It waits for its contact and products p0, p1, p2, p3, p4 and 2 more" in found["why"]
    assert "ann" not in found["why"]


def test_a_ready_purchase_waits_for_its_turn() -> None:
    account = LimitedAccount(limit=1)
    account.order("7", Lane.LIVE)
    account.limiter.finish(account.limiter.start(0.0), 0.0)
    account.scheduler.purchases.look(Lane.LIVE, 0.0, WALL, ahead=1)
    found = said(account)
    assert messages.READY in found["why"]
    assert "All 1 slots of the window are taken" in found["why"]


def test_a_record_that_is_tried_again_says_when_and_what_was_answered() -> None:
    account = LimitedAccount()
    account.order("7", Lane.LIVE)
    account.index[PURCHASE].take(Lane.LIVE)
    account.scheduler.delay(ORDER, 60.0)
    account.tries[ORDER] = Retries(3, WALL - 40, WALL - 5, "500, of ann@b.example")
    found = said(account)
    assert "1 purchase waits to be tried again: 3 tries failed" in found["why"]
    assert "Tried again in 60 s." in found["why"]
    assert "ann@" not in found["why"]


def test_a_record_under_way_says_whether_by_a_call_or_by_an_import() -> None:
    account = LimitedAccount()
    account.index[CONTACT].add(ANN.id, Lane.LIVE, int(WALL))
    account.index[CONTACT].pull(ANN.id)
    assert messages.UNDER_WAY in said(account, ANN)["why"]
    account.scheduler.imports.started(CONTACT, "i1", ImportBatch([ANN.id]), "email", 0.0)
    account.now = 20.0
    assert "It is in an import of 1 rows, 20 s old" in said(account, ANN)["why"]


def test_a_contact_that_waits_for_the_next_import_says_so() -> None:
    account = LimitedAccount()
    account.index[CONTACT].add(ANN.id, Lane.LIVE, int(WALL))
    assert "1 contact one by one" in said(account, ANN)["why"]
    account.index[CONTACT].pull(ANN.id)
    account.index[CONTACT].hold(ANN.id)
    assert messages.HELD in said(account, ANN)["why"]
    account.scheduler.imports.batches[CONTACT].append(ImportBatch([ANN.id]))
    assert "It goes by an import of 1 rows, as soon as one can start." in said(account, ANN)["why"]


def test_a_record_whose_receipt_is_written_waits_to_have_it_read_back() -> None:
    account = LimitedAccount()
    account.index[PURCHASE].add("7", Lane.LIVE, int(WALL))
    account.index[PURCHASE].pull("7")
    account.index[PURCHASE].receipt_written("7")
    assert said(account)["why"] == messages.AWAITING_RECEIPT


@pytest.mark.parametrize(
    ("sent", "version", "fingerprint"),
    [
        (LastSentPurchase(5, "f", "order|7", 1_000), 5, "f"),
        (LastSentProduct(1, 5, "f", {"name": (7, "h")}), 7, "f"),
        (LastSentContact({"name": (5, "h"), "surname": (3, "h")}), 5, ""),
        (LastSentContact(retracted=9), 9, "retracted"),
        (LastSentCoupon(), None, ""),
    ],
)
def test_what_was_last_sent_is_its_version_and_fingerprint(
    sent: LastSent, version: int | None, fingerprint: str
) -> None:
    found = said(None, sent=sent)["last_sent"]
    assert (found["version"], found["fingerprint"]) == (version, fingerprint)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"account": "acme", "kind": "purchase"},
        {"account": "acme", "kind": "order", "id": "7"},
        {"account": "acme", "kind": "purchase", "id": "x" * 1_001},
    ],
)
def test_a_question_that_names_no_record_is_none(query: dict[str, str]) -> None:
    assert asked_record(query) is None


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"store": "plain", "kind": "order"},
        {"store": "plain", "kind": "purchase", "id": "7"},
        {"store": "plain", "kind": "order", "id": "x" * (LONGEST + 1)},
    ],
)
def test_a_question_that_names_no_entity_is_none(query: dict[str, str]) -> None:
    assert asked_entity(query) is None


def test_an_entity_is_told_with_the_offsets_that_made_each_mark() -> None:
    asked = asked_entity({"store": "plain", "kind": "order", "id": "7"})
    assert asked is not None
    assert asked.key == b"plain|order|7"
    state = EntityState(
        {"entity": Newest(5_000, 9, False, 4_900, 1)},
        {"acme": {(PURCHASE, str(n)): EmittedMark("d", n) for n in range(MOST + 1)}},
        [SeenDelivery("x", 9, True)],
    )
    found = remembered_entity(asked, state.encode(), partition=3, next_offset=12, held="")
    [newest], [seen] = found["newest"], found["deliveries"]
    assert (newest["clock"], newest["version"], newest["offset"], newest["ties"]) == ("entity", 5_000, 9, 1)
    assert seen == {"digest": "x", "offset": 9, "stale": True}
    assert (len(found["emitted"]), found["emitted_in_all"]) == (MOST, MOST + 1)
    assert found["emitted"][0] == {
        "account": "acme",
        "kind": "purchase",
        "id": str(MOST),
        "digest": "d",
        "offset": MOST,
    }


@pytest.mark.parametrize("row", [b"junk", b"[9]", b"[5,[],[],[]]"])
def test_a_row_that_this_release_cannot_read_is_said_to_be_unreadable(row: bytes) -> None:
    asked = asked_entity({"store": "plain", "kind": "order", "id": "7"})
    assert asked is not None
    found = remembered_entity(asked, row, partition=3, next_offset=0, held="")
    assert (found["known"], found["readable"]) == (True, False)


async def test_the_page_of_an_entity_says_what_translate_remembers() -> None:
    stage = TranslateStage(shop_partitions=1)
    raw = event(SOLD)
    await stage.engine.read(stage.message(raw))
    rows = stage.engine.tables["entities"].rows
    rows[0] = rows.pop(3)
    page = stage.engine.pages["/state/entity"]
    status, body = await page({"store": "plain", "kind": Kind.ORDER.value, "id": "7"})
    found = orjson.loads(body)
    assert (status, found["worker"], found["known"], found["emitted_in_all"]) == (200, "w1", True, 2)
    status, body = await page({"store": "plain"})
    assert (status, orjson.loads(body)["error"]) == (400, "query")


def test_a_token_in_the_settings_file_itself_is_refused(tmp_path: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        config.parse({"http_token": "s3kr1t-token"}, {})
    assert "http_token" in str(caught.value)
    assert "s3kr1t-token" not in str(caught.value)
    (tmp_path / "token").write_text("s3kr1t-token\n")
    read = config.parse({"http_token": {"file": "token"}}, {}, file=tmp_path / "pipeline.toml").http_token
    assert read is not None
    assert read.get_secret_value() == "s3kr1t-token"


@pytest.mark.parametrize("token", ["short", "with a blank", "tökén-of-eight", "two\nlines-of-it"])
def test_a_token_that_no_header_carries_or_anybody_guesses_is_refused(tmp_path: Any, token: str) -> None:
    (tmp_path / "token").write_text(token, encoding="utf-8")
    with pytest.raises(SettingsError, match="a token has 8 or more") as caught:
        config.parse({"http_token": {"file": "token"}}, {}, file=tmp_path / "pipeline.toml")
    assert token not in str(caught.value)
