"""What an import and its error report say of each row, in whatever form they come."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config_stages import DeliverSettings
from pipeline.connectif.imports import (
    ImportStage,
    accounts_for_all,
    all_delivered,
    read_list,
    read_progress,
    suspects,
)
from pipeline.deliver.schedule.import_jobs import ImportBatch, ImportQueue
from pipeline.records import RecordKind

KEYS = ["ann@example.com", "bea@example.com", "cid@example.com", "dee@example.com"]
BASE: dict[str, Any] = {"id": "6553f13d0069800100000001", "type": "contacts", "total": 4}


@pytest.mark.parametrize(
    ("status", "stage"),
    [
        ("queued", ImportStage.UNFINISHED),
        ("inProgress", ImportStage.UNFINISHED),
        ("something new", ImportStage.UNFINISHED),
        ("finished", ImportStage.FINISHED),
        ("error", ImportStage.FAILED),
        ("cancelled", ImportStage.FAILED),
    ],
)
def test_each_status_has_its_stage(status: str, stage: ImportStage) -> None:
    progress = read_progress({**BASE, "status": status})
    assert progress is not None
    assert progress.stage is stage


@pytest.mark.parametrize("body", [None, [], {}, "id", {"id": ""}, {"status": "finished"}])
def test_what_is_no_import_is_none(body: Any) -> None:
    assert read_progress(body) is None


def test_only_counts_that_add_up_say_anything_of_rows() -> None:
    def told(**counts: Any) -> tuple[bool, bool]:
        progress = read_progress({**BASE, "status": "finished", **counts})
        assert progress is not None
        return all_delivered(progress, 4), accounts_for_all(progress, 4)

    assert told(success=4, errors=0) == (True, False)
    assert told(success=3, errors=1) == (False, True)
    assert told(success=3, errors=0) == (False, False)
    assert told(success=5, errors=0) == (False, False)
    assert told(success=4, errors=0, total=5) == (False, False)
    assert told(success=None, errors=None) == (False, False)
    odds: list[Any] = ["3", -1, True, [], {}, 1.5, "all"]
    for odd in odds:
        assert told(success=4, errors=odd) == (False, False)
        assert told(success=odd, errors=1) == (False, False)
        assert told(success=4, errors=0, total=odd) == (False, False)
    assert told(success=5, errors=-1) == (False, False)


def test_an_answer_that_shows_an_older_import_is_not_the_files() -> None:
    queue, contact = ImportQueue(DeliverSettings(), 60.0), RecordKind.CONTACT
    shown = read_progress({**BASE, "status": "queued"})
    assert shown is not None
    assert queue.is_new(shown)
    queue.started(contact, shown.import_id, ImportBatch(["a"]), "_email", 0.0)
    queue.ended(next(queue.under_way()))
    assert not queue.is_new(shown)


@pytest.mark.parametrize(
    "report",
    [
        b"row,error,_email,_name\r\n3,bad,bea@example.com,Bea\r\n",
        b"\xef\xbb\xbf_email;error\nBEA@example.com;bad\n",
        b"bea@example.com\n",
        b"error\tkey\nbad\tbea@example.com\n",
    ],
)
def test_refused_rows_are_found_by_their_keys(report: bytes) -> None:
    assert suspects(report, KEYS, "_email", 1) == {"bea@example.com"}


def test_refused_rows_found_by_numbers_are_all_that_could_be_meant() -> None:
    assert suspects(b"row,error\r\n3,bad\r\n", KEYS, "_email", 1) == {KEYS[1], KEYS[2], KEYS[3]}
    assert suspects(b"Fila;Motivo\n1;malo\n", KEYS, "_email", 1) == {KEYS[0], KEYS[1]}


def test_where_numbers_could_be_keys_both_are_suspected() -> None:
    keys = [str(number) for number in range(10)]
    assert suspects(b"7,x\n", keys, "productId", 1) == {"5", "6", "7"}
    assert suspects(b"7,4\n", keys, "productId", 1) == {"2", "3", "4", "5", "6", "7"}


def test_an_id_that_is_a_row_number_as_well_hides_no_refused_row() -> None:
    keys = [str(143 + number) for number in range(300)]
    report = b"row,error\r\n157,Invalid url\r\n"
    assert suspects(report, keys, "productId", 1) == {"157", "298", "299", "300"}
    assert suspects(report, keys, "productId", 1, numbered=False) is None


def test_numbers_say_nothing_where_rows_are_of_several_lines() -> None:
    assert suspects(b"row,error\r\n3,bad\r\n", KEYS, "_email", 1, numbered=False) is None
    assert suspects(b"_email,error\r\nbea@example.com,bad\r\n", KEYS, "_email", 1, numbered=False) is not None


@pytest.mark.parametrize(
    "report",
    [
        b"",
        b"<html>expired</html>",
        b"_email,error\r\nbea@example.com,bad\r\ncid@example.com,bad\r\n",
        b"_email,error\r\nnobody@example.com,bad\r\n",
        b"message\r\nsomething went wrong\r\n",
        b"row,error\r\n99,bad\r\n",
    ],
)
def test_a_report_that_does_not_account_for_the_errors_says_nothing(report: bytes) -> None:
    assert suspects(report, KEYS, "_email", 1) is None


@given(st.sets(st.integers(0, 19), min_size=1, max_size=19), st.sampled_from([",", ";"]), st.booleans())
def test_no_refused_row_is_ever_missed(bad: set[int], delimiter: str, numbered: bool) -> None:
    keys = [f"c{number}@example.com" for number in range(20)]
    header = ["row", "reason"] if numbered else ["reason", "_email"]
    lines = [[str(number + 2), "no"] if numbered else ["no", keys[number]] for number in sorted(bad)]
    report = "\r\n".join(delimiter.join(line) for line in [header, *lines]).encode()
    found = suspects(report, keys, "_email", len(bad))
    assert found is not None
    assert found >= {keys[number] for number in bad}


@given(st.binary(max_size=300), st.integers(1, 3))
def test_no_report_can_break_the_reader(report: bytes, errors: int) -> None:
    suspects(report, KEYS, "_email", errors)


def test_lists_of_any_shape_are_read() -> None:
    item = {**BASE, "status": "queued", "origin": "app"}
    found, following = read_list({"results": [item, {}, 3], "links": {"next": "/imports?page=2"}})
    assert ([one.by_hand for one in found], following) == ([True], "/imports?page=2")
    assert read_list([item])[1] is None
    assert read_list("nothing") == ([], None)


def test_rows_an_import_said_nothing_of_go_whole_once_and_then_in_halves() -> None:
    queue = ImportQueue(DeliverSettings(), 60.0)
    (whole,) = queue.failed(ImportBatch(["a", "b", "c"]), split=False)
    assert (whole.ids, whole.tries) == (["a", "b", "c"], 1)
    assert [part.ids for part in queue.failed(whole, split=True)] == [["a"], ["b", "c"]]
    assert [part.ids for part in queue.failed(ImportBatch(["a"], 3), split=True)] == [["a"]]


def test_a_kind_stays_closed_while_an_import_of_unknown_content_is_unfinished() -> None:
    queue, contact = ImportQueue(DeliverSettings(import_stuck_after=100), 60.0), RecordKind.CONTACT
    queue.doubt([contact], now=0)
    assert queue.list_due(0)
    unfinished = read_progress({**BASE, "status": "queued"})
    assert unfinished is not None
    queue.listed([unfinished], now=1)
    assert queue.gated(contact)
    assert not queue.list_due(1)
    assert queue.list_due(10)
    queue.listed([unfinished], now=101)
    assert not queue.gated(contact)
    assert not queue.list_due(1e9)


def test_our_own_imports_and_those_made_by_hand_close_nothing() -> None:
    queue, contact = ImportQueue(DeliverSettings(), 60.0), RecordKind.CONTACT
    queue.started(contact, BASE["id"], ImportBatch(["a"]), "_email", 0)
    queue.doubt([contact], now=0)
    ours = read_progress({**BASE, "status": "queued"})
    by_hand = read_progress({**BASE, "id": "x", "status": "queued", "origin": "app"})
    assert ours is not None
    assert by_hand is not None
    queue.listed([ours, by_hand], now=1)
    assert not queue.gated(contact)


@pytest.mark.parametrize("number", ["9" * 5_000, "\u0663", "", "-1", "1.5"])
def test_a_row_number_that_is_none_names_no_row(number: str) -> None:
    assert suspects(f"row,reason\n{number},bad\n".encode(), KEYS, "email", 1) is None


def test_a_report_of_a_million_columns_is_looked_at_no_further_than_ours_can_go() -> None:
    wide = b"," * 1_000_000
    report = b"x" + wide + b"\n" + 200 * b"y,z\n" + wide + b"\n"
    assert suspects(report, KEYS, "email", 1) is None


def test_what_an_import_took_by_a_clock_of_the_year_9999_teaches_nothing_absurd() -> None:
    queue = ImportQueue(DeliverSettings(), 60.0)
    queue.started(RecordKind.CONTACT, "i1", ImportBatch(list("abcd")), "_email", 100.0)
    (job,) = queue.under_way()
    queue.finished(job, 130.0, 2.5e11)
    assert queue.durations[RecordKind.CONTACT].expected(4) <= 60


_SIZE = 4_000_000


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(b"," * _SIZE, id="one row of nothing"),
        pytest.param(b"a," * (_SIZE // 2), id="one row"),
        pytest.param(b"a\n" * (_SIZE // 2), id="short rows"),
        pytest.param(b"\n" * _SIZE, id="no rows"),
        pytest.param(b'"' + b"x" * _SIZE, id="a quote without an end"),
        pytest.param(b'a,"\n",' * (_SIZE // 6), id="a row of many lines"),
        pytest.param(b"row,reason\n" + b"123456789,x\n" * (_SIZE // 12), id="row numbers"),
        pytest.param((",".join(KEYS) + "\n").encode() * (_SIZE // 64), id="our keys again and again"),
        pytest.param(b"\xff\x00" * (_SIZE // 2), id="no text"),
    ],
)
def test_a_huge_report_of_whatever_kind_says_nothing_and_takes_no_time(report: bytes) -> None:
    before = time.process_time()
    assert suspects(report, KEYS, "_email", 1) is None
    assert time.process_time() - before < 2
