"""Dashboards as a real Prometheus fills them: each panel, and what has to be in it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tests.integration.truths import Truth
from tests.integration.watching import DASHBOARDS, Prometheus


@dataclass(frozen=True)
class Shown:
    """A dashboard as somebody looks at it.

    Attributes:
        name: of this look.
        file: the dashboard's, without its ending.
        truths: what each expression of each panel has to come to, by the panels' titles, in their order.
        chosen: its variables, where they are not all stores and accounts.
    """

    name: str
    file: str
    truths: Mapping[str, Sequence[Truth]]
    chosen: Mapping[str, str] = field(default_factory=dict)


def panels(file: str) -> dict[str, list[str]]:
    """The expressions of everything a dashboard asks for, by title."""
    found = json.loads((DASHBOARDS / f"{file}.json").read_text(encoding="utf-8"))["panels"]
    return {
        panel["title"]: [target["expr"] for target in panel["targets"]]
        for panel in found
        if panel["type"] != "row"
    }


def wrong_panels(prometheus: Prometheus, shown: Shown, *, of: Collection[str] | None = None) -> list[str]:
    """What is not as it has to be: the panel, which of its expressions, and what that came to.

    Args:
        prometheus: is asked.
        shown: the dashboard.
        of: the panels that are looked at; left out, all.
    """
    wrong = []
    asked = panels(shown.file)
    for title, expressions in asked.items() if of is None else [(title, asked[title]) for title in of]:
        for number, (expression, truth) in enumerate(zip(expressions, shown.truths[title], strict=True)):
            values = prometheus.values(expression, interval="5m", **shown.chosen)
            if not truth(values):
                said = {str(dict(labels)): value for labels, value in values.items()}
                wrong.append(f"{shown.name}, {title} {number}: {said}")
    return wrong
