"""A call on its way to the handler of its route."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson
from starlette.datastructures import UploadFile

from pipeline.sandbox.connectif.http.account import Account
from pipeline.sandbox.connectif.http.responses import Answer, Violation, ok, refuse, unprocessable
from pipeline.sandbox.connectif.model.field_types import is_object_id
from pipeline.sandbox.connectif.simulation.behaviour import Switches
from pipeline.sandbox.connectif.simulation.faults import Strike

_POSITIVE = re.compile(r"[1-9][0-9]{0,8}")


class Form(NamedTuple):
    """A multipart body: its texts, and its file where it has one."""

    texts: dict[str, str]
    file: UploadFile | None


@dataclass(slots=True)
class Call:
    """What a handler sees. `key` is what the handler wants the ledger to say of the call's element."""

    account: Account
    params: dict[str, str]
    query_string: bytes
    media_type: str
    body: bytes
    form: Form | None
    base_url: str
    now: float
    strike: Strike | None
    key: str | None = None

    @property
    def switches(self) -> Switches:
        """The switches as they are now."""
        return self.account.world.switches

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
            Refusal: 415, 400 or 422.
        """
        if not self._is_json(strictly_json):
            raise refuse(415, f"Content type {self.media_type or 'missing'} is not application/json.")
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise refuse(self.switches.malformed_json_status, "The body is not valid JSON.") from None
        if isinstance(value, dict):
            return value
        if self.switches.array_body_status == 400:  # noqa: PLR2004 - an HTTP status
            raise refuse(400, "The body is not an object.")
        raise unprocessable([Violation("body", "", "Value is not an object")])

    def stored(self, body: Any, status: int) -> Answer:
        """The answer to a write: what is stored now, or nothing, as the switches say."""
        return ok(body, status) if self.switches.success_bodies == "full" else Answer(status)

    def connectif_id(self) -> str:
        """The id in the path; 400 where it cannot be one of Connectif's."""
        value = self.params["id"]
        if not is_object_id(value):
            raise refuse(400, f"{value[:50]} is not a valid id.")
        return value

    def page(self, elements: list[Any], path: str) -> dict[str, Any]:
        """One page of a list, with the links to its neighbours."""
        number, size = self._number("page", 1), self._number("pageSize", self.switches.page_size)
        size = min(size, self.switches.max_page_size)
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
        accepted = "json" if strictly else self.switches.accept_json_as
        media_type = self.media_type
        if media_type == "application/json" or media_type.endswith("+json") or accepted == "any":
            return True
        return accepted == "json_or_text" and media_type in ("text/plain", "")
