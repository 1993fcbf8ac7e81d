"""What `pipeline dead` shows, and what it refuses before it asks Kafka anything."""

from __future__ import annotations

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.console import Console as SafeConsole
from pipeline.dead import report
from pipeline.dead.acting import EXAMPLES, ActionCounts
from pipeline.dead.letter import Letter, LetterId, LetterOrigin, read
from pipeline.dead.resend import CAME_BACK, ResendTarget
from pipeline.dead.selection import LetterFilter
from pipeline.dead.state import DeadLetterState, LetterState, LetterStatus
from pipeline.dead.store import Found
from pipeline.kafka.messages import LibrdkafkaMessage

TARGET = ResendTarget(frozenset({"acme"}), 4, 1_000_000)
BODY = json.dumps({"email": "ann@example.com", "id": 7}).encode()


def found(offset: int, state: LetterState = LetterState.OPEN, came_back: int = 0, at_ms: int = 0) -> Found:
    letter = Letter(
        id=LetterId(1, offset),
        at_ms=at_ms or offset * 1_000,
        account="acme",
        store="[bold]shop",
        stage="deliver",
        kind="contact",
        reason="invalid",
        field="",
        detail="no such field",
        origin=LetterOrigin("connectif.contacts", 0, offset),
        redriven_from="",
    )
    key = b"acme|contact|ann@example.com"
    message = LibrdkafkaMessage(
        "deadletters", 1, offset, letter.at_ms, key, BODY, [("from", b"ann@example.com")]
    )
    return Found(letter, message, LetterStatus(state, came_back, 0))


def screen() -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, width=160), text


def test_groups_are_shown_as_a_table_with_what_is_not_shown() -> None:
    console, text = screen()
    letters = [found(1), found(2, came_back=2), found(3, LetterState.DROPPED)]
    report.groups(letters, LetterFilter.OPEN, console, as_json=False)
    shown = text.getvalue()
    assert "2 open dead letters; 1 others of the same kind are not open" in shown
    assert "[bold]shop" in shown


def test_groups_are_json_for_everything_else(capsys: pytest.CaptureFixture[str]) -> None:
    report.groups([found(1), found(2, came_back=2)], LetterFilter.OPEN, screen()[0], as_json=True)
    tree = json.loads(capsys.readouterr().out)
    assert (tree["count"], tree["others"]) == (2, 0)
    [group] = tree["groups"]
    assert (group["reason"], group["count"], group["came_back"]) == ("invalid", 2, 1)


def test_the_newest_letters_are_shown_one_by_one_and_the_rest_is_counted() -> None:
    console, text = screen()
    report.each(map(found, range(1, 50)), LetterFilter.OPEN, console, limit=3, as_json=False)
    shown = text.getvalue()
    assert "49 dead letters; 46 older ones are not shown" in shown
    assert [f"1:{offset} " in shown for offset in (49, 48, 47, 46)] == [True, True, True, False]


def test_as_json_each_letter_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    letters = [found(1), found(2, LetterState.REDRIVEN), found(3, came_back=1)]
    report.each(iter(letters), LetterFilter.ALL, screen()[0], limit=0, as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["id"], line["standing"]) for line in lines] == [
        ("1:1", "open"),
        ("1:2", "redriven"),
        ("1:3", "came back x1"),
    ]


def test_one_letter_is_shown_in_words_and_names_nobody_unless_asked() -> None:
    row = DeadLetterState(state=LetterState.DROPPED, at_ms=1, by="ann", why="a test")
    masked, said = screen()
    report.show(found(1, LetterState.DROPPED), row, TARGET, masked, reveal=False, as_json=False)
    shown = said.getvalue()
    assert "why: Connectif refuses what it was sent" in shown
    assert "way out: " in shown
    assert "by ann: a test" in shown
    assert "ann@example.com" not in shown
    open_, said = screen()
    report.show(found(1), None, TARGET, open_, reveal=True, as_json=False)
    assert said.getvalue().count("ann@example.com") == 3


CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HEADERS = st.lists(
    st.tuples(st.sampled_from(["from", "dead-reason", "dead-account", "dead-at", "replay-run"]), st.binary())
)
DEEP = b"[" * 900 + b'"\x1b[2J"' + b"]" * 900


@given(
    st.binary() | st.text().map(str.encode), st.binary() | st.none() | st.just(DEEP), HEADERS, st.booleans()
)
def test_any_letter_is_shown_and_controls_nothing(
    key: bytes, value: bytes | None, headers: list[tuple[str, bytes]], reveal: bool
) -> None:
    message = LibrdkafkaMessage("deadletters", 1, 5, 2**63 - 1, key, value, headers)
    one = Found(read(LetterId(1, 5), 2**63 - 1, headers), message, LetterStatus(LetterState.OPEN, 1, 0))
    row = DeadLetterState(state=LetterState.DROPPED, at_ms=2**63 - 1, by="\x1b]0;x\x07", why="\u202eyhw")
    file = io.StringIO()
    console = SafeConsole(file=file, width=160)
    report.show(one, row, TARGET, console, reveal=reveal, as_json=False)
    report.each([one], LetterFilter.ALL, console, limit=5, as_json=False)
    report.groups([one], LetterFilter.ALL, console, as_json=False)
    assert not CONTROL.search(file.getvalue().replace("\t", ""))


def test_a_body_as_long_as_a_webhook_is_cut_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_SHOWN", 5)
    console, text = screen()
    report.show(found(1), None, TARGET, console, reveal=True, as_json=False)
    assert "characters more; --json shows all" in text.getvalue()


def test_what_is_left_is_counted_by_why_with_some_of_them() -> None:
    tally = ActionCounts()
    tally.going["connectif.contacts"] += 2
    for offset in range(9):
        tally.leave(found(offset).letter, CAME_BACK)
    console, text = screen()
    report.counted(tally, "will be sent again", console)
    assert "2 will be sent again: 2 to connectif.contacts" in text.getvalue()
    assert "9 are left (came_back)" in text.getvalue()
    assert len(tally.tree()["left"][0]["letters"]) == EXAMPLES


@pytest.mark.parametrize(
    "words",
    [
        ["redrive"],
        ["redrive", "--all", "1:2"],
        ["redrive", "12"],
        ["show", "x"],
        ["drop", "1:2"],
        ["drop", "1:2", "--why", " "],
        ["drop", "--why", "x"],
        ["list", "--state", "lost"],
        ["list", "--since", "yesterday"],
    ],
)
def test_a_command_that_does_not_say_what_it_means_is_refused(words: list[str]) -> None:
    assert CliRunner().invoke(app, ["dead", *words]).exit_code == 2
