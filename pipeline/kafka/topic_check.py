"""The table of topics against a cluster: what is missing or differs, and what of it may be changed safely."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka.admin import NewTopic

from pipeline.config import Settings
from pipeline.errors import BrokerError
from pipeline.kafka.admin import Cluster, ExistingTopic, Facts
from pipeline.kafka.settings import client_config
from pipeline.kafka.tombstones import WHILE_REMOVING, is_being_removed_from
from pipeline.kafka.topics import MESSAGE_OVERHEAD, Topic, table

#: How long brokers may take to know a topic that was made.
SETTLE_SECONDS = 15.0
#: A group that is down for less must find its position again.
LEAST_OFFSETS_RETENTION_MINUTES = 24 * 60


class TopicState(enum.StrEnum):
    """How a topic was found or left."""

    OK = "ok"
    MISSING = "missing"
    CREATED = "created"
    DIFFERS = "differs"
    ALTERED = "altered"


@dataclass(frozen=True, slots=True)
class TopicDifference:
    """A setting of an existing topic that is not as it must be; `safe` where `--apply` may change it."""

    setting: str
    found: str
    wanted: str
    safe: bool
    why: str = ""

    def __str__(self) -> str:
        return f"{self.setting} is {self.found}, must be {self.wanted}" + (
            f" ({self.why})" if self.why else ""
        )


@dataclass(frozen=True, slots=True)
class TopicResult:
    """One topic of the table against the cluster."""

    topic: Topic
    state: TopicState
    differences: tuple[TopicDifference, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The result of checking the cluster.

    `refusals` are settings of the cluster, or of ours for it, that would lose data; `notes` what could not be
    checked.
    """

    results: tuple[TopicResult, ...]
    refusals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that keeps the pipeline from being started on this cluster, a line each."""
        wrong = [
            f"{result.topic.name}: {difference}"
            for result in self.results
            if result.state is TopicState.DIFFERS
            for difference in result.differences
        ]
        absent = [result.topic.name for result in self.results if result.state is TopicState.MISSING]
        missing = [f"missing: {', '.join(absent)}"] if absent else []
        return (*self.refusals, *wrong, *missing)


class TopicsError(BrokerError):
    """The cluster is not to be trusted with the data as it is; `report` has the particulars."""

    def __init__(self, report: Report) -> None:
        wrong = [difference for result in report.results for difference in result.differences]
        hint = "run `pipeline topics`"
        if report.refusals or not all(difference.safe for difference in wrong):
            hint = "correct these, then run `pipeline topics`"
        elif wrong:
            hint = "run `pipeline topics --apply`"
        super().__init__(
            "the cluster is not as the pipeline needs it:\n  " + "\n  ".join(report.problems), hint=hint
        )
        self.report = report


def refusals(settings: Settings, facts: Facts) -> Iterator[str]:
    """What would lose data, or could never hold it: our settings first, then the cluster's."""
    kafka, count = settings.kafka, len(facts.brokers)
    creating = any(topic.name not in facts.topics for topic in table(settings))
    if kafka.min_insync > kafka.replication:
        yield (
            f"kafka.min_insync = {kafka.min_insync} is more than kafka.replication = {kafka.replication}: "
            "nothing could ever be written"
        )
    if kafka.replication > count and creating:
        yield f"kafka.replication = {kafka.replication}, but {count} broker(s) are up"
    if kafka.replication == 1 and count > 1:
        yield (
            f"kafka.replication = 1 on {count} brokers: losing one loses its data; "
            f"set kafka.replication = {min(3, count)} and kafka.min_insync = 2"
        )
    elif kafka.min_insync == 1 and count > 1:
        yield (
            f"kafka.min_insync = 1 on {count} brokers: a write is confirmed while a single broker has it; "
            "set kafka.min_insync = 2"
        )
    if settings.gateway.max_body_bytes + MESSAGE_OVERHEAD > kafka.max_message_bytes:
        yield (
            f"kafka.max_message_bytes = {kafka.max_message_bytes} cannot hold a body of "
            f"gateway.max_body_bytes = {settings.gateway.max_body_bytes} and its headers: "
            f"set it to {settings.gateway.max_body_bytes + MESSAGE_OVERHEAD} or more"
        )
    if facts.offsets_replication == 1 and count > 1:
        yield "__consumer_offsets has one replica: losing a broker loses what was processed how far"
    for broker, config in sorted(facts.brokers.items()):
        yield from _broker_refusals(broker, config or {}, settings, alone=count == 1)


