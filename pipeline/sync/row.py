"""A row of the table `requests`: a notification with its place."""

from __future__ import annotations

import base64

import orjson

from pipeline.events import RawEvent
from pipeline.kafka.fetches import FetchRequest


def encode(request: FetchRequest) -> bytes:
    """The row."""
    event = request.event
    headers = [[name, value.decode()] for name, value in event.to_kafka_headers()]
    body = base64.b64encode(event.body).decode()
    return orjson.dumps({"place": request.place, "headers": headers, "body": body})


def decode(row: bytes) -> FetchRequest:
    """Read a row that `encode` wrote."""
    said = orjson.loads(row)
    headers = [(name, value.encode()) for name, value in said["headers"]]
    return FetchRequest(said["place"], RawEvent.from_kafka(base64.b64decode(said["body"]), headers))
