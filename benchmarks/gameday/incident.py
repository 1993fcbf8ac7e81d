"""One thing that breaks: what is to be seen of it, and what is typed against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.gameday.scene import Scene


def nothing(_: Scene) -> None:
    """Nobody else does anything."""


def no_complaint(_: Scene) -> str:
    """Nothing else is looked at."""
    return ""


@dataclass(frozen=True)
class Incident:
    """See the module.

    Attributes:
        name: on the command line.
        what: breaks, in words.
        breaks: breaks it.
        alert: must fire.
        labels: that it must have.
        rests: whether the alert ends with what it tells; some rest an hour or a day later.
        page_says: a pattern that the status page's text must have, words parted by one blank; "": the page
            is gone, too.
        top_says: the same of `pipeline top --once`; "": as the page.
        doctor_says: the same of the problems of `pipeline doctor`, each as `subject: what was found`; "": it
            is not asked, as what breaks is none of its subjects.
        place: the page's path.
        types: what the runbook says to type, as its pages have it, in order.
        pages: of the runbook beside the alert's own that have it.
        subject: the store or account that pages call acme-es.
        codes: exit codes that are well.
        waits: seconds that the page has to be waited before the last command.
        during: done again and again until it is seen.
        meanwhile: looked at while it is broken; returns what is wrong.
        others: what others than the person on call do before anything is typed.
        seen_within: seconds until the alert, the page and `top` say it.
    """

    name: str
    what: str
    breaks: Callable[[Scene], None]
    alert: str
    page_says: str
    types: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    rests: bool = True
    top_says: str = ""
    doctor_says: str = ""
    place: str = "/"
    pages: tuple[str, ...] = ()
    subject: str = ""
    codes: frozenset[int] = frozenset({0})
    waits: float = 0.0
    during: Callable[[Scene], None] = nothing
    meanwhile: Callable[[Scene], str] = no_complaint
    others: Callable[[Scene], None] = nothing
    seen_within: float = 90.0
