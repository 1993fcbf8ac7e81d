"""`replay start --dry-run --diff` against what the replay then changes: every case, under other settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.replay.changes import NOT_HELD, Change
from tests.ledger_changes import Held, changed, in_words_of_connectif
from tests.simulation import virtual
from tests.simulation.cases import folders, read
from tests.simulation.replaying import ReplayedCase

#: Decisions that any platform knows.
COMMON: list[dict[str, Any]] = [{}, {"contacts_from_unsold_orders": True, "on_partial_refund": "keep"}]
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
        for number, decision in enumerate(DECISIONS.get(folder.parent.name, COMMON)):
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
    assert sorted(in_words_of_connectif(foretold, before, after)) == sorted(changed(before, after))


def _same_but_for_what_is_not_held(foretold: list[Change], vague: list[Change]) -> None:
    """Without the records that are kept, the same changes, and no value that is not known."""
    after = {change[1:4]: change.after for change in vague}
    unknown = {change[1:4] for change in vague if change.before == NOT_HELD}
    for _, kind, key, field, was, now in foretold:
        # Of what is taken back or replaced as a whole, fields that go are not known.
        assert now is None or after[kind, key, field] == now
        assert was is None or now is None or field == "newsletter" or (kind, key, field) in unknown
    assert {change[1:3] for change in vague} == {change[1:3] for change in foretold}
