"""`pipeline tap`: events and what becomes of them, as they pass."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator

from rich.text import Text

from pipeline.config import Settings
from pipeline.console import Console
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.ranges import OffsetRange
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import full_name
from pipeline.records import Outcome
from pipeline.status.passing import RECEIVED, REJECTED, TOPICS, Passing, PassingFilter, passing
from pipeline.text import moment

#: Seconds between two looks, and messages of a partition that are read at one: those before are passed over.
LOOK, MOST = 0.3, 500
_COLOURS = {
    RECEIVED: "cyan",
    REJECTED: "red",
    Outcome.DEAD: "red",
    Outcome.DELIVERED: "green",
}


class Tail:
    """Reads what is new on the topics at each look. Blocks; a reader must be open.

    Args:
        settings: the program's.
        reader: of the cluster.
    """

    def __init__(self, settings: Settings, reader: RangeReader) -> None:
        self._reader = reader
        self._plain = {full_name(settings, topic): topic for topic in TOPICS}
        places = reader.offsets.partitions(*self._plain)
        self._next: dict[TopicPartition, int] = reader.offsets.ends(places)

    def look(self) -> tuple[list[Passing], int]:
        """What is new, the oldest first; and how many messages were passed over, as they are too many."""
        ends, over = self._reader.offsets.ends(self._next), 0
        ranges: list[OffsetRange] = []
        for place, end in ends.items():
            start = max(self._next[place], end - MOST)
            over += start - self._next[place]
            self._next[place] = end
            if start < end:
                ranges.append(OffsetRange(place, start, end))
        found: list[Passing] = []
        for batch in self._reader.read(ranges, on_lost=lambda _: None):
            topic = self._plain[batch.place.topic]
            found += [one for message in batch.messages() if (one := passing(topic, message)) is not None]
        return sorted(found, key=lambda one: one.at_ms), over


def run(
    settings: Settings, wanted: PassingFilter, *, limit: int | None, per_second: float, as_json: bool
) -> None:
    """Print what passes until Ctrl-C.

    Args:
        settings: the program's.
        wanted: what of it.
        limit: lines, after which it ends; None: no end.
        per_second: lines, at most; others are counted.
        as_json: one object a line.

    Raises:
        BrokerError: Kafka does not answer, or there are no topics.
    """
    console, errors = Console(soft_wrap=True), Console(stderr=True)
    with RangeReader(client_config(settings)) as reader:
        tail = Tail(settings, reader)
        errors.print("watching; Ctrl-C ends it", style="dim", highlight=False)
        try:
            for one, passed_over in _bounded(tail, wanted, per_second, time.monotonic, time.sleep):
                if passed_over:
                    errors.print(f"and {passed_over:,} more", style="dim", highlight=False)
                if one is None:
                    continue
                if as_json:
                    print(json.dumps(one.as_json()), flush=True)  # noqa: T201 - its output
                else:
                    console.print(line(one), highlight=False)
                limit = None if limit is None else limit - 1
                if limit == 0:
                    return
        except KeyboardInterrupt:
            return
        except BrokenPipeError:  # whoever read it has enough; nothing more is to be flushed there
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _bounded(
    tail: Tail,
    wanted: PassingFilter,
    per_second: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Iterator[tuple[Passing | None, int]]:
    """What is wanted, no faster than that; and how many messages before it are not shown."""
    allowed, last = per_second, clock()
    while True:
        found, over = tail.look()
        now = clock()
        allowed, last = min(per_second, allowed + (now - last) * per_second), now
        chosen = [one for one in found if wanted.takes(one)]
        shown = chosen[: max(0, int(allowed))]
        allowed -= len(shown)
        for one in shown:
            yield one, 0
        left = over + len(chosen) - len(shown)
        if left:
            yield None, left
        sleep(LOOK)


def line(one: Passing) -> Text:
    """One of them for a terminal."""
    text = Text(f"{moment(one.at_ms / 1_000)[11:19]} ")
    text.append(f"{one.outcome:<10} ", style=_COLOURS.get(one.outcome, ""))
    text.append(f"{one.store} {one.kind} {one.id} ", style="bold")
    text.append(one.what)
    text.append(f"  {one.more}", style="dim")
    return text
