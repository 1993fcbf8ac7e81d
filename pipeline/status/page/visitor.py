"""Who asks for a page, what they may do, and the forms that they send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from pydantic import SecretStr
from starlette.requests import Request

from pipeline.http_access import has_token, refusal
from pipeline.status.page.session import COOKIE, Sessions, from_elsewhere

#: Bytes and fields of a form.
FORM_BYTES, FORM_FIELDS = 16_384, 20


class FormRefusedError(Exception):
    """A form that is none of this page's, with the reason in words."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever asks.

    Attributes:
        may_read: whether they see pages: they are on this machine, or have the token.
        has_token: whether they have shown it: then they may act, and see personal data.
        form_key: of their forms; empty where they have no cookie.
    """

    may_read: bool
    has_token: bool
    form_key: str


def visitor(request: Request, sessions: Sessions, token: SecretStr | None, now: float) -> Visitor:
    """Whoever makes a request; `now` in epoch seconds."""
    cookie = request.cookies.get(COOKIE, "")
    signed_in = sessions.is_good(cookie, now)
    bearer = has_token(dict(request.scope["headers"]), token)
    may_read = signed_in or bearer or refusal(request.scope, token) is None
    return Visitor(may_read, signed_in or bearer, sessions.form_key(cookie) if signed_in else "")


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of a form that was sent by a page of ours.

    Raises:
        FormRefusedError: it was not, or is too large.
    """
    if from_elsewhere(request.headers):
        raise FormRefusedError("the form was sent by a page of another address")
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise FormRefusedError("it is no form")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES:
            raise FormRefusedError(f"a form has at most {FORM_BYTES} bytes")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FORM_FIELDS)
    except ValueError as error:
        raise FormRefusedError("its fields cannot be read") from error
    return dict(pairs)


def require_own_form(fields: Mapping[str, str], who: Visitor, request: Request, sessions: Sessions) -> None:
    """That a form which does something was made for whoever sends it.

    Raises:
        FormRefusedError: it was not; or they have not shown the token.
    """
    if not who.has_token:
        raise FormRefusedError("only whoever has given the token may do that: sign in")
    cookie = request.cookies.get(COOKIE, "")
    # Who sends the token in a header has no cookie that another page could make use of.
    if who.form_key and not sessions.is_of_form(fields.get("key", ""), cookie):
        raise FormRefusedError("the form is too old, or not of this page: open it again")
