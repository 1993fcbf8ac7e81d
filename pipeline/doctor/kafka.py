"""Asks Kafka once for all that is said of it."""

from __future__ import annotations

from pipeline.doctor.cluster import DURABILITY, TOPICS, drift, durability
from pipeline.doctor.context import Context
from pipeline.doctor.findings import Finding, ok, problem
from pipeline.errors import BrokerError
from pipeline.kafka import topic_check
from pipeline.kafka.admin import OFFSETS_TOPIC, Cluster
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import table

KAFKA = "kafka"
#: Seconds for each of its answers.
ASK_SECONDS = 8.0


def examine(context: Context) -> list[Finding]:
    """Whether it answers, keeps what it confirms, and has the topics."""
    settings = context.settings
    try:
        config = client_config(settings)
        cluster = Cluster(config, ASK_SECONDS)
        names = [topic.name for topic in table(settings)]
        facts = cluster.facts(names)
        partitions = cluster.partitions([*names, OFFSETS_TOPIC])
    except BrokerError as error:
        return [problem(KAFKA, error.message, error.hint or "see docs/runbooks/KafkaAway.md")]
    report = topic_check.examine(settings, facts)
    embedded = settings.kafka.bootstrap is None
    return [
        ok(KAFKA, f"{config['bootstrap.servers']} answers"),
        *durability(report, facts, partitions, embedded=embedded),
        *drift(report),
    ]


__all__ = ["DURABILITY", "KAFKA", "TOPICS", "examine"]
