"""A broker of one test alone, with settings that the pipeline's own has not."""

from __future__ import annotations

import base64
import contextlib
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.kafka.address import answers
from pipeline.local.artefacts import class_path
from pipeline.local.java import find_java
from pipeline.local.node import BrokerAddress, JavaRuntime, Node
from pipeline.local.ports import following
from tests.processes import wait_until


def address(taken: set[int]) -> BrokerAddress:
    """Ports for it; they are among the taken ones from then on."""
    return BrokerAddress(1, following(0, 0, taken), following(0, 0, taken))


@contextlib.contextmanager
def own_broker(directory: Path, place: BrokerAddress, settings: Mapping[str, object]) -> Iterator[None]:
    """Run it, answering at `place`, with these settings over its usual ones."""
    runtime = JavaRuntime(find_java(), class_path(lambda _: None))
    node = Node(place, [place], directory / "broker", runtime)
    with (directory / "broker" / "server.properties").open("a", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in settings.items())
    node.format(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))
    node.start()

    def is_up() -> bool:
        if node.pid is None:
            raise node.failure()
        if answers(place.address, 1):
            with contextlib.suppress(KafkaException):
                AdminClient({"bootstrap.servers": place.address}).list_topics(timeout=5)
                return True
        return False

    try:
        wait_until(is_up, 90)
        yield
    finally:
        node.terminate()
        node.end(10)
