"""The routes of the status page."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import UndefinedError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from pipeline.config import Settings
from pipeline.dead.groups import LetterGroup
from pipeline.dead.letter import UNKNOWN
from pipeline.deliver.explain.explain_report import EXPLAIN
from pipeline.errors import PipelineError
from pipeline.metrics import STATUS_GATHER_SECONDS, STATUS_PAGES, STATUS_SIGN_INS
from pipeline.observe import AsgiApp
from pipeline.status.facts import AccountFacts, Snapshot
from pipeline.status.page.act import open_letters
from pipeline.status.page.forms import Actions
from pipeline.status.page.render import Pages
from pipeline.status.page.search import search
from pipeline.status.page.session import COOKIE, LASTS, Sessions
from pipeline.status.page.shared import Shared
from pipeline.status.page.visitor import FormRefusedError, Visitor, form_of, visitor
from pipeline.status.page.work import BoundedWork, BusyError, TooLongError
from pipeline.trace import report
from pipeline.trace.run import NothingKnown
from pipeline.workers.client import WorkerAnswer, WorkerClient

log = logging.getLogger(__name__)

#: Seconds for which all share one look at the processes, and one count of dead letters.
LOOK_SECONDS, LETTERS_SECONDS = 1.0, 60.0
#: Searches at once, and seconds of one; seconds of a count of dead letters.
SEARCHES, SEARCH_SECONDS, COUNT_SECONDS = 2, 20.0, 15.0
#: Seconds for which a page waits for a count of dead letters that is under way.
PATIENCE = 2.0
#: Pages that are made at once.
AT_ONCE = 32
#: Rows of a table on the first page, unless all are asked for.
ROWS = 100


_Handler = Callable[[Request, Visitor], Awaitable[Response]]


class StatusPage:
    """See the module.

    Args:
        settings: the program's.
        config_path: of their file, for processes that are begun.
        gather: asks all processes; blocks.
        observe: answers what is none of the pages: health, readiness, metrics.
    """

    def __init__(
        self, settings: Settings, config_path: Path, gather: Callable[[], Snapshot], observe: AsgiApp
    ) -> None:
        self._settings = settings
        self._pages = Pages()
        self._sessions = Sessions(settings.http_token)
        self._gather = gather
        self._snapshot = Shared(self._look, LOOK_SECONDS, time.monotonic)
        self._counting = BoundedWork(1, COUNT_SECONDS)
        self._letters = Shared(self._count_letters, LETTERS_SECONDS, time.monotonic)
        self._limit = asyncio.BoundedSemaphore(AT_ONCE)
        self._searches = BoundedWork(SEARCHES, SEARCH_SECONDS)
        actions = Actions(settings, config_path, self._sessions, self._show)
        self.app = Starlette(
            routes=[
                self._route("/", self._overview),
                self._route("/account/{name}", self._account),
                self._route("/search", self._search),
                Route("/signin", self._sign_in_page, methods=["GET"]),
                Route("/signin", self._sign_in, methods=["POST"]),
                Route("/signout", self._sign_out, methods=["POST"]),
                self._route("/redrive", actions.ask_redrive),
                self._route("/redrive", actions.redrive, "POST"),
                self._route("/replay", actions.replay, "POST"),
                Mount("/", app=observe),
            ]
        )

    def _route(self, path: str, handler: _Handler, method: str = "GET") -> Route:
        """A page for whoever may read; what goes wrong is a page, too."""
        page = path.split("/")[1] or "overview"

        async def answered(request: Request) -> Response:
            who = self._visitor(request)
            answer = await self._bounded(request, who, handler) if who.may_read else self._refused(request)
            STATUS_PAGES.labels(page, str(answer.status_code)).inc()
            return answer

        return Route(path, answered, methods=[method])

    async def _bounded(self, request: Request, who: Visitor, handler: _Handler) -> Response:
        if self._limit.locked():
            text = f"{AT_ONCE} pages are being made: try again soon."
            return self._message(who, 503, "Too much at once", text)
        async with self._limit:
            return await self._answer(request, who, handler)

    async def _answer(self, request: Request, who: Visitor, handler: _Handler) -> Response:
        try:
            return await handler(request, who)
        except FormRefusedError as error:
            return self._message(who, 403, "That was not done", str(error))
        except BusyError:
            return self._message(
                who,
                503,
                "Too much at once",
                "As many searches as there may be are under way: try again soon.",
            )
        except TooLongError:
            text = (
                "It took too long and was stopped. `pipeline trace` and `pipeline dead` have no time limit."
            )
            return self._message(who, 503, "That took too long", text)
        except NothingKnown as error:
            return self._message(who, 404, "Nothing is known of it", error.message, error.hint)
        except PipelineError as error:
            return self._message(who, 503, "That cannot be done now", error.message, error.hint)

    def _visitor(self, request: Request) -> Visitor:
        return visitor(request, self._sessions, self._settings.http_token, time.time())

    def _show(self, name: str, who: Visitor, values: Mapping[str, Any], status: int = 200) -> Response:
        common = {
            "who": who,
            "can_sign_in": self._sessions.possible,
            "stores": sorted(self._settings.stores),
            "q": "",
            "store": "",
            "reveal": False,
        }
        return self._pages.page(name, {**common, **values}, status)

    def _message(self, who: Visitor, status: int, title: str, text: str, hint: str = "") -> Response:
        return self._show("message", who, {"title": title, "text": text, "hint": hint}, status)

    def _refused(self, request: Request) -> Response:
        """Somebody from elsewhere: whoever has the token may give it."""
        who = Visitor(may_read=False, has_token=False, form_key="")
        if not self._sessions.possible:
            text = "Only whoever is on this machine sees this page, as the settings have no http_token."
            return self._message(who, 403, "Not from here", text)
        after = request.url.path if request.method == "GET" else "/"
        return self._show("signin", who, {"after": after, "why": ""}, 401)

    # Pages.

    async def _overview(self, request: Request, who: Visitor) -> Response:
        rows = None if request.query_params.get("all") else ROWS
        return self._show("overview", who, {"found": await self._snapshot.get(), "rows": rows})

    async def _account(self, request: Request, who: Visitor) -> Response:
        name = request.path_params["name"]
        found = await self._snapshot.get()
        account = found.account(name)
        if account is None:
            return self._message(who, 404, "There is no such account", "The settings do not name it.")
        answer, letters = await asyncio.gather(
            asyncio.to_thread(self._explained, name, found), self._letters_of(account)
        )
        values: dict[str, Any] = {"account": account, "found": found, "letters": letters, "answer": answer}
        try:
            return self._show("account", who, values)
        except UndefinedError:
            why = f"worker {answer.worker or '?'} answers in a form that this release does not know"
            return self._show("account", who, values | {"answer": WorkerAnswer(None, why=why)})

    async def _search(self, request: Request, who: Visitor) -> Response:
        query = request.query_params
        text, store = query.get("q", ""), query.get("store", "")
        if store and store not in self._settings.stores:
            return self._message(who, 404, "There is no such store", "The settings do not name it.")
        reveal = who.has_token and bool(query.get("reveal"))
        asked: dict[str, Any] = {"q": text, "store": store, "reveal": reveal}
        if not text.strip():
            return self._show("search", who, asked | {"lives": [], "notes": [], "first": True})
        found = await self._searches.do(
            lambda stop: search(self._settings, text, store, reveal=reveal, stop=stop)
        )
        lives = []
        for life in found.entities:
            rows = sorted(report.rows(life), key=lambda row: row[0])
            said = {
                "rows": rows[-report.ROWS :],
                "now_lines": list(report.now_lines(life)),
                "gaps": list(report.gaps(life, len(rows))),
            }
            lives.append({**life, **said})
        return self._show("search", who, asked | {"lives": lives, "notes": found.notes, "first": False})

    # Signing in and out.

    async def _sign_in_page(self, request: Request) -> Response:
        if not self._sessions.possible:
            return self._refused(request)
        return self._show("signin", self._visitor(request), {"after": "/", "why": ""})

    async def _sign_in(self, request: Request) -> Response:
        who = self._visitor(request)
        try:
            fields = await form_of(request)
        except FormRefusedError as error:
            return self._message(who, 403, "That was not done", str(error))
        after = fields.get("after", "/")
        if not after.startswith("/") or after.startswith("//") or not after.isprintable() or "\\" in after:
            after = "/"
        now = time.time()
        if self._sessions.limited(now):
            STATUS_SIGN_INS.labels("limited").inc()
            why = "Too many wrong tokens were given: wait a minute."
            return self._show("signin", who, {"after": after, "why": why}, 429)
        cookie = self._sessions.sign_in(fields.get("token", "").strip(), now)
        STATUS_SIGN_INS.labels("wrong" if cookie is None else "right").inc()
        if cookie is None:
            log.warning(
                "a wrong token was given at the status page; rising, somebody tries others",
                extra={"event": "status.wrong_token"},
            )
            return self._show("signin", who, {"after": after, "why": "That is not the token."}, 401)
        answer = RedirectResponse(after, 303)
        is_https = request.headers.get("x-forwarded-proto") == "https"
        answer.set_cookie(COOKIE, cookie, LASTS, httponly=True, samesite="strict", secure=is_https)
        return answer

    async def _sign_out(self, request: Request) -> Response:  # noqa: ARG002 - starlette's signature
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    # What takes time.

    async def _look(self) -> Snapshot:
        with STATUS_GATHER_SECONDS.time():
            return await asyncio.to_thread(self._gather)

    async def _count_letters(self) -> list[LetterGroup]:
        return await self._counting.do(lambda stop: open_letters(self._settings, stop))

    async def _letters_of(self, account: AccountFacts) -> list[LetterGroup] | str:
        """The open dead letters of an account and of its stores, by reason; or why they are not known."""
        counting = asyncio.ensure_future(self._letters.get())
        done, _ = await asyncio.wait([counting], timeout=PATIENCE)
        if not done:
            return "they are being counted: look again in a moment."
        try:
            groups = counting.result()
        except TooLongError:
            return "there are too many to be counted here."
        except PipelineError as error:
            return error.message
        # Those of events name the store alone.
        return [
            group
            for group in groups
            if group.key.account == account.name
            or (group.key.account in {"", UNKNOWN} and group.key.store in account.stores)
        ]

    def _explained(self, account: str, found: Snapshot) -> WorkerAnswer:
        """What the account's worker says: any deliver worker is asked, and names the one that has it."""
        client = WorkerClient(self._settings)
        last: WorkerAnswer | None = None
        try:
            for process in found.processes:
                if process.name.split(" ")[0] == "deliver" and process.url:
                    last = client.ask_at(process.url, EXPLAIN, {"account": account})
                    if last.error != "no_answer":
                        return last
        finally:
            client.close()
        return last or WorkerAnswer(None, why="no deliver worker is known")
