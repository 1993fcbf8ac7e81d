"""When calls began that sent unsubscriptions: kept over any number of processes, whatever the file holds."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.deliver.send.contact_sync import ContactSync
from pipeline.deliver.send.unsubscribing import MAX_BYTES, UnsubscribingCalls
from pipeline.deliver.state.key import Key
from pipeline.records import RecordKind

people = st.sampled_from(["ana@x.example", "bob@x.example", "cyd@x.example"])
steps = st.lists(st.tuples(st.sampled_from(["begin", "end", "restart"]), people), max_size=40)


@given(steps)
def test_the_first_of_the_open_calls_counts_in_every_process(done: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "deeper" / "acme.unsubscribing"
        calls, expected = UnsubscribingCalls(path), dict[str, int]()
        for now_ms, (what, person) in enumerate(done, 1):
            if what == "begin":
                assert calls.begin([person], now_ms) == ([] if person in expected else [person])
                expected.setdefault(person, now_ms)
            elif what == "end":
                calls.end([person])
                expected.pop(person, None)
            else:
                calls.close()
                calls = UnsubscribingCalls(path)
            assert {name: calls.began(name) for name in expected} == expected
            assert (calls.began(person) is None) == (person not in expected)
        calls.close()


@given(st.binary(max_size=200))
def test_any_file_is_read(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "acme.unsubscribing"
        path.write_bytes(data)
        calls = UnsubscribingCalls(path)
        calls.begin(["ana@x.example"], 7)
        calls.close()
        again = UnsubscribingCalls(path)
        assert again.began("ana@x.example") == 7
        again.remove()
        assert not path.exists()


def test_a_call_that_was_being_written_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "acme.unsubscribing"
    calls = UnsubscribingCalls(path)
    calls.begin(["ana@x.example", "bob@x.example"], 7)
    calls.close()
    path.write_bytes(path.read_bytes()[:-3])
    again = UnsubscribingCalls(path)
    assert (again.began("ana@x.example"), again.began("bob@x.example")) == (7, None)
    again.begin(["bob@x.example"], 8)
    again.close()
    assert UnsubscribingCalls(path).began("bob@x.example") == 8


def test_the_file_does_not_grow_with_calls_that_ended(tmp_path: Path) -> None:
    path = tmp_path / "acme.unsubscribing"
    calls = UnsubscribingCalls(path)
    calls.begin(["ana@x.example"], 1)
    for number in range(2 * MAX_BYTES // 32):
        calls.begin([f"{number}@x.example"], number)
        calls.end([f"{number}@x.example"])
        assert path.stat().st_size <= MAX_BYTES + 64
    assert calls.began("ana@x.example") == 1


def test_a_product_s_receipt_ends_no_call_of_the_contact_that_has_its_id(tmp_path: Path) -> None:
    calls = UnsubscribingCalls(tmp_path / "acme.unsubscribing")
    unused: Any = None
    contacts = ContactSync("acme", unused, unused, fresh=600, wall=lambda: 7.0, unsubscribing=calls)
    calls.begin(["501"], 7)
    contacts.settled(Key(RecordKind.PRODUCT, "501"))
    assert calls.began("501") == 7
    contacts.settled(Key(RecordKind.CONTACT, "501"))
    assert calls.began("501") is None
