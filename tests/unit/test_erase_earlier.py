"""`pipeline erase --lose-earlier`: what it allows is explained, is not the default, and is in the proof."""

from __future__ import annotations

from typing import Any, cast

import pytest
from typer.testing import CliRunner

from pipeline import config
from pipeline.cli import erase as command
from pipeline.console import Console
from pipeline.erase import report
from pipeline.erase.requests import Request, Requests
from pipeline.erase.run import Erasure
from pipeline.kafka import removal
from pipeline.kafka.erase_requests import Asked, Progress, Wanted
from pipeline.kafka.removal import Removed

TREE = {"accounts": {}, "stores": {}, "kafka": {"bootstrap": "127.0.0.1:9"}}


class Kept:
    """Requests that are kept in memory."""

    def advance(self, request: Request, **changes: object) -> None:
        request.progress = request.progress.model_copy(update=changes)


def worked_on(monkeypatch: pytest.MonkeyPatch, *, lose: bool, lost: tuple[str, ...]) -> tuple[bool, Request]:
    """Whether a removal was allowed to lose, and the request after it."""
    allowed: list[bool] = []

    def remove(*_: Any, **how: Any) -> Removed:
        allowed.append(how["lose_earlier"])
        return Removed(lost_earlier=lost)

    monkeypatch.setattr(removal, "remove", remove)
    asked = Asked(id="r", store="s", wanted=Wanted.CUSTOMER, asked_ms=1, due_ms=2)
    request = Request(asked, Progress(id="r"))
    kept = cast("Requests", Kept())
    erasure = Erasure(config.parse(TREE, {}), kept, Console(stderr=True, quiet=True), lose_earlier=lose)
    erasure._logs(request, {}, "x")
    erasure._logs(request, {}, "x")
    return allowed[0], request


def test_it_is_not_allowed_unless_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert worked_on(monkeypatch, lose=False, lost=())[0] is False
    assert worked_on(monkeypatch, lose=True, lost=())[0] is True


def test_the_proof_and_the_log_name_the_topics(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, request = worked_on(monkeypatch, lose=True, lost=("shop.orders",))
    assert report.tree(request, 3)["lost_earlier"] == ["shop.orders"]
    assert caplog.records[0].__dict__["event"] == "erase.lost_earlier"
    assert "shop.orders" in caplog.text


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"]])
def test_help_says_what_is_lost(words: list[str]) -> None:
    said = CliRunner(env={"COLUMNS": "300", "TERMINAL_WIDTH": "300"}).invoke(command.group, words).output
    text = " ".join(said.replace("│", " ").split())
    assert "--lose-earlier" in text
    assert "deleted, for everybody and for good" in text
