"""Runs as they lie on `replay.runs`: of each run the newest plan, state and control, whoever wrote them."""

from __future__ import annotations

import time
from functools import partial
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from pipeline.config import Settings
from pipeline.errors import PipelineError
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import REPLAY_RUNS, full_name
from pipeline.replay.run import Control, Plan, Run, State

_MODELS: dict[str, type[Plan | State | Control]] = {"plan": Plan, "state": State, "control": Control}


class Runs:
    """Reads and writes runs; a context manager. Blocks.

    Args:
        settings: the program's.
    """

    def __init__(self, settings: Settings) -> None:
        config = client_config(settings)
        self._topic = full_name(settings, REPLAY_RUNS)
        self._reader = RangeReader(config)
        self._new_producer = partial(
            Producer, config, max_message_bytes=settings.kafka.max_message_bytes, linger_ms=1
        )
        self._producer: Producer | None = None  # who only reads needs none
        self._most_bytes = settings.kafka.max_message_bytes - 4_096
        self._next = 0
        self._plans: dict[str, Plan] = {}
        self._states: dict[str, State] = {}
        self._controls: dict[str, Control] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.__exit__(kind, error, trace)
        if self._producer is not None:
            self._producer.close()

    def read(self) -> dict[str, Run]:
        """Every run, the oldest first, as they are now."""
        place = TopicPartition(self._topic, 0)
        ranges = self._reader.ranges(self._topic, start={place: self._next})
        for batch in self._reader.read(ranges):
            for message in batch.messages():
                self._take(message.key, message.value)
            self._next = batch.next
        found = {
            name: Run(
                plan=plan,
                state=self._states.get(name) or State(run=name, next=[part.start for part in plan.parts]),
                control=self._controls.get(name) or Control(run=name),
            )
            for name, plan in self._plans.items()
        }
        return dict(sorted(found.items(), key=lambda item: item[1].plan.made_ms))

    def get(self, name: str) -> Run:
        """One run.

        Raises:
            PipelineError: there is none of that id.
        """
        found = self.read().get(name)
        if found is None:
            raise PipelineError(f"there is no replay {name!r}", hint="`pipeline replay list` shows all")
        return found

    def write(self, document: Plan | State | Control) -> None:
        """Keep a document; returns once it is confirmed.

        Raises:
            PipelineError: it is too large to be kept.
        """
        if isinstance(document, State):
            document.updated_ms = int(time.time() * 1_000)
        value = document.model_dump_json().encode()
        if len(value) > self._most_bytes:
            raise PipelineError("these are too many ids for one run", hint="split the file")
        name = type(document).__name__.lower()
        if self._producer is None:
            self._producer = self._new_producer()
        self._producer.send_all([Outgoing(self._topic, value, f"{document.run}|{name}".encode(), 0)])

    def _counts(self, name: str, state: State) -> bool:
        """Whether it is not the last word of a process that was taken over."""
        known = self._states.get(name)
        return known is None or (state.epoch, state.owner) >= (known.epoch, known.owner)

    def _take(self, key: bytes | None, value: bytes | None) -> None:
        name, _, what = (key or b"").decode(errors="replace").partition("|")
        model = _MODELS.get(what)
        if model is None or value is None:
            return
        try:
            document = model.model_validate_json(value)
        except ValidationError:
            return  # of another release: what can be read of the run is shown
        match document:
            case Plan():
                self._plans[name] = document
            case State() if self._counts(name, document):
                self._states[name] = document
            case Control():
                self._controls[name] = document
            case _:
                pass


__all__ = ["Runs"]
