"""What strangers and workers of other releases may write or answer: the command says something, and ends."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import parse
from pipeline.console import Console
from pipeline.dead.masking import masked_body, revealed_body
from pipeline.events import Kind
from pipeline.kafka.messages import LibrdkafkaMessage
from pipeline.records import RecordKind
from pipeline.text import moment
from pipeline.trace import now, report
from pipeline.trace.find import names_address
from pipeline.trace.life import EntityKey, EntityLife
from pipeline.trace.pages import EntityPage, RecordPage, wrong
from pipeline.trace.scan import _SOURCE, _letter
from pipeline.workers.client import WorkerAnswer

TREE = {
    "accounts": {"acme": {"api_key": "id:secret", "base_url": "http://127.0.0.1:1"}},
    "stores": {
        "plain": {"platform": "shopify", "account": "acme", "domain": "acme.example", "secrets": ["s"]}
    },
}
ENTITY = {
    "known": True,
    "held": "",
    "next_offset": 3,
    "deliveries": [],
    "emitted": [{"account": "acme", "kind": "purchase", "id": "7"}],
    "emitted_in_all": 1,
}
RECORD = {
    "account": "acme",
    "kind": "purchase",
    "id": "7",
    "pending": True,
    "why": "It waits.",
    "versions": [
        {"place": "current", "offset": 1, "lane": "live", "source": {"topic": "shop.orders", "offset": 2}}
    ],
    "last_sent": {"version": 5, "fingerprint": "f"},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=8,
)


class Answering:
    """A client whose workers answer this."""

    def __init__(self, entity: Any, record: Any) -> None:
        self._entity, self._record = entity, record

    def ask(self, _app: str, _topic: str, _partition: int, path: str, _query: Any) -> WorkerAnswer:
        """The answer of a page."""
        return WorkerAnswer(self._entity if path == now.ENTITY_PAGE else self._record, "w1")


def told(entity: Any, record: Any) -> str:
    """What the command shows after these answers."""
    life, client = EntityLife(EntityKey("plain", Kind.ORDER, "7")), Answering(entity, record)
    settings = parse(dict(TREE), {})
    now.ask_translate(life, client, settings)  # type: ignore[arg-type]
    now.ask_deliver(life, client, settings)  # type: ignore[arg-type]
    file = io.StringIO()
    report.show(report.tree([life], [], reveal=True), Console(file=file, width=300), as_json=False)
    return file.getvalue()


def changed(page: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    return {**page, name: value}


def test_the_pages_of_this_release_are_of_the_form() -> None:
    assert wrong(ENTITY, EntityPage) == wrong(RECORD, RecordPage) == ""
    assert "waits: purchase 7 of account acme" in told(ENTITY, RECORD)


@pytest.mark.parametrize("name", sorted(ENTITY))
def test_an_entitys_page_that_lacks_a_field_is_an_answer_of_another_release(name: str) -> None:
    page = {key: value for key, value in ENTITY.items() if key != name}
    assert f"does not know ({name})" in told(page, RECORD)


@pytest.mark.parametrize("name", sorted(RECORD))
def test_a_records_page_that_lacks_a_field_is_an_answer_of_another_release(name: str) -> None:
    page = {key: value for key, value in RECORD.items() if key != name}
    assert f"does not know ({name})" in told(ENTITY, page)


@given(st.sampled_from(sorted(ENTITY)), st.sampled_from(sorted(RECORD)), JSON, JSON)
def test_whatever_a_worker_answers_something_is_shown(one: str, other: str, first: Any, second: Any) -> None:
    assert "order 7 of store plain" in told(changed(ENTITY, one, first), changed(RECORD, other, second))


@given(st.dictionaries(st.sampled_from(["at", "partition", "offset", "stage", "reason"]), st.binary()))
def test_any_headers_of_a_dead_letter_make_one_or_none(headers: dict[str, bytes]) -> None:
    named = {
        "at": b"1",
        "stage": b"deliver",
        "topic": b"t",
        "partition": b"0",
        "offset": b"9",
        "reason": b"r",
    }
    said = tuple((f"dead-{name}", text) for name, text in {**named, **headers}.items())
    found = _letter(LibrdkafkaMessage("t", 0, 1, 5, None, None, said), "deadletters")
    assert found is None or (0 <= found.at_ms < 2**63 and moment(found.at_ms / 1_000))


def test_numbers_without_an_end_are_no_places() -> None:
    digits = b"9" * 5_000
    assert not _SOURCE.search(b'"source":{"topic":"shop.orders","partition":0,"offset":' + digits + b"}")
    headers = (("dead-at", digits), ("dead-stage", b"x"), ("dead-topic", b"t"), ("dead-reason", b"r"))
    assert _letter(LibrdkafkaMessage("t", 0, 1, 5, None, None, headers), "deadletters") is None


@pytest.mark.parametrize("at_ms", [-1, 0, 2**63 - 1, -(2**63)])
def test_any_number_is_a_moment(at_ms: int) -> None:
    assert moment(at_ms / 1_000)


@pytest.mark.parametrize("depth", [100, 300, 1_000, 100_000])
def test_a_body_nested_without_sense_is_searched_and_shown(depth: int) -> None:
    body = b'{"a":' * depth + b'"\\u0061nn@b.example"' + b"}" * depth
    names_address(body, b"ann@b.example")
    shown = revealed_body(body)
    assert shown == body.decode()
    assert orjson.dumps(masked_body(body))


def test_kinds_of_records_are_those_that_pages_name() -> None:
    assert {wrong({**RECORD, "kind": kind.value}, RecordPage) for kind in RecordKind} == {""}
