"""Receipts of contacts."""

from __future__ import annotations

from pipeline.records import Outcome, Receipt, RecordKind, Source


def receipt(offset: int, record_id: str = "ann@example.com", store: str = "acme-shop") -> Receipt:
    """A receipt of a contact."""
    return Receipt(
        account="acme",
        store=store,
        kind=RecordKind.CONTACT,
        id=record_id,
        version=1,
        source=Source(topic="t", partition=0, offset=0),
        record=Source(topic="connectif.contacts", partition=0, offset=offset),
        outcome=Outcome.DELIVERED,
        lane="live",
        received_ms=1,
        at_ms=1,
    )
