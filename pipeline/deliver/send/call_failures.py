"""Whether an account's calls to Connectif fail, since when and why.

Pure: moments are passed in. One failure is none: calls fail now and then. What fails twice in a row on one
route fails, whatever succeeds on others; and what fails on all of them is over with the first success on any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.connectif.answers import Answer, AnswerKind, Cause
from pipeline.deliver.send.health import Sign

#: Failures in a row on one route that count as failing.
ENOUGH = 2
#: Seconds after which failures are no longer in a row: longer than any back-off between them.
FORGOTTEN = 900.0
#: Causes besides those of an answer.
WRONG_ADDRESS = "wrong_address"
_SENTENCES = {
    Cause.TIMEOUT: "it does not answer in time",
    Cause.UNREACHABLE: "no connection to it can be made",
    Cause.UNKNOWN_HOST: "its name cannot be resolved (DNS)",
    Cause.CERTIFICATE: "its certificate is not valid: check the clock of this machine, its certificate "
    "authorities, base_url, and a proxy that opens TLS",
    Cause.PROXY: "the proxy in front of us does not let us through",
    Cause.BROKEN: "connections to it break",
    Cause.SERVER_ERROR: "it answers with an error of its own",
    Cause.FOREIGN: "something else answers instead of it, such as a proxy or a maintenance page",
    Cause.TOO_LARGE: "its answers are larger than any of its own",
    WRONG_ADDRESS: "its routes are not there: check base_url",
    AnswerKind.UNAUTHORISED: "it does not accept the API key",
    AnswerKind.FORBIDDEN: "it refuses the account, or the API key lacks a permission",
}
#: These stop the account, which `health` reports.
REFUSED = (AnswerKind.UNAUTHORISED.value, AnswerKind.FORBIDDEN.value)


@dataclass(frozen=True, slots=True)
class Failing:
    """Why an account's calls fail.

    Attributes:
        cause: a label: a `Cause` of the last answer, `wrong_address`, `unauthorised` or `forbidden`.
        words: the last failure, such as `503; a web page`.
        since: when the first failed, in epoch seconds.
        routes: of the API that fail, by the labels of the metrics.
    """

    cause: str
    words: str
    since: float
    routes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The cause for a person."""
        known = _SENTENCES.get(self.cause, self.cause)
        return f"{known} ({self.words})" if self.words else known


@dataclass(slots=True)
class _Route:
    """Failures in a row on one route; `others_work`: others have succeeded since the last."""

    since: float
    last: float
    cause: str
    words: str
    failures: int = 1
    others_work: bool = False
    alone: bool = False


@dataclass(slots=True)
class CallFailures:
    """One account's.

    Args:
        on_change: called when calls begin to fail, for each new cause, and when they succeed again, with what
            failed now and before.
    """

    on_change: Callable[[Failing | None, Failing | None], None] = lambda _now, _before: None
    failing: Failing | None = None
    _routes: dict[str, _Route] = field(default_factory=dict)
    _causes: set[str] = field(default_factory=set)

    def answered(self, route: str, sign: Sign, answer: Answer, started: float, wall: float) -> None:
        """Take an answer into account.

        Args:
            route: of the API, as a metric label.
            sign: what the answer says of the account.
            answer: it.
            started: when the call began, in epoch seconds.
            wall: epoch seconds.
        """
        if sign in (Sign.AWAY, Sign.REFUSED):
            self._failed(route, sign, answer, started, wall)
        elif sign is Sign.WELL and self._routes:
            self._succeeded(route, started)
        else:
            return
        self._settle(wall)

    def _failed(self, route: str, sign: Sign, answer: Answer, started: float, wall: float) -> None:
        cause = answer.kind.value if sign is Sign.REFUSED else answer.cause.value or WRONG_ADDRESS
        known = self._routes.get(route)
        if known is None or wall - known.last > FORGOTTEN:
            failures = ENOUGH if sign is Sign.REFUSED else 1
            self._routes[route] = _Route(started, wall, cause, answer.detail, failures)
            return
        known.cause, known.words = cause, answer.detail
        if started > known.last:  # else it started before the last failure, and adds nothing
            known.failures += 1
        known.alone |= known.others_work
        known.last, known.others_work = wall, False

    def _succeeded(self, route: str, started: float) -> None:
        known = self._routes.get(route)
        if known is not None and started > known.last:
            del self._routes[route]
        for other in self._routes.values():
            other.others_work |= started > other.last

    def _settle(self, wall: float) -> None:
        found = {
            name: route
            for name, route in self._routes.items()
            if route.failures >= ENOUGH
            and (not route.others_work or route.alone)
            and (wall - route.last <= FORGOTTEN)
        }
        before = self.failing
        if not found:
            self.failing = None
            if before is not None:
                self._causes.clear()
                self.on_change(None, before)
            return
        last = max(found.values(), key=lambda route: route.last)
        since = min(route.since for route in found.values())
        if before is not None:
            since = min(since, before.since)
        self.failing = Failing(last.cause, last.words, since, tuple(sorted(found)))
        if last.cause not in self._causes:
            self._causes.add(last.cause)
            self.on_change(self.failing, before)
