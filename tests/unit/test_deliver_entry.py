"""Every accepted version has exactly one end, whatever comes when."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipeline.deliver.partition.receipts import AccountPartition, receipt_of, record_of
from pipeline.deliver.state.ending import Ending
from pipeline.deliver.state.entry import NOTHING, Entry, Stamp, Waiting, peek
from pipeline.deliver.state.key import Key
from pipeline.deliver.state.states import OWN, SEEN, Base, Claim, ProductState, PurchaseState
from pipeline.events import Lane
from pipeline.records import Origin, Outcome, Receipt, RecordKind

PLACE, KEY = AccountPartition("acme", 0), Key(RecordKind.PURCHASE, "o1")


def _stamp(offset: int, version: int, origin: Origin = Origin.ORDER, lane: Lane = Lane.LIVE) -> Stamp:
    return Stamp("shop", version, ("shop.orders", 0, offset), offset, origin, lane, 1_000)


def _purchase(offset: int, version: int, lane: Lane = Lane.LIVE, accepted_ms: int = 5_000) -> Waiting:
    state = PurchaseState({"s|order|1": Claim(version, offset, {"total_price": str(version), "lines": []})})
    return Waiting(_stamp(offset, version, lane=lane), state, lane, accepted_ms, lane is Lane.BACKFILL)


def _receipt(stamp: Stamp, outcome: Outcome) -> Receipt:
    return receipt_of(PLACE, KEY, stamp, Ending(outcome, "why"), 9)


def test_a_newer_version_replaces_one_that_waits() -> None:
    entry, none = NOTHING.accept(_purchase(0, 1), busy=False)
    entry, superseded = entry.accept(_purchase(1, 2), busy=False)
    assert not none
    assert [stamp.offset for stamp in superseded] == [0]
    assert entry.current is not None
    assert (entry.current.stamp.offset, entry.next) == (1, None)


def test_a_late_old_version_is_superseded_itself() -> None:
    entry, _ = NOTHING.accept(_purchase(0, 5), busy=False)
    entry, superseded = entry.accept(_purchase(1, 2), busy=False)
    assert [stamp.offset for stamp in superseded] == [1]
    assert entry.current is not None
    assert entry.current.stamp.offset == 0


def test_what_comes_while_a_version_is_under_way_waits_behind_it() -> None:
    entry, _ = NOTHING.accept(_purchase(0, 1), busy=False)
    entry, first = entry.accept(_purchase(1, 2), busy=True)
    entry, second = entry.accept(_purchase(2, 3), busy=True)
    assert (first, [stamp.offset for stamp in second]) == ((), [1])
    assert entry.current is not None
    assert entry.next is not None
    assert (entry.current.stamp.offset, entry.next.stamp.offset) == (0, 2)
    settled, stamp, was = entry.settle(_receipt(entry.current.stamp, Outcome.DELIVERED))
    assert (stamp, was) == (entry.current.stamp, entry.current)
    assert settled.current == entry.next


def test_a_version_read_again_changes_nothing() -> None:
    entry, _ = NOTHING.accept(_purchase(0, 1), busy=False)
    entry, _ = entry.accept(_purchase(1, 2), busy=False)
    for again in (_purchase(0, 1), _purchase(1, 2)):
        assert entry.accept(again, busy=False) == (entry, ())


def test_a_repeated_receipt_ends_nothing_twice() -> None:
    entry, _ = NOTHING.accept(_purchase(0, 1), busy=False)
    assert entry.current is not None
    receipt = _receipt(entry.current.stamp, Outcome.DELIVERED)
    entry, stamp, _ = entry.settle(receipt)
    assert stamp is not None
    assert entry.empty
    assert entry.settle(receipt) == (entry, None, None)


def test_a_superseded_receipt_never_takes_out_what_is_to_be_told() -> None:
    """It may have been written before a crash that lost the version which superseded this one."""
    entry, _ = NOTHING.accept(_purchase(0, 1), busy=False)
    assert entry.current is not None
    assert entry.settle(_receipt(entry.current.stamp, Outcome.SUPERSEDED))[1] is None


def test_coalescing_keeps_the_place_in_line_and_takes_the_faster_lane() -> None:
    entry, _ = NOTHING.accept(_purchase(0, 1, Lane.BACKFILL, 1_000), busy=False)
    entry, _ = entry.accept(_purchase(1, 2, Lane.LIVE, 2_000), busy=False)
    assert entry.current is not None
    assert (entry.current.lane, entry.current.accepted_ms) == (Lane.LIVE, 1_000)


def test_the_catalogues_word_stands_for_the_product_though_an_orders_is_newer() -> None:
    own = Waiting(
        _stamp(0, 1, Origin.CATALOGUE), ProductState(Base(OWN, 1, {"name": "S"})), Lane.LIVE, 1, False
    )
    stub = Waiting(
        _stamp(1, 9, Origin.ORDER), ProductState(Base(SEEN, 9, {"name": "s"})), Lane.LIVE, 1, False
    )
    both, loser = own.merge(stub)
    assert (both.stamp, loser) == (own.stamp, stub.stamp)


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.booleans(), st.sampled_from(list(Lane))), min_size=1, max_size=6
    ),
    st.data(),
)
def test_every_version_ends_exactly_once(arrivals: list[tuple[int, bool, Lane]], data: st.DataObject) -> None:
    """Versions arrive, some while one is under way; receipts come back in any order, some twice."""
    entry, written, ended = NOTHING, list[Receipt](), list[int]()
    for offset, (version, busy, lane) in enumerate(arrivals):
        entry, superseded = entry.accept(_purchase(offset, version, lane), busy=busy)
        written += [_receipt(stamp, Outcome.SUPERSEDED) for stamp in superseded]
        entry = Entry.decode(RecordKind.PURCHASE, entry.encode())
    while not entry.empty:
        if entry.current is not None:
            written.append(_receipt(entry.current.stamp, Outcome.DELIVERED))
        for receipt in data.draw(st.permutations(written)):
            entry, stamp, _ = entry.settle(receipt)
            if stamp is not None:
                ended.append(stamp.offset)
    assert sorted(ended) == list(range(len(arrivals)))


@given(st.integers(1, 9), st.sampled_from(list(Lane)), st.booleans())
def test_the_index_reads_the_head_of_an_entry_alone(version: int, lane: Lane, behind: bool) -> None:
    entry, _ = NOTHING.accept(_purchase(7, version, lane, 4_321_000), busy=False)
    if behind:
        entry, _ = entry.accept(_purchase(8, version), busy=True)
    head = peek(entry.encode())
    assert (head.lane, head.accepted, head.offset, head.store, head.more) == (lane, 4_321, 7, "shop", behind)
    assert Entry.decode(RecordKind.PURCHASE, entry.encode()) == entry


def test_a_record_can_be_had_back_whole_for_its_dead_letter() -> None:
    body = {
        "purchase_id": "o1",
        "contact_email": "ann@example.com",
        "cart_id": "o1",
        "purchase_date": "2024-01-01T00:00:00Z",
        "total_price": "1.50",
        "total_quantity": 1,
        "lines": [],
    }
    waiting = Waiting(_stamp(3, 4), PurchaseState({"s|order|1": Claim(4, 3, body)}), Lane.LIVE, 1, False)
    record = record_of("acme", KEY, waiting)
    assert (record.account, record.id, record.version, record.source.offset) == ("acme", "o1", 4, 3)
    assert record.body is not None
    assert record.body.model_dump(mode="json", exclude_none=True) == body


def test_what_is_to_be_sent_again_stays_so_whatever_it_is_merged_with_and_says_so_in_its_head() -> None:
    again = replace(_purchase(7, 1, Lane.BACKFILL), resend=True)
    entry, _ = NOTHING.accept(again, busy=False)
    assert peek(entry.encode()).resend
    entry, _ = entry.accept(_purchase(8, 2), busy=False)
    assert entry.current is not None
    assert entry.current.resend
    assert Entry.decode(RecordKind.PURCHASE, entry.encode()) == entry


def test_an_entry_without_it_is_written_as_before() -> None:
    assert len(_purchase(7, 1).to_json()) == 5
    assert Waiting.from_json(RecordKind.PURCHASE, _purchase(7, 1).to_json()[:4]).resend is False
