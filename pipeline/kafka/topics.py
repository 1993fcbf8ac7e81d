"""Every topic this program uses, in one table.

Partition counts are fixed for the life of a topic: keys would move and lose their order. Retention counts
from arrival (`LogAppendTime`), whatever a producer's clock or a pulled order's age says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pipeline.config import Settings
from pipeline.events import Kind
from pipeline.kafka.keys import entity_key, partition_of_key
from pipeline.records import RecordKind

TRANSLATE_APP = "pipeline-translate"
DELIVER_APP = "pipeline-deliver"
SYNC_APP = "pipeline-sync"
RECEIPTS = "connectif.receipts"
COUPONS_USED = "coupons.used"
DEADLETTERS = "deadletters"
#: What was done about dead letters.
DEADLETTER_STATES = "deadletters.state"
#: Chosen events of `shop.*`, once more; in the partitions they lie in there.
REPLAY = "shop.replay"
#: How far each replay is: the newest of each run.
REPLAY_RUNS = "replay.runs"
#: Who is to be erased, and what was done about it.
ERASE_REQUESTS = "erase.requests"
#: Which process reconciles a store today, and what came of the last run.
RECONCILE_RUNS = "reconcile.runs"
#: Notifications whose documents are to be fetched from the shops' APIs.
SYNC_REQUESTS_TOPIC = "sync.requests"
#: What operators want of the pulls from shops' APIs.
SYNC_COMMANDS_TOPIC = "sync.commands"
#: What Connectif says of newsletters, and what it was told: for the owner of each shop's API.
SYNC_CONSENTS_TOPIC = "sync.consents"
DEADLETTER_PARTITIONS = 4

DAY_MS = 86_400_000
#: Days for which what a replay repeated is kept: translate may be down for a few of them.
REPLAY_DAYS = 7
#: Days for which it is remembered what either side said of a person's newsletter, to know an echo by.
STATEMENT_DAYS = 30
#: What headers, key and framing add to a body of the gateway's largest size.
MESSAGE_OVERHEAD = 256 * 1024


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it must be; `name` has its prefix."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


def full_name(settings: Settings, name: str) -> str:
    """The name on the cluster of a topic, an application id or a consumer group: with the prefix."""
    return settings.kafka.topic_prefix + name


def letter_partition(key: bytes) -> int:
    """The partition of `deadletters` that holds the letters of what this message key is about."""
    return partition_of_key(entity_key(key), DEADLETTER_PARTITIONS)


def changelog(app_id: str, table: str) -> str:
    """The changelog topic of a stage's table, without the prefix."""
    return f"{app_id}-{table}-changelog"


def table(settings: Settings) -> tuple[Topic, ...]:
    """Every topic, as these settings want it."""
    kafka = settings.kafka
    state_days, told_days = settings.translate.state_days, settings.deliver.state_days
    topics = [
        *(_log(settings, kind.topic, kafka.shop_partitions, kafka.shop_retention_days) for kind in Kind),
        *(
            _log(settings, kind.topic, kafka.account_partitions, kafka.record_retention_days)
            for kind in RecordKind
        ),
        _log(settings, RECEIPTS, kafka.account_partitions, kafka.receipt_retention_days),
        _log(settings, COUPONS_USED, kafka.shop_partitions, kafka.shop_retention_days),
        _log(settings, DEADLETTERS, DEADLETTER_PARTITIONS, kafka.dead_retention_days),
        # A row is younger than its letter, so it outlives it.
        _table(settings, DEADLETTER_STATES, DEADLETTER_PARTITIONS, kafka.dead_retention_days),
        _log(settings, REPLAY, kafka.shop_partitions, REPLAY_DAYS),
        _table(settings, REPLAY_RUNS, 1),
        _table(settings, ERASE_REQUESTS, 1),
        # Who made a claim first must be read by all: what is younger than a day is not compacted.
        _table(settings, RECONCILE_RUNS, 1, more={"min.compaction.lag.ms": str(DAY_MS)}),
        _log(settings, SYNC_REQUESTS_TOPIC, kafka.account_partitions, kafka.record_retention_days),
        _log(settings, SYNC_COMMANDS_TOPIC, kafka.account_partitions, kafka.record_retention_days),
        _log(settings, SYNC_CONSENTS_TOPIC, kafka.account_partitions, kafka.record_retention_days),
        _changelog(settings, TRANSLATE_APP, "entities", kafka.shop_partitions, state_days),
        _changelog(settings, TRANSLATE_APP, "tally", kafka.shop_partitions),
        _changelog(settings, DELIVER_APP, "pending", kafka.account_partitions),
        _changelog(settings, DELIVER_APP, "delivered", kafka.account_partitions, told_days),
        _changelog(settings, DELIVER_APP, "tally", kafka.account_partitions),
        _changelog(settings, SYNC_APP, "requests", kafka.account_partitions),
        _changelog(settings, SYNC_APP, "feeds", kafka.account_partitions),
        _changelog(settings, SYNC_APP, "pulls", kafka.account_partitions),
        _changelog(settings, SYNC_APP, "pulled", kafka.account_partitions),
        _changelog(settings, SYNC_APP, "consents", kafka.account_partitions),
        _changelog(settings, SYNC_APP, "statements", kafka.account_partitions, STATEMENT_DAYS),
    ]
    return tuple(topics)


def _log(settings: Settings, name: str, partitions: int, retention_days: int) -> Topic:
    """A topic that is a history: kept whole for its days."""
    config = {"cleanup.policy": "delete", "retention.ms": str(retention_days * DAY_MS)}
    return _topic(settings, name, partitions, config)


def _changelog(settings: Settings, app_id: str, name: str, partitions: int, days: int | None = None) -> Topic:
    """A topic that is a table: the newest value of each key, for ever or for the table's days."""
    return _table(settings, changelog(app_id, name), partitions, days)


def _table(
    settings: Settings,
    name: str,
    partitions: int,
    days: int | None = None,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Topic:
    config = {
        "cleanup.policy": "compact,delete" if days else "compact",
        "retention.ms": str(days * DAY_MS) if days else "-1",
        # Only closed segments are compacted: small ones keep the restore of a lost state store short.
        "segment.bytes": str(64 * 1024 * 1024),
        "segment.ms": str(DAY_MS),
        "min.cleanable.dirty.ratio": "0.2",
        # A worker away for longer than this would miss deletions and keep what is gone.
        "delete.retention.ms": str(settings.kafka.record_retention_days * DAY_MS),
        **more,
    }
    return _topic(settings, name, partitions, config)


def _topic(settings: Settings, name: str, partitions: int, config: Mapping[str, str]) -> Topic:
    kafka = settings.kafka
    common = {
        "min.insync.replicas": str(kafka.min_insync),
        "max.message.bytes": str(kafka.max_message_bytes),
        "message.timestamp.type": "LogAppendTime",
        "unclean.leader.election.enable": "false",
        # A limit in bytes set for the whole cluster would cut the days short.
        "retention.bytes": "-1",
    }
    return Topic(full_name(settings, name), partitions, kafka.replication, {**config, **common})
