"""Reading a shop's pages without a network: answers of lists, the way through them, and the events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.events import Kind, Lane, RawEvent
from pipeline.sandbox.shops.shop import Lists
from pipeline.shops.api import FOUND, ApiRequest, documents_in
from pipeline.shops.base import StoreOf
from pipeline.shops.platform import AnyPlatform
from pipeline.shops.pull import PullAnswer, PulledRow, PullPage, PullPass, PullScope, ShopPull, completed
from pipeline.shops.values import body_hash
from tests.shop_bodies import NOW_MS

PAGES = Path(__file__).parent / "data" / "pull"
#: Pages after which a reading that does not end is given up.
MOST = 400
Ask = Callable[[ApiRequest], PullAnswer]


def exchanges(platform: str, name: str) -> list[tuple[str, PullAnswer]]:
    """The paths that were asked, and what was answered."""
    listed = json.loads((PAGES / platform / f"pull-{name}.json").read_bytes())["exchanges"]
    return [(one["request"]["path"], answered(one["response"])) for one in listed]


def answered(response: dict[str, Any]) -> PullAnswer:
    return PullAnswer(response["body"], response["headers"])


def scope(
    kind: Kind, reads: PullPass = PullPass.CHANGED, since: int | None = None, until: int = NOW_MS
) -> PullScope:
    return PullScope(kind, reads, since, until)


def pull_of(platform: AnyPlatform) -> ShopPull[Any]:
    assert platform.pull is not None
    return platform.pull


def of_lists(lists: Lists, between: Callable[[int], None] = lambda _: None) -> Ask:
    """Ask simulated lists; `between` is called with the number of pages so far, before each but the first."""
    count = 0

    def ask(request: ApiRequest) -> PullAnswer:
        nonlocal count
        if count:
            between(count)
        count += 1
        found = lists.answer(request.path, request.headers)
        assert found is not None, request.path
        assert found.status == FOUND, (request.path, found.body)
        headers = {name.lower(): value for name, value in found.headers.items()}
        return PullAnswer(json.loads(json.dumps(found.body)), headers)

    return ask


def pages(platform: AnyPlatform, settings: Any, what: PullScope, ask: Ask) -> Iterator[PullPage]:
    """All pages of a pass."""
    pull = pull_of(platform)
    waiting: list[ApiRequest] = [pull.first(settings, what)]
    for _ in range(MOST):
        if not waiting:
            return
        request = waiting.pop(0)
        page = pull.read(settings, what, request, ask(request))
        yield page
        waiting = [*page.parts, *([page.following] if page.following else []), *waiting]
    raise AssertionError("it does not end")


def ids(platform: AnyPlatform, settings: Any, what: PullScope, ask: Ask) -> list[str]:
    """The ids of all rows, in the order in which they came."""
    return [row.entity for page in pages(platform, settings, what, ask) for row in page.rows]


def whole(
    platform: AnyPlatform,
    store: StoreOf[Any],
    page: PullPage,
    ask: Callable[[str], tuple[str, int, bytes]],
) -> list[PulledRow]:
    """The rows of a page with all that belongs to them."""
    rows = list(page.rows)
    for place, paths in page.lookups:
        rows[place] = completed(rows[place], [ask(path) for path in paths])
    return [_with_needs(platform, store, row, ask) for row in rows]


def _with_needs(
    platform: AnyPlatform,
    store: StoreOf[Any],
    row: PulledRow,
    ask: Callable[[str], tuple[str, int, bytes]],
) -> PulledRow:
    needs = pull_of(platform).needs
    while needs is not None:
        documents = documents_in(row.body)
        wanted: Sequence[str] = needs(row, documents, store)
        if not wanted:
            return row
        assert not set(wanted) & set(documents), "a path is asked twice"
        row = completed(row, [ask(path) for path in wanted])
    return row


def event_of(platform: AnyPlatform, kind: Kind, row: PulledRow, received_ms: int = NOW_MS) -> RawEvent:
    """The event that a row becomes."""
    return RawEvent(
        store="acme",
        platform=platform.name,
        kind=kind,
        entity=row.entity,
        topic=row.topic,
        delivery=f"pull-{body_hash(row.topic.encode() + row.body)}",
        received_ms=received_ms,
        body=row.body,
        lane=Lane.BACKFILL,
    )
