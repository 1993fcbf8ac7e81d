"""The search box: what an operator types is looked for as what it may be, within bounds."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.config import Settings
from pipeline.errors import PipelineError
from pipeline.events import Kind
from pipeline.status.page import search as searching
from pipeline.status.page.search import MOST, search
from pipeline.trace import now
from pipeline.trace.life import EntityLife
from pipeline.trace.run import Asked, NothingKnown
from tests.status_pages import settings_of


class Traces:
    """Knows some entities, and what was asked for."""

    def __init__(self, *known: Asked) -> None:
        self.known, self.asked = known, list[Asked]()

    def look(self, _: Settings, asked: Asked, *__: Any, reveal: bool, stop: Any) -> dict[str, Any]:
        assert not reveal
        assert not stop()
        self.asked.append(asked)
        if asked not in self.known:
            raise NothingKnown("nothing")
        return {"entities": [{"id": asked}], "notes": []}

    def ask(self, life: EntityLife, *_: Any) -> None:
        key = life.key
        life.memory = {"known": Asked(key.store, key.kind, key.id) in self.known}


def found(
    monkeypatch: pytest.MonkeyPatch, traces: Traces, text: str, store: str, stores: int = 3
) -> list[Any]:
    monkeypatch.setattr(searching, "look", traces.look)
    monkeypatch.setattr(now, "ask_translate", traces.ask)
    settings = settings_of(stores, kafka={"bootstrap": "127.0.0.1:9"})
    made = search(settings, text, store, reveal=False, stop=lambda: False)
    return [entity["id"] for entity in made.entities] + made.notes


@pytest.mark.parametrize(
    "asked",
    [
        *(Asked("s001", kind, "11") for kind in Kind),
        Asked("s001", purchase="11"),
        Asked("s001", number="11"),
    ],
)
def test_an_id_in_a_store_is_looked_for_as_everything_it_may_be(
    monkeypatch: pytest.MonkeyPatch, asked: Asked
) -> None:
    assert found(monkeypatch, Traces(asked), " 11 ", "s001") == [asked]


def test_topics_are_not_read_for_a_number_where_the_id_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    traces = Traces(Asked("s001", Kind.ORDER, "11"), Asked("s001", number="11"))
    assert found(monkeypatch, traces, "11", "s001") == [Asked("s001", Kind.ORDER, "11")]
    assert not any(asked.number or asked.purchase for asked in traces.asked)


def test_an_address_is_looked_for_in_one_store_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked("s001", email="ann@b.example")
    assert found(monkeypatch, Traces(asked), "ann@b.example", "s001") == [asked]
    with pytest.raises(PipelineError, match="in one store"):
        found(monkeypatch, Traces(asked), "ann@b.example", "")
    only = Asked("s000", email="ann@b.example")
    assert found(monkeypatch, Traces(only), "ann@b.example", "", stores=1) == [only]


def test_without_a_store_the_workers_say_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked("s002", Kind.PRODUCT, "7")
    traces = Traces(asked)
    assert found(monkeypatch, traces, "7", "") == [asked]
    assert traces.asked == [asked], "nothing is read for stores that do not have it"


def test_an_id_that_many_stores_have_is_traced_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [Asked(f"s{n:03}", Kind.ORDER, "1") for n in range(9)]
    *entities, note = found(monkeypatch, Traces(*known), "1", "", stores=9)
    assert entities == known[:MOST]
    assert note == "4 more are called 1: choose the store"


def test_stores_that_could_not_be_asked_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "FIND_SECONDS", -1.0)
    with pytest.raises(NothingKnown) as error:
        found(monkeypatch, Traces(), "1", "")
    assert "3 stores were not asked" in error.value.hint


@pytest.mark.parametrize("text", ["", "  ", "x" * 301])
def test_what_cannot_be_an_id_is_not_looked_for(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(PipelineError, match="1 to 300 characters"):
        found(monkeypatch, Traces(), text, "s000")


def test_nothing_is_said_to_be_known_where_nothing_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NothingKnown, match="nothing is known of 404 in store s001"):
        found(monkeypatch, Traces(), "404", "s001")
