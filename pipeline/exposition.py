"""What a process exports to Prometheus: its own series, written a part at a time.

With hundreds of stores a process has tens of thousands of series. `prometheus_client` writes the name and
labels of each anew at every look, in one piece, while nothing else is done: here they are kept between looks.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from typing import Literal

from prometheus_client import REGISTRY, Metric, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from pipeline import metrics  # noqa: F401 - what there is to export
from pipeline.kept_series import WrittenFamily, value_text

#: A kind of process: whose series it exports.
Room = Literal[
    "gateway", "translate", "deliver", "erase", "sync", "reconcile", "archive", "status", "sandbox"
]

#: The kinds of process with series of their own, and how the names of these begin.
ROOMS: dict[Room, tuple[str, ...]] = {
    "gateway": ("pipeline_gateway_",),
    "translate": ("pipeline_translate_", "pipeline_coupons_used", "pipeline_replay_"),
    "deliver": ("pipeline_deliver_", "pipeline_budget_calls"),
    "erase": ("pipeline_erase_",),
    "sync": ("pipeline_sync_",),
    "reconcile": ("pipeline_reconcile_",),
    "archive": ("pipeline_archive_",),
    "status": ("pipeline_status_",),
    "sandbox": ("pipeline_sandbox_",),
}

#: Samples written in one piece: some milliseconds.
PIECE = 1_000
#: A sample's name, and the values of its labels: their names are the same for all samples of one name.
_Series = tuple[str, tuple[str, ...]]


class _One(Collector):
    """A registry of one family."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family


class Exposition:
    """The page of one kind of process.

    Args:
        room: the kind.
        registry: what there is.
    """

    def __init__(self, room: Room, registry: Collector = REGISTRY) -> None:
        if room not in ROOMS:  # all series would be left out, and the page empty
            raise ValueError(f"there is no room {room!r}")
        self._registry = registry
        self._foreign = tuple(
            beginning for other, names in ROOMS.items() if other != room for beginning in names
        )
        #: What stands before a sample's value, of the last look.
        self._known: dict[_Series, str] = {}

    async def page(self) -> bytes:
        """The page as Prometheus reads it; others have their turn between its parts."""
        parts = []
        for part in self.parts():
            parts.append(part)
            await asyncio.sleep(0)
        return "".join(parts).encode()

    def parts(self) -> Iterator[str]:
        """The page in parts. The samples of one family are of one moment."""
        known: dict[_Series, str] = {}
        for family in self._registry.collect():
            if family.name.startswith(self._foreign):
                continue
            yield _head(family.name, family.documentation, family.type)
            if isinstance(family, WrittenFamily):
                yield from family.lines(PIECE)
                continue
            samples = family.samples
            for start in range(0, len(samples), PIECE):
                lines = []
                for sample in samples[start : start + PIECE]:
                    name, labels, value, *_ = sample
                    series = (name, tuple(labels.values()))
                    before = self._known.get(series) or _before_value(family, sample)
                    known[series] = before
                    lines.append(f"{before}{value_text(value)}\n")
                yield "".join(lines)
        self._known = known


@functools.lru_cache(maxsize=1_024)
def _head(name: str, documentation: str, kind: str) -> str:
    """The lines that stand before a family's samples."""
    return generate_latest(_One(Metric(name, documentation, kind))).decode()


def _before_value(family: Metric, sample: Sample) -> str:
    """What `prometheus_client` writes before the value: the name, the labels and a space."""
    alone = Metric(family.name, "", family.type)
    alone.samples = [sample._replace(value=0.0)]
    return generate_latest(_One(alone)).decode().splitlines()[-1].removesuffix("0.0")
