"""What an event of each platform costs the rules of translate: read, decode the state, apply, encode it.

    python -m benchmarks.translate_platforms [--events 3000] [--rounds 5]

In one process, without Kafka, that looks for garbage as rarely as a worker. Every platform says the same
orders of three lines, customers and products (60, 20 and 20 %), 30 % of them newer versions of known ones and
10 % repeats. Rounds alternate between the platforms; a row is the round of the least processor time.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from benchmarks.arguments import argument_parser
from benchmarks.harness import machine, report
from pipeline.events import Kind, RawEvent
from pipeline.kafka.keys import unique_key
from pipeline.process import started
from pipeline.shops.registry import PLATFORMS
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.reading import Stores, read
from pipeline.translate.rules import Outcome, apply
from pipeline.translate.state import EntityState
from tests.contract.platform_events import ARRIVED_MS, event_of, raw
from tests.platforms import IN_TESTS, settings_of
from tests.shop_bodies import CHANGED, ZONE, Article, Person, Sale, Sent, SoldLine

STORE = "acme"
Message = tuple[bytes, bytes, list[tuple[str, bytes]], Kind]


@dataclass(slots=True)
class Load:
    """The events of one platform.

    Attributes:
        platform: its name.
        messages: as they lie in Kafka.
        notifications: what announced the documents among them; none where webhooks are whole.
    """

    platform: str
    messages: list[Message]
    notifications: list[Message]


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement: seconds of the clock and of the processor, and what became of the events."""

    wall: float
    processor: float
    outcomes: Counter[Outcome]


def sayings(platform: str, count: int) -> Iterator[Sent]:
    """What the shops of a platform say; the same of every platform."""
    chance = random.Random(1)  # noqa: S311 - not a secret
    bodies = IN_TESTS[platform].bodies
    versions: list[int] = []
    for number in range(count):
        known = bool(versions) and chance.random() < 0.3
        entity = chance.randrange(len(versions)) if known else len(versions)
        if known:
            versions[entity] += 1
        else:
            versions.append(0)
        changed = CHANGED + timedelta(seconds=versions[entity])
        ident = str(10_000 + entity)
        match entity % 5:
            case 3:
                email = f"buyer{ident}@mail.example"
                yield bodies.customer(
                    Person(
                        ident, email=email, name=f"Ana {number}", changed=changed, consent=bodies.subscribed
                    )
                )
            case 4:
                yield bodies.product(
                    Article(ident, f"{ident}0", f"SKU-{ident}", price=f"{number}.50", changed=changed)
                )
            case _:
                lines = tuple(
                    SoldLine(f"{ident}{line}", f"{ident}{line}0", f"SKU-{line}", unit="10.00")
                    for line in range(3)
                )
                email = f"buyer{ident}@mail.example"
                total = f"{60 + versions[entity]}.00"
                yield bodies.order(
                    Sale(ident, changed=changed, total=total, lines=lines, customer=ident, email=email)
                )


def load(platform: str, count: int) -> Load:
    """The events of a platform."""
    chance = random.Random(2)  # noqa: S311 - not a secret
    known = PLATFORMS[platform]
    made = Load(platform, [], [])
    for number, sent in enumerate(sayings(platform, count)):
        if made.messages and chance.random() < 0.1:
            made.messages.append(chance.choice(made.messages))
            continue
        arrived_ms = ARRIVED_MS + 1_000 * number
        made.messages.append(_message(event_of(known, sent, arrived_ms=arrived_ms)))
        if sent.announced is not None:
            notification = event_of(known, sent, arrived_ms=arrived_ms, body=raw(sent))
            made.notifications.append(_message(notification))
    return made


def _message(event: RawEvent) -> Message:
    own = replace(event, store=STORE)
    return unique_key(own.key), own.body, list(own.to_kafka_headers()), own.kind


def measure(platform: str, messages: list[Message]) -> Round:
    """Take them all through the rules, with the memory of every entity."""
    known = PLATFORMS[platform]
    store = known.store(STORE, settings_of(platform, timezone=ZONE))
    stores = Stores({STORE: Feed(store, known, "acme")})
    states: dict[bytes, bytes] = {}
    outcomes: Counter[Outcome] = Counter()
    wall, processor = time.perf_counter(), time.process_time()
    for offset, (key, value, headers, kind) in enumerate(messages):
        event, feed = read(key, value, headers, kind, stores)
        row = states.get(event.key)
        state = EntityState() if row is None else EntityState.decode(row)
        result = apply(event, EventPosition(kind.topic, 0, offset), state, feed)
        if result.remember:
            states[event.key] = state.encode()
        outcomes[result.outcome] += 1
    return Round(time.perf_counter() - wall, time.process_time() - processor, outcomes)


def row(made: Load, documents: list[Round], notifications: list[Round]) -> dict[str, object]:
    """The line of a platform."""
    best = min(documents, key=lambda one: one.processor)
    count = len(made.messages)
    announced = "-"
    if made.notifications:
        fastest = min(one.processor for one in notifications)
        announced = f"{1e6 * fastest / len(made.notifications):.0f}"
    return {
        "platform": made.platform,
        "bytes/event": round(sum(len(value) for _, value, _, _ in made.messages) / count),
        "events/s": round(count / best.wall),
        "us of processor/event": round(1e6 * best.processor / count),
        "us/notification": announced,
        **{f"{outcome} %": round(100 * best.outcomes[outcome] / count) for outcome in Outcome},
    }


def main() -> None:
    """Measure and print."""
    parser = argument_parser(__doc__)
    parser.add_argument("--events", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(machine())
    loads = [load(platform, options.events) for platform in PLATFORMS]
    documents: dict[str, list[Round]] = {made.platform: [] for made in loads}
    notifications: dict[str, list[Round]] = {made.platform: [] for made in loads}
    started()
    for _ in range(options.rounds):
        for made in loads:
            documents[made.platform].append(measure(made.platform, made.messages))
            if made.notifications:
                notifications[made.platform].append(measure(made.platform, made.notifications))
    report([row(made, documents[made.platform], notifications[made.platform]) for made in loads])


if __name__ == "__main__":
    main()
