"""What every platform must bear: odd decorations, bodies that grow, events in any order, broken values."""

from __future__ import annotations

import copy
import itertools
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.events import Kind
from pipeline.records import Op, RecordKind
from pipeline.shops.base import Rejected, Translation
from pipeline.shops.platform import AnyPlatform
from tests.contract.platform_events import EACH, Entities, bodies_of, event_of, meaning
from tests.heavy import FILLERS, swept
from tests.shop_bodies import CHANGED, Article, Person, Sale, Sent

#: What shops and their plugins put where something else belongs.
ODD: list[Any] = [
    None,
    "",
    "a text",
    "<b>",
    0,
    7,
    -1,
    1.5,
    True,
    False,
    [],
    {},
    ["a text"],
    [7],
    [None],
    [[]],
    [{"id": 1}],
    {"id": 1},
    {"1": "a text", "3": None},
]
#: Values that break readers.
HOSTILE: list[Any] = [
    2**64,
    -(2**63),
    1e308,
    "NaN",
    "sNaN",
    "1e999",
    "9" * 400,
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59+14:00",
    "2024-03-31T02:30:00",
    "\x00\x1f\u202e\U0001f600",
    "&#" + "9" * 5_000 + ";",
    "<a " * 3_000,
    "x" * 300 + "@example.com",
    [[[[[]]]]],
    {"": {"": {}}},
]
REASON = re.compile(r"[a-z][a-z0-9_]{2,60}")
#: Bytes that are put in each place of a body, and the seconds of processor time that it may take then.
LARGE, PATIENCE = 30_000, 0.1


def sent_by(platform: AnyPlatform) -> dict[Kind, Sent]:
    """One event of each kind, with all that its bodies usually hold."""
    bodies = bodies_of(platform)
    person = Person(consent=bodies.subscribed)
    return {
        Kind.ORDER: bodies.order(Sale()),
        Kind.CUSTOMER: bodies.customer(person),
        Kind.PRODUCT: bodies.product(Article()),
    }


def records(translation: Translation) -> list[tuple[RecordKind, str | None, Op]]:
    return [(draft.kind, draft.id, draft.op) for draft in translation.drafts]


def name_of(path: str) -> str:
    """`line_items.0.price` as `line_items[].price`."""
    return re.sub(r"\.\d+", "[]", path)


