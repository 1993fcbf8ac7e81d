"""The points of a shop that counts what queries cost: what is there, and what a query will need. Pure."""

from __future__ import annotations

from pipeline.shops.api import Points
from pipeline.sync.lanes import ShopLane

#: Points that are left to urgent requests: a statement's question, its writing and the look behind it.
RESERVE = 50.0
#: What a query of a form that was never asked is taken to cost; an urgent one is small.
UNKNOWN = 1_000.0
#: Forms whose cost is remembered.
FORMS = 200


class PointsBucket:
    """What is known of one shop's points, by its last answer; before the first, everything may go."""

    def __init__(self) -> None:
        self._last: Points | None = None
        self._at = 0.0
        self._costs: dict[str, float] = {}
        self._under_way = 0.0

    def wait(self, now: float, form: str, lane: ShopLane) -> float:
        """Seconds until a request of this form finds its points; 0: now."""
        last = self._last
        if last is None:
            return 0.0
        there = min(last.most, last.there + (now - self._at) * last.rate) - self._under_way
        return max(0.0, (self._needed(last, form, lane) - there) / last.rate)

    def _needed(self, last: Points, form: str, lane: ShopLane) -> float:
        cost = self._costs.get(form)
        if lane.is_urgent:
            return cost or 0.0
        return min(min(UNKNOWN, last.most / 2) if cost is None else cost + RESERVE, last.most)

    def sent(self, form: str) -> float:
        """A request is made; returns the points that it is taken to cost, which `ended` gives back."""
        cost = self._costs.get(form, 0.0)
        self._under_way += cost
        return cost

    def ended(self, cost: float) -> None:
        """A request that was taken to cost so much was answered, or given up."""
        self._under_way = max(0.0, self._under_way - cost)

    def heard(self, now: float, form: str, points: Points) -> None:
        """What an answer says."""
        self._last, self._at = points, now
        if form not in self._costs and len(self._costs) >= FORMS:
            self._costs.pop(next(iter(self._costs)))
        self._costs[form] = points.asked
