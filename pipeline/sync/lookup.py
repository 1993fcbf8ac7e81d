"""One look-up: rounds of requests until all that a notification needs is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pipeline.events import RawEvent
from pipeline.shops.api import MAX_DOCUMENTS, Document, ShopApi, without
from pipeline.shops.base import StoreContext
from pipeline.shops.settings import StoreSettings
from pipeline.sync.answers import Answer, Empty, Failed, Found, Missing

#: Asks for one path, within the shop's limit.
Ask = Callable[[str], Awaitable[Answer]]
#: Bytes of the documents of one notification.
MAX_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class Documented:
    """All documents are there.

    Attributes:
        answers: path, status and raw body of each.
    """

    answers: tuple[tuple[str, int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Halted:
    """An answer that stands in the way.

    Attributes:
        answer: it.
        path: what was asked.
    """

    answer: Answer
    path: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """There are more documents, or more bytes, than one event may hold."""


async def look_up(
    event: RawEvent, api: ShopApi[StoreSettings], store: StoreContext, ask: Ask
) -> Documented | Halted | TooLarge:
    """Ask for all that an event needs; one request after the other, as `ask` lets them through."""
    answers: list[tuple[str, int, bytes]] = []
    documents: dict[str, Document] = {}
    size = 0
    while wanted := [path for path in api.needs(event, documents, store) if path not in documents]:
        for path in dict.fromkeys(wanted):
            if len(answers) == MAX_DOCUMENTS:
                return TooLarge()
            answer = await ask(path)
            match answer:
                case Found(body, value):
                    size += len(body)
                    answers.append((path, 200, without(body, api.withheld)))
                    documents[path] = Document(path, 200, value)
                case Missing(status):
                    answers.append((path, status, b""))
                    documents[path] = Document(path, status, None)
                case Empty():  # no document is empty
                    return Halted(Failed("not_json"), path)
                case _:
                    return Halted(answer, path)
            if size > MAX_BYTES:
                return TooLarge()
    return Documented(tuple(answers))
