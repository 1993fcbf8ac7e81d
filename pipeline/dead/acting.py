"""`pipeline dead redrive` and `drop`: count what is meant, ask, act, and write down what was done."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.config import Settings
from pipeline.dead.letter import Letter, LetterOrigin
from pipeline.dead.resend import DROPPED, Refusal, ResendTarget, Sending, held_back, sending
from pipeline.dead.selection import LetterFilter, Selection
from pipeline.dead.state import DeadLetterState, LetterState, dropped, redriven
from pipeline.dead.store import DeadLetterReader, Found
from pipeline.errors import BrokerError
from pipeline.kafka import topics
from pipeline.kafka.errors import in_words
from pipeline.kafka.exclusive import Exclusive
from pipeline.kafka.keys import entity_key, partition_of_key
from pipeline.kafka.producer import Outgoing, Producer, Refused
from pipeline.kafka.settings import client_config

#: Letters sent before their rows are written: as many may be sent twice where this process is killed.
AT_ONCE, AT_ONCE_BYTES = 500, 32 * 1024 * 1024
#: Seconds that what was sent before an error may take.
FLUSH = 30.0
#: Words of a refusal are kept of the first letters alone.
EXAMPLES = 5


#: The group whose only member may act on letters.
GROUP = "pipeline-dead"


def alone(settings: Settings, who: str) -> Exclusive:
    """The turn to act on the letters of a prefix, which one process has at a time; a context manager.

    What was done about letters is to be read after it was entered: somebody may have acted just before.

    Args:
        settings: whose letters.
        who: acts.
    """
    return Exclusive(
        client_config(settings),
        topics.full_name(settings, GROUP),
        topics.full_name(settings, topics.DEADLETTERS),
        who=who,
        what="`pipeline dead redrive` or `drop`",
    )


@dataclass(slots=True)
class ActionCounts:
    """What would be done, or was.

    Attributes:
        going: topic without its prefix -> letters that go there; for `drop`, the letters that are dropped.
        left: why -> letters that stay as they are.
        refusals: why -> the sentence.
        examples: why -> some of them.
    """

    going: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    refusals: dict[str, str] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Letters that are acted on."""
        return self.going.total()

    def leave(self, letter: Letter, refusal: Refusal) -> None:
        """One stays as it is."""
        self.left[refusal.why] += 1
        self.refusals[refusal.why] = refusal.sentence
        examples = self.examples.setdefault(refusal.why, [])
        if len(examples) < EXAMPLES:
            examples.append(str(letter.id))

    def tree(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "count": self.count,
            "to": dict(self.going),
            "left": [
                {"why": why, "sentence": self.refusals[why], "count": count, "letters": self.examples[why]}
                for why, count in self.left.most_common()
            ],
        }


@dataclass(frozen=True, slots=True)
class Redrive:
    """Sends letters again.

    Args:
        settings: whose topics they go to.
        reader: whose letters they are; of another prefix where `target` says so.
        target: the rules' side of the settings.
        selection: which letters.
        turn: to act on them.
        again: also those that came back, and of the states in `wanted` those that were dealt with before.
        wanted: see `again`.
        by: who does it.
        wall: epoch seconds.
    """

    settings: Settings
    reader: DeadLetterReader
    target: ResendTarget
    selection: Selection
    turn: Exclusive
    again: bool
    by: str
    wanted: LetterFilter = LetterFilter.OPEN
    wall: Callable[[], float] = time.time

    def count(self) -> ActionCounts:
        """What would be sent."""
        tally = ActionCounts()
        for found in self.reader.letters(self.selection, "counting"):
            decided = self._decide(found)
            if isinstance(decided, Refusal):
                tally.leave(found.letter, decided)
            else:
                tally.going[decided.topic] += 1
        return tally

    def run(self) -> ActionCounts:
        """Send them. What is sent is known for certain, and then written down, some hundred at a time.

        Raises:
            BrokerError: Kafka does not take a message; what was written down is sent, and the rest is not.
        """
        tally, writer = ActionCounts(), _Writer(self.settings)
        for batch in _batches(self.reader.letters(self.selection, "sending again")):
            sent: list[tuple[Found, Sending]] = []
            for found in batch:
                decided = self._decide(found)
                if isinstance(decided, Refusal):
                    tally.leave(found.letter, decided)
                else:
                    sent.append((found, decided))
                    tally.going[decided.topic] += 1
            self.turn.check()
            places = writer.send([sending for _, sending in sent])
            rows = [
                self._row(found, LetterOrigin(decided.topic, *place))
                for (found, decided), place in zip(sent, places, strict=True)
            ]
            writer.write(self.reader.settings, [self._named(found, row) for found, row in rows])
            if self.target.other_prefix is not None:
                here = [(self.target.name(found.letter.id), row, None) for found, row in rows]
                writer.write(self.settings, here)
        return tally

    def _row(self, found: Found, place: LetterOrigin) -> tuple[Found, DeadLetterState]:
        row = redriven(found.letter, found.status, place, at_ms=int(self.wall() * 1_000), by=self.by)
        return found, row

    def _named(self, found: Found, row: DeadLetterState) -> tuple[str, DeadLetterState, Found]:
        """Under another prefix, a place under this one means nothing."""
        if self.target.other_prefix is not None:
            row = row.model_copy(update={"sent": None})
        return str(found.letter.id), row, found

    def _decide(self, found: Found) -> Sending | Refusal:
        message = found.message
        decided = sending(self.target, found.letter, message.key, message.value, message.headers)
        if isinstance(decided, Refusal):
            return decided
        return held_back(found.status, again=self.again, wanted=self.wanted) or decided


