"""`pipeline worker reconcile`: of several processes one makes each day's run, and all show its result."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from os import utime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tomli_w import dumps

from pipeline.local.ports import free_port
from tests.broker import KafkaSettings
from tests.local_http import http
from tests.processes import wait_until
from tests.settings_trees import store_tree, stores_tree

pytestmark = pytest.mark.kafka

#: Yesterday, so that it is among the days that are compared.
PLACED = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds")


class Worker:
    """One of the processes."""

    def __init__(self, path: Path, log: Path) -> None:
        self.port, self._log = free_port(), log
        command = [sys.executable, "-m", "pipeline", "worker", "reconcile", "--config", str(path)]
        with log.open("ab") as file:
            self.process = subprocess.Popen([*command, "--port", str(self.port)], stdout=file, stderr=file)

    def figure(self, series: str) -> float | None:
        """Of a series as it is written; None while there is none."""
        try:
            page = http.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5).text
        except httpx.HTTPError:
            return None
        found = re.search(rf"^{re.escape(series)} (\S+)$", page, re.MULTILINE)
        return None if found is None else float(found[1])

    def waits_for(self, series: str, value: float) -> None:
        """Wait until a series has a value."""
        wait_until(lambda: self.figure(series) == value, 60, every=0.2)

    def said(self) -> str:
        """Its log."""
        return self._log.read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it."""
        self.process.send_signal(number)
        return self.process.wait(30)


class Place:
    """A store with a list, of which no event ever came, and one whose list is old."""

    def __init__(self, directory: Path, settings: KafkaSettings) -> None:
        self.directory, self._workers = directory, 0
        self.list, self.old = directory / "orders.csv", directory / "old.csv"
        for path in (self.list, self.old):
            path.write_text(f"id,created_at,total,status\n1,{PLACED},10.00,paid\n2,{PLACED},5.00,paid\n")
        long_ago = (datetime.now(UTC) - timedelta(days=3)).timestamp()
        utime(self.old, (long_ago, long_ago))
        self.reports = directory / "reports"
        tree = settings.tree()
        stores = stores_tree(**{"acme-es": store_tree(), "late": store_tree(), "quiet": store_tree()})
        stores["stores"]["acme-es"]["reconcile"] = {
            "at": "00:00",
            "shop": "orders.csv",
            "reports": "reports",
            "repair": True,
        }
        stores["stores"]["late"]["reconcile"] = {"at": "00:00", "shop": "old.csv"}
        self.path = directory / "pipeline.toml"
        self.path.write_text(dumps({**tree, **stores}))
        self.running: list[Worker] = []

    def worker(self) -> Worker:
        """One more process."""
        self._workers += 1
        made = Worker(self.path, self.directory / f"worker{self._workers}.log")
        self.running.append(made)
        return made


@pytest.fixture(name="place", scope="module")
def _place(kafka: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("daily")
    settings = KafkaSettings(kafka.bootstrap, directory)
    settings()
    place = Place(directory, settings)
    yield place
    for worker in place.running:
        worker.process.kill()
        worker.process.wait()
    settings.remove_topics()


MISSING = 'pipeline_reconcile_orders{result="missing",store="acme-es"}'


def test_one_of_two_processes_makes_the_run_and_both_show_it(place: Place) -> None:
    workers = [place.worker(), place.worker()]
    for worker in workers:
        worker.waits_for(MISSING, 2)
        assert worker.figure('pipeline_reconcile_overdue_seconds{store="acme-es"}') == 0
        assert worker.figure('pipeline_reconcile_failed_runs{store="acme-es"}') == 0
        last = worker.figure('pipeline_reconcile_last_run_timestamp_seconds{store="acme-es"}')
        assert last is not None
        assert abs(datetime.now(UTC).timestamp() - last) < 120
        assert worker.figure('pipeline_ready{process="reconcile"}') == 1
    said = "".join(worker.said() for worker in workers)
    assert said.count("store acme-es: reconciling its orders") == 1
    assert "store acme-es: 2 orders of " in said
    assert "2 missing in Connectif" in said
    assert "nothing is sent again; not: 2 of which no event came" in said


def test_the_reports_lie_where_the_setting_says_for_the_user_alone(place: Place) -> None:
    found = {path.suffix: path for path in (place.reports / "acme-es").iterdir()}
    assert found.keys() == {".csv", ".html"}
    for path in found.values():
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0
    assert "never received" in found[".html"].read_text()


def test_a_list_that_was_not_written_anew_is_a_failed_run_and_says_so(place: Place) -> None:
    for worker in place.running:
        worker.waits_for('pipeline_reconcile_failed_runs{store="late"}', 1)
        overdue = worker.figure('pipeline_reconcile_overdue_seconds{store="late"}')
        assert overdue is not None
        assert overdue > 0
        assert worker.figure('pipeline_reconcile_orders{result="missing",store="late"}') is None
    said = "".join(worker.said() for worker in place.running)
    assert said.count("store late: the daily reconcile failed: ") == 1
    assert "export the orders each day before the time of the run" in said


def test_a_process_that_starts_again_shows_the_run_and_makes_none(place: Place) -> None:
    for worker in place.running:
        assert worker.stop() == 0
    again = place.worker()
    again.waits_for(MISSING, 2)
    assert "reconciling its orders" not in again.said()
    assert again.stop() == 0
