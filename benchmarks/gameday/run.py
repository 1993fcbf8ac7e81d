"""Goes through an incident: it breaks, it is seen, somebody types, it is over, and Connectif has it all."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from benchmarks.gameday.incident import Incident
from benchmarks.gameday.scene import PATIENCE, Scene, Typed
from tests.commands import complaint
from tests.processes import wait_until

#: Seconds between two looks.
LOOK = 0.3
#: Characters of what page and `top` say that are kept.
SAID = 120


@dataclass
class Outcome:
    """What was seen of an incident.

    Attributes:
        incident: that was gone through.
        alert_after: seconds until its alert fired; None: it did not, or nobody looked.
        page: what the status page said; "": nothing of it.
        top: the same of `pipeline top`.
        doctor: the same of `pipeline doctor`, where it is asked.
        beside: other alerts that fired meanwhile.
        typed: commands, as the runbook has them.
        over_after: seconds from the first command until all was well; None: it was not.
        purchases: that Connectif held afterwards.
        seconds: it took in all.
        wrong: what was not as it had to be.
    """

    incident: Incident
    alert_after: float | None = None
    page: str = ""
    top: str = ""
    doctor: str = ""
    beside: set[str] = field(default_factory=set)
    typed: list[Typed] = field(default_factory=list)
    over_after: float | None = None
    purchases: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Drill:
    """One incident on a scene.

    Args:
        scene: where all is well.
        incident: that breaks.
    """

    def __init__(self, scene: Scene, incident: Incident) -> None:
        self._scene, self._incident = scene, incident
        self._began = time.monotonic()
        self._problems: list[str] = []
        self.outcome = Outcome(incident)

    def goes_through(self) -> Outcome:
        """All of it; what goes wrong is in the outcome."""
        steps: tuple[Callable[[], None], ...] = (
            self._breaks,
            self._is_seen,
            self._is_found,
            self._mends,
            self._is_over,
        )
        self._scene.trade.opens()
        for step in (*steps, self._ledger):
            try:
                step()
            except Exception as error:  # noqa: BLE001 - one incident must not keep the others from being tried
                self.outcome.wrong.append(f"{step.__name__.strip('_')}: {type(error).__name__}: {error}")
        self.outcome.seconds = time.monotonic() - self._began
        return self.outcome

    def _breaks(self) -> None:
        self._incident.breaks(self._scene)
        self._began = time.monotonic()

    # Seen.

    def _is_seen(self) -> None:
        with contextlib.suppress(TimeoutError):
            wait_until(self._looks, self._incident.seen_within, every=LOOK)
        self.outcome.wrong += self._unseen()
        if besides := self._incident.meanwhile(self._scene):
            self.outcome.wrong.append(besides)
        self._commands_are_there()

    def _looks(self) -> bool:
        """Whether all was seen that has to be."""
        one, watch = self._incident, self._scene.watch
        if self.outcome.alert_after is None and watch.fires(one.alert, one.labels):
            self.outcome.alert_after = time.monotonic() - self._began
        if not self.outcome.page and one.page_says:
            self.outcome.page = _found(one.page_says, watch.page(one.place))
        if not self.outcome.top and (self.outcome.page or not one.page_says):
            said = " ".join(self._scene.site.command("top", "--once").stdout.split())
            self.outcome.top = _found(one.top_says or one.page_says, said)
        self.outcome.beside |= watch.firing() - {one.alert}
        if list(self._unseen()):
            one.during(self._scene)
            return False
        return True

    def _unseen(self) -> Iterator[str]:
        if self._scene.watch.sees_alerts and self.outcome.alert_after is None:
            yield f"{self._incident.alert} {dict(self._incident.labels)} did not fire"
        if self._incident.page_says and not self.outcome.page:
            yield f"the page did not say {self._incident.page_says}"
        if not self.outcome.top:
            yield f"`pipeline top` did not say {self._incident.top_says or self._incident.page_says}"

    def _commands_are_there(self) -> None:
        """Whoever types what `top` names beside a trouble must not be told that there is no such command."""
        for trouble in self._scene.watch.top()["troubles"]:
            command = str(trouble["command"])
            if command and (why := complaint(command.split()[1:])):
                self.outcome.wrong.append(f"`top` names `{command}`, which is no command: {why}")

    def _is_found(self) -> None:
        """What `pipeline doctor` says, the first thing that the runbook has typed."""
        if not self._incident.doctor_says:
            return
        with contextlib.suppress(TimeoutError):
            wait_until(self._examines, self._incident.seen_within, every=LOOK)
        if not self.outcome.doctor:
            pattern = self._incident.doctor_says
            self.outcome.wrong.append(f"`pipeline doctor` did not say {pattern}, but {self._problems}")

    def _examines(self) -> bool:
        self._problems = self._scene.watch.problems()
        found = (_found(self._incident.doctor_says, problem) for problem in self._problems)
        self.outcome.doctor = next(filter(None, found), "")
        return bool(self.outcome.doctor)

    # Mended.

    def _mends(self) -> None:
        self._incident.others(self._scene)
        self._mended_at = time.monotonic()
        for command in self._incident.types:
            if command == self._incident.types[-1] and self._incident.waits:
                time.sleep(self._incident.waits)  # as shops' lists lag; meanwhile they sell
            typed = self._scene.type(command, self._incident.subject)
            self.outcome.typed.append(typed)
            if typed.code not in self._incident.codes:
                said = " ".join(typed.said.split())[-500:]
                self.outcome.wrong.append(f"`{command}` ended with exit code {typed.code}: {said}")

    def _is_over(self) -> None:
        try:
            wait_until(self._is_well, PATIENCE, every=LOOK)
        except TimeoutError:
            firing = sorted(self._scene.watch.firing())
            page = self._scene.watch.page()[:300]
            self.outcome.wrong.append(f"it is not over after {PATIENCE:.0f} s: firing {firing}; page: {page}")
            return
        self.outcome.over_after = time.monotonic() - self._mended_at
        done = self._scene.site.command("top", "--once")
        if done.returncode:
            self.outcome.wrong.append(f"`pipeline top` still says: {' '.join(done.stdout.split())[:300]}")
        if self._incident.doctor_says and (left := self._scene.watch.problems()):
            self.outcome.wrong.append(f"`pipeline doctor` still says: {left}")

    def _is_well(self) -> bool:
        watch = self._scene.watch
        return watch.is_well() and (not self._incident.rests or watch.rests(self._incident.alert))

    # The ledger.

    def _ledger(self) -> None:
        scene = self._scene
        scene.trade.rests(PATIENCE)
        scene.proof.settle()
        for platform, kinds in scene.proof.lasting_differences().items():
            for kind, differ in kinds.items():
                some = list(differ.items())[:3]
                self.outcome.wrong.append(f"{platform}: {len(differ)} {kind} differ, such as {some}")
        totals = scene.site.totals()
        self.outcome.wrong += list(totals.unbalanced(repeats=True))
        lanes = [lane for one in scene.watch.top()["accounts"] for lane in one["lanes"].values()]
        waiting = sum(int(lane["waiting"]) for lane in lanes)
        if waiting != totals.pending:
            self.outcome.wrong.append(f"`top` says {waiting} records wait, the metrics {totals.pending}")
        self.outcome.purchases = sum(len(shop.purchases()) for shop in scene.proof.shops.values())


def _found(pattern: str, text: str) -> str:
    """What a text has of a pattern, shortened; "": nothing."""
    found = re.search(pattern, text)
    return "" if found is None else found[0][:SAID]
