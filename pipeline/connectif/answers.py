"""Every response of Connectif, and every way of getting none, as one typed value.

This is the boundary: whatever comes, an `Answer` comes out, and it says that Connectif carried a call out, or
refused it, only where the answer has a form of Connectif's own (`forms`). All else means that it is away.
"""

from __future__ import annotations

import enum
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx

from pipeline.connectif.blanks import scrub
from pipeline.connectif.bodies import TooLargeError
from pipeline.connectif.forms import (
    ANY,
    Form,
    is_error,
    says_something,
    speaks_of_another,
)
from pipeline.connectif.network import CertificateError, UnknownHostError
from pipeline.connectif.rates import RateHint, read_rate

log = logging.getLogger(__name__)

#: Of a list in an answer (ids, domains, validation errors) no more is read.
LIST_LIMIT = 1_000
_CODE = re.compile(r"E\d{4}", re.ASCII)


class AnswerKind(enum.StrEnum):
    """What an answer means for the sender; also a metric label."""

    CREATED = "created"  # 201
    OK = "ok"  # any other 2xx of the call's form
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
    UNAVAILABLE = "unavailable"  # 5xx, redirects, network errors, answers of a proxy
    TIMEOUT = "timeout"  # no answer in time


class Cause(enum.StrEnum):
    """Why an answer is `UNAVAILABLE` or `TIMEOUT`; also a metric label."""

    NONE = ""
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    UNKNOWN_HOST = "unknown_host"
    CERTIFICATE = "certificate"
    PROXY = "proxy"  # ours, which could not reach Connectif
    BROKEN = "broken"  # the connection, or what came was no HTTP
    SERVER_ERROR = "server_error"  # 5xx
    FOREIGN = "foreign"  # an answer in no form of Connectif's
    TOO_LARGE = "too_large"


_CODES = {
    "E0101": AnswerKind.MISSING_CONTACT,
    "E0102": AnswerKind.MISSING_PRODUCTS,
    "E0103": AnswerKind.BAD_DOMAIN,
    "E0201": AnswerKind.BAD_DOMAIN,
    "E0301": AnswerKind.QUEUE_FULL,
    "E0401": AnswerKind.QUEUE_FULL,
}
#: What the reference lists, in the form it lists. Any other refusal is of something in between: each route we
#: call takes what we send there, and nothing is wrong with what was sent.
_REFUSALS = {
    400: AnswerKind.INVALID,
    403: AnswerKind.FORBIDDEN,
    404: AnswerKind.ABSENT,
    409: AnswerKind.ALREADY,
    413: AnswerKind.INVALID,
    415: AnswerKind.INVALID,
    422: AnswerKind.INVALID,
}
#: The reference names no body for these. They dead-letter nothing: the account waits.
_BARE = {401: AnswerKind.UNAUTHORISED, 429: AnswerKind.LIMITED}


@dataclass(frozen=True, slots=True)
class Answer:
    """One call's end.

    Attributes:
        kind: what it means.
        status: the HTTP status; None where there was no response.
        detail: Connectif's message, shortened, without what was sent and the key (`blanks`).
        rate: what the headers say of the limit.
        carried_out: whether Connectif did what was asked: None where that cannot be known (time-outs, 5xx,
            answers in no form of Connectif's).
        ids: product ids an E0102 or E0103 names.
        fields: names of the fields that a 422 refuses.
        domains: domains an E0103 or E0201 allows.
        body: the JSON body of a good answer; None where it was empty. Decimals stay exact.
        cause: why there is no answer that counts.
        perhaps_taken: whether it is a 409 in part of Connectif's form or of another purchase, or a good
            answer that does not say of which purchase it is: the purchase has to be read.
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
    cause: Cause = Cause.NONE
    perhaps_taken: bool = False

    @property
    def label(self) -> str:
        """The status as a metric label: `none` without an answer, `foreign` where it is not Connectif's."""
        if self.status is None:
            return "none"
        return "foreign" if self.cause in (Cause.FOREIGN, Cause.TOO_LARGE) else str(self.status)

    @property
    def good(self) -> bool:
        """Whether it is a 2xx in the form that the call is answered in."""
        return self.kind in (AnswerKind.CREATED, AnswerKind.OK)


#: The first that an exception is counts.
_CAUSES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Cause], ...] = (
    (CertificateError, Cause.CERTIFICATE),
    (UnknownHostError, Cause.UNKNOWN_HOST),
    (httpx.ProxyError, Cause.PROXY),
    (TooLargeError, Cause.TOO_LARGE),
    (httpx.ConnectTimeout, Cause.UNREACHABLE),
    ((TimeoutError, httpx.TimeoutException), Cause.TIMEOUT),
    (httpx.ConnectError, Cause.UNREACHABLE),
)
#: Of these nothing was sent.
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

Clean = Callable[[str], str]


def read_answer(response: httpx.Response, wall: float, form: Form = ANY, clean: Clean = scrub) -> Answer:
    """The typed value of a response whose body has been read; never fails, whatever the response.

    Args:
        response: it.
        wall: epoch seconds.
        form: of a good answer to the call.
        clean: removes from Connectif's messages what must not be kept.
    """
    try:
        return _read(response, wall, form, clean)
    except Exception as error:  # noqa: BLE001 - the last resort: no answer may end the process that gets it
        # Without its text, which may repeat the answer.
        log.error("an answer of status %d could not be read: %s", response.status_code, type(error).__name__)  # noqa: TRY400
        return _foreign(response.status_code, "unreadable")


