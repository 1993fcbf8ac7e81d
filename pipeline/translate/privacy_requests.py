"""What the law gives a shop days for: each request becomes a row of `erase.requests`, and is logged."""

from __future__ import annotations

import logging

from pipeline.kafka.erase_requests import DAY_MS, DUE_DAYS, Asked, Wanted, id_of_webhook, key_of
from pipeline.records import Source

log = logging.getLogger(__name__)

#: By the reason that the event is ignored with: what is asked for, and the words for it.
PRIVACY_REQUESTS = {
    "erasure_request": (Wanted.CUSTOMER, "asks to erase a customer"),
    "shop_erasure_request": (Wanted.SHOP, "asks to erase all of its people"),
    "data_request": (Wanted.DATA, "asks for the data that is kept of a customer"),
}


def privacy_request(store: str, reason: str, source: Source, received_ms: int) -> tuple[bytes, bytes]:
    """The row of a request, as key and value; it names nobody.

    Args:
        store: whose.
        reason: that its event is ignored with, one of `PRIVACY_REQUESTS`.
        source: where the event lies; the topic without the prefix.
        received_ms: when it came, epoch milliseconds: its days begin then.
    """
    wanted, words = PRIVACY_REQUESTS[reason]
    request = Asked(
        id=id_of_webhook(store, source),
        store=store,
        wanted=wanted,
        source=source,
        asked_ms=received_ms,
        due_ms=received_ms + DUE_DAYS * DAY_MS,
    )
    log.warning(
        "store %s: the shop %s (%s): request %s; `pipeline erase show %s` says how far it is",
        store,
        words,
        reason,
        request.id,
        request.id,
    )
    return key_of(request.id, "asked"), request.model_dump_json().encode()
