"""The baseline of ingest: a bare ASGI application on uvicorn that reads the body, produces it and answers.

    python -m benchmarks.bare PORT BOOTSTRAP TOPIC

No signature, no checks, no headers, no metrics, no spool: what the server and the producer cost alone.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
from typing import Any

import uvicorn
from confluent_kafka import Producer

from pipeline.observe import Receive, Scope, Send

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"11")]


class Bare:
    """A thread polls and resolves each report by itself: the usual way to use this producer in asyncio."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        self._numbers = itertools.count()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 5,
                "compression.type": "lz4",
            }
        )
        threading.Thread(target=self._poll, daemon=True).start()

    def _poll(self) -> None:
        while True:
            self._producer.poll(0.1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Take one body."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[None] = loop.create_future()

        def delivered(error: Any, _message: Any) -> None:
            assert error is None
            loop.call_soon_threadsafe(stored.set_result, None)

        key = b"order|%d" % (next(self._numbers) % 1_000)
        self._producer.produce(self._topic, body, key, on_delivery=delivered)
        await stored
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": b'{"ok":true}'})


if __name__ == "__main__":
    uvicorn.run(
        Bare(sys.argv[2], sys.argv[3]),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
    )
