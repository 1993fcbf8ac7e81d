"""The Faust application of a stage, with the settings measured to be right (docs/adr/0002)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.types.transports import TransportT
from yarl import URL

from pipeline.config import Settings
from pipeline.engine.consumer import RoundTransport
from pipeline.engine.recovery import BulkTableManager
from pipeline.engine.security import credentials
from pipeline.kafka import bootstrap, security
from pipeline.topics import full_name

COMMIT_EVERY = 1.0
#: Modules whose classes are services of Faust's, which tell of every start and stop.
_SERVICES = ("app", "consumer", "recovery", "table", "thread")


class _Boot(BootStrategy):
    """No producer of Faust's (`producer.Sender` is ours), no web server (`pipeline.observe` is ours)."""

    enable_kafka_producer = False
    enable_web = False


class StageApp(faust.App):
    """A Faust app that reads in rounds and ends the process where Faust would restart a service."""

    BootStrategy = _Boot
    #: Set by the engine.
    on_fatal: Callable[[BaseException], None]

    def _new_transport(self) -> TransportT:
        return RoundTransport(self.conf.broker_consumer, self)

    def _crash(self, reason: BaseException) -> None:
        self.on_fatal(reason)


def instance_id(settings: Settings, app_id: str, worker: str) -> str:
    """The worker's name in its group."""
    return f"{full_name(settings, app_id)}-{worker}"


def make_app(app_id: str, settings: Settings, *, worker: str, directory: Path, round_size: int) -> StageApp:
    """A Faust app for one worker of a stage.

    Args:
        app_id: the stage's id, without the prefix: its consumer group and the start of its changelogs.
        settings: where Kafka is.
        worker: the worker's name; unique among the stage's workers, and the same after a restart, so that
            it gets its partitions back at once.
        directory: the worker's own, with its state stores; exists.
        round_size: the most records in one round.

    Raises:
        BrokerError: no broker is set or runs.
        SettingsError: a security setting that cannot be followed.
    """
    for logger in ("faust", "mode", "aiokafka", *(f"pipeline.engine.{part}" for part in _SERVICES)):
        # On the loggers, not on a handler: otherwise every debug record is built and then dropped.
        logging.getLogger(logger).setLevel(logging.WARNING)
    # Faust tells of a missing topic-creation right at every start; `pipeline topics` creates them.
    logging.getLogger("faust.transport.drivers.aiokafka").setLevel(logging.ERROR)
    name = full_name(settings, app_id)
    servers = [URL(f"kafka://{server.strip()}") for server in bootstrap(settings).split(",")]
    options: dict[str, Any] = {
        "broker": servers,
        "broker_credentials": credentials(security(settings)),
        "broker_client_id": "pipeline",
        "broker_session_timeout": settings.kafka.session_timeout,
        "broker_heartbeat_interval": min(3.0, settings.kafka.session_timeout / 3),
        "broker_commit_interval": COMMIT_EVERY,
        "broker_max_poll_records": round_size,
        # A long restore is no reason to leave the group; a hung process is its supervisor's business.
        "broker_max_poll_interval": 86_400.0,
        "consumer_group_instance_id": instance_id(settings, app_id, worker),
        "consumer_auto_offset_reset": "earliest",
        "datadir": directory,
        "store": "memory://",
        "table_standby_replicas": 0,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "stream_wait_empty": False,
        "web_enabled": False,
        "autodiscover": False,
        "TableManager": BulkTableManager,
    }
    return StageApp(name, **options)
