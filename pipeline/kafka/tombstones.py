"""The messages by which an erasure removes others, and the settings of a topic meanwhile.

They are on every topic that an erasure reaches, and are no events, records or letters: readers pass over
them.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.kafka.messages import Headers

#: A header that only these messages have.
HEADER = "pipeline-removal"
HEADERS: list[tuple[str, bytes]] = [(HEADER, b"1")]
#: The key of those that name nothing: they close a segment, and show how far the broker is. The newest stays.
#: On a changelog it says that deletions before it may be gone, for a worker whose store is older.
MARKER_KEY = b"pipeline|removal"

#: The settings of a topic while it is compacted for an erasure.
WHILE_REMOVING: Mapping[str, str] = {
    "cleanup.policy": "compact,delete",
    "min.cleanable.dirty.ratio": "0",
    "min.compaction.lag.ms": "0",
    # The tombstones name what they remove: they are to go themselves, at the next pass.
    "delete.retention.ms": "0",
}


def is_removal(headers: Headers) -> bool:
    """Whether the message with these headers is one of an erasure's: ask it of a message without a value."""
    return any(name == HEADER for name, _ in headers)


def is_being_removed_from(config: Mapping[str, str]) -> bool:
    """Whether a topic with these settings is compacted for an erasure, or was left so."""
    return (
        config.get("delete.retention.ms") == "0"
        and "compact" in config.get("cleanup.policy", "")
        and float(config.get("min.cleanable.dirty.ratio", "1")) == 0
    )