def no_answer(error: Exception, clean: Clean = scrub) -> Answer:
    """The typed value of a request that got no response.

    A connection that was never made carried nothing out; anything later may have.
    """
    cause = _cause(error)
    unsent = isinstance(error, _UNSENT)
    return Answer(
        kind=AnswerKind.TIMEOUT if cause is Cause.TIMEOUT and not unsent else AnswerKind.UNAVAILABLE,
        detail=clean(f"{type(error).__name__}: {error}"),
        carried_out=False if unsent else None,
        cause=cause,
    )


def _cause(error: Exception) -> Cause:
    return next((cause for kinds, cause in _CAUSES if isinstance(error, kinds)), Cause.BROKEN)


def _read(response: httpx.Response, wall: float, form: Form, clean: Clean) -> Answer:
    # httpx goes through all headers for each one that is asked for.
    rate = read_rate(dict(response.headers.items()), wall)
    status = response.status_code
    body = _json(response)
    if response.is_success:
        if not form.fits(status, response.content, body):
            return _foreign(status, _looks(response, body))
        kind = AnswerKind.CREATED if status == httpx.codes.CREATED else AnswerKind.OK
        look = body is not None and form.asks_for_a_look(body)
        return Answer(kind, status, rate=rate, carried_out=True, body=body, perhaps_taken=look)
    known = is_error(status, body)
    error: Mapping[str, Any] = body if known else {}
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        words = _detail(status, error, clean) if known else f"{status}; {_looks(response, body)}"
        # A server that fails may have stored the purchase first.
        hint = rate if known else RateHint()
        return Answer(AnswerKind.UNAVAILABLE, status, words, hint, carried_out=None, cause=Cause.SERVER_ERROR)
    refusal = _BARE.get(status) or (_REFUSALS.get(status) if known else None)
    if status == httpx.codes.CONFLICT and speaks_of_another(form, error):
        refusal = None
    if refusal is None:
        taken = status == httpx.codes.CONFLICT and says_something(body) and (known or "status" not in body)
        return replace(_foreign(status, _looks(response, body)), perhaps_taken=taken)
    if status == httpx.codes.BAD_REQUEST:
        refusal = _CODES.get(str(error.get("code")), refusal)
    return Answer(
        refusal,
        status,
        _detail(status, error, clean),
        rate,
        # The reference spells it both ways.
        ids=_strings(error.get("productIds", error.get("productsId"))),
        fields=_refused(error.get("validationErrors")),
        domains=_strings(error.get("allowedDomains")),
    )


def _foreign(status: int, what: str) -> Answer:
    """An answer of another server: its rate headers do not count; Connectif may have carried the call out."""
    detail = f"{status}; {what}, in no form of Connectif's"
    return Answer(AnswerKind.UNAVAILABLE, status, detail, carried_out=None, cause=Cause.FOREIGN)


def _looks(response: httpx.Response, body: Any) -> str:
    """A description of an answer that is not Connectif's; nothing of its content is kept."""
    if not response.content:
        return "without a body"
    if response.is_redirect:
        return "a redirect"
    if "html" in response.headers.get("content-type", "").lower():
        return "a web page"
    return "no JSON" if body is None else "JSON"


def _json(response: httpx.Response) -> Any:
    """The body where it says it is JSON and is; error pages of proxies are neither."""
    if "json" not in response.headers.get("content-type", "").lower():
        return None
    try:
        try:
            return json.loads(response.content, parse_float=Decimal)
        except InvalidOperation:
            return json.loads(response.content, parse_float=_decimal)
    except (ValueError, RecursionError):
        return None


def _decimal(text: str) -> Decimal:
    """A number digit by digit; one that no decimal can hold is none."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def _detail(status: int, error: Mapping[str, Any], clean: Clean) -> str:
    """Status and code as they are; the message without what must not be kept."""
    code, detail, title = (error.get(name) for name in ("code", "detail", "title"))
    parts = [str(status)]
    if isinstance(code, str) and _CODE.fullmatch(code):
        parts.append(code)
    words = [text for text in (detail or title,) if isinstance(text, str)]
    failures = error.get("validationErrors")
    words += [
        f"{failure.get('path') or failure.get('name')}: {failure.get('reason')}"
        for failure in (failures[:5] if isinstance(failures, list) else ())
        if isinstance(failure, dict)
    ]
    return "; ".join(filter(None, (*parts, clean("; ".join(words)))))


def _refused(failures: Any) -> tuple[str, ...]:
    """The fields that validation errors name, by name or in a JSON pointer."""
    named: list[str] = []
    for failure in failures[:LIST_LIMIT] if isinstance(failures, list) else ():
        texts = [failure.get("name"), failure.get("path")] if isinstance(failure, dict) else []
        named += [name for text in texts if isinstance(text, str) for name in text.split("/")]
    return tuple(dict.fromkeys(name for name in named if name))


def _strings(value: Any) -> tuple[str, ...]:
    """The texts of a list; numbers, as an id may be one, as text."""
    found = value[:LIST_LIMIT] if isinstance(value, list) else ()
    return tuple(str(item) for item in found if isinstance(item, str | int | Decimal))