@dataclass(frozen=True, slots=True)
class Drop:
    """Marks letters as dropped: they stay where they are, and nobody is shown them any more.

    Args as in `Redrive`; `why` is the operator's.
    """

    settings: Settings
    reader: DeadLetterReader
    selection: Selection
    turn: Exclusive
    why: str
    by: str
    wall: Callable[[], float] = time.time

    def count(self) -> ActionCounts:
        """What would be dropped."""
        tally = ActionCounts()
        for found in self.reader.letters(self.selection, "counting"):
            self._is_left(tally, found)
        return tally

    def run(self) -> ActionCounts:
        """Drop them.

        Raises:
            BrokerError: Kafka does not take a message.
        """
        tally, writer = ActionCounts(), _Writer(self.settings)
        for batch in _batches(self.reader.letters(self.selection, "dropping")):
            at_ms = int(self.wall() * 1_000)
            rows = [
                (
                    str(found.letter.id),
                    dropped(found.letter, found.status, at_ms=at_ms, by=self.by, why=self.why),
                    found,
                )
                for found in batch
                if not self._is_left(tally, found)
            ]
            self.turn.check()
            writer.write(self.settings, rows)
        return tally

    @staticmethod
    def _is_left(tally: ActionCounts, found: Found) -> bool:
        """Count it; whether it stays as it is."""
        if found.status.state is LetterState.DROPPED:
            tally.leave(found.letter, Refusal(DROPPED.why, "it was dropped before"))
            return True
        if found.status.state is LetterState.REDRIVEN:
            tally.leave(found.letter, Refusal("redriven", "it was sent again: what came of it is no letter"))
            return True
        tally.going[topics.DEADLETTERS] += 1
        return False


class _Writer:
    """Sends messages and waits until all are confirmed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        config = client_config(settings)
        self._servers = str(config.get("bootstrap.servers", ""))
        self._producer = Producer(config, max_message_bytes=settings.kafka.max_message_bytes)

    def send(self, messages: list[Sending]) -> list[tuple[int, int]]:
        """Send messages; returns partition and offset of each.

        Raises:
            BrokerError: one was not taken.
        """
        places: list[tuple[int, int]] = [(-1, -1)] * len(messages)
        failed: list[Any] = []

        def report(index: int) -> Callable[[Any, Any], None]:
            def told(error: Any, message: Any) -> None:
                if error is None:
                    places[index] = message.partition(), message.offset()
                else:
                    failed.append(error)

            return told

        for index, (topic, partition, key, value, headers) in enumerate(messages):
            name = topics.full_name(self._settings, topic)
            if partition is None:
                partition = partition_of_key(entity_key(key), self._settings.kafka.shop_partitions)  # noqa: PLW2901
            try:
                self._producer.send(name, value, key, partition, headers, report(index))
            except Refused as refused:
                self._producer.flush(FLUSH)
                raise BrokerError(f"{name}: {refused}", hint="repeat the command") from refused
        while self._producer.flush(1.0):
            pass
        if failed:
            raise in_words(f"Kafka did not take {len(failed)} letters", failed[0], self._servers)
        return places

    def write(self, settings: Settings, rows: Iterable[tuple[str, DeadLetterState, Found | None]]) -> None:
        """Write down what was done, beside the letters of those settings; `found` None: a letter of others.

        Raises:
            BrokerError: not all were taken.
        """
        topic = topics.full_name(settings, topics.DEADLETTER_STATES)
        self._producer.send_all(
            Outgoing(
                topic,
                row.model_dump_json(exclude_defaults=True).encode(),
                name.encode(),
                None if found is None else found.letter.id.partition % topics.DEADLETTER_PARTITIONS,
            )
            for name, row, found in rows
        )


def _batches(found: Iterator[Found]) -> Iterator[list[Found]]:
    batch: list[Found] = []
    size = 0
    for one in found:
        batch.append(one)
        size += len(one.message.value or b"")
        if len(batch) == AT_ONCE or size >= AT_ONCE_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
