"""Responses of the API: JSON, and errors in its HttpError form."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, BinaryIO

from pipeline.sandbox.connectif.model.api_errors import ApiError
from pipeline.sandbox.connectif.model.encoding import dump_json

JSON = b"application/json; charset=utf-8"
PLAIN_TEXT = b"text/plain; charset=utf-8"
HTML = b"text/html"
CSV = b"text/csv; charset=utf-8"
ZIP = b"application/zip"

Header = tuple[bytes, bytes]
#: Where the API's phrases differ from Python's.
_TITLES = {
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable entity",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Request Entity Too Large",
}


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A response before it is sent. `file`, where given, is streamed and closed after `body`."""

    status: int
    body: bytes = b""
    content_type: bytes = JSON
    headers: tuple[Header, ...] = ()
    file: BinaryIO | None = None


class RawResponseError(ApiError):
    """Ends a request with a response that is not an HttpError."""

    def __init__(self, response: ApiResponse) -> None:
        super().__init__(response.status, "")
        self.response = response


NO_CONTENT = ApiResponse(204)


def json_response(value: Any, status: int = 200) -> ApiResponse:
    """A JSON response; bytes are JSON already."""
    return ApiResponse(status, value if isinstance(value, bytes) else dump_json(value))


def title_of(status: int) -> str:
    """What the API calls a status; one that no standard knows is an `Error`."""
    try:
        known = HTTPStatus(status)
    except ValueError:
        return "Error"
    return _TITLES.get(known, known.phrase)


def http_error_response(status: int, detail: str, **fields: Any) -> ApiResponse:
    """An HttpError."""
    title = title_of(status)
    return ApiResponse(status, dump_json({"status": status, "title": title, "detail": detail, **fields}))


def error_response(error: ApiError) -> ApiResponse:
    """The response that an error ends its request with."""
    if isinstance(error, RawResponseError):
        return error.response
    return http_error_response(error.status, error.detail, **error.fields)
