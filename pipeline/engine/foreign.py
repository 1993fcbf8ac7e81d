"""Rows of a table that no worker wrote: left out, counted and logged."""

from __future__ import annotations

import logging
import struct

from pipeline.logs import Sparingly
from pipeline.metrics import STATE_FOREIGN

log = logging.getLogger(__name__)

#: What comes of taking bytes for a row that are none.
JUNK = (ValueError, TypeError, LookupError, AttributeError, struct.error)
_told = Sparingly()


def foreign_row(table: str, partition: int) -> None:
    """Another program wrote into the table's changelog; the row counts as absent."""
    STATE_FOREIGN.labels(table).inc()
    count = _told.happened((table, partition))
    if count:
        log.warning(
            "table %s partition %d has %d rows that no worker of ours wrote: left out; see who else writes "
            "to its changelog",
            table,
            partition,
            count,
        )
