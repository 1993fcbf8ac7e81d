"""Faust as it comes, tuned: counting messages one by one, or restoring a table of its own.

    python -m benchmarks.baseline_faust count SETTINGS PORT
    python -m benchmarks.baseline_faust restore SETTINGS PORT

`restore` opens the changelog of the translate stage's entities as a table of Faust's, and counts once when
it is back.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

import faust
import uvloop
from prometheus_client import Counter, start_http_server

from pipeline import config
from pipeline.config import Settings
from pipeline.events import Kind
from pipeline.kafka.topics import TRANSLATE_APP, full_name

HANDLED = Counter("bench_handled_total", "Messages handled.")


def make_app(settings: Settings, name: str) -> faust.App:
    """The settings that helped most, on Faust's own consumer, streams and tables."""
    datadir = settings.data_dir / f"faust-{name}"
    datadir.mkdir(parents=True)
    options: dict[str, Any] = {
        "broker": f"kafka://{settings.kafka.bootstrap}",
        "datadir": datadir,
        "store": "rocksdb://",
        "stream_wait_empty": False,
        "stream_buffer_maxsize": 16_384,
        "broker_session_timeout": 15.0,
        "consumer_auto_offset_reset": "earliest",
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "table_standby_replicas": 0,
        "web_enabled": False,
    }
    return faust.App(full_name(settings, name), **options)


async def _run(task: str, settings: Settings) -> None:
    app = make_app(settings, TRANSLATE_APP if task == "restore" else "faust-count")
    topic = app.topic(*(full_name(settings, kind.topic) for kind in Kind), value_serializer="raw")
    if task == "restore":
        table = app.Table("entities", key_type=bytes, value_type=bytes, options={"driver": "rocksdict"})

        @table.on_recover
        async def recovered() -> None:
            HANDLED.inc()

    @app.agent(topic)
    async def count(stream: Any) -> None:
        async for _ in stream.noack().events():
            if task == "count":
                HANDLED.inc()

    await app.start()
    await asyncio.Event().wait()


def main() -> None:
    """Run until killed."""
    for name in ("faust", "mode", "aiokafka"):
        logging.getLogger(name).setLevel(logging.WARNING)
    task, settings, port = sys.argv[1], config.load(Path(sys.argv[2])), int(sys.argv[3])
    start_http_server(port, "127.0.0.1")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(task, settings))


if __name__ == "__main__":
    main()
