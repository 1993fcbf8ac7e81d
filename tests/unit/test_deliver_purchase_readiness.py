"""Which purchases may go: what they wait for, and for how long whatever the clocks say."""

from __future__ import annotations

import pytest

from pipeline.deliver.schedule.pending_index import PendingIndex
from pipeline.deliver.schedule.purchase_readiness import GRACE, PurchaseReadiness
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.records import RecordKind

CONTACT, PURCHASE = RecordKind.CONTACT, RecordKind.PURCHASE
UNKNOWN = Key(RecordKind.CONTACT, "ann@example.com")
WALL = 1_700_000_000


class _Purchases:
    """Purchases of one account, each of which needs a contact that nobody has announced."""

    def __init__(self) -> None:
        self.index = PendingIndex()
        self.later: list[float] = []
        self.purchases = PurchaseReadiness(
            self.index, needs=lambda _id: [UNKNOWN], was_sent=lambda _key: False, delay=self._delay
        )

    def _delay(self, key: Key, until: float) -> None:
        self.later.append(until)
        self.index[key.kind].hold(key.id)

    def look(self, now: float, wall: float) -> int:
        """How many are ready after another look; those that were kept away are back."""
        self.index[PURCHASE].release("o1")
        self.purchases.look(Lane.LIVE, now, wall, ahead=10)
        return self.purchases.ready(Lane.LIVE)


@pytest.mark.parametrize("ahead", [0, 1, 600, 86_400])
def test_a_purchase_waits_two_seconds_for_its_contact_however_far_our_clock_was_ahead(ahead: int) -> None:
    account = _Purchases()
    account.index[PURCHASE].add("o1", Lane.LIVE, WALL + ahead)
    assert account.look(10.0, WALL) == 0
    assert account.later == [10.0 + GRACE]
    assert account.look(10.0 + GRACE, WALL + GRACE) == 1


def test_a_purchase_is_looked_at_again_once_its_contact_comes() -> None:
    account = _Purchases()
    account.index[PURCHASE].add("o1", Lane.LIVE, WALL)
    account.look(10.0, WALL)
    account.purchases.announced(10.2)
    assert account.later == [10.0 + GRACE]
    account.index[CONTACT].add(UNKNOWN.id, Lane.LIVE, WALL)
    account.purchases.announced(10.3)
    account.purchases.announced(10.4)
    assert account.later == [10.0 + GRACE, 10.3]
    assert account.look(10.3, WALL) == 0
    assert account.purchases.missing(Lane.LIVE) == {CONTACT: 1}
    account.index[CONTACT].take(Lane.LIVE)
    account.index[CONTACT].receipt_written(UNKNOWN.id)
    account.index[CONTACT].settled(UNKNOWN.id, None, certain=True)
    account.purchases.settled(UNKNOWN)
    assert account.purchases.ready(Lane.LIVE) == 1


def test_nothing_is_kept_of_what_was_waited_for() -> None:
    account = _Purchases()
    queue = account.index[PURCHASE]
    for number in range(50):
        queue.add(f"o{number}", Lane.LIVE, WALL)
    account.purchases.look(Lane.LIVE, 10.0, WALL, ahead=100)
    for number in range(50):
        queue.pull(f"o{number}")
        queue.receipt_written(f"o{number}")
        queue.settled(f"o{number}", None, certain=True)
        account.purchases.settled(Key(PURCHASE, f"o{number}"))
    purchases = account.purchases
    assert (purchases._kept_away, purchases._unannounced, account.index[CONTACT]._expected) == (
        {},
        {},
        set(),
    )


def test_one_that_waited_elsewhere_goes_at_once() -> None:
    account = _Purchases()
    account.index[PURCHASE].add("o1", Lane.LIVE, WALL - 60)
    assert account.look(10.0, WALL) == 1


def test_purchases_that_come_and_go_while_nothing_is_sent_leave_nothing_behind() -> None:
    account = _Purchases()
    queue = account.index[PURCHASE]
    queue.add("first", Lane.LIVE, WALL - 90)
    for number in range(2_000):
        queue.add("o1", Lane.LIVE, WALL - 60 + number % 10)
        account.purchases.look(Lane.LIVE, 10.0, WALL, ahead=10)
        queue.settle_at_once("o1", Lane.LIVE, WALL)
        queue.settled("o1", None, certain=True)
        account.purchases.settled(Key(PURCHASE, "o1"))
    assert len(account.purchases._heaps[Lane.LIVE]) < 200
