"""What is remembered of the calls of one limit. Moments are seconds on a clock that the caller chooses."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Observation:
    """What one answer said of the limit.

    Attributes:
        limit: calls per window, as the server said.
        remaining: calls left in its window when it answered.
        reset_in: seconds until its window ends.
        retry_after: seconds to stay away, with a 429.
        limited: whether the answer was a 429.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_in: float | None = None
    retry_after: float | None = None
    limited: bool = False


NOTHING_OBSERVED = Observation()


@dataclass(slots=True)
class LimiterState:
    """See the module.

    Attributes:
        in_flight: calls that have started, or are about to, and have no answer, by number: the start, and
            `returned` then.
        expiring: when each answered call's slot comes back, the next first.
        returned: slots that came back so far.
        server_limit: calls per window, as the server said; None: it did not.
        shared_until: until when others are taken to share the limit: the server counted more calls than ours.
        clock_ahead: whether a reset was further away than a window: the window's beginning is then unknown.
        sliding: whether the server's window was seen to slide.
        anchor: the reset it sent, or the first of several that lie close together.
        remaining: calls the server had left, where others share it.
        heard_at: when it said so.
        reset_at: until when that counts.
        credit: slots of ours that came back since, if the window slides.
        credit_from: only those that came back later than this.
        blocked_until: after a 429, when calls may be made again.
        refusals: 429s in a row.
        probing: calls go one at a time, as it is unknown how many are left.
        probing_from: the answer to a call that started then or later ends it.
        number: of the newest call.
    """

    in_flight: dict[int, tuple[float, int]] = field(default_factory=dict)
    expiring: deque[float] = field(default_factory=deque)
    returned: int = 0
    server_limit: int | None = None
    shared_until: float = -math.inf
    clock_ahead: bool = False
    sliding: bool = False
    anchor: float = -math.inf
    remaining: int | None = None
    heard_at: float = -math.inf
    reset_at: float = -math.inf
    credit: int = 0
    credit_from: float = -math.inf
    blocked_until: float = -math.inf
    refusals: int = 0
    probing: bool = False
    probing_from: float = -math.inf
    number: int = 0
