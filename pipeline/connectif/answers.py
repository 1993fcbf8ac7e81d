"""Every response of Connectif, and every way of getting none, as one typed value."""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx

from pipeline.connectif.rates import RateHint, read_rate

DETAIL_LIMIT = 300
#: Validation errors that are read.
FIELDS_LIMIT = 200
_EMAIL = re.compile(r"\S*(?:@|%40)\S*")
_PHONE = re.compile(r"\+\d[\d -]{6,}\d")
_BLANKS = re.compile(r"\s+")


class AnswerKind(enum.StrEnum):
    """What an answer means for the sender; also a metric label."""

    CREATED = "created"  # 201
    OK = "ok"  # any other 2xx
    ALREADY = "already"  # 409: a purchase with that id exists
    ABSENT = "absent"  # 404
    MISSING_CONTACT = "missing_contact"  # E0101
    MISSING_PRODUCTS = "missing_products"  # E0102
    BAD_DOMAIN = "bad_domain"  # E0103, E0201
    QUEUE_FULL = "queue_full"  # E0401
    INVALID = "invalid"  # 422, and every other refusal of what was sent
    LIMITED = "limited"  # 429
    UNAUTHORISED = "unauthorised"  # 401
    FORBIDDEN = "forbidden"  # 403
    UNAVAILABLE = "unavailable"  # 5xx, redirects, network errors, what a proxy says in its place
    TIMEOUT = "timeout"  # no answer in time


_CODES = {
    "E0101": AnswerKind.MISSING_CONTACT,
    "E0102": AnswerKind.MISSING_PRODUCTS,
    "E0103": AnswerKind.BAD_DOMAIN,
    "E0201": AnswerKind.BAD_DOMAIN,
    "E0401": AnswerKind.QUEUE_FULL,
}
_STATUSES = {
    401: AnswerKind.UNAUTHORISED,
    403: AnswerKind.FORBIDDEN,
    404: AnswerKind.ABSENT,
    # Of a proxy, or of one that serves a page for maintenance: every route we call takes what we send there.
    405: AnswerKind.UNAVAILABLE,
    407: AnswerKind.UNAVAILABLE,
    # Asks for the same request again: nothing is wrong with what was sent.
    408: AnswerKind.UNAVAILABLE,
    409: AnswerKind.ALREADY,
    410: AnswerKind.UNAVAILABLE,
    421: AnswerKind.UNAVAILABLE,
    425: AnswerKind.UNAVAILABLE,
    429: AnswerKind.LIMITED,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One call's end.

    Attributes:
        kind: what it means.
        status: the HTTP status; None where there was no response.
        detail: Connectif's words, shortened, without e-mail addresses and phone numbers.
        rate: what the headers say of the limit.
        carried_out: whether Connectif did what was asked: None where that cannot be known (time-outs, 5xx).
        ids: product ids an E0102 or E0103 names.
        fields: names of the fields that a 422 refuses.
        domains: domains an E0103 or E0201 allows.
        body: the JSON body of a 2xx answer; None where it was empty or not JSON. Decimals stay exact.
    """

    kind: AnswerKind
    status: int | None = None
    detail: str = ""
    rate: RateHint = field(default_factory=RateHint)
    carried_out: bool | None = False
    ids: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    body: Any = None

    @property
    def good(self) -> bool:
        """Whether it is a 2xx."""
        return self.kind in (AnswerKind.CREATED, AnswerKind.OK)


def read_answer(response: httpx.Response, wall: float) -> Answer:
    """The typed value of a response whose body has been read; never fails, whatever the body."""
    status, rate = response.status_code, read_rate(response.headers, wall)
    if _page(response):
        done = None if response.is_success else False
        return Answer(AnswerKind.UNAVAILABLE, status, f"{status}; a web page", rate, carried_out=done)
    body = _json(response)
    if response.is_success:
        kind = AnswerKind.CREATED if status == httpx.codes.CREATED else AnswerKind.OK
        return Answer(kind, status, rate=rate, carried_out=True, body=body)
    error = body if isinstance(body, dict) else {}
    return Answer(
        kind=_refusal(status, error),
        status=status,
        detail=_detail(status, error),
        rate=rate,
        # A server that fails may have stored the purchase first.
        carried_out=None if status >= httpx.codes.INTERNAL_SERVER_ERROR else False,
        # The reference spells it both ways.
        ids=_strings(error.get("productIds", error.get("productsId"))),
        fields=_refused(error.get("validationErrors")),
        domains=_strings(error.get("allowedDomains")),
    )


def no_answer(error: Exception) -> Answer:
    """The typed value of a request that got no response.

    A connection that was never made carried nothing out; anything later may have.
    """
    unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    timeout = isinstance(error, TimeoutError | httpx.TimeoutException)
    return Answer(
        kind=AnswerKind.TIMEOUT if timeout and not unsent else AnswerKind.UNAVAILABLE,
        detail=scrub(f"{type(error).__name__}: {error}"),
        carried_out=False if unsent else None,
    )


def scrub(text: str) -> str:
    """One short line without e-mail addresses and phone numbers."""
    text = _PHONE.sub("<phone>", _EMAIL.sub("<email>", text[: 4 * DETAIL_LIMIT]))
    return _BLANKS.sub(" ", text).strip()[:DETAIL_LIMIT]


def _refusal(status: int, error: dict[str, Any]) -> AnswerKind:
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status < httpx.codes.BAD_REQUEST:
        return AnswerKind.UNAVAILABLE
    if status == httpx.codes.BAD_REQUEST:
        return _CODES.get(str(error.get("code")), AnswerKind.INVALID)
    return _STATUSES.get(status, AnswerKind.INVALID)


def _page(response: httpx.Response) -> bool:
    """Whether it is a proxy's page that would be taken for success, or for the absence of an element."""
    html = "html" in response.headers.get("content-type", "").lower()
    return html and (response.is_success or response.status_code == httpx.codes.NOT_FOUND)


def _json(response: httpx.Response) -> Any:
    """The body where it says it is JSON and is; error pages of proxies are neither."""
    if "json" not in response.headers.get("content-type", "").lower():
        return None
    try:
        return json.loads(response.content, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def _detail(status: int, error: dict[str, Any]) -> str:
    parts = [str(status), *(str(error[name]) for name in ("code", "detail") if error.get(name))]
    if len(parts) == 1 and error.get("title"):
        parts.append(str(error["title"]))
    failures = error.get("validationErrors")
    parts += [
        f"{failure.get('path') or failure.get('name')}: {failure.get('reason')}"
        for failure in (failures[:5] if isinstance(failures, list) else ())
        if isinstance(failure, dict)
    ]
    return scrub("; ".join(parts))


def _refused(failures: Any) -> tuple[str, ...]:
    """The fields that validation errors name, by name or in a JSON pointer."""
    named: list[str] = []
    for failure in failures[:FIELDS_LIMIT] if isinstance(failures, list) else ():
        if isinstance(failure, dict):
            named += [str(failure.get("name") or ""), *str(failure.get("path") or "").split("/")]
    return tuple(dict.fromkeys(name for name in named if name))


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
