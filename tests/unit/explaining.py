"""An account with a limit and a health of its own, to be explained."""

from __future__ import annotations

from typing import Any

from pipeline.config_accounts import CouponSetSettings
from pipeline.deliver.explain.explanation import ExplainedAccount, explain
from pipeline.deliver.schedule.actions import Action, Import, Poll, Send
from pipeline.deliver.schedule.retries import Retries
from pipeline.deliver.send.admission import AdmissionControl
from pipeline.deliver.send.health import Health
from pipeline.deliver.state.key import Key
from pipeline.events import Lane
from pipeline.limiter.limiter import Limiter
from tests.unit.scheduling import PURCHASE, WALL, IndexedAccount


class _NoJournal:
    def started(self, _wall: float) -> int:
        return 0

    def answered(self, _call: int, _wall: float) -> None:
        return


class LimitedAccount(IndexedAccount):
    """One whose calls are answered when the test says so."""

    def __init__(
        self, *, limit: int = 100, sets: dict[str, CouponSetSettings] | None = None, **settings: float
    ) -> None:
        self.limiter = Limiter(limit, 60.0)
        super().__init__(self.limiter, sets, **settings)
        self.health = Health(self.settings, lambda: 0.5)
        self.admission = AdmissionControl(
            self.limiter, self.health, _NoJournal(), wall=lambda: WALL, at_once=8, heard=lambda *_: None
        )
        self.tries: dict[Key, Retries] = {}
        self._imports = 0

    def order(self, name: str, lane: Lane, *needs: Key) -> None:
        """A purchase, and what it needs, come in."""
        for key in needs:
            if key not in self.known:
                self.index[key.kind].add(key.id, lane, int(WALL + self.now))
        self.needs[name] = list(needs)
        self.index[PURCHASE].add(name, lane, int(WALL + self.now))

    def explained(self) -> dict[str, Any]:
        """What is shown of the account now."""
        account = ExplainedAccount("acme", self.scheduler, self.admission, self.index, tries=self.tries)
        return explain(account, self.now, WALL + self.now)

    def carry_out(self, action: Action) -> None:
        """Start it and have it answered at once."""
        self.limiter.finish(self.limiter.start(self.now), self.now)
        match action:
            case Send(key=key):
                self.settle(key)
            case Import(kind=kind, batch=batch):
                self._imports += 1
                self.scheduler.imports.started(kind, f"i{self._imports}", batch, "key", self.now)
            case Poll(job=job):
                self.finish(job)
