"""A shop's API, as its platform declares it: what a notification makes us ask, how requests are authorised.

Pure: the requests are made by `pipeline/sync`. What a shop answers is stored in `shop.*` as an event of its
own, under a topic that begins with `FETCHED`, behind the notification that named it: a replay needs no API.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from pipeline.events import TRACE, RawEvent
from pipeline.shops.base import Rejected, StoreOf
from pipeline.shops.settings import StoreSettings
from pipeline.shops.values import body_hash, parse_json_object

SettingsT = TypeVar("SettingsT", bound=StoreSettings)

#: Topics of events that were fetched begin so; no webhook's does (`pipeline/shops/platform.py`, `raw_event`).
FETCHED = "fetched/"
#: Why translate makes no records of a notification: a metric's label.
IGNORED = "fetched"
#: The header of a fetched event with the place of its notification.
NOTIFIED_BY = "notified-by"
#: Documents that one notification may need; no order of a shop comes near it.
MAX_DOCUMENTS = 200
#: The status of a document that is there.
FOUND = 200


class Document(NamedTuple):
    """What a shop's API answered.

    Attributes:
        path: what was asked: path and query.
        status: 200, or 404 (and 410) where there is no such document.
        body: what the JSON says; None where there is none.
    """

    path: str
    status: int
    body: Any


Documents = Mapping[str, Document]


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request to a shop's API; the base address comes from `ShopApi.base_url`, or stands in `path`.

    `note` is what whoever made it must know to read its answer; it is not sent.
    """

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    note: str = ""


class Moment(NamedTuple):
    """What a request's authorisation may rest on beside the settings.

    Attributes:
        seconds: since the epoch.
        nonce: random text, new for each request.
        token: the newest of `ShopApi.token`; "" where the platform has none.
    """

    seconds: int
    nonce: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class RequestLimit:
    """How many requests a shop stands, and how long it is left alone once it said that they were too many.

    Attributes:
        requests: in `seconds`.
        seconds: see there.
        parallel: that may be under way at once.
        pause: seconds without any request after a 429 that names no `Retry-After`.
    """

    requests: int
    seconds: float
    parallel: int = 1
    pause: float = 60.0


class Meaning(enum.StrEnum):
    """What an answer of status 200 means where the platform says errors in it."""

    DOCUMENT = "document"  # it is what was asked for
    TOO_MANY = "too_many"  # the shop wants no requests for a while
    UNAUTHORISED = "unauthorised"  # the credentials or their rights do not let the request in
    REFUSED = "refused"  # the request is not taken, however often it is made
    FAILED = "failed"  # it may work later


class Points(NamedTuple):
    """What a shop that counts points says of them.

    Attributes:
        asked: what the request needs to be let in.
        there: what is left.
        rate: what comes back in a second; above 0.
        most: what there can be.
    """

    asked: float
    there: float
    rate: float
    most: float


class Heard(NamedTuple):
    """What an answer of status 200 says of the request.

    Attributes:
        meaning: what became of it.
        seconds: without any further request to the shop.
        points: of a shop that counts them.
    """

    meaning: Meaning
    seconds: float = 0.0
    points: Points | None = None


@dataclass(frozen=True, slots=True)
class ShopApi(Generic[SettingsT]):
    """A platform's API. Its functions are pure.

    Attributes:
        base_url: scheme and host, without a slash at the end.
        authorise: the headers that let a request in.
        limit: of a shop of these settings.
        needs: which paths must still be asked to understand a notification, given what was answered so far;
            none: that is all. Of an event that needs nothing it says so at once. It is asked after each round
            of answers, never names what is there, and stops at a document that does not exist. Left out:
            webhooks hold all that is needed.
        fetched_topic: the topic, without `FETCHED`, of the event that the documents of a notification make.
        token: the request for a token, where tokens expire; None for stores whose token is fixed.
        query: what is put behind each address when it is asked, such as a key, and stored nowhere; "" for
            nothing. Left out, nothing is.
        scopes: the least rights the credentials need, as the platform names them, for the documentation.
        withheld: fields whose texts are not kept: hashes of passwords, keys of orders, network addresses.
        heard: what an answer of status 200 says, of platforms that write errors and limits into it; left out,
            it is the document.
        form: what requests that cost as many points have in common, where the shop counts points.
    """

    base_url: Callable[[SettingsT], str]
    authorise: Callable[[SettingsT, ApiRequest, Moment], Mapping[str, str]]
    limit: Callable[[SettingsT], RequestLimit]
    needs: Callable[[RawEvent, Documents, StoreOf[SettingsT]], Sequence[str]] = lambda *_: ()
    fetched_topic: Callable[[RawEvent], str] = lambda event: str(event.kind)
    token: Callable[[SettingsT], ApiRequest | None] | None = None
    query: Callable[[SettingsT], str] | None = None
    scopes: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    heard: Callable[[Any], Heard] | None = None
    form: Callable[[ApiRequest], str] = lambda _: ""


