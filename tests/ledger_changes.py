"""Two ledgers compared field by field, and what `replay start --diff` foretold, in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

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

#: What an account holds: kind -> id -> body.
Held = Mapping[str, Mapping[str, Mapping[str, Any]]]
#: Of Connectif's bodies, what is no statement of the shop's: the key, and how it was sent.
NOT_TOLD = frozenset({"triggerPurchaseEvent", "productId", "purchaseId", "contactId", "_email"})
#: What Connectif fills in where a new element says nothing of it.
DEFAULTS = {"availability": "instock", "priority": 0, "isBlacklisted": False, "discountedAmount": 0}
#: Kind, id, Connectif's name of the field, and both values as JSON; `ITSELF`: whether it is there.
Found = tuple[str, str, str, str, str]


def changed(before: Held, after: Held) -> Iterator[Found]:
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


def in_words_of_connectif(foretold: Iterable[Change], before: Held, after: Held) -> Iterator[Found]:
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
