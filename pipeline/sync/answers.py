"""What a shop's API answered, as one of few types; nothing of an answer is trusted before it is one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from pipeline.shops.api import Heard, Meaning, Points
from pipeline.shops.base import Rejected
from pipeline.shops.values import parse_json

OK, CREATED, NO_CONTENT, NOT_MODIFIED = 200, 201, 204, 304
MISSING = frozenset({404, 410})
UNAUTHORISED = frozenset({401, 403})
#: 430 is some shops' for suspicious, 423 for locked; both mean: leave me alone.
TOO_MANY = frozenset({423, 429, 430})
REDIRECTS, CLIENT_ERRORS, SERVER_ERRORS = 300, 400, 500
UNAVAILABLE = 503
#: No `Retry-After` is followed for longer.
LONGEST_PAUSE = 3_600.0


@dataclass(frozen=True, slots=True)
class Found:
    """The document.

    Attributes:
        body: as the shop wrote it.
        value: what it says as JSON.
        headers: of the answer, names in lower case.
        points: of a shop that counts them.
    """

    body: bytes
    value: Any
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    points: Points | None = None


@dataclass(frozen=True, slots=True)
class Empty:
    """The request was taken, and there is nothing to say.

    Attributes:
        headers: of the answer, names in lower case.
    """

    headers: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such document."""

    status: int


@dataclass(frozen=True, slots=True)
class TooMany:
    """The shop wants no requests for a while.

    Attributes:
        seconds: as it says; None where it does not.
        points: of a shop that counts them.
    """

    seconds: float | None
    points: Points | None = None


@dataclass(frozen=True, slots=True)
class Unauthorised:
    """The credentials do not let this request in."""

    status: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The shop does not take this request, however often it is made."""

    status: int


@dataclass(frozen=True, slots=True)
class Failed:
    """No usable answer: it may come later.

    Attributes:
        what: a word of a bounded set: a metric's label.
    """

    what: str


Answer = Found | Empty | Missing | TooMany | Unauthorised | Refused | Failed


def read(response: httpx.Response, now_s: float, method: str = "GET") -> Answer:
    """The type of an answer.

    Maintenance pages come with status 200 and HTML, and PHP prints notices before its JSON: what is not JSON
    is no document. A request that writes may be answered with nothing, or say that it made something.
    """
    status, writes = response.status_code, method != "GET"
    taken = status == OK or (writes and status in {CREATED, NOT_MODIFIED})
    if status == NO_CONTENT or (writes and taken and not response.content):
        return Empty(dict(response.headers))
    if taken:
        return _document(response)
    if status in TOO_MANY or (status == UNAVAILABLE and "retry-after" in response.headers):
        return TooMany(retry_after(response.headers.get("retry-after"), now_s))
    return _without_document(status)


def _without_document(status: int) -> Answer:
    if status in MISSING:
        return Missing(status)
    if status in UNAUTHORISED:
        return Unauthorised(status)
    if status < CLIENT_ERRORS:  # a redirect would carry the credentials elsewhere
        return Failed("redirect" if status >= REDIRECTS else "odd_status")
    return Failed("server_error") if status >= SERVER_ERRORS else Refused(status)


def _document(response: httpx.Response) -> Answer:
    try:
        value = parse_json(response.content)
    except Rejected:
        return Failed("not_json")
    return Found(response.content, value, dict(response.headers))


def meant(answer: Answer, heard: Callable[[Any], Heard] | None) -> Answer:
    """The answer as its platform means it: some write errors and limits into answers of status 200."""
    if heard is None or not isinstance(answer, Found):
        return answer
    said = heard(answer.value)
    seconds = min(max(0.0, said.seconds), LONGEST_PAUSE)
    match said.meaning:
        case Meaning.DOCUMENT:
            return replace(answer, points=said.points)
        case Meaning.TOO_MANY:
            return TooMany(seconds or None, said.points)
        case Meaning.UNAUTHORISED:
            return Unauthorised(OK)
        case Meaning.REFUSED:
            return Refused(OK)
        case Meaning.FAILED:
            return Failed("error_in_answer")


def retry_after(text: str | None, now_s: float) -> float | None:
    """Seconds that a `Retry-After` asks for: a number or a date; None where it says nothing usable."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now_s
        except (ValueError, OverflowError):
            return None
    return min(max(0.0, seconds), LONGEST_PAUSE) if math.isfinite(seconds) else None


def label(answer: Answer) -> str:
    """The metric's label."""
    if isinstance(answer, Failed):
        return answer.what
    return {
        Found: "found",
        Empty: "empty",
        Missing: "missing",
        TooMany: "too_many",
        Unauthorised: "unauthorised",
        Refused: "refused",
    }[type(answer)]
