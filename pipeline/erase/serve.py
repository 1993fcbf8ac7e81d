"""The process that works on what shops ask for: it looks for requests, and does one after the other."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
import time

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.config import Settings
from pipeline.console import Console
from pipeline.erase.requests import Request, Requests, now_ms
from pipeline.erase.run import Erasure, alone
from pipeline.errors import PipelineError
from pipeline.kafka import removal
from pipeline.kafka.erase_requests import Wanted
from pipeline.kafka.exclusive import AtWork
from pipeline.kafka.reader import Stopped
from pipeline.listening import bound_socket
from pipeline.metrics import READY
from pipeline.observe import observed

log = logging.getLogger(__name__)

#: Seconds between two looks for requests, and after which one that failed is tried again.
LOOK, AGAIN = 10.0, 300.0
#: Seconds without a look after which the process counts as not ready.
SILENT = 120.0


class ErasureCollector(Collector):
    """How the requests stand."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def collect(self) -> list[GaugeMetricFamily]:
        """Read at every scrape."""
        waiting = GaugeMetricFamily(
            "pipeline_erase_requests_open",
            "Requests to erase or show a person that are not done; those for data wait for an operator.",
            labels=["store", "wanted"],
        )
        overdue = GaugeMetricFamily(
            "pipeline_erase_requests_overdue",
            "Requests whose days are over and that are not done: above 0, the law is being broken.",
            labels=["store", "wanted"],
        )
        due = GaugeMetricFamily(
            "pipeline_erase_due_timestamp_seconds",
            "When the first request that is not done is due.",
            labels=["store", "wanted"],
        )
        now = now_ms()
        groups: dict[tuple[str, str], list[Request]] = {}
        for request in self.requests:
            groups.setdefault((request.asked.store, request.asked.wanted.value), []).append(request)
        for labels, requests in groups.items():
            still = [request for request in requests if not request.is_over]
            waiting.add_metric(labels, len(still))
            overdue.add_metric(labels, sum(request.is_overdue(now) for request in requests))
            if still:
                due.add_metric(labels, min(request.asked.due_ms for request in still) / 1_000)
        return [waiting, overdue, due]


class ErasureService:
    """Does what is asked for, in a thread of its own.

    Args:
        settings: the program's.
        collector: is told of all requests.
    """

    def __init__(self, settings: Settings, collector: ErasureCollector) -> None:
        self._settings = settings
        self._collector = collector
        self._stop = threading.Event()
        self._looked = time.monotonic()
        self._failed: dict[str, float] = {}

    def stop(self) -> None:
        """End as soon as the step in hand allows it."""
        self._stop.set()

    def not_ready(self) -> str | None:
        """Why it does nothing now; None where it does."""
        silent = time.monotonic() - self._looked
        return f"requests could not be read for {silent:.0f} s" if silent > SILENT else None

    def run(self) -> None:
        """Look and work until `stop`."""
        while not self._stop.is_set():
            try:
                with Requests(self._settings) as requests:
                    self._finish()
                    while not self._stop.is_set():
                        self._round(requests)
                        self._stop.wait(LOOK)
            except Stopped:
                return
            except PipelineError as error:
                log.warning("requests cannot be worked on, and are tried again: %s", error)
                self._stop.wait(LOOK)

    def _finish(self) -> None:
        """What was left of a removal that was killed."""
        try:
            removal.finish(self._settings, stop=self._stop.is_set)
        except Stopped:
            raise
        except PipelineError as error:
            log.warning("an earlier removal is not brought to its end yet: %s", error)

    def _round(self, requests: Requests) -> None:
        found = list(requests.read().values())
        self._collector.requests = found
        self._looked = time.monotonic()
        for request in found:
            if self._stop.is_set():
                return
            waits = self._failed.get(request.asked.id, 0.0) > time.monotonic()
            if request.is_over or request.asked.wanted is Wanted.DATA or waits:
                continue
            if request.asked.store in self._settings.stores:
                self._work(requests, request)

    def _work(self, requests: Requests, request: Request) -> None:
        name = request.asked.id
        # Kafka may be asked and workers waited for, for minutes: that is work, not silence.
        self._looked = time.monotonic() + 7 * 3_600.0
        try:
            with alone(self._settings, "pipeline erase serve"):
                log.info("request %s: its erasure begins", name, extra={"event": "erase.begins"})
                quiet = Console(stderr=True, quiet=True)
                work = Erasure(self._settings, requests, quiet, stop=self._stop.is_set)
                work.work(requests.get(name))
        except AtWork:
            return  # whoever is at it may be doing this one
        except PipelineError as error:
            self._failed[name] = time.monotonic() + AGAIN
            log.warning("request %s is not done, and is tried again: %s", name, error)
        else:
            log.info("request %s: done", name, extra={"event": "erase.done"})
        finally:
            self._looked = time.monotonic()


def serve(settings: Settings, host: str, port: int) -> None:
    """Work on requests until SIGTERM or SIGINT.

    Raises:
        PipelineError: the address cannot be bound.
    """
    sock = bound_socket(host, port)
    collector = ErasureCollector()
    REGISTRY.register(collector)
    service = ErasureService(settings, collector)
    READY.labels("erase").set_function(lambda: float(service.not_ready() is None))
    asyncio.run(_serve(service, sock))


async def _serve(service: ErasureService, sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop)
    async with observed("erase", service.not_ready, sock):
        await asyncio.to_thread(service.run)
