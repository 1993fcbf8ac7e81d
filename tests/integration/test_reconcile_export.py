"""Connectif's export of activities, asked for: in windows, within the limit, going on after an end."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tomli_w import dumps

from pipeline import config
from pipeline.errors import PipelineError
from pipeline.local.ports import free_port
from pipeline.reconcile import activities_export
from pipeline.reconcile.activities_export import WINDOW, ActivitiesExport, windows
from pipeline.reconcile.connectif_export import ExportedPurchase
from tests.connectif_sandbox import EMAIL, PRODUCT, PURCHASE
from tests.integration.delivering import SPEED, Connectif
from tests.local_http import http

KEY = {"Authorization": "apiKey acme:secret"}
COUNT = 12


class Account:
    """A sandbox with a purchase a month."""

    def __init__(self, directory: Path) -> None:
        port = free_port()
        account = {
            "api_key": "acme:secret",
            "base_url": f"http://127.0.0.1:{port}",
            "calls_per_minute": 100,
            "window_seconds": 60 / SPEED,
        }
        path = directory / "pipeline.toml"
        switches = {"export_date_by": "purchase"}
        tree = {
            "data_dir": str(directory / "data"),
            "accounts": {"acme": account},
            "sandbox": {"switches": switches},
        }
        path.write_text(dumps(tree))
        self.settings = config.load(path).accounts["acme"]
        self.connectif = Connectif(path, port)
        self.begins(directory / "exports")
        self.call("PATCH", f"/contacts/email/{EMAIL}", {})
        self.call("PATCH", "/products/product-id/p1", {**PRODUCT})
        for number in range(COUNT):
            placed = f"2026-{number + 1:02}-15T10:00:00Z"
            body = {**PURCHASE, "purchaseId": str(number), "totalPrice": 10.5, "purchaseDate": placed}
            assert self.call("POST", "/purchases/", body) == 201

    def call(self, method: str, path: str, body: object = None) -> int:
        """A call of somebody else's."""
        url = f"{self.connectif.url}{path}"
        return http.request(method, url, json=body, headers=KEY, timeout=30).status_code

    def begins(self, kept: Path) -> None:
        """Another test: nothing is kept, and nothing was asked for."""
        self.kept = kept
        self._before = self.connectif.calls_of("acme", "POST", "/exports/")

    def export(self, **how: Any) -> ActivitiesExport:
        """An export, of a process that begins now."""
        return ActivitiesExport(
            "acme",
            self.settings,
            50,
            self.kept,
            columns=how.pop("columns", {}),
            zone=ZoneInfo("UTC"),
            decimal=None,
            timeout=5.0,
            **how,
        )

    def files(self, run: int = 1) -> list[Path]:
        """What a run has kept; of several at a time each has a number."""
        return [path for path in (self.kept / str(run)).iterdir() if path.name != "lock"]

    def exports(self) -> int:
        """How many were asked for."""
        return self.connectif.calls_of("acme", "POST", "/exports/") - self._before


@pytest.fixture(name="sandbox", scope="module")
def _sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    made = Account(tmp_path_factory.mktemp("exports"))
    yield made
    made.connectif.stop()


@pytest.fixture(name="account")
def _account(sandbox: Account, tmp_path: Path) -> Iterator[Account]:
    sandbox.begins(tmp_path / "exports")
    yield sandbox
    sandbox.connectif.faults_gone()
    sandbox.connectif.switch(export_queue_seconds=2.0, export_purchase_id=True)


def year() -> tuple[datetime, datetime]:
    """Where the purchases lie."""
    return datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


def test_a_year_comes_in_windows_with_ids_dates_and_totals(account: Account) -> None:
    seen: list[tuple[int, int]] = []
    export = account.export(progress=lambda done, of: seen.append((done, of)))
    found = list(export.read(*year()))
    at = int(datetime(2026, 1, 15, 10, tzinfo=UTC).timestamp() * 1_000)
    assert found[0] == ExportedPurchase("0", at, Decimal("10.5"))
    assert sorted(int(one.id) for one in found) == list(range(COUNT))
    assert account.exports() == len(windows(*year())) == seen[-1][1] == 13
    assert account.connectif.stats("acme")["refused"] == 0
    assert export.ends_ms <= year()[1].timestamp() * 1_000


def test_what_is_kept_names_nobody_and_is_the_users_own(account: Account) -> None:
    reading = account.export().read(*year())
    next(reading)
    for path in (account.kept / "1", *account.files()):
        assert path.stat().st_mode & 0o077 == 0
    assert len(account.files()) >= 1
    assert not any("@" in path.read_text() for path in account.files())
    assert len(list(reading)) == COUNT - 1
    assert account.files() == [], "nothing is kept once all is read"


