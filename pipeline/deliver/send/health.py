"""Whether calls may be made for an account: back-off while Connectif is unavailable, a stop if it refuses us.

Pure: clock and randomness are passed in. While anything is wrong, calls go one at a time.
"""

from __future__ import annotations

import enum
import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.config_stages import DeliverSettings
from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.records import RecordKind

#: Seconds between probes of an account that Connectif refuses.
PROBE_EVERY = 60.0
DEAD_IN_A_ROW = "dead_in_a_row"
TOO_MANY_DEAD = "too_many_dead"
#: Only a restart of the worker ends these, after a person read the dead letters: a probe would make another.
ENDED_BY_RESTART = (DEAD_IN_A_ROW, TOO_MANY_DEAD)


class Sign(enum.Enum):
    """What an answer says about the account, apart from the record.

    `NOTHING`: it may be about the size of the file only.
    """

    WELL = "well"
    NOTHING = "nothing"
    LIMITED = "limited"
    REFUSED = "refused"
    AWAY = "away"


#: The file is too large for Connectif or for a proxy.
TOO_LARGE = 413
#: A file up to this many bytes is sent at once on any uplink.
QUICK = 20_000


def of_its_size(answer: Answer, size: int) -> bool:
    """Whether a file of `size` bytes may have failed for its size: it took too long, or is too large."""
    return answer.status == TOO_LARGE or (answer.kind is AnswerKind.TIMEOUT and size > QUICK)


def sign_of(answer: Answer, *, may_be_absent: bool) -> Sign:
    """What an answer says about the account.

    Args:
        answer: the answer.
        may_be_absent: whether a 404 is a valid answer to this call; on a route that always exists it means a
            wrong address, or a proxy without its server.
    """
    match answer.kind:
        case AnswerKind.LIMITED:
            return Sign.LIMITED
        case AnswerKind.UNAUTHORISED | AnswerKind.FORBIDDEN:
            return Sign.REFUSED
        case AnswerKind.UNAVAILABLE | AnswerKind.TIMEOUT:
            return Sign.AWAY
        case AnswerKind.ABSENT:
            return Sign.WELL if may_be_absent else Sign.AWAY
    return Sign.WELL


@dataclass(slots=True)
class Health:
    """One account's.

    Args:
        settings: back-off bounds and the limits of dead letters.
        random: uniform in [0, 1).
        on_stopped: called with each change of `stopped`: its value, and `detail`.

    Attributes:
        stopped: why the account is stopped, as a metric label; empty while it is not.
        detail: Connectif's message.
        failure: of the last call without an answer of Connectif's.
    """

    settings: DeliverSettings
    random: Callable[[], float]
    on_stopped: Callable[[str, str], None] = lambda _stopped, _detail: None
    stopped: str = ""
    detail: str = ""
    failure: str = ""
    _failures: int = 0
    _failed_at: float = -math.inf
    _until: float = -math.inf
    _careful: bool = False
    #: By kind: contacts that are taken say nothing of purchases, all of which may be refused.
    _dead_in_a_row: Counter[RecordKind] = field(default_factory=Counter)
    _endings: dict[RecordKind, deque[bool]] = field(init=False)

    def __post_init__(self) -> None:
        self._endings = {kind: deque(maxlen=self.settings.dead_window) for kind in RecordKind}

    @property
    def careful(self) -> bool:
        """Whether calls are made one at a time, until one succeeds."""
        return self._careful

    def wait(self, now: float, in_flight: int) -> float:
        """Seconds until a call may start; infinity: not before an answer comes, or not at all."""
        if self.stopped in ENDED_BY_RESTART:
            return math.inf
        if now < self._until:
            return self._until - now
        return math.inf if self._careful and in_flight else 0.0

    def answered(self, sign: Sign, answer: Answer, started: float, now: float) -> None:
        """Take an answer to a call that started at `started` into account."""
        if sign is Sign.REFUSED and self.stopped not in ENDED_BY_RESTART:
            self._set(answer.kind.value, answer.detail)
            self._until, self._careful, self._failed_at = now + PROBE_EVERY, True, now
        elif sign is Sign.AWAY:
            self.failure = answer.detail
            self._fail(started, now)
        elif sign is Sign.WELL and started > self._failed_at:
            self._failures, self._careful = 0, False
            if self.stopped not in ENDED_BY_RESTART:
                self._set("", "")

    def delivered(self, kind: RecordKind) -> None:
        """A record reached Connectif."""
        self._dead_in_a_row[kind] = 0
        self._endings[kind].append(False)

    def died(self, kind: RecordKind, detail: str) -> None:
        """A record was refused for good; too many of a kind point to a mistake here, not in the records.

        Args:
            kind: the record's.
            detail: why; it is logged, so it holds nothing of the record.
        """
        endings = self._endings[kind]
        self._dead_in_a_row[kind] += 1
        endings.append(True)
        full = len(endings) == self.settings.dead_window
        if self._dead_in_a_row[kind] >= self.settings.dead_in_a_row:
            self._set(DEAD_IN_A_ROW, detail)
        elif full and sum(endings) >= self.settings.dead_share * self.settings.dead_window:
            self._set(TOO_MANY_DEAD, detail)

    def _set(self, stopped: str, detail: str) -> None:
        changed = stopped != self.stopped
        self.stopped, self.detail = stopped, detail
        if changed:
            self.on_stopped(stopped, detail)

    def _fail(self, started: float, now: float) -> None:
        self._careful = True
        if started <= self._failed_at:
            return  # it went out before the failure that is being waited for: no new information
        longest = min(self.settings.retry_max, self.settings.retry_min * 2.0 ** min(self._failures, 30))
        self._failures += 1
        self._failed_at = now
        self._until = max(self._until, now + self.random() * longest)
