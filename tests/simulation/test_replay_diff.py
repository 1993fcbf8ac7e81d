"""`replay start --dry-run --diff` against what the replay then changes: every case, under other settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.connectif.payloads import (
    LINE,
    PRODUCT,
    PURCHASE,
    contact_column,
    contact_payload,
    product_payload,
    purchase_payload,
)
from pipeline.replay.changes import ITSELF, NOT_HELD, Change
from tests.simulation import virtual
from tests.simulation.cases import folders, read
from tests.simulation.replaying import Held, ReplayedCase

#: Of Connectif's bodies, what is no statement of the shop's: the key, and how it was sent.
NOT_TOLD = frozenset({"triggerPurchaseEvent", "productId", "purchaseId", "contactId", "_email"})
#: What Connectif fills in where a new element says nothing of it.
DEFAULTS = {"availability": "instock", "priority": 0, "isBlacklisted": False, "discountedAmount": 0}
#: Decisions that are changed, by platform; each against every case of it.
DECISIONS: dict[str, list[dict[str, Any]]] = {
    "shopify": [
        {},
        {"product_id": "variant"},
        {"purchase_id": "id", "tax": "excluded"},
        {"guests_without_email": "external_id", "contacts_from_unsold_orders": True},
    ],
    "woocommerce": [
        {},
        {"product_id": "sku"},
        {"purchase_id": "number", "tax": "included"},
        {"sold_statuses": ["completed"], "on_partial_refund": "keep", "contacts_from_unsold_orders": True},
    ],
}


def plays() -> Iterator[Any]:
    """Every case under every decision."""
    for folder in folders():
        for number, decision in enumerate(DECISIONS[folder.parent.name]):
            yield pytest.param(folder, decision, id=f"{folder.parent.name}/{folder.name}-{number}")


@pytest.mark.parametrize(("folder", "decision"), list(plays()))
def test_what_would_change_is_what_changes(folder: Path, decision: dict[str, Any], tmp_path: Path) -> None:
    case = read(folder)
    epoch = case.events[0].received.timestamp() - 60

    async def played() -> tuple[Held, list[Change], list[Change], Held]:
        replayed = ReplayedCase(case, tmp_path, **decision)
        await replayed.play()
        before = replayed.held()
        foretold, vague = replayed.foretold(), replayed.foretold(kept=False)
        await replayed.replay()
        return before, foretold, vague, replayed.held()

    before, foretold, vague, after = virtual.run(played(), epoch=epoch)
    _same_but_for_what_is_not_held(foretold, vague)
    assert sorted(_in_words_of_connectif(foretold, before, after)) == sorted(_changed(before, after))


def _same_but_for_what_is_not_held(foretold: list[Change], vague: list[Change]) -> None:
    """Without the records that are kept, the same changes, and no value that is not known."""
    after = {change[1:4]: change.after for change in vague}
    unknown = {change[1:4] for change in vague if change.before == NOT_HELD}
    for _, kind, key, field, was, now in foretold:
        # Of what is taken back or replaced as a whole, fields that go are not known.
        assert now is None or after[kind, key, field] == now
        assert was is None or now is None or field == "newsletter" or (kind, key, field) in unknown
    assert {change[1:3] for change in vague} == {change[1:3] for change in foretold}


#: Kind, id, Connectif's name of the field, and both values as JSON; `ITSELF`: whether it is there.
Found = tuple[str, str, str, str, str]


def _changed(before: Held, after: Held) -> Iterator[Found]:
    """What differs between two ledgers, field by field."""
    for kind in before:
        for key in before[kind].keys() | after[kind].keys():
            was, now = before[kind].get(key), after[kind].get(key)
            if was is None or now is None:
                yield kind, key, ITSELF, _text(was is not None), _text(now is not None)
            for name in {*(was or ()), *(now or ())} - NOT_TOLD:
                if now is not None and not (was is None and _is_default(name, now.get(name))):
                    pair = _text(_said(name, (was or {}).get(name))), _text(_said(name, now.get(name)))
                    if pair[0] != pair[1]:
                        yield kind, key, name, *pair


def _in_words_of_connectif(foretold: list[Change], before: Held, after: Held) -> Iterator[Found]:
    """What was said to change, under Connectif's names and as it writes the values."""
    appeared: set[tuple[str, str]] = set()
    for _, kind, key, field, was, now in foretold:
        if field == ITSELF:
            yield kind, key, ITSELF, _text(key in before[kind]), _text(now == "upsert")
        elif key not in after[kind]:
            assert now is None
        else:
            if key not in before[kind] and (kind, key) not in appeared:
                appeared.add((kind, key))
                yield kind, key, ITSELF, "false", "true"
            name, said = _written(kind, field, now)
            if name in NOT_TOLD:
                continue
            is_held = was != NOT_HELD
            known = _written(kind, field, was)[1] if is_held else before[kind].get(key, {}).get(name)
            if key in before[kind] or not _is_default(name, said):
                yield kind, key, name, _text(_said(name, known)), _text(said)


def _is_default(name: str, value: Any) -> bool:
    return name in DEFAULTS and value == DEFAULTS[name]


def _said(name: str, value: Any) -> Any:
    """A value without what Connectif adds to it."""
    if name != "products" or value is None:
        return value
    ours = {column.name for column in LINE.values()}
    return [{name: said for name, said in line.items() if name in ours} for line in value]


def _written(kind: str, field: str, value: Any) -> tuple[str, Any]:
    """A field's name and value in Connectif's JSON."""
    if kind == "contact":
        name = contact_column(field).name
        body = contact_payload({field: value}) if value is not None else b"{}"
    elif kind == "product":
        name, body = PRODUCT[field].name, product_payload({field: value})
    else:
        lines = value if field == "lines" else []
        name = "products" if field == "lines" else PURCHASE[field].name
        body = purchase_payload({"lines": lines or [], **({} if field == "lines" else {field: value})})
    return name, None if value is None else orjson.loads(body).get(name)


def _text(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
