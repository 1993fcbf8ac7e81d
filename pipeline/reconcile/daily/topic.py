"""Claims and results on the topic `reconcile.runs`: of each store the newest, whoever wrote them."""

from __future__ import annotations

import threading
from collections import defaultdict
from types import TracebackType
from typing import Annotated, Self

from pydantic import Field, TypeAdapter, ValidationError

from pipeline.config import Settings
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import RECONCILE_RUNS, full_name
from pipeline.reconcile.daily.claims import ReconcileClaim, ReconcileResult, StoreRuns

_DOCUMENT: TypeAdapter[ReconcileClaim | ReconcileResult] = TypeAdapter(
    Annotated[ReconcileClaim | ReconcileResult, Field(discriminator="what")]
)
#: A claim that arrives later than this would be one of a run that was given up.
TRIED_MS = 30_000


class DailyRuns:
    """Reads and writes them; a context manager. Blocks.

    Args:
        settings: the program's.

    Attributes:
        stores: by name, as of the last `read`.
    """

    def __init__(self, settings: Settings) -> None:
        config = client_config(settings)
        self._topic = full_name(settings, RECONCILE_RUNS)
        self._reader = RangeReader(config)
        self._producer = Producer(
            config,
            max_message_bytes=settings.kafka.max_message_bytes,
            linger_ms=1,
            timeout_ms=TRIED_MS,
        )
        #: A thread that was given up may still be at it.
        self._reading = threading.Lock()
        self._next = 0
        self.stores: defaultdict[str, StoreRuns] = defaultdict(StoreRuns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.__exit__(kind, error, trace)
        self._producer.close()

    def read(self) -> None:
        """Bring `stores` to the end of the topic.

        Raises:
            PipelineError: it cannot be read.
        """
        place = TopicPartition(self._topic, 0)
        with self._reading:
            for batch in self._reader.read(self._reader.ranges(self._topic, start={place: self._next})):
                for message in batch.messages():
                    self._take(message.value, message.timestamp)
                self._next = batch.next

    def write(self, said: ReconcileClaim | ReconcileResult) -> None:
        """Write a document; returns once it is confirmed.

        Raises:
            PipelineError: Kafka does not take it.
        """
        key = f"{said.store}|{said.what}".encode()
        self._producer.send_all([Outgoing(self._topic, said.model_dump_json().encode(), key, 0)])

    def _take(self, value: bytes | None, at_ms: int) -> None:
        try:
            said = _DOCUMENT.validate_json(value or b"")
        except ValidationError:
            return  # of another release, or of another program
        self.stores[said.store].take(said, at_ms)
