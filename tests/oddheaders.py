"""Writes a message whose header's name is no UTF-8: no client lets one, and Kafka takes it."""

from __future__ import annotations

import struct
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c


def batch(name: bytes, value: bytes = b"v") -> bytes:
    """One record with one header."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1_000_000)
    builder.append(0, 1_700_000_000_000, b"k", value, [("X" * len(name), b"h")])
    raw = bytearray(bytes(builder.build()).replace(b"X" * len(name), name, 1))
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    return bytes(raw)


async def produce(server: str, topic: str, partition: int, records: bytes) -> Any:
    """Send a batch to the partition's leader; returns Kafka's answer."""
    host, _, port = server.rpartition(":")
    connection = await create_conn(host, int(port))
    try:
        request = ProduceRequest(None, -1, 10_000, [(topic, [(partition, records)])])
        return await connection.send(request)
    finally:
        connection.close()
