"""What the API refuses: errors in its HttpError form, with the wrong fields and the custom error codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple


class ApiError(Exception):
    """Ends a request with an HttpError.

    Args:
        status: of the response.
        detail: what is wrong, as the API says it.
        fields: what the error says besides, by JSON name.
    """

    def __init__(self, status: int, detail: str, **fields: Any) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.fields = fields


class Violation(NamedTuple):
    """One wrong field: its name, its JSON pointer, and what is wrong with it."""

    name: str
    path: str
    reason: str = "Value is not valid"


def coded_error(code: str, detail: str, **fields: Any) -> ApiError:
    """A 400 with a custom code."""
    return ApiError(400, detail, code=code, **fields)


def unprocessable(violations: Iterable[Violation]) -> ApiError:
    """A 422 that names each wrong field."""
    return ApiError(
        422,
        "One or more validation error occurred.",
        validationErrors=[violation._asdict() for violation in violations],
    )


def not_found(what: str) -> ApiError:
    """A 404."""
    return ApiError(404, f"{what} not found.")
