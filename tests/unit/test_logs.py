"""Lines of the log: when, which event, and not sixty a second while a broker is away."""

from __future__ import annotations

import json
import logging
import time

import pytest

from pipeline import logs
from pipeline.logs import QUIET, LogFormat, OnceInAWhile


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


def test_a_line_of_librdkafka_passes_once_in_a_while_whatever_it_counts() -> None:
    quiet = OnceInAWhile(clock=lambda: 0.0)
    line = "%s [%s] %s", "FAIL", "rdkafka#producer-1", "127.0.0.1:9: refused (after %dms in state CONNECT)"
    assert quiet.filter(record("librdkafka", line[0], *line[1:3], line[3] % 0))
    assert not quiet.filter(record("librdkafka", line[0], *line[1:3], line[3] % 12))
    assert quiet.filter(record("librdkafka", line[0], *line[1:3], "SSL handshake failed"))


def test_what_a_client_tries_again_by_itself_is_no_error() -> None:
    line = record("aiokafka.consumer", "Group Coordinator Request failed: %s", "not available")
    assert OnceInAWhile(clock=lambda: 0.0).filter(line)
    assert (line.levelno, line.levelname) == (logging.WARNING, "WARNING")


@pytest.mark.parametrize("formatter", [logs.TextFormatter(), logs.JsonFormatter()])
def test_a_line_says_when_with_the_offset(
    formatter: logging.Formatter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        line = record("pipeline.x", "said")
        line.created = 1_764_443_456.123
        text = formatter.format(line)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "2025-11-30T00:40:56.123+05:30" in text


def test_a_line_of_json_is_one_object_whatever_it_mentions() -> None:
    line = record("pipeline.gateway.intake", "Kafka: %s; events go to the spool, %d at once", "a\nb\ud800", 3)
    line.__dict__["store"] = "acme-es"
    error = ValueError("first\nsecond")
    line.exc_info = type(error), error, None
    text = logs.JsonFormatter().format(line)
    assert "\n" not in text
    text.encode()
    tree = json.loads(text)
    assert tree["event"] == "gateway.intake.kafka_events_go_to_the_spool"
    assert (tree["level"], tree["logger"], tree["store"]) == ("ERROR", "pipeline.gateway.intake", "acme-es")
    assert tree["message"].startswith("Kafka: a\nb")
    assert tree["exception"].endswith("ValueError: first\nsecond\n")


def test_an_event_has_one_name_whatever_it_mentions_and_keeps_one_it_is_given() -> None:
    names = {
        logs.event_of(record("pipeline.x", "account %s: %5.1f s (%r)", *values)) for values in ("abc", "def")
    }
    assert names == {"x.account_s"}
    given = record("pipeline.x", "anything")
    given.__dict__["event"] = "child.ended"
    assert logs.event_of(given) == "child.ended"


@pytest.mark.parametrize(
    ("value", "kind"), [("json", "json"), ("JSON", "json"), ("", "text"), ("xml", "text")]
)
def test_the_environment_names_the_format(value: str, kind: str) -> None:
    assert logs.format_from({logs.VARIABLE: value}) == kind


def test_without_a_name_in_the_environment_lines_are_text() -> None:
    assert logs.format_from({}) is LogFormat.TEXT
