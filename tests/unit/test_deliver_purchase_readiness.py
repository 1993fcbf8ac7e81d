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


class _Clerk:
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
    processor = _Clerk()
    processor.index[PURCHASE].add("o1", Lane.LIVE, WALL + ahead)
    assert processor.look(10.0, WALL) == 0
    assert processor.later == [10.0 + GRACE]
    assert processor.look(10.0 + GRACE, WALL + GRACE) == 1


def test_a_purchase_is_looked_at_again_once_its_contact_comes() -> None:
    processor = _Clerk()
    processor.index[PURCHASE].add("o1", Lane.LIVE, WALL)
    processor.look(10.0, WALL)
    processor.purchases.announced(10.2)
    assert processor.later == [10.0 + GRACE]
    processor.index[CONTACT].add(UNKNOWN.id, Lane.LIVE, WALL)
    processor.purchases.announced(10.3)
    processor.purchases.announced(10.4)
    assert processor.later == [10.0 + GRACE, 10.3]
    assert processor.look(10.3, WALL) == 0
    assert processor.purchases.missing(Lane.LIVE) == {CONTACT: 1}
    processor.index[CONTACT].take(Lane.LIVE)
    processor.index[CONTACT].receipt_written(UNKNOWN.id)
    processor.index[CONTACT].settled(UNKNOWN.id, None, certain=True)
    processor.purchases.settled(UNKNOWN)
    assert processor.purchases.ready(Lane.LIVE) == 1


def test_nothing_is_kept_of_what_was_waited_for() -> None:
    processor = _Clerk()
    line = processor.index[PURCHASE]
    for number in range(50):
        line.add(f"o{number}", Lane.LIVE, WALL)
    processor.purchases.look(Lane.LIVE, 10.0, WALL, ahead=100)
    for number in range(50):
        line.pull(f"o{number}")
        line.receipt_written(f"o{number}")
        line.settled(f"o{number}", None, certain=True)
        processor.purchases.settled(Key(PURCHASE, f"o{number}"))
    purchases = processor.purchases
    assert (purchases._kept_away, purchases._unannounced, processor.index[CONTACT]._expected) == (
        {},
        {},
        set(),
    )


def test_one_that_waited_elsewhere_goes_at_once() -> None:
    processor = _Clerk()
    processor.index[PURCHASE].add("o1", Lane.LIVE, WALL - 60)
    assert processor.look(10.0, WALL) == 1


def test_purchases_that_come_and_go_while_nothing_is_sent_leave_nothing_behind() -> None:
    processor = _Clerk()
    line = processor.index[PURCHASE]
    line.add("first", Lane.LIVE, WALL - 90)
    for number in range(2_000):
        line.add("o1", Lane.LIVE, WALL - 60 + number % 10)
        processor.purchases.look(Lane.LIVE, 10.0, WALL, ahead=10)
        line.settle_at_once("o1", Lane.LIVE, WALL)
        line.settled("o1", None, certain=True)
        processor.purchases.settled(Key(PURCHASE, "o1"))
    assert len(processor.purchases._heaps[Lane.LIVE]) < 200
