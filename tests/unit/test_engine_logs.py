"""A broker that is away fills no disk."""

from __future__ import annotations

import logging

from pipeline.engine.logs import QUIET, OnceInAWhile


def record(name: str, message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "", 0, message, args, None)


def test_a_line_of_the_client_library_passes_once_in_a_while() -> None:
    now = 100.0
    quiet = OnceInAWhile(clock=lambda: now)
    assert quiet.filter(record("aiokafka.conn", "cannot connect to %s", "a"))
    assert not quiet.filter(record("aiokafka.conn", "cannot connect to %s", "b"))
    assert quiet.filter(record("aiokafka.conn", "something else"))
    now += QUIET
    assert quiet.filter(record("aiokafka.conn", "cannot connect to %s", "b"))


def test_our_own_lines_all_pass() -> None:
    quiet = OnceInAWhile(clock=lambda: 0.0)
    assert all(quiet.filter(record("pipeline.engine", "again")) for _ in range(3))
