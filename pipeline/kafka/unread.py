"""Whether the stages have read what is to be removed: what they have not would be missing in their counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pipeline.config import Settings
from pipeline.errors import BrokerError
from pipeline.events import Kind
from pipeline.kafka.messages import TopicPartition
from pipeline.kafka.reader import RangeReader, Stopped
from pipeline.kafka.topics import (
    DELIVER_APP,
    RECEIPTS,
    REPLAY,
    SYNC_APP,
    SYNC_COMMANDS_TOPIC,
    SYNC_CONSENTS_TOPIC,
    SYNC_REQUESTS_TOPIC,
    TRANSLATE_APP,
    full_name,
)
from pipeline.records import RecordKind

#: Seconds between two looks.
LOOK = 0.5


class NotRead(BrokerError):  # noqa: N818 - a fact
    """A stage has not read up to what is to be removed; nothing was done."""


def readers_of(settings: Settings) -> dict[str, str]:
    """The consumer group of each topic that a stage reads, both by their full names."""
    translate = full_name(settings, TRANSLATE_APP)
    deliver = full_name(settings, DELIVER_APP)
    return {
        **{full_name(settings, kind.topic): translate for kind in Kind},
        full_name(settings, REPLAY): translate,
        **{full_name(settings, kind.topic): deliver for kind in RecordKind},
        full_name(settings, RECEIPTS): deliver,
        full_name(settings, SYNC_REQUESTS_TOPIC): full_name(settings, SYNC_APP),
        full_name(settings, SYNC_COMMANDS_TOPIC): full_name(settings, SYNC_APP),
        full_name(settings, SYNC_CONSENTS_TOPIC): full_name(settings, SYNC_APP),
    }


def wait_until_read(
    settings: Settings,
    config: Mapping[str, Any],
    places: Collection[TopicPartition],
    within: float,
    stop: Callable[[], bool],
) -> None:
    """Wait until the stages have read what partitions hold now.

    Args:
        settings: the program's.
        config: librdkafka settings.
        places: of any topics; those that no stage reads are left out.
        within: seconds.
        stop: called several times a second.

    Raises:
        NotRead: they have not, in that time.
        Stopped: `stop` said so.
        BrokerError: the cluster does not answer.
    """
    until, groups = time.monotonic() + within, readers_of(settings)
    for group in sorted(set(groups.values())):
        own = [place for place in places if groups.get(place.topic) == group]
        with RangeReader(config, group=group) as reader:
            extents = reader.offsets.extents(own)
            wanted = {place: extent.high for place, extent in extents.items() if extent.low < extent.high}
            while wanted:
                read = reader.committed(wanted)
                wanted = {place: end for place, end in wanted.items() if (read[place] or 0) < end}
                if stop():
                    raise Stopped
                if wanted and time.monotonic() > until:
                    place, end = next(iter(wanted.items()))
                    raise NotRead(
                        f"{group} has read {place.topic} partition {place.partition} up to offset "
                        f"{read[place] or 0} of {end} after {within:g} s",
                        hint="is the stage running, or does it wait for a store to be put into the settings?",
                    )
                if wanted:
                    time.sleep(LOOK)
