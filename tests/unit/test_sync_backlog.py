"""What is looked up next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.events import Lane
from pipeline.sync.backlog import Backlog, Entity, Notice


def notice(entity: str, number: int, lane: Lane = Lane.LIVE) -> Notice:
    return Notice(f"{entity}|{number}".encode(), entity.encode(), number, lane)


def test_notifications_of_one_entity_are_one_look() -> None:
    backlog = Backlog()
    for number in range(3):
        assert backlog.add(notice("a", number))
    entity = backlog.take(0.0)
    assert entity is not None
    assert entity.newest == notice("a", 2)
    assert backlog.take(0.0) is None
    backlog.settle(entity, 3)
    assert (len(backlog), backlog.oldest_ms) == (0, None)


def test_one_that_comes_during_a_look_is_looked_up_after_it() -> None:
    backlog = Backlog()
    backlog.add(notice("a", 1))
    entity = backlog.take(0.0)
    assert entity is not None
    backlog.add(notice("a", 2))
    assert backlog.take(0.0) is None  # never two looks of one entity at once
    backlog.settle(entity, 1)
    again = backlog.take(0.0)
    assert again is not None
    assert again.notices == [notice("a", 2)]


def test_live_goes_before_backfill_and_a_live_one_promotes_its_entity() -> None:
    backlog = Backlog()
    backlog.add(notice("old", 1, Lane.BACKFILL))
    backlog.add(notice("other", 2, Lane.BACKFILL))
    backlog.add(notice("live", 3))
    backlog.add(notice("other", 4))
    order = [taken.key for taken in iter(lambda: backlog.take(0.0), None)]
    assert order == [b"live", b"other", b"old"]


def test_one_that_failed_waits_and_others_do_not() -> None:
    backlog = Backlog()
    backlog.add(notice("bad", 1))
    bad = backlog.take(0.0)
    assert bad is not None
    backlog.put_back(bad, due=10.0)
    backlog.add(notice("good", 2))
    good = backlog.take(0.0)
    assert good is not None
    assert good.key == b"good"
    assert backlog.take(9.9) is None
    assert backlog.due() == 10.0
    assert backlog.take(10.0) is bad
    assert bad.attempts == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["add", "take", "fail", "settle"]))))
def test_whatever_happens_every_notification_is_settled_once(actions: list[tuple[str, str]]) -> None:
    taken: dict[bytes, Entity] = {}
    backlog, added, settled, now = Backlog(), 0, 0, 0.0
    for name, action in actions:
        now += 1.0
        held = taken.get(name.encode())
        if action == "add":
            added += backlog.add(notice(name, added))
        elif action == "take":
            entity = backlog.take(now)
            if entity is not None:
                assert entity.key not in taken
                taken[entity.key] = entity
        elif held is not None:
            del taken[name.encode()]
            if action == "fail":
                backlog.put_back(held, now + 2.0)
            else:
                settled += len(held.notices)
                backlog.settle(held, len(held.notices))
    for entity in taken.values():
        backlog.put_back(entity, now)
    while (entity := backlog.take(now + 10.0)) is not None:
        settled += len(entity.notices)
        backlog.settle(entity, len(entity.notices))
    assert (settled, len(backlog)) == (added, 0)
