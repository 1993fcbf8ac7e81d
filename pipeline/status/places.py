"""Which processes are to be asked: those of `pipeline up` here, those that are named, those in the groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.workers.directory import WorkerPlace

#: Stages that every pipeline has a worker of.
NEEDED = ("translate", "deliver")


@dataclass(frozen=True, slots=True)
class Place:
    """A process, and where it is asked.

    Attributes:
        name: the kind of process; empty where only its answer will say so.
        url: of its HTTP side; empty where that is not known.
        worker: its name in its group; empty where it is in none.
        why: why it cannot be asked.
    """

    name: str
    url: str
    worker: str = ""
    why: str = ""


def merged(
    here: Iterable[Place], named: Iterable[Place], workers: Mapping[str, Sequence[WorkerPlace] | None]
) -> list[Place]:
    """All of them, each address once; a stage that nobody works for is one without an address.

    Args:
        here: those of `pipeline up` on this machine.
        named: those that the operator names.
        workers: the members of each stage's group; None where nobody says who they are.
    """
    found: dict[str, Place] = {}
    silent: list[Place] = []
    for place in [*here, *named]:
        found.setdefault(place.url, place)
    for stage, members in workers.items():
        for member in members or ():
            if member.url:
                found[member.url] = Place(stage, member.url, member.name)
            else:
                why = "it does not say where its HTTP side is: it is of an older release"
                silent.append(Place(stage, "", member.name, why))
    known = {place.name for place in found.values()} | {place.name for place in silent}
    for stage in NEEDED:
        if stage not in known and workers.get(stage) is not None:
            silent.append(Place(stage, "", why=f"no {stage} worker runs"))
        elif stage not in known:
            silent.append(Place(stage, "", why="Kafka does not say where it runs"))
    return [*found.values(), *silent]
