"""When a store's daily run is due, and which of several processes makes it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tomli_w import dumps

from pipeline import config
from pipeline.config import Settings
from pipeline.errors import SettingsError
from pipeline.local import snapshot
from pipeline.local.wiring import Wiring
from pipeline.reconcile.daily.claims import (
    ATTEMPTS,
    PAUSE_MS,
    SILENT_MS,
    ReconcileClaim,
    ReconcileResult,
    RunOutcome,
    StoreRuns,
)
from pipeline.reconcile.daily.job import _forget_old, _require_new, options
from pipeline.reconcile.daily.schedule import Due, due, ended_ms
from pipeline.reconcile.run_options import ReconcileOptions
from tests.settings_trees import store_tree, stores_tree

MADRID = ZoneInfo("Europe/Madrid")
AT = time(4, 30)
DAY, NEXT = "2026-03-10", "2026-03-11"


def due_at(text: str, at: time = AT) -> Due:
    """What is due at a moment of Madrid's clocks."""
    return due(datetime.fromisoformat(text).replace(tzinfo=MADRID), at, MADRID, 7)


def test_a_run_is_due_from_its_time_of_day_on_and_compares_the_days_before() -> None:
    wanted = due_at("2026-03-10T04:30:00")
    assert wanted == Due(
        date(2026, 3, 10), datetime(2026, 3, 10, 3, 30, tzinfo=UTC), date(2026, 3, 3), date(2026, 3, 9)
    )
    assert due_at("2026-03-10T23:59:59") == wanted
    assert due_at("2026-03-10T04:29:59").day == date(2026, 3, 9)


def test_a_time_that_the_clocks_skip_is_due_once_they_have() -> None:
    assert due_at("2026-03-29T01:59:00", time(2, 30)).day == date(2026, 3, 28)
    assert due_at("2026-03-29T03:31:00", time(2, 30)).day == date(2026, 3, 29)


@given(st.integers(1_577_836_800, 1_893_456_000), st.times())
def test_what_is_due_began_within_a_day_and_never_later_than_now(seconds: int, at: time) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    wanted = due(now, at, MADRID, 3)
    assert timedelta(0) <= now - wanted.at <= timedelta(hours=26)
    assert wanted.until < wanted.day <= now.astimezone(MADRID).date()


def test_a_list_must_be_younger_than_the_last_day_that_is_compared() -> None:
    wanted = due_at("2026-03-10T05:00:00")
    assert ended_ms(wanted, MADRID) == datetime(2026, 3, 9, 23, tzinfo=UTC).timestamp() * 1_000


class Log:
    """A log of claims and results, and what it adds up to."""

    def __init__(self) -> None:
        self.runs = StoreRuns()
        self.at = 1_000_000_000

    def claims(self, owner: str, day: str = DAY, after: int = 0) -> bool:
        """A claim is written; whether it counts."""
        self.at += after
        self.runs.take(ReconcileClaim(store="s", day=day, owner=owner), self.at)
        return self.runs.holder(day) == owner

    def ends(self, owner: str, outcome: RunOutcome, day: str = DAY, **known: object) -> None:
        """A run ends."""
        made = {"store": "s", "day": day, "owner": owner, "outcome": outcome, "began_ms": 1, "ended_ms": 2}
        self.runs.take(ReconcileResult.model_validate({**made, **known}), self.at)


@pytest.fixture(name="log")
def _log() -> Log:
    return Log()


def test_of_two_claims_the_first_counts(log: Log) -> None:
    assert log.claims("a")
    assert not log.claims("b", after=10)
    assert log.claims("a", after=SILENT_MS - 20), "it goes on"
    assert not log.claims("b", after=SILENT_MS - 1)


def test_what_is_done_is_not_begun_again(log: Log) -> None:
    log.claims("a")
    log.ends("a", RunOutcome.DONE, orders={"missing": 2})
    assert log.runs.done is not None
    assert log.runs.done.orders == {"missing": 2}
    assert not log.claims("b", after=10 * SILENT_MS)
    assert log.claims("b", NEXT)


def test_a_process_that_is_silent_is_taken_over_and_counts_no_more(log: Log) -> None:
    log.claims("a")
    assert log.claims("b", after=SILENT_MS)
    assert not log.claims("a", after=1)
    log.ends("a", RunOutcome.FAILED)
    assert log.runs.failed == 0, "it is not the run's any more"


def test_one_that_was_taken_over_and_ends_after_all_has_made_the_run(log: Log) -> None:
    log.claims("a")
    log.claims("b", after=SILENT_MS)
    log.ends("a", RunOutcome.DONE)
    assert not log.claims("c", after=10 * SILENT_MS)


def test_a_run_that_fails_is_begun_again_later_and_not_for_ever(log: Log) -> None:
    for attempt in range(ATTEMPTS):
        assert log.claims("a", after=PAUSE_MS if attempt else 0)
        log.ends("a", RunOutcome.FAILED, error="no file")
        assert not log.claims("a", after=PAUSE_MS - 1), "not at once"
        log.at -= PAUSE_MS - 1
    assert (log.runs.failed, log.runs.error) == (ATTEMPTS, "no file")
    assert not log.claims("a", after=5 * PAUSE_MS)
    assert log.claims("a", NEXT), "the next day's is another"
    log.ends("a", RunOutcome.DONE, NEXT)
    assert (log.runs.failed, log.runs.error) == (0, "")