def test_a_run_that_was_ended_goes_on_where_it_was(account: Account) -> None:
    reading = account.export().read(*year())
    for _ in range(4):
        next(reading)
    before = account.exports()
    assert before < 8
    del reading  # as when its process is killed
    found = list(account.export().read(*year()))
    assert sorted(int(one.id) for one in found) == list(range(COUNT))
    assert account.exports() == len(windows(*year())), "none twice"


def test_two_runs_at_the_same_time_read_all_and_leave_each_others_files_alone(account: Account) -> None:
    first, second = account.export().read(*year()), account.export().read(*year())
    begun = [next(first).id, next(second).id]
    kept = account.files(2)
    assert kept
    found = [begun[0], *(one.id for one in first)]
    assert account.files(1) == []
    assert account.files(2) == kept, "the second is not through"
    assert [begun[1], *(one.id for one in second)] == found
    assert sorted(map(int, found)) == list(range(COUNT))
    assert account.files(2) == []


def test_runs_in_threads_of_one_process_all_read_all(account: Account) -> None:
    begin, end = datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 5, 20, tzinfo=UTC)
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(lambda: [one.id for one in account.export().read(begin, end)]) for _ in range(3)]
    assert [run.result() for run in runs] == [["2", "3", "4"]] * 3


def test_an_export_that_was_asked_for_is_waited_for_and_not_asked_for_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = datetime(2026, 3, 10, tzinfo=UTC)
    monkeypatch.setattr(activities_export, "GIVEN_UP", 300.0)
    [window] = windows(begin, begin + timedelta(days=6))
    made = http.post(
        f"{account.connectif.url}/exports/",
        json={
            "exportType": "activities",
            "delimiter": ",",
            "dateFormat": "ISO",
            "filters": {"fromDate": window.since.isoformat(), "toDate": window.until.isoformat()},
        },
        headers=KEY,
    ).json()
    (account.kept / "1").mkdir(parents=True)
    activities_export._remember(account.kept / "1" / f"{window.name}.asked.json", made["id"])
    [found] = account.export().read(begin, begin + timedelta(days=6))
    assert found.id == "2"
    assert account.exports() == 1, "the one that the process asked for that was killed"


def test_an_export_that_fails_is_asked_for_again(account: Account) -> None:
    account.connectif.faults({"effect": "export_error", "method": "POST", "count": 2})
    begin = datetime(2026, 3, 10, tzinfo=UTC)
    [found] = account.export().read(begin, begin + timedelta(days=6))
    assert found.id == "2"
    assert account.exports() == 3


def test_places_that_others_take_are_waited_for(account: Account) -> None:
    account.connectif.switch(export_queue_seconds=240.0)
    body = {"exportType": "contacts", "delimiter": ",", "dateFormat": "ISO"}
    assert [account.call("POST", "/exports/", body) for _ in range(6)] == [201] * 5 + [400]
    account.connectif.switch(export_queue_seconds=2.0)
    begin = datetime(2026, 3, 10, tzinfo=UTC)
    [found] = account.export().read(begin, begin + timedelta(days=6))
    assert found.id == "2"


def test_a_key_that_may_not_export_ends_it_in_words(account: Account) -> None:
    account.connectif.faults({"effect": "forbidden", "route": "/exports/"})
    with pytest.raises(PipelineError, match="permission to make and read exports"):
        list(account.export().read(*year()))


def test_an_export_without_the_shops_ids_accuses_nobody(account: Account) -> None:
    account.connectif.switch(export_purchase_id=False)
    with pytest.raises(PipelineError, match="no column of purchase ids"):
        list(account.export().read(*year()))


def test_what_was_read_counts_for_some_hours_alone(account: Account) -> None:
    next(account.export().read(*year()))
    long_ago = time.time() - activities_export.KEPT_HOURS * 3_600 - 10
    for path in account.files():
        os.utime(path, (long_ago, long_ago))
    asked = account.exports()
    next(account.export().read(*year()))
    assert account.exports() == 2 * asked


@pytest.mark.parametrize(("later", "asked"), [(50, 2), (120, 3)])
def test_a_range_that_ends_now_is_gone_on_with_to_where_it_ended(
    account: Account, later: int, asked: int
) -> None:
    since, now = datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 4, 16, 10, tzinfo=UTC)
    reading = account.export().read(since, now)
    assert [next(reading).id, next(reading).id] == ["2", "3"]
    del reading
    export = account.export()
    assert len(list(export.read(since, now + timedelta(minutes=later)))) == 2
    assert account.exports() == asked, "hours later the last window is another"
    assert (export.ends_ms == now.timestamp() * 1_000) is (asked == 2)


def test_windows_lie_where_they_lay_before_and_miss_nothing() -> None:
    since, until = year()
    found = windows(since, until)
    assert (found[0].since, found[-1].until) == (since, until)
    assert all(one.until == two.since for one, two in itertools.pairwise(found))
    assert all(one.until - one.since <= WINDOW for one in found)
    later = windows(since + timedelta(days=1), until + timedelta(days=1))
    assert found[1:-1] == later[1 : len(found) - 1]
