"""The parts of Faust the engine leans on that Faust does not promise: a new version must be read before use.

When one of these fails after an upgrade: docs/adr/0002 lists each part and what is done with it.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any

import aiokafka
import faust
import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.consumer import AIOKafkaConsumer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.record.default_records import _DefaultRecordBatchPy
from faust import streams
from faust.app.base import App
from faust.stores.base import Store
from faust.tables import TableManager
from faust.tables.base import Collection
from faust.tables.recovery import Recovery
from faust.transport.conductor import Conductor
from faust.transport.consumer import Consumer, Fetcher, ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver
from mode.services import Service
from mode.utils.queues import ThrowableQueue

from pipeline.engine.faust.lenient import LenientRecords

#: As aiokafka has it, whether or not the engine has put its own in the place.
PartitionRecords: Any = LenientRecords.__mro__[1]

#: (owner, name, parameters): overridden or called by pipeline/engine/faust.
METHODS: list[tuple[Any, str, list[str]]] = [
    (App, "_new_transport", ["self"]),
    (App, "_create_directories", ["self"]),
    (Service, "_crash", ["self", "reason"]),
    (Service, "wait_for_stopped", ["self", "coros", "timeout"]),
    (Collection, "_new_store", ["self"]),
    (Store, "on_rebalance", ["self", "assigned", "revoked", "newly_assigned", "generation_id"]),
    (TableManager, "on_start", ["self"]),
    (TableManager, "_update_channels", ["self"]),
    (Recovery, "_set_recovery_started", ["self"]),
    (Recovery, "_wait", ["self", "coro", "timeout"]),
    (Recovery, "on_recovery_completed", ["self", "generation_id"]),
    (Consumer, "_drain_messages", ["self", "fetcher"]),
    (Consumer, "_filter_tps_with_pending_acks", ["self", "topics"]),
    (Consumer, "_new_offset", ["self", "tp"]),
    (Consumer, "_get_active_partitions", ["self"]),
    (Consumer, "_is_changelog_tp", ["self", "tp"]),
    (Consumer, "on_partitions_revoked", ["self", "revoked"]),
    (Consumer, "on_partitions_assigned", ["self", "assigned", "generation_id"]),
    (Consumer, "verify_all_partitions_active", ["self"]),
    (Consumer, "stop_flow", ["self"]),
    (Consumer, "maybe_wait_for_commit_to_finish", ["self"]),
    (ThreadDelegateConsumer, "_getmany", ["self", "active_partitions", "timeout"]),
    (driver.Consumer, "_new_consumer_thread", ["self"]),
    (driver.AIOKafkaConsumerThread, "_ensure_consumer", ["self"]),
    (driver.AIOKafkaConsumerThread, "call_thread", ["self", "fun", "args", "kwargs"]),
    (driver.AIOKafkaConsumerThread, "on_start", ["self"]),
    (
        driver.AIOKafkaConsumerThread,
        "_fetch_records",
        ["self", "consumer", "active_partitions", "timeout", "max_records"],
    ),
    (PartitionRecords, "_unpack_records", ["self"]),
    (PartitionRecords, "_consumer_record", ["self", "tp", "record"]),
    (_DefaultRecordBatchPy, "validate_crc", ["self"]),
    (Assignment, "state_value", ["self", "tp"]),
    (GroupCoordinator, "_do_heartbeat", ["self"]),
    (GroupCoordinator, "_do_commit_offsets", ["self", "assignment", "offsets"]),
    (GroupCoordinator, "close", ["self"]),
    (AIOKafkaConsumer, "pause", ["self", "partitions"]),
    (ThrowableQueue, "force_put_nowait", ["self", "item"]),
]

#: Names the engine's code relies on inside Faust's methods.
SOURCES: list[tuple[Any, list[str]]] = [
    (Consumer.commit, ["force_commit"]),
    (Consumer._commit_tps, ["_filter_committable_offsets"]),
    (Consumer._filter_committable_offsets, ["_new_offset", "_should_commit"]),
    (Consumer.__init__, ["_committed_offset"]),
    (Fetcher._fetcher.fun, ["consumer._drain_messages(self)"]),
    (fetcher.Fetcher._get_actions_per_node, ["self._fetch_max_wait_ms", "if tp in self._records"]),
    (fetcher.Fetcher._proc_fetch_request, ["MemoryRecords(part_data[-1])", "= PartitionRecords("]),
    (fetcher.FetchResult.getall, ["for msg in self._partition_records", "self._update_position()"]),
    (PartitionRecords.__next__, ["next(self._records_iterator)"]),
    (_DefaultRecordBatchPy._read_msg, ["buffer = self._buffer", '.decode("utf-8")']),
    (AIOKafkaConsumer.__init__, ["self._subscription = ", "self._coordinator = "]),
    (GroupCoordinator.reset_generation, ["self.member_id = JoinGroupRequest.UNKNOWN_MEMBER_ID"]),
    (GroupCoordinator.close, ["self._closing.done()", "self._maybe_leave_group()"]),
    (GroupCoordinator._maybe_leave_group, ["self._group_instance_id is None", "LeaveGroupRequest("]),
    (Conductor._update_tp_index, ["tp_index[tp].add(topic)"]),
    (Recovery._restart_recovery.fun, ["self.signal_recovery_start", "self.on_recovery_completed"]),
    (Recovery.on_recovery_completed, ["consumer.perform_seek()", "consumer.resume_flow()"]),
    (Recovery.on_rebalance, ["self.signal_recovery_start.set()", "self._generation_id = generation_id"]),
    (App._on_partitions_assigned, ["tables.on_rebalance"]),
    (streams.Stream._py_aiter, ["message.generation_id != self.app.consumer_generation_id"]),
]


def test_the_versions_are_those_the_engine_was_written_for() -> None:
    assert version("faust-streaming") == "0.15.3"
    assert version("mode-streaming").startswith("0.7.")
    assert aiokafka.__version__.startswith("0.14.")


@pytest.mark.parametrize(
    ("owner", "name", "parameters"), METHODS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_method_the_engine_uses_is_as_it_was(owner: Any, name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


@pytest.mark.parametrize(("function", "parts"), SOURCES, ids=lambda value: getattr(value, "__qualname__", ""))
def test_what_the_engine_relies_on_inside_is_still_there(function: Any, parts: list[str]) -> None:
    source = inspect.getsource(function)
    assert [part for part in parts if part not in source] == []


def test_faust_takes_the_classes_the_engine_puts_in() -> None:
    assert {"TableManager", "topic_disable_leader", "stream_wait_empty"} <= set(faust.Settings.SETTINGS)
    assert isinstance(inspect.getattr_static(TableManager, "recovery"), property)
    assert App.BootStrategy.enable_kafka_producer is None
