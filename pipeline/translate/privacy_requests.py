"""What the law gives a shop days for, and only a person does: said for each request, and nothing of whom."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

#: By the reason that the event is ignored with.
PRIVACY_REQUESTS = {
    "erasure_request": "asks to erase a customer",
    "shop_erasure_request": "asks to erase all of its data",
    "data_request": "asks for the data that is kept of a customer",
}


def log_privacy_request(store: str, reason: str, topic: str, partition: int, offset: int) -> None:
    """Log where a request lies, if the reason is that of one; `topic` is the full name."""
    wanted = PRIVACY_REQUESTS.get(reason)
    if wanted is not None:
        log.warning(
            "store %s: the shop %s (%s); the request is %s partition %d offset %d. The pipeline does not "
            "do it by itself: docs/decisions.md says how",
            store,
            wanted,
            reason,
            topic,
            partition,
            offset,
        )
