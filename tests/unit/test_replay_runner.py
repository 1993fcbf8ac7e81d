"""The process of a replay, when Kafka or it itself fails: it waits, or says why it does not go on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline import config
from pipeline.errors import BrokerError, PipelineError
from pipeline.kafka.errors import KafkaUnreachable, ReadRefused
from pipeline.kafka.replays import ReplayMode
from pipeline.replay import runner
from pipeline.replay.run import Control, Part, Plan, Run, RunStatus, State
from pipeline.replay.runner import BROKEN_IN_A_ROW, Runner, TakenOverError
from pipeline.replay.runs import Runs
from pipeline.replay.selection import Choice


class KeptRuns:
    """`replay.runs` in memory, with one run."""

    def __init__(self) -> None:
        part = Part(topic="shop.orders", partition=0, start=0, end=10)
        plan = Plan(run="r1", made_ms=0, choice=Choice(), mode=ReplayMode.MISSING, parts=(part,))
        self.run = Run(plan=plan, state=State(run="r1", next=[0]), control=Control(run="r1"))
        self.written: list[State] = []

    def get(self, _name: str) -> Run:
        """The run."""
        return self.run

    def write(self, document: State) -> None:
        """Keep a state."""
        self.written.append(document.model_copy())


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[Runner, KeptRuns]]:
    """A runner whose rounds end in these errors, one after the other, and then in the end of the run."""
    monkeypatch.setattr(runner, "AGAIN", 0.0)

    def make(*errors: Exception) -> tuple[Runner, KeptRuns]:
        runs, left = KeptRuns(), list(errors)
        worker = Runner(config.parse({"data_dir": str(tmp_path)}, {}), cast("Runs", runs), "r1")

        def work() -> None:
            if left:
                raise left.pop(0)
            runs.run.state.status = RunStatus.DONE

        monkeypatch.setattr(worker, "_work", work)
        return worker, runs

    return make


def test_it_waits_for_kafka_however_long_it_is_away(made: Any) -> None:
    worker, runs = made(*[KafkaUnreachable("away")] * 50)
    assert worker.work().state.status is RunStatus.DONE
    assert not runs.written


def test_a_client_that_broke_with_a_broker_is_replaced_and_one_that_always_breaks_is_told(
    made: Any, caplog: pytest.LogCaptureFixture
) -> None:
    worker, _ = made(*[BrokerError("the producer failed")] * (BROKEN_IN_A_ROW - 1))
    assert worker.work().state.status is RunStatus.DONE
    worker, runs = made(*[BrokerError("the producer failed")] * BROKEN_IN_A_ROW)
    with caplog.at_level(logging.ERROR), pytest.raises(BrokerError):
        worker.work()
    assert (runs.written[-1].status, runs.written[-1].error) == (RunStatus.FAILED, "the producer failed")
    assert "replay r1 failed: the producer failed; `pipeline replay resume r1`" in caplog.text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ReadRefused("no right to read shop.orders"), "no right to read shop.orders"),
        (RuntimeError("a bug"), "RuntimeError: a bug"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_what_does_not_pass_is_kept_with_the_run(made: Any, error: Exception, said: str) -> None:
    worker, runs = made(error)
    with pytest.raises(type(error)):
        worker.work()
    assert runs.written[-1].status is RunStatus.FAILED
    assert said in runs.written[-1].error


def test_a_run_that_was_taken_over_is_left_to_the_other(made: Any) -> None:
    worker, runs = made(TakenOverError("another process"))
    with pytest.raises(PipelineError):
        worker.work()
    assert not runs.written
