"""The forms that do something, for whoever has given the token."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from pipeline.config import Settings
from pipeline.dead.letter import LetterId
from pipeline.dead.selection import Selection
from pipeline.errors import PipelineError
from pipeline.events import Kind
from pipeline.metrics import STATUS_ACTIONS
from pipeline.status.page import act
from pipeline.status.page.session import Sessions
from pipeline.status.page.visitor import FormRefusedError, Visitor, form_of, require_own_form
from pipeline.status.page.work import BoundedWork

Done = TypeVar("Done")
#: Seconds for counting what would be sent.
COUNT_SECONDS = 20.0
#: What a form says of the letters that are meant.
_FILTERS = ("account", "store", "stage", "kind", "reason")


class Show(Protocol):
    """Shows a page."""

    def __call__(self, name: str, who: Visitor, values: Mapping[str, Any], status: int = 200) -> Response:
        """`StatusPage._show`."""


class Actions:
    """Handlers of the forms.

    Args:
        settings: the program's.
        config_path: of their file, for processes that are begun.
        sessions: whose forms count.
        show: shows a page.
    """

    def __init__(self, settings: Settings, config_path: Path, sessions: Sessions, show: Show) -> None:
        self._settings, self._config_path = settings, config_path
        self._sessions, self._show = sessions, show
        self._counting = BoundedWork(1, COUNT_SECONDS)

    async def ask_redrive(self, request: Request, who: Visitor) -> Response:
        """How many dead letters would be sent again, and the form that does it."""
        if not who.has_token:
            raise FormRefusedError("only whoever has given the token may do that: sign in")
        chosen = _selection(request.query_params)
        tally = await self._counting.do(
            lambda stop: act.redrive(self._settings, chosen, really=False, stop=stop)
        )
        return self._show(
            "redrive", who, {"tally": tally, "fields": dict(request.query_params), "done": False}
        )

    async def redrive(self, request: Request, who: Visitor) -> Response:
        """Send them again."""
        fields = await form_of(request)
        require_own_form(fields, who, request, self._sessions)
        chosen = _selection(fields)
        # Whoever goes away meanwhile does not stop what is being sent.
        work = asyncio.to_thread(act.redrive, self._settings, chosen, really=True, stop=lambda: False)
        tally = await _counted("redrive", work)
        return self._show("redrive", who, {"tally": tally, "fields": {}, "done": True})

    async def replay(self, request: Request, who: Visitor) -> Response:
        """Repeat the events of one entity."""
        fields = await form_of(request)
        require_own_form(fields, who, request, self._sessions)
        store, kind, entity = (fields.get(name, "") for name in ("store", "kind", "id"))
        if kind not in set(Kind) or not entity:
            raise FormRefusedError("it names no order, product or customer")
        work = asyncio.to_thread(act.replay, self._settings, self._config_path, store, Kind(kind), entity)
        run = await _counted("replay", work)
        title = "The replay has begun"
        text = f"Its id is {run}; the overview shows how far it is."
        return self._show(
            "message", who, {"title": title, "text": text, "hint": f"pipeline replay show {run}"}
        )


async def _counted(action: str, work: Awaitable[Done]) -> Done:
    try:
        done = await asyncio.shield(asyncio.ensure_future(work))
    except PipelineError:
        STATUS_ACTIONS.labels(action, "refused").inc()
        raise
    STATUS_ACTIONS.labels(action, "done").inc()
    return done


def _selection(fields: Mapping[str, str]) -> Selection:
    """The letters that a form means.

    Raises:
        FormRefusedError: it means all, or an id is none.
    """
    try:
        ids = frozenset(map(LetterId.parse, fields.get("ids", "").split()))
    except ValueError as error:
        raise FormRefusedError(str(error)) from error
    account, store, stage, kind, reason = (fields.get(name, "") for name in _FILTERS)
    chosen = Selection(account, store, stage, kind, reason, ids=ids)
    if chosen.empty:
        raise FormRefusedError("it says not which letters are meant")
    return chosen
