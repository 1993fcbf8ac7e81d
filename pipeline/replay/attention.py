"""Which runs need a person: why, in words, and what to do. Pure."""

from __future__ import annotations

import enum
from typing import NamedTuple

from pipeline.replay.run import STALLED_AFTER, Run, RunStatus


class Trouble(enum.StrEnum):
    """Why a run does not get on."""

    FAILED = "failed"  # its process said why
    INTERRUPTED = "interrupted"  # its process is gone, without a word
    STOPPED = "stopped"  # its process was told to end
    STALLED = "stalled"  # its process is there, and nothing moves


class Attention(NamedTuple):
    """What an operator is told of a run that does not get on."""

    trouble: Trouble
    why: str
    what_to_do: str


def attention(run: Run, now_ms: int) -> Attention | None:
    """Why a run that is to go on does not, and what to do; None where all is well.

    Args:
        run: as it is kept.
        now_ms: epoch milliseconds.
    """
    state, name = run.state, run.plan.run
    resume = f"`pipeline replay resume {name} --detach` goes on where it was; `replay cancel {name}` ends it"
    told: Attention | None = None
    if state.status is RunStatus.FAILED:
        told = Attention(Trouble.FAILED, state.error or "it is not known why", f"mend that; then {resume}")
    elif run.control.wanted is not RunStatus.RUNNING:
        pass  # nobody has to work on it
    elif state.status is RunStatus.STOPPED:
        told = Attention(Trouble.STOPPED, "its process was told to end before it was done", resume)
    elif run.is_silent(now_ms):
        seconds = (now_ms - state.updated_ms) // 1_000
        told = Attention(Trouble.INTERRUPTED, f"its process is gone: no word of it for {seconds} s", resume)
    elif run.stalled(now_ms):
        told = Attention(Trouble.STALLED, *_held_up(run))
    return told


def _held_up(run: Run) -> tuple[str, str]:
    minutes = f"for {STALLED_AFTER / 60:g} minutes"
    if run.state.waiting:
        return (
            f"translate has not dealt with any of {run.state.waiting:,} events {minutes}",
            "see that a translate worker runs and is ready: `curl http://translate:8081/readyz`, and its log",
        )
    if run.state.pending:
        return (
            f"none of {run.state.pending:,} records has ended {minutes}",
            "`pipeline deliver explain --account ACCOUNT` says what holds the account up",
        )
    return f"nothing was read {minutes}", "its log says why: DATA_DIR/logs"


__all__ = ["Attention", "Trouble", "attention"]
