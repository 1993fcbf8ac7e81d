"""What a Kafka cluster says of itself -> whether it keeps what it confirmed, and has the topics. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipeline.doctor.findings import Finding, named, ok, problem, warning
from pipeline.kafka.admin import Facts, PartitionState
from pipeline.kafka.topic_check import Report, TopicState

DURABILITY, TOPICS = "cluster durability", "topics"


def durability(
    report: Report, facts: Facts, partitions: Sequence[PartitionState], *, embedded: bool
) -> Iterator[Finding]:
    """Copies, leaders, and settings that would lose data.

    Args:
        report: of the topics' check.
        facts: the cluster's and the topics' settings.
        partitions: of the pipeline's topics.
        embedded: whether the broker is the pipeline's own, which is the only one by intent.
    """
    trouble = [
        *(problem(DURABILITY, refusal, "correct it, then `pipeline topics`") for refusal in report.refusals),
        *_brokers(facts, partitions),
        *_leaders(partitions),
        *_copies(facts, partitions),
    ]
    yield from trouble
    if len(facts.brokers) == 1 and not embedded and not trouble:
        said = "one broker, and one copy of all: a lost disk loses it"
        yield warning(DURABILITY, said, "have three brokers, kafka.replication = 3 and kafka.min_insync = 2")
    elif not trouble:
        least = min((topic.replication for topic in facts.topics.values()), default=0)
        yield ok(
            DURABILITY,
            f"{_number(len(facts.brokers), 'broker')}, {_number(len(partitions), 'partition')} with their "
            f"leaders, at least {_number(least, 'copy', 'copies')} each, all in step",
        )


def _brokers(facts: Facts, partitions: Iterable[PartitionState]) -> Iterator[Finding]:
    """Those that hold copies and are not there."""
    gone = sorted({broker for part in partitions for broker in part.replicas} - facts.brokers.keys())
    if gone:
        said = f"broker {named([str(broker) for broker in gone])} is away and holds copies"
        yield problem(DURABILITY, said, "bring it back: see its log, its disk and its network")


def _leaders(partitions: Iterable[PartitionState]) -> Iterator[Finding]:
    leaderless = [part.name for part in partitions if part.leader < 0]
    if leaderless:
        said = f"{_number(len(leaderless), 'partition')} without a leader, which nobody can write or read: "
        yield problem(DURABILITY, said + named(leaderless), "bring back the brokers that hold its copies")


def _copies(facts: Facts, partitions: Iterable[PartitionState]) -> Iterator[Finding]:
    """Copies that are behind, and those too few to confirm anything."""
    behind = [part for part in partitions if part.leader >= 0 and len(part.in_step) < len(part.replicas)]
    too_few = [part.name for part in behind if len(part.in_step) < _needed(facts, part)]
    if too_few:
        said = (
            f"{_number(len(too_few), 'partition')} with fewer copies in step than min.insync.replicas, which "
        )
        said += f"take nothing: {named(too_few)}"
        yield problem(DURABILITY, said, "bring the other brokers back; the gateway keeps events meanwhile")
    late = [part.name for part in behind if part.name not in too_few]
    if late:
        said = f"{_number(len(late), 'partition')} with copies that are not in step: {named(late)}"
        yield warning(DURABILITY, said, "see the brokers' logs, disks and network")


def _needed(facts: Facts, part: PartitionState) -> int:
    topic = facts.topics.get(part.topic)
    found = topic.config.get("min.insync.replicas", "1") if topic else "1"
    return int(found) if found.isdecimal() else 1


def drift(report: Report) -> Iterator[Finding]:
    """Topics that are missing, or are not as the settings want them."""
    for result in report.results:
        for difference in result.differences:
            todo = (
                "`pipeline topics --apply`"
                if difference.safe
                else "`pipeline topics --check`; change it by hand"
            )
            yield problem(TOPICS, f"{result.topic.name}: {difference}", todo)
    missing = [result.topic.name for result in report.results if result.state is TopicState.MISSING]
    if missing:
        said = f"{_number(len(missing), 'topic')} missing: {named(missing)}"
        yield problem(TOPICS, said, "`pipeline topics` makes what is missing")
    for note in report.notes:
        yield warning(TOPICS, note, "see `pipeline topics --check`")
    if not report.notes and all(result.state is TopicState.OK for result in report.results):
        yield ok(TOPICS, f"all {len(report.results)} are as the settings want them")


def _number(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or f'{one}s'}"
