"""Which discount codes an order uses: said once each, and taken back when it uses them no more. Pure.

Remembered with the order's emitted records, by the same rule: a mark counts only for events after the offset
that made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.records import CouponUse, Purchase, RecordKind, Source
from pipeline.shops.base import Draft
from pipeline.translate.state import EmittedMark, EmittedMarks, digest


class CouponUseSource(NamedTuple):
    """Who says it of which order, and when: `CouponUse` without the code."""

    account: str
    store: str
    purchase_id: str
    version: int
    source: Source
    received_ms: int


def codes_of(draft: Draft, emitted: EmittedMarks, offset: int) -> list[str]:
    """The codes that a purchase's draft says something of: its own, and those that its order used before.

    Args:
        draft: the purchase, or its retraction.
        emitted: what was emitted for the order to the account.
        offset: what was emitted by later ones does not count.
    """
    known = [
        code for (kind, code), was in emitted.items() if kind is RecordKind.COUPON and was.offset <= offset
    ]
    return list(dict.fromkeys((*draft.coupons, *sorted(known))))


def uses_of(
    draft: Draft, codes: Sequence[str], use_source: CouponUseSource, emitted: EmittedMarks
) -> list[CouponUse]:
    """What a purchase's draft says anew of codes; `emitted` remembers it.

    Args:
        draft: the purchase, or its retraction.
        codes: see `codes_of`.
        use_source: see there.
        emitted: what was emitted for the order to the account; changed in place.
    """
    offset = use_source.source.offset
    placed = draft.body.purchase_date if isinstance(draft.body, Purchase) else None
    uses = []
    for code in codes:
        used = code in draft.coupons
        said = digest(f"{used}|{use_source.purchase_id}".encode())
        was = emitted.get((RecordKind.COUPON, code))
        if was is not None and was.offset < offset and was.digest == said:
            continue
        emitted[RecordKind.COUPON, code] = EmittedMark(said, offset)
        uses.append(
            CouponUse(**use_source._asdict(), code=code, used=used, purchase_date=placed if used else None)
        )
    return uses
