"""A table's partitions come and go, whoever is looking through them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.engine.store import Memory
from pipeline.engine.table import NotAssigned, StateTable

ROWS = {b"k%d" % number: b"v" for number in range(100)}


async def held(tmp_path: Path) -> StateTable:
    """A table that holds partition 3, with some rows."""
    table = StateTable("entities", "entities-changelog", tmp_path, Memory())
    await take(table)
    table.store_confirmed(3, dict(ROWS), 99)
    return table


async def take(table: StateTable) -> None:
    """Partition 3 comes, and its changelog holds a hundred records."""
    await table.hold({3})
    jobs = table.open_jobs()
    for job in jobs:
        job.plan(0, 0 if job.store.position is None else 100, 0)
    await table.restored(jobs)


async def test_a_partition_that_leaves_and_returns_while_it_is_looked_through_can_be_opened(
    tmp_path: Path,
) -> None:
    table = await held(tmp_path)
    rows = table.items(3)
    next(rows)
    await table.hold(set())
    await take(table)
    with pytest.raises(NotAssigned):
        next(rows)
    assert dict(table.items(3)) == ROWS
    table.close()


async def test_a_gap_between_our_own_writes_is_somebody_else_s(tmp_path: Path) -> None:
    table = await held(tmp_path)
    assert table.take_foreign() == []
    table.store_confirmed(3, {b"a": b"1", b"b": b"2"}, 101)
    assert table.take_foreign() == []
    table.store_confirmed(3, {b"a": b"3"}, 105)
    assert table.take_foreign() == [(3, 102, 106)]
    table.close()


@pytest.mark.parametrize(("end", "found"), [(100, []), (103, [(3, 100, 103)])])
async def test_an_end_beyond_our_last_write_is_somebody_else_s(
    tmp_path: Path, end: int, found: list[Any]
) -> None:
    table = await held(tmp_path)
    assert table.ends_at_rest() == [(3, 100)]
    table.see_end(3, 100, end)
    assert table.take_foreign() == found
    assert table.ends_at_rest() == [(3, end)]
    table.close()


async def test_an_end_that_was_asked_for_while_we_wrote_says_nothing(tmp_path: Path) -> None:
    table = await held(tmp_path)
    table.put_unstored(3, b"a", b"1")
    assert table.ends_at_rest() == []
    table.see_end(3, 100, 101)
    table.store_confirmed(3, {b"a": b"1"}, 100)
    table.see_end(3, 100, 101)
    assert table.take_foreign() == []
    table.close()


async def test_what_others_wrote_before_a_partition_went_away_is_its_next_owner_s_business(
    tmp_path: Path,
) -> None:
    table = await held(tmp_path)
    table.see_end(3, 100, 103)
    await table.hold(set())
    assert table.take_foreign() == []
    table.close()
