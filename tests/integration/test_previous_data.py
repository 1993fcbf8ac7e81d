"""A data directory that a version before left, stopped or killed, is gone on with by the present one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.operating import SHOPIFY
from tests.previous import opened, watch
from tests.previous.history import UNANSWERED
from tests.previous.opened import Opened

pytestmark = pytest.mark.kafka

#: Left by a kill -9; and, at night, by an orderly stop.
ARCHIVES = [
    pytest.param(
        path, id=path.name.removesuffix(".tar.xz"), marks=() if "killed" in path.name else pytest.mark.slow
    )
    for path in sorted((Path(__file__).parents[1] / "data" / "previous").glob("*.tar.xz"))
]

#: What is paid back of an order that changes.
OFF = {"acme": 19.95, "woo": 5.0}
Elements = dict[str, dict[str, Any]]


@pytest.fixture(scope="module", params=ARCHIVES)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIPELINE_LOG_FORMAT", "json")
        yield opened.run(request.param, tmp_path_factory.mktemp("previous"))


#: Directories of topics that the archives' version did not have, and what a removal from Kafka's logs keeps.
NEW_ON_DISK = re.compile(
    r"/(shop\.replay|replay\.runs|deadletters\.state|sync\.(requests|commands|consents)|reconcile\.runs"
    r"|erase\.requests|pipeline-sync-(requests|feeds|pulls|pulled|consents|statements)-changelog)-\d+$"
    r"|^[df] removal(/|$)|^f \S+\.unsubscribing$"
)


def _more(word: str, before: Elements, after: Elements) -> dict[str, int]:
    """How many more `creates` or `writes` each element has; what has none is left out."""
    counts = {key: item[word] - (before[key][word] if key in before else 0) for key, item in after.items()}
    return {key: count for key, count in counts.items() if count}


def _off(before: dict[str, Any], after: dict[str, Any]) -> float:
    """How much less a purchase comes to."""
    return float(before["body"]["totalPrice"] - after["body"]["totalPrice"])


def _deleted(elements: Elements) -> set[str]:
    return {key for key, item in elements.items() if item["deleted"]}


def _once(*keys: object) -> dict[str, int]:
    return dict.fromkeys(map(str, keys), 1)


def test_the_accounts_of_events_and_records_go_on_where_they_were(found: Opened) -> None:
    late = len(found.expected["spooled"])
    before = found.expected["account"]
    events = watch.Counts(before["events"]) + watch.Counts({f"{SHOPIFY} product accepted": late})
    row = f"acme {SHOPIFY} product"
    records = watch.Counts(before["records"]) + watch.Counts(
        {f"{row} accepted": late, f"{row} pending": late}
    )
    assert found.started.events == events
    assert found.started.records == records
    for moment in (found.started, found.told, found.repeated, found.changed):
        assert watch.unbalanced(moment.records) == []
        assert watch.outcome(moment.records, "dead") == 0
        assert watch.outcome(moment.events, "rejected") == 1


def test_each_purchase_that_waited_is_told_once(found: Opened) -> None:
    for account, new in (("acme", (21, 22, 23, 24)), ("woo", (21, 22, 23))):
        before, after = found.planted[account]["purchases"], found.told.ledger[account]["purchases"]
        # 5 had changed: deleted and created.
        assert _more("creates", before, after) == _once(5, *new)
        assert _deleted(after) == {"6"}
        assert all(after[str(number)]["body"]["triggerPurchaseEvent"] for number in new)
        assert not after["5"]["body"]["triggerPurchaseEvent"]
        assert _off(before["5"], after["5"]) == pytest.approx(OFF[account])


def test_a_purchase_whose_answer_was_lost_is_not_made_again(found: Opened) -> None:
    before, after = found.planted["woo"]["purchases"], found.told.ledger["woo"]["purchases"]
    assert after[str(UNANSWERED)] == before[str(UNANSWERED)]


def test_each_contact_and_product_that_waited_is_told_once_and_no_other(found: Opened) -> None:
    before, after = found.planted, found.told.ledger
    buyers = (f"buyer{number}@example.com" for number in (21, 22, 23, 24))
    people = {
        "acme": _once(*buyers, "customer1@example.com", "customer2@example.com"),
        "woo": _once(*(f"woo{number}@example.com" for number in (21, 22, 23))),
    }
    articles = {
        "acme": _once(20_021, 20_022, 20_023, 20_024, 40_002, 40_031, 40_032, 40_033),
        "woo": _once(30_021, 30_022, 30_023),
    }
    for account in watch.ACCOUNTS:
        for kind, told in (("contacts", people), ("products", articles)):
            assert _more("writes", before[account][kind], after[account][kind]) == told[account]
    left = after["acme"]["contacts"]["customer1@example.com"]["body"]
    assert left["_newsletterSubscriptionStatus"] == "unsubscribed"
    assert after["acme"]["products"]["40002"]["body"]["name"] == "Shirt 2 of day 2"


def test_old_webhooks_sent_again_are_repeats_and_tell_nothing(found: Opened) -> None:
    assert found.repeated.events - found.told.events == watch.Counts(
        {
            "acme-es order duplicate": 2,
            "woo-fr order duplicate": 2,
            "acme-es product duplicate": 2,
            "acme-es customer duplicate": 1,
        }
    )
    assert found.repeated.records == found.told.records
    assert found.repeated.ledger == found.told.ledger


def test_an_order_told_before_that_changes_is_corrected_and_starts_no_workflow(found: Opened) -> None:
    for account in watch.ACCOUNTS:
        before, after = found.repeated.ledger[account], found.changed.ledger[account]
        assert _more("creates", before["purchases"], after["purchases"]) == _once(7)
        old, new = before["purchases"]["7"], after["purchases"]["7"]
        assert not new["body"]["triggerPurchaseEvent"]
        assert _off(old, new) == pytest.approx(OFF[account])
        for kind in ("contacts", "products"):
            assert _more("writes", before[kind], after[kind]) == {}


def test_nothing_is_told_while_connectif_fails(found: Opened) -> None:
    assert found.started.ledger == found.planted


def test_no_store_is_set_aside_and_nothing_is_an_error(found: Opened) -> None:
    assert found.trouble == []
    assert found.errors == []


def test_the_disk_has_the_same_stores_topics_and_files_as_before(found: Opened) -> None:
    assert found.before - found.after == set()
    # Written every 30 seconds and at the end: a gateway that was killed may have none.
    new = {line for line in found.after - found.before if not NEW_ON_DISK.search(line)}
    assert new <= {"f gateway/last-events.json"}
