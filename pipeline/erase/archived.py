"""What the archive holds of a person: rewritten without it, once the topics do not hold it any more."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pipeline.archive.access import require_archive
from pipeline.config import Settings
from pipeline.console import Console
from pipeline.kafka.messages import TopicPartition
from pipeline.progress import scanning


def remove_archived(
    settings: Settings, keys: Mapping[TopicPartition, Collection[bytes]], console: Console
) -> int:
    """Remove the archived events with these keys; returns how many. Done again it finishes what was begun.

    What lies in a topic still would be archived again: remove it there first.

    Args:
        settings: the program's.
        keys: by the partition they lie in.
        console: is told how far it is.

    Raises:
        PipelineError: the archive cannot be read or written.
    """
    if settings.archive.url is None:
        return 0
    require_archive(settings)
    from pipeline.archive.files import Archive  # noqa: PLC0415 - of an extra
    from pipeline.archive.parquet import ArchivedMessage  # noqa: PLC0415
    from pipeline.archive.removal import remove  # noqa: PLC0415

    gone = {place: frozenset(found) for place, found in keys.items()}

    def wanted(row: ArchivedMessage) -> bool:
        place = TopicPartition(row.topic(), row.partition())
        return row.key() in gone.get(place, frozenset())

    with scanning("the archive is rewritten", console) as tell:
        return remove(Archive(settings), wanted, tell).rows
