"""Every Shopify body of the package means what was worked out by hand."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.events import Kind
from pipeline.records import RecordKind
from pipeline.shops.base import Rejected
from tests.contract.shopify_meanings import CASES, EXPECTED, Meaning
from tests.drafts import wherever
from tests.shopify import (
    FOLDER,
    delivered,
    ms,
    translate,
)

by_case = pytest.mark.parametrize(
    ("body", "meaning"), [pytest.param(body, meaning, id=name) for name, body, meaning in CASES]
)


def test_every_body_of_the_folder_has_an_expectation() -> None:
    files = {path.stem for path in FOLDER.glob("*.json")}
    assert files == {*EXPECTED, "constructed-signature-vectors"}


@by_case
def test_a_body_means_what_the_reference_says(body: Any, meaning: Meaning) -> None:
    if meaning.rejected:
        with pytest.raises(Rejected) as refusal:
            translate(meaning.topic, body)
        assert (refusal.value.reason, refusal.value.field) == meaning.rejected
        return
    translation = translate(meaning.topic, body)
    version = ms(meaning.at) if isinstance(meaning.at, str) else meaning.at
    assert translation.version == version
    assert translation.ignored == meaning.ignored
    assert translation.clock == meaning.clock
    assert wherever(translation).drafts == meaning.drafts


@by_case
@pytest.mark.parametrize("layout", [0, orjson.OPT_INDENT_2, orjson.OPT_SORT_KEYS])
def test_the_gateway_stores_a_body_under_its_entity_whatever_its_layout(
    body: Any, meaning: Meaning, layout: int
) -> None:
    event = delivered(meaning.topic, orjson.dumps(body, option=layout))
    assert (event.kind, event.entity, event.topic) == (meaning.kind, meaning.entity, meaning.topic)


@by_case
def test_the_purchase_has_the_id_of_the_entity(body: Any, meaning: Meaning) -> None:
    if meaning.kind is not Kind.ORDER or meaning.rejected:
        return
    for draft in translate(meaning.topic, body).drafts:
        assert draft.kind != RecordKind.PURCHASE or draft.id in {meaning.entity, None}
