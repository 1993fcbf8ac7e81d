"""The API of a case's shop: what is asked about a notification, and the event that its answers make."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote

from pipeline.events import RawEvent
from pipeline.shops.api import MAX_DOCUMENTS, Document, fetched_event
from pipeline.translate.feed import Feed
from tests.simulation.cases import Fetched

_MISSING = Fetched(request="", status=404)


class CaseApi:
    """Answers with what a case lists for one event; with 404 to all else.

    A request whose query is not that of the case is answered by its path alone: another way of asking for the
    same document is as good.
    """

    def __init__(self, answers: Sequence[Fetched]) -> None:
        self._exact: Mapping[str, deque[Fetched]] = _listed(answers, lambda path: path)
        self._by_path: Mapping[str, deque[Fetched]] = _listed(answers, lambda path: path.partition("?")[0])

    def ask(self, path: str) -> tuple[str, int, bytes]:
        """The answer to a request."""
        plain = unquote(path)
        queue = self._exact.get(plain) or self._by_path.get(plain.partition("?")[0])
        found = _MISSING if not queue else queue.popleft() if len(queue) > 1 else queue[0]
        return path, found.status, json.dumps(found.body).encode()


def _listed(answers: Sequence[Fetched], key: Callable[[str], str]) -> Mapping[str, deque[Fetched]]:
    listed: defaultdict[str, deque[Fetched]] = defaultdict(deque)
    for answer in answers:
        listed[key(unquote(answer.request))].append(answer)
    return listed


def looked_up(event: RawEvent, feed: Feed, case: CaseApi, place: str, now_ms: int) -> RawEvent | None:
    """The event that follows a notification; None where the event needs nothing of the shop's API."""
    api = feed.platform.api
    if api is None:
        return None
    answers: list[tuple[str, int, bytes]] = []
    documents: dict[str, Document] = {}
    while wanted := api.needs(event, documents, feed.context):
        for path in wanted:
            assert path not in documents, f"{path} is asked twice"
            answers.append(case.ask(path))
            _, status, body = answers[-1]
            documents[path] = Document(path, status, json.loads(body) if status == 200 else None)
        assert len(documents) <= MAX_DOCUMENTS
    if not answers:
        return None
    return fetched_event(event, answers, api.fetched_topic(event), place, now_ms)