def test_a_run_that_is_given_back_is_begun_at_once_by_the_next(log: Log) -> None:
    for _ in range(ATTEMPTS + 2):
        assert log.claims("a")
        log.ends("a", RunOutcome.GIVEN_BACK)
    assert log.claims("b")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["claim", "done", "failed", "back"]),
            st.sampled_from("abc"),
            st.sampled_from([DAY, NEXT]),
            st.sampled_from([1, SILENT_MS - 1, SILENT_MS, PAUSE_MS]),
        ),
        max_size=40,
    )
)
def test_no_day_is_begun_twice_while_one_is_alive_or_after_it_is_done(steps: list[tuple[str, ...]]) -> None:
    log = Log()
    alive: dict[str, tuple[str, int]] = {}  # day -> owner, last heard
    done: set[str] = set()
    outcomes = {"done": RunOutcome.DONE, "failed": RunOutcome.FAILED, "back": RunOutcome.GIVEN_BACK}
    for what, owner, day, after in steps:
        log.at += int(after)
        if what != "claim":
            # Only who holds a run ends it.
            if log.runs.holder(day) == owner:
                log.ends(owner, outcomes[what], day)
                alive.pop(day, None)
                done |= {day} if what == "done" else set()
            continue
        before = log.runs.holder(day)
        if log.claims(owner, day) and before != owner:
            assert day not in done
            assert not any(log.at - heard < SILENT_MS for _, heard in alive.values())
            alive = {day: (owner, log.at)}
        elif before == owner:
            alive[day] = (owner, log.at)


def settings_of(path: Path, **reconcile: object) -> Settings:
    """A store that asks for it."""
    tree = stores_tree(**{"acme-es": store_tree(reconcile={"at": "04:30", **reconcile}), "b": store_tree()})
    path.write_text(dumps({"kafka": {"bootstrap": "127.0.0.1:9"}, **tree}))
    return config.load(path, environ={})


def test_what_a_store_asks_for_is_read_and_passed_on_to_the_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = settings_of(tmp_path / "pipeline.toml", shop="lists/orders.csv", columns={"id": "Ref"})
    wish = read.stores["acme-es"].reconcile
    assert wish is not None
    assert (wish.at, wish.days, wish.shop) == (time(4, 30), 7, tmp_path / "lists" / "orders.csv")
    for name, value in snapshot.write(read).items():
        monkeypatch.setenv(name, value)
    assert config.load(snapshot.path_in(read.data_dir), environ={}) == read


@pytest.mark.parametrize("at", ["4:30", "24:00", "04:60", "noon", 430])
def test_a_time_that_is_none_is_refused(tmp_path: Path, at: object) -> None:
    with pytest.raises(SettingsError, match=r"reconcile\.at"):
        settings_of(tmp_path / "pipeline.toml", at=at)


def test_up_starts_its_process_where_a_store_asks_for_it(tmp_path: Path) -> None:
    assert list(Wiring(settings_of(tmp_path / "pipeline.toml")).urls)[-1] == "reconcile"
    (tmp_path / "pipeline.toml").write_text(
        dumps({"kafka": {"bootstrap": "127.0.0.1:9"}, **stores_tree(b=store_tree())})
    )
    assert "reconcile" not in Wiring(config.load(tmp_path / "pipeline.toml", environ={})).urls


def test_the_command_reads_files_as_the_store_s_settings_say_unless_told_otherwise(tmp_path: Path) -> None:
    read = settings_of(tmp_path / "pipeline.toml", columns={"id": "Ref", "date": "When"}, decimal=",")
    wanted = ReconcileOptions("acme-es", columns={"id": "Own"}).filled(read.stores["acme-es"].reconcile)
    assert (wanted.columns, wanted.decimal) == ({"id": "Own", "date": "When"}, ",")
    assert ReconcileOptions("b").filled(read.stores["b"].reconcile) == ReconcileOptions("b")


def test_reports_of_long_ago_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    for name in ("2025-01-01.html", "2026-03-09.csv", "2025-01-01.txt", "mine.csv"):
        (tmp_path / name).write_text("")
    _forget_old(tmp_path, date(2026, 3, 10))
    assert {path.name for path in tmp_path.iterdir()} == {"2026-03-09.csv", "2025-01-01.txt", "mine.csv"}


@pytest.mark.parametrize("shop", ["api", "events"])
def test_words_in_place_of_the_shops_file_name_no_file(shop: str, tmp_path: Path) -> None:
    tree: dict[str, Any] = stores_tree(acme=store_tree())
    tree["stores"]["acme"]["reconcile"] = {"at": "04:30", "shop": shop}
    path = tmp_path / "pipeline.toml"
    path.write_text(dumps(tree))
    settings = config.load(path, environ={})
    wanted = due_at("2026-03-10T04:30:00")
    _require_new(settings, "acme", wanted)
    assert options(settings, "acme", wanted).shop == shop
