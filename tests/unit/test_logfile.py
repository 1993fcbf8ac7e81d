"""A child's log is bounded while the child writes to it, and its last words are found in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.local.logfile import LogFile


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> LogFile:
    return LogFile(tmp_path / "x.log", limit=1_000)


def test_a_log_that_is_still_written_is_cut_and_its_writer_goes_on(log: LogFile) -> None:
    with log.path.open("ab", buffering=0) as writer:
        writer.write(b"early\n" * 200)
        assert log.cut()
        writer.write(b"late\n")
        assert log.path.read_bytes() == b"late\n"
        assert not log.cut()
    old = log.path.with_name("x.log.old")
    assert old.read_bytes() == b"early\n" * 200
    assert old.stat().st_mode & 0o077 == 0


def test_without_room_for_the_old_one_the_log_is_cut_all_the_same(log: LogFile) -> None:
    log.path.write_bytes(b"x" * 2_000)
    log.path.with_name("x.log.old").mkdir()
    assert log.cut()
    assert log.path.read_bytes() == b""


def test_only_the_present_process_is_quoted(log: LogFile) -> None:
    log.path.write_text("ERROR of the one before\n")
    log.begin()
    assert log.last_words() == []
    with log.path.open("a") as writer:
        writer.write("listening\n\nstopped\n")
    assert log.last_words() == ["listening", "stopped"]


def test_the_errors_are_quoted_where_there_are_any(log: LogFile) -> None:
    log.path.write_text(
        "2026-11-29T19:10:56.123+00:00 INFO pipeline.x: ready\n"
        "2026-11-29T19:10:56.123+00:00 CRITICAL pipeline.x: the worker stops: KeyError: 'a'\n"
        "Traceback (most recent call last):\n"
        '  File "x.py", line 1, in <module>\n'
        "KeyError: 'a'\n"
        "goodbye\n"
    )
    assert [line.rpartition(" ")[0] for line in log.last_words()] == [
        "2026-11-29T19:10:56.123+00:00 CRITICAL pipeline.x: the worker stops: KeyError:",
        "KeyError:",
    ]


def test_lines_of_json_are_quoted_in_words(log: LogFile) -> None:
    lines = [
        {"level": "INFO", "message": "ready"},
        {"level": "ERROR", "message": "no disk", "exception": "Traceback\n...\nOSError: full\n"},
    ]
    log.path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert log.last_words() == ["no disk / OSError: full"]


def test_a_log_that_is_not_there_says_nothing(log: LogFile) -> None:
    assert log.last_words() == []
    assert not log.cut()