def _broker_refusals(
    broker: int, config: Mapping[str, str], settings: Settings, *, alone: bool
) -> Iterator[str]:
    if config.get("unclean.leader.election.enable") == "true":
        yield f"broker {broker}: unclean.leader.election.enable = true loses confirmed messages; turn it off"
    if not alone and config.get("offsets.topic.replication.factor") == "1":
        yield f"broker {broker}: offsets.topic.replication.factor = 1; set it to 3"
    minutes = int(config.get("offsets.retention.minutes", LEAST_OFFSETS_RETENTION_MINUTES))
    if minutes < LEAST_OFFSETS_RETENTION_MINUTES:
        yield (
            f"broker {broker}: offsets.retention.minutes = {minutes} forgets how far a stopped worker was; "
            f"set it to {LEAST_OFFSETS_RETENTION_MINUTES} or more"
        )
    largest = int(config.get("socket.request.max.bytes", settings.kafka.max_message_bytes))
    if largest < settings.kafka.max_message_bytes:
        yield (
            f"broker {broker}: socket.request.max.bytes = {largest} is less than "
            f"kafka.max_message_bytes = {settings.kafka.max_message_bytes}"
        )


def differences(topic: Topic, found: ExistingTopic) -> Iterator[TopicDifference]:
    """What of an existing topic is not as it must be; being safer than asked for is no difference."""
    if found.partitions != topic.partitions:
        why = "a count cannot change: keys would move and lose their order; use the settings' old count, or "
        why += "drain the pipeline and start under a new kafka.topic_prefix"
        yield TopicDifference("partitions", str(found.partitions), str(topic.partitions), safe=False, why=why)
    if found.replication < topic.replication:
        why = "reassign it with kafka-reassign-partitions"
        yield TopicDifference(
            "replication", str(found.replication), str(topic.replication), safe=False, why=why
        )
    config = found.config
    if is_being_removed_from(config):  # it is put back when that is done
        config = {**config, **{name: topic.config[name] for name in WHILE_REMOVING if name in topic.config}}
    for setting, wanted in topic.config.items():
        if setting not in ("cleanup.policy", "retention.ms"):
            value = config.get(setting, "unset")
            if not _good_enough(setting, value, wanted):
                safe = setting != "min.insync.replicas" or int(wanted) <= found.replication
                yield TopicDifference(setting, value, wanted, safe=safe)
    yield from _keeping(topic.config, config)


def _good_enough(setting: str, value: str, wanted: str) -> bool:
    if setting in ("min.insync.replicas", "max.message.bytes", "delete.retention.ms"):
        return value.isdigit() and int(value) >= int(wanted)
    if setting in ("segment.bytes", "segment.ms", "min.cleanable.dirty.ratio"):
        return True  # tuning: an operator's own choice stands
    return value == wanted


def _keeping(wanted: Mapping[str, str], found: Mapping[str, str]) -> Iterator[TopicDifference]:
    """Cleanup and retention: safe to change only where Kafka then deletes nothing that it keeps today."""
    safe = _kept_ms(found) <= _kept_ms(wanted)
    why = "" if safe else "it would delete what is kept today; do it yourself: kafka-configs --alter"
    old, new = (set(config.get("cleanup.policy", "delete").split(",")) for config in (found, wanted))
    if old != new:
        yield TopicDifference("cleanup.policy", ",".join(sorted(old)), ",".join(sorted(new)), safe, why)
    old_ms, new_ms = found.get("retention.ms", "unset"), wanted["retention.ms"]
    if old_ms != new_ms and "delete" in new:
        yield TopicDifference("retention.ms", old_ms, new_ms, safe, why)