def with_each_place_replaced(document: dict[str, Any], value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The document with the value in each of its places in turn, and the place."""
    for path, grown, (node, key) in swept(document):
        node[key] = copy.deepcopy(value)
        yield name_of(path), grown


@EACH
def test_a_decorating_field_in_any_form_leaves_the_records_as_many(platform: AnyPlatform) -> None:
    for kind, sent in sent_by(platform).items():
        known = records(meaning(platform, sent))
        rests_on = bodies_of(platform).rests_on[kind]
        unknown = sent.document | {"of_tomorrow": {"nps": 9}}
        assert records(meaning(platform, sent.saying(unknown))) == known
        for odd in ODD:
            for place, body in with_each_place_replaced(sent.document, odd):
                if place not in rests_on:
                    assert records(meaning(platform, sent.saying(body))) == known, (kind, place, odd)


@EACH
def test_what_a_record_rests_on_is_there_in_its_body(platform: AnyPlatform) -> None:
    for kind, sent in sent_by(platform).items():
        places = {place for place, _ in with_each_place_replaced(sent.document, None)}
        assert bodies_of(platform).rests_on[kind] <= places


@EACH
def test_what_is_left_out_of_a_body_makes_no_other_entity_of_it(platform: AnyPlatform) -> None:
    """A cut body is refused, or means the same entity: never a purchase, contact or product of another id."""
    for kind, sent in sent_by(platform).items():
        known = {record[:2] for record in records(meaning(platform, sent))}
        for path, cut, (node, key) in swept(sent.document):
            del node[key]
            said = outcome(platform, sent.saying(cut))
            if isinstance(said, Translation):
                found = {record[:2] for record in records(said) if record[1] is not None}
                assert {one for one in found if one[0] is not RecordKind.PRODUCT} <= known, (kind, path)


def meaning_or_refusal(platform: AnyPlatform, sent: Sent) -> Translation | Rejected:
    try:
        return meaning(platform, sent)
    except Rejected as refused:
        return refused


def outcome(platform: AnyPlatform, sent: Sent) -> Translation | Rejected:
    """What it means, or why it cannot be used; nothing else may be raised."""
    said = meaning_or_refusal(platform, sent)
    if isinstance(said, Rejected):
        assert REASON.fullmatch(said.reason)
        assert len(said.detail) < 300
        return said
    assert REASON.fullmatch(said.ignored)
    for draft in said.drafts:
        assert all(REASON.fullmatch(note) for note in draft.notes)
        assert len(draft.notes) == len(set(draft.notes))
        assert draft.body is None or draft.body.model_dump_json()
    return said


@EACH
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_mutated_body_is_translated_or_refused(platform: AnyPlatform, data: st.DataObject) -> None:
    sent = data.draw(st.sampled_from(list(sent_by(platform).values())))
    body = sent.document
    for _ in range(data.draw(st.integers(1, 3))):
        value = data.draw(st.sampled_from(HOSTILE) | st.sampled_from(ODD))
        places = list(with_each_place_replaced(body, value))
        _, body = places[data.draw(st.integers(0, len(places) - 1))]
    outcome(platform, sent.saying(body))


@EACH
@pytest.mark.parametrize("filler", FILLERS)
def test_nothing_that_grows_in_any_place_of_a_body_takes_long(platform: AnyPlatform, filler: str) -> None:
    value = FILLERS[filler](LARGE)
    for kind, sent in sent_by(platform).items():
        for place, body in with_each_place_replaced(sent.document, value):
            grown = sent.saying(body)
            # Once more where another process may have had the processor's caches.
            is_quick = seconds(platform, grown) < PATIENCE or seconds(platform, grown) < PATIENCE
            assert is_quick, (kind, place)


def seconds(platform: AnyPlatform, sent: Sent) -> float:
    """Processor time of all that happens to a delivery."""
    began = time.process_time()
    event_of(platform, sent)
    outcome(platform, sent)
    return time.process_time() - began


@EACH
def test_in_whatever_order_the_versions_of_an_order_come_the_newest_stands(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    if Kind.ORDER in bodies.without_clock:
        pytest.skip("its orders do not say when they changed: the arrival counts")
    history = [
        bodies.order(Sale(state="unsold")),
        bodies.order(Sale(changed=CHANGED + timedelta(seconds=10))),
        bodies.order(Sale(changed=CHANGED + timedelta(seconds=20), state="cancelled")),
    ]
    for order in itertools.permutations(history):
        shop = Entities(platform)
        said = [one for sent in order for one in shop.hear(sent).emissions if one.kind is RecordKind.PURCHASE]
        assert not said or b'"op":"retract"' in said[-1].value


@EACH
def test_in_whatever_order_the_versions_of_a_person_come_the_newest_stands(platform: AnyPlatform) -> None:
    bodies = bodies_of(platform)
    if Kind.CUSTOMER in bodies.without_clock:
        pytest.skip("its customers do not say when they changed: the arrival counts")
    history = [
        bodies.customer(Person(name=name, changed=CHANGED + timedelta(seconds=10 * number)))
        for number, name in enumerate(("Anna", "Ana", "Ana Maria"))
    ]
    for order in itertools.permutations(history):
        shop = Entities(platform)
        said = [one.value for sent in order for one in shop.hear(sent).emissions]
        assert b'"Ana Maria"' in said[-1]


@EACH
def test_the_same_event_again_says_nothing_new(platform: AnyPlatform) -> None:
    for sent in sent_by(platform).values():
        shop = Entities(platform)
        assert shop.hear(sent).emissions
        again = shop.hear(sent)
        assert not [one for one in again.emissions if one.kind is not RecordKind.CONTACT]
