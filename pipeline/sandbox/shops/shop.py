"""One simulated shop: its settings, its documents, and each request that was made to it."""

from __future__ import annotations

import hmac
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from pipeline.sandbox.shops.access import Access, Anyone

#: Requests that are remembered one by one.
LOG = 100_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limit(_Strict):
    """How many requests it stands; beyond it, 429."""

    requests: int = Field(ge=1)
    seconds: float = Field(gt=0)
    retry_after: float | None = Field(
        default=None, ge=0, description="said with the 429; left out, nothing is"
    )


class ShopSettings(_Strict):
    """How a shop is."""

    access: Access = Anyone()
    limit: Limit | None = None
    webhooks: Literal["shopify", "woocommerce", "vtex", "magento"] | None = Field(
        default=None, description="whose API keeps its webhooks; left out, none does"
    )
    latency: float = Field(default=0.0, ge=0, le=60, description="seconds each answer takes")


class Answer(_Strict):
    """What is answered to a path: JSON, or a text."""

    status: int = Field(default=200, ge=200, le=599)
    body: Any = None
    text: str | None = None


class Fault(_Strict):
    """What goes wrong instead of an answer.

    `down` breaks the connection, `html` is a maintenance page with status 200, `notice` what PHP prints
    before the JSON; `slow` answers after `seconds`.
    """

    kind: Literal["down", "html", "slow", "unauthorised", "too_many", "server_error", "notice"]
    path: str = Field(default="", description="beginning of the paths that it concerns")
    count: int | None = Field(default=None, ge=1, description="requests that it concerns; left out, all")
    seconds: float = Field(default=0.0, ge=0, le=3_600)


class LoggedRequest(NamedTuple):
    """One request that was answered."""

    at: float
    method: str
    path: str
    status: int


class SimulatedShop:
    """A shop's state.

    Attributes:
        settings: how it is.
        token: that it has issued, and until when it is good.
    """

    def __init__(self, settings: ShopSettings) -> None:
        self.settings = settings
        self.log: deque[LoggedRequest] = deque(maxlen=LOG)
        self.token: tuple[str, float] | None = None
        self.tokens_issued = 0
        self._answers: dict[str, list[Answer]] = {}
        self._faults: list[tuple[Fault, int]] = []
        self._recent: deque[float] = deque()

    def hold(self, path: str, answers: list[Answer]) -> None:
        """Answer a path so from now on: one after the other, and the last for ever."""
        self._answers[path] = list(answers)

    def drop(self, path: str) -> None:
        """Answer 404 to a path from now on."""
        self._answers.pop(path, None)

    def add_fault(self, fault: Fault) -> None:
        """Let something go wrong."""
        self._faults.append((fault, 0))

    def clear_faults(self) -> None:
        """Let all go well."""
        self._faults.clear()

    def answer(self, path: str) -> Answer:
        """What it answers to an authorised request."""
        waiting = self._answers.get(path)
        if not waiting:
            return Answer(status=404, body={"message": "no such document"})
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def fault(self, path: str) -> Fault | None:
        """What goes wrong with a request."""
        for index, (fault, used) in enumerate(self._faults):
            if path.startswith(fault.path) and (fault.count is None or used < fault.count):
                self._faults[index] = (fault, used + 1)
                return fault
        return None

    def is_over_limit(self, now: float) -> bool:
        """Whether a request is one too many; it counts all the same."""
        limit = self.settings.limit
        if limit is None:
            return False
        while self._recent and self._recent[0] <= now - limit.seconds:
            self._recent.popleft()
        self._recent.append(now)
        return len(self._recent) > limit.requests

    def issue(self, now: float, life: float) -> str:
        """A new token, which alone is good from now on."""
        self.tokens_issued += 1
        token = f"token-{self.tokens_issued}"
        self.token = (token, now + life)
        return token

    def takes(self, token: str, now: float) -> bool:
        """Whether a token is the one that is good."""
        if self.token is None or now >= self.token[1]:
            return False
        return hmac.compare_digest(token.encode(), self.token[0].encode())

    def figures(self) -> Mapping[str, Any]:
        """What was asked and answered."""
        return {
            "requests": len(self.log),
            "by_status": dict(Counter(str(one.status) for one in self.log)),
            "tokens_issued": self.tokens_issued,
            "log": [one._asdict() for one in self.log],
        }
