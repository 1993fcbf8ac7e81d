"""A request: as it comes in, and as the handler of its route sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson
from starlette.datastructures import UploadFile

from pipeline.observe import Receive, Scope, Send
from pipeline.sandbox.connectif.http.account import SimulatedAccount
from pipeline.sandbox.connectif.http.responses import ApiResponse, json_response
from pipeline.sandbox.connectif.model.api_errors import ApiError, Violation, unprocessable
from pipeline.sandbox.connectif.model.field_types import is_object_id
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour
from pipeline.sandbox.connectif.simulation.faults import InjectedFault

_POSITIVE = re.compile(r"[1-9][0-9]{0,8}")


class IncomingRequest(NamedTuple):
    """A request, with what its headers and the clock say. Names of headers are lower-case."""

    scope: Scope
    receive: Receive
    send: Send
    headers: Mapping[bytes, bytes]
    base_url: str
    now: float


class MultipartForm(NamedTuple):
    """A multipart body: its texts, and its file where it has one."""

    texts: dict[str, str]
    file: UploadFile | None


@dataclass(slots=True)
class ApiRequest:
    """What a handler sees. `key` is what the handler wants the ledger to say of the call's element."""

    account: SimulatedAccount
    params: dict[str, str]
    query_string: bytes
    media_type: str
    body: bytes
    form: MultipartForm | None
    base_url: str
    now: float
    fault: InjectedFault | None
    key: str | None = None

    @property
    def behaviour(self) -> ApiBehaviour:
        """The API's behaviour as it is now."""
        return self.account.simulation.behaviour

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""
        return dict(parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True))

    def flag(self, name: str, *, default: bool) -> bool:
        """A boolean of the query."""
        if not self.query_string:
            return default
        text = self.query.get(name)
        if text is None:
            return default
        if text not in ("true", "false"):
            raise unprocessable([Violation(name, f"/{name}")])
        return text == "true"

    def document(self, *, strictly_json: bool = False) -> dict[str, Any]:
        """The JSON object of the body.

        Raises:
            ApiError: 415, 400 or 422.
        """
        if not self._is_json(strictly_json):
            raise ApiError(415, f"Content type {self.media_type or 'missing'} is not application/json.")
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise ApiError(self.behaviour.malformed_json_status, "The body is not valid JSON.") from None
        if isinstance(value, dict):
            return value
        if self.behaviour.array_body_status == 400:  # noqa: PLR2004 - an HTTP status
            raise ApiError(400, "The body is not an object.")
        raise unprocessable([Violation("body", "", "Value is not an object")])

    def stored(self, body: Any, status: int) -> ApiResponse:
        """The response to a write: what is stored now, or nothing, as the behaviour says."""
        return json_response(body, status) if self.behaviour.success_bodies == "full" else ApiResponse(status)

    def connectif_id(self) -> str:
        """The id in the path; 400 where it cannot be one of Connectif's."""
        value = self.params["id"]
        if not is_object_id(value):
            raise ApiError(400, f"{value[:50]} is not a valid id.")
        return value

    def page(self, elements: list[Any], path: str) -> dict[str, Any]:
        """One page of a list, with the links to its neighbours."""
        number, size = self._number("page", 1), self._number("pageSize", self.behaviour.page_size)
        size = min(size, self.behaviour.max_page_size)
        start = (number - 1) * size

        def link(to: int) -> str:
            return f"{self.base_url}{path}?page={to}&pageSize={size}"

        return {
            "links": {
                "next": link(number + 1) if start + size < len(elements) else None,
                "prev": link(number - 1) if number > 1 else None,
            },
            "results": elements[start : start + size],
        }

    def _number(self, name: str, default: int) -> int:
        text = self.query.get(name)
        if text is None:
            return default
        if not _POSITIVE.fullmatch(text):
            raise unprocessable([Violation(name, f"/{name}")])
        return int(text)

    def _is_json(self, strictly: bool) -> bool:
        accepted = "json" if strictly else self.behaviour.accept_json_as
        media_type = self.media_type
        if media_type == "application/json" or media_type.endswith("+json") or accepted == "any":
            return True
        return accepted == "json_or_text" and media_type in ("text/plain", "")
