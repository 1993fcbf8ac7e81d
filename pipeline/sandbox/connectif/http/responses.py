"""What the API answers: JSON, problems in its HttpError form, and the custom error codes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, BinaryIO, NamedTuple

import orjson

JSON = b"application/json; charset=utf-8"
TEXT = b"text/plain; charset=utf-8"
HTML = b"text/html"
CSV = b"text/csv; charset=utf-8"
ZIP = b"application/zip"

Header = tuple[bytes, bytes]
#: Where the API's words differ from Python's.
_TITLES = {
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable entity",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Request Entity Too Large",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A response before it is sent. `file`, where given, is streamed and closed after `body`."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: tuple[Header, ...] = ()
    file: BinaryIO | None = None


class Refusal(Exception):  # noqa: N818 - not an error of ours: an answer that ends a call
    """Ends a call with an answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Violation(NamedTuple):
    """One wrong field: its name, its JSON pointer, and what is wrong with it."""

    name: str
    path: str
    reason: str = "Value is not valid"


NO_CONTENT = Answer(204)


def dump(value: Any) -> bytes:
    """JSON text; whole numbers beyond 64 bits too, which bodies can carry."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def ok(value: Any, status: int = 200) -> Answer:
    """A JSON answer; bytes are JSON already."""
    return Answer(status, value if isinstance(value, bytes) else dump(value))


def title_of(status: int) -> str:
    """What the API calls a status; one that no standard knows is an `Error`."""
    try:
        known = HTTPStatus(status)
    except ValueError:
        return "Error"
    return _TITLES.get(known, known.phrase)


def problem(status: int, detail: str, **extras: Any) -> Answer:
    """An HttpError."""
    title = title_of(status)
    return Answer(status, dump({"status": status, "title": title, "detail": detail, **extras}))


def refuse(status: int, detail: str, **extras: Any) -> Refusal:
    """A call ended by an HttpError."""
    return Refusal(problem(status, detail, **extras))


def custom(code: str, detail: str, **extras: Any) -> Refusal:
    """A 400 with a custom code."""
    return refuse(400, detail, code=code, **extras)


def unprocessable(violations: Iterable[Violation]) -> Refusal:
    """A 422 that names each wrong field."""
    return refuse(
        422,
        "One or more validation error occurred.",
        validationErrors=[violation._asdict() for violation in violations],
    )


def absent(what: str) -> Refusal:
    """A 404."""
    return refuse(404, f"{what} not found.")