def _kept_ms(config: Mapping[str, str]) -> float:
    if "delete" not in config.get("cleanup.policy", "delete") or config.get("retention.ms") == "-1":
        return math.inf
    return float(config.get("retention.ms", "inf"))


def examine(settings: Settings, facts: Facts) -> Report:
    """Compare the table with what a cluster said; changes nothing."""
    results = []
    for topic in table(settings):
        found = facts.topics.get(topic.name)
        wrong = tuple(differences(topic, found)) if found else ()
        state = TopicState.MISSING if found is None else TopicState.DIFFERS if wrong else TopicState.OK
        results.append(TopicResult(topic, state, wrong))
    hidden = [str(broker) for broker, config in facts.brokers.items() if config is None]
    notes = (
        [f"the settings of broker(s) {', '.join(hidden)} may not be read; check them yourself"]
        if hidden
        else []
    )
    removing = [name for name, topic in facts.topics.items() if is_being_removed_from(topic.config)]
    if removing:
        notes.append(
            f"{', '.join(sorted(removing))}: personal data is being removed, or that was interrupted: "
            "`pipeline erase` brings it to its end"
        )
    return Report(tuple(results), tuple(refusals(settings, facts)), tuple(notes))


def verify(settings: Settings) -> Report:
    """Check that the cluster has every topic as it must be; changes nothing.

    Raises:
        TopicsError: something is missing, differs, or would lose data.
        BrokerError: the cluster does not answer.
    """
    cluster = Cluster(client_config(settings))
    return _passed(examine(settings, cluster.facts(topic.name for topic in table(settings))))


def ensure(settings: Settings, *, apply: bool = False) -> Report:
    """Create what is missing and verify what exists; with `apply`, alter what can be altered safely.

    A cluster that would lose data is left untouched.

    Raises:
        TopicsError: the cluster would lose data, or a topic differs and was not altered.
        BrokerError: the cluster does not answer, or refuses a change.
    """
    cluster = Cluster(client_config(settings))
    names = [topic.name for topic in table(settings)]
    before = examine(settings, cluster.facts(names))
    if before.refusals:
        raise TopicsError(before)
    missing = [result.topic for result in before.results if result.state is TopicState.MISSING]
    changes = {v.topic.name: _safe_changes(v) for v in before.results if apply and _safe_changes(v)}
    cluster.create([_new(topic) for topic in missing])
    cluster.alter(changes)
    cluster.await_leaders(topic.name for topic in missing)
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        after = examine(settings, cluster.facts(names))
        # Another broker may answer this time, one that does not know of the change yet.
        if not _outstanding(after, changes) or time.monotonic() > until:
            return _passed(_told(before, after))
        time.sleep(0.05)


def _outstanding(report: Report, changes: Mapping[str, Mapping[str, str]]) -> bool:
    return any(
        result.state is TopicState.MISSING
        or any(d.setting in changes.get(result.topic.name, {}) for d in result.differences)
        for result in report.results
    )


def _new(topic: Topic) -> NewTopic:
    return NewTopic(topic.name, topic.partitions, topic.replication, config=dict(topic.config))


def _safe_changes(result: TopicResult) -> dict[str, str]:
    return {d.setting: d.wanted for d in result.differences if d.safe}


def _told(before: Report, after: Report) -> Report:
    """The state after, with what was done to reach it."""
    done = {TopicState.MISSING: TopicState.CREATED, TopicState.DIFFERS: TopicState.ALTERED}
    results = tuple(
        TopicResult(new.topic, done.get(old.state, new.state), old.differences)
        if new.state is TopicState.OK
        else new
        for old, new in zip(before.results, after.results, strict=True)
    )
    return Report(results, after.refusals, after.notes)


def _passed(report: Report) -> Report:
    if report.problems:
        raise TopicsError(report)
    return report
