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
from pipeline.engine.faust.consumer import RoundTransport
from pipeline.engine.faust.recovery import BulkTableManager
from pipeline.engine.faust.security import credentials
from pipeline.kafka.settings import aiokafka_config
from pipeline.kafka.topics import full_name

COMMIT_EVERY = 1.0
#: Seconds. With the answer to one a worker learns that another joins, and all wait until the last has.
HEARTBEAT = 1.0


class _Boot(BootStrategy):
    """No producer of Faust's and no web server: the engine has its own."""

    enable_kafka_producer = False
    enable_web = False


class StageApp(faust.App):
    """A Faust app that reads in rounds and ends the process where Faust would restart a service."""

    BootStrategy = _Boot
    #: Set by the runtime.
    on_fatal: Callable[[BaseException], None]

    def _new_transport(self) -> TransportT:
        return RoundTransport(self.conf.broker_consumer, self)

    def _crash(self, reason: BaseException) -> None:
        self.on_fatal(reason)


def make_app(
    app_id: str,
    settings: Settings,
    *,
    instance: str,
    directory: Path,
    round_size: int,
    client_id: str | None = None,
) -> StageApp:
    """A Faust app for one worker of a stage.

    Args:
        app_id: the stage's id, without the prefix: its consumer group and the start of its changelogs.
        settings: where Kafka is.
        instance: the worker's name in its group; unique there, and the same after a restart, so that it gets
            its partitions back at once.
        directory: the worker's own, with its state stores; exists.
        round_size: the most records in one round.
        client_id: what the group shows of the worker; None: what all clients of this program say.

    Raises:
        BrokerError: no broker is set or runs.
        SettingsError: a security setting that cannot be followed.
    """
    for logger in ("faust", "mode", "aiokafka", "pipeline.engine.faust"):
        # On the loggers, not on a handler: otherwise every debug record is built and then dropped.
        logging.getLogger(logger).setLevel(logging.WARNING)
    # Faust logs a missing right to create topics at every start; `pipeline topics` creates them.
    logging.getLogger("faust.transport.drivers.aiokafka").setLevel(logging.ERROR)
    name = full_name(settings, app_id)
    client = aiokafka_config(settings)
    options: dict[str, Any] = {
        "broker": [URL(f"kafka://{server}") for server in client.bootstrap_servers],
        "broker_credentials": credentials(client),
        "broker_client_id": client_id or client.client_id,
        "broker_session_timeout": settings.kafka.session_timeout,
        "broker_heartbeat_interval": min(HEARTBEAT, settings.kafka.session_timeout / 3),
        "broker_commit_interval": COMMIT_EVERY,
        "broker_max_poll_records": round_size,
        # A long restore is no reason to leave the group; a hung process is its supervisor's business.
        "broker_max_poll_interval": 86_400.0,
        "consumer_group_instance_id": instance,
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
