"""One simulated shop: its settings, its documents and feeds, and each request that was made to it."""

from __future__ import annotations

import hmac
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from typing import Any, Literal, NamedTuple, Protocol

from pydantic import Field

from pipeline.sandbox.shops import shopify, woocommerce
from pipeline.sandbox.shops.access import Access, Anyone
from pipeline.sandbox.shops.feeds import Answer, Journal, JournalSettings, Queue, QueueSettings, Strict
from pipeline.sandbox.shops.generic_pages import GenericLists
from pipeline.sandbox.shops.lists import ListAnswer, ListSettings, Row
from pipeline.sandbox.shops.magento_pages import MagentoLists
from pipeline.sandbox.shops.prestashop_pages import PrestashopLists
from pipeline.sandbox.shops.vtex_pages import VtexLists

__all__ = ["Answer", "Fault", "Limit", "LoggedRequest", "ShopSettings", "SimulatedShop"]

#: Requests that are remembered one by one.
LOG = 100_000


class Limit(Strict):
    """How many requests it stands; beyond it, 429."""

    requests: int = Field(ge=1)
    seconds: float = Field(gt=0)
    retry_after: float | None = Field(
        default=None, ge=0, description="said with the 429; left out, nothing is"
    )


class ShopSettings(Strict):
    """How a shop is."""

    access: Access = Anyone()
    limit: Limit | None = None
    webhooks: Literal["shopify", "woocommerce", "vtex", "magento"] | None = Field(
        default=None, description="whose API keeps its webhooks; left out, none does"
    )
    latency: float = Field(default=0.0, ge=0, le=60, description="seconds each answer takes")
    queue: QueueSettings | None = None
    journal: JournalSettings | None = None
    lists: ListSettings | None = Field(default=None, description="its lists, page by page")


class Fault(Strict):
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


class Lists(Protocol):
    """The lists of a shop, whose pages follow from rows that its maker holds."""

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer | None:
        """The page that is asked for; None where the path is none of a list."""

    def hold(self, name: str, rows: Sequence[Row], gone: Sequence[str] = ()) -> None:
        """Hold rows of a list, each in place of the one with its id, and some no more."""


_PAGED: Mapping[str, Callable[[], Lists]] = {
    "prestashop": PrestashopLists,
    "magento": MagentoLists,
    "vtex": VtexLists,
    "generic": GenericLists,
}


class SimulatedShop:
    """A shop's state.

    Attributes:
        settings: how it is.
        pages: its lists, where they are not those of Shopify and WooCommerce in `rows`.
        rows: of the lists of Shopify and WooCommerce.
        requests: that were answered; `log` remembers the last of them.
        token: that it has issued, and until when it is good.
        bucket: the points of one that counts them.
        queue: the feed whose items come again until they are committed; None where it has none.
        journal: the feed that is read from a position on; None where it has none.
    """

    def __init__(self, settings: ShopSettings) -> None:
        self.settings = settings
        paged = None if settings.lists is None else _PAGED.get(settings.lists.platform)
        self.pages: Lists | None = None if paged is None else paged()
        self.requests = 0
        self.log: deque[LoggedRequest] = deque(maxlen=LOG)
        self.token: tuple[str, float] | None = None
        self.tokens_issued = 0
        self.queue = None if settings.queue is None else Queue(settings.queue)
        self.journal = None if settings.journal is None else Journal(settings.journal)
        self._answers: dict[str, list[Answer]] = {}
        self._faults: list[tuple[Fault, int]] = []
        self._recent: deque[float] = deque()
        self.rows: dict[str, dict[str, Row]] = {}
        counts = settings.lists is not None and settings.lists.platform == "shopify"
        self.bucket = shopify.Bucket(settings.lists) if counts and settings.lists is not None else None

    def hold(self, path: str, answers: list[Answer]) -> None:
        """Answer a path so from now on, or, with `*` at its end, all that begin so: one after the other."""
        self._answers[path] = list(answers)

    def drop(self, path: str) -> None:
        """Answer 404 to a path from now on."""
        self._answers.pop(path, None)

    def hold_rows(self, name: str, rows: Sequence[Row], gone: Sequence[str] = ()) -> None:
        """Hold rows of a list, each in place of the one with its id, and some no more."""
        if self.pages is not None:
            self.pages.hold(name, rows, gone)
            return
        held = self.rows.setdefault(name, {})
        held.update({str(row["id"]): row for row in rows})
        for row_id in gone:
            held.pop(row_id, None)

    def listed(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, now: float
    ) -> Answer | None:
        """The page that a request asks for; None where it asks for none."""
        lists = self.settings.lists
        found: Answer | ListAnswer | None = None
        if lists is not None and lists.platform == "woocommerce" and method == "GET":
            found = woocommerce.answer(lists, self.rows, path)
        elif lists is not None and self.bucket is not None and path.endswith("/graphql.json"):
            found = shopify.answer(lists, self.rows, body, self.bucket, now)
        elif self.pages is not None and method == "GET":
            found = self.pages.answer(path, headers)
        if found is None:
            return None
        dated = {**found.headers, "date": formatdate(now, usegmt=True)}
        return Answer(status=found.status, body=found.body, headers=dated)

    def answered(self, request: LoggedRequest) -> None:
        """Remember a request."""
        self.requests += 1
        self.log.append(request)

    def add_fault(self, fault: Fault) -> None:
        """Let something go wrong."""
        self._faults.append((fault, 0))

    def clear_faults(self) -> None:
        """Let all go well."""
        self._faults.clear()

    def answer(self, path: str, method: str = "GET", body: bytes = b"", now: float = 0.0) -> Answer:
        """What it answers to an authorised request."""
        for feed in (self.queue, self.journal):
            if feed is not None and path.partition("?")[0] == feed.path:
                return feed.answer(method, path.partition("?")[2], body, now)
        waiting = self._answers.get(path) or self._begun(path)
        if not waiting:
            return Answer(status=404, body={"message": "no such document"})
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def _begun(self, path: str) -> list[Answer] | None:
        """What is held under a beginning of the path, which ends in `*`."""
        for held, answers in self._answers.items():
            if held.endswith("*") and path.startswith(held[:-1]):
                return answers
        return None

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

    def figures(self, *, log: bool = True) -> Mapping[str, Any]:
        """What was asked and answered; with each request that is remembered, where `log` asks for it."""
        return {
            "requests": self.requests,
            "by_status": dict(Counter(str(one.status) for one in self.log)),
            "tokens_issued": self.tokens_issued,
            "points": None if self.bucket is None else self.bucket.figures(),
            "queue": None if self.queue is None else self.queue.figures(),
            "log": [one._asdict() for one in self.log] if log else [],
        }