def fetched_event(
    notification: RawEvent, answers: Sequence[tuple[str, int, bytes]], topic: str, place: str, now_ms: int
) -> RawEvent:
    """The event that follows a notification.

    Args:
        notification: the event that named the documents.
        answers: path, status and raw body of each; a body that is not 200's is left out.
        topic: `ShopApi.fetched_topic`.
        place: of the notification in Kafka; read again after a crash it is the same delivery, while the same
            documents for another notification are another one: a shop does not always move its dates.
        now_ms: the moment of the last answer.
    """
    body = pack(answers)
    return RawEvent(
        store=notification.store,
        platform=notification.platform,
        kind=notification.kind,
        entity=notification.entity,
        topic=FETCHED + topic,
        delivery=body_hash(f"{place}\n".encode() + body),
        received_ms=now_ms,
        body=body,
        triggered_ms=notification.triggered_ms,
        lane=notification.lane,
        headers={NOTIFIED_BY: place, **_trace_of(notification)},
    )


def _trace_of(event: RawEvent) -> dict[str, str]:
    """The trace that what is fetched because of an event belongs to."""
    return {TRACE: event.headers[TRACE]} if TRACE in event.headers else {}


def without(body: bytes, withheld: Sequence[str]) -> bytes:
    """The JSON with empty texts in the fields that are not kept, and every other byte as it was."""
    if not withheld:
        return body
    return _texts_of(tuple(withheld)).sub(rb'"\1":""', body)


@lru_cache(maxsize=64)
def _texts_of(names: tuple[str, ...]) -> re.Pattern[bytes]:
    """A field of one of these names, with its text; within a text, a backslash stands before a mark."""
    listed = b"|".join(re.escape(name.encode()) for name in names)
    return re.compile(rb'(?<!\\)"(%b)"\s*:\s*"(?:[^"\\]|\\.)*"' % listed, re.DOTALL)


def pack(answers: Sequence[tuple[str, int, bytes]]) -> bytes:
    """The body of a fetched event: every document as the shop wrote it, so that no amount is rounded."""
    parts = [
        b'{"request":%s,"status":%d,"body":%s}'
        % (json.dumps(path).encode(), status, body.strip() if status == FOUND else b"null")
        for path, status, body in answers
    ]
    return b'{"documents":[%s]}' % b",".join(parts)


def bodies_in(tree: object) -> list[object]:
    """An event's body as it was parsed, and the documents in it where it is what a shop's API answered."""
    listed = tree.get("documents") if isinstance(tree, dict) else None
    answers = listed[:MAX_DOCUMENTS] if isinstance(listed, list) else []
    bodies = [answer.get("body") for answer in answers if isinstance(answer, dict)]
    found = [body.get("items") for body in bodies if isinstance(body, dict)]
    return [tree, *bodies, *(one for listed in found if isinstance(listed, list) for one in listed[:1])]


def documents_of(event: RawEvent, notes: list[str] | None = None) -> Documents:
    """The documents of a fetched event, by what was asked.

    Args:
        event: whose topic begins with `FETCHED`.
        notes: gets what `parse_json_object` notes of the body.

    Raises:
        Rejected: `invalid_json`, or `not_documents`: no such event was made by `fetched_event`.
    """
    return documents_in(event.body, notes)


def documents_in(body: bytes, notes: list[str] | None = None) -> Documents:
    """As `documents_of`, by the event's body alone."""
    listed = parse_json_object(body, notes if notes is not None else []).get("documents")
    if not isinstance(listed, list) or len(listed) > MAX_DOCUMENTS:
        raise Rejected("not_documents", "documents", "no list of what the shop's API answered")
    found: dict[str, Document] = {}
    for entry in listed:
        if not isinstance(entry, dict):
            raise Rejected("not_documents", "documents", "an entry is no object")
        path, status = entry.get("request"), entry.get("status")
        if not isinstance(path, str) or not isinstance(status, int):
            raise Rejected("not_documents", "documents", "an entry without its request or status")
        found[path] = Document(path, status, entry.get("body"))
    return found
