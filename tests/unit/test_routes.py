"""Who is answered at every route of every process: open are health and readiness, and little more."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr
from starlette.routing import Route

import pipeline
from pipeline import config
from pipeline.config import Settings
from pipeline.deliver.worker import DeliverWorker
from pipeline.engine.compaction import COMPACT
from pipeline.gateway.app import Gateway
from pipeline.gateway.callbacks import Callbacks
from pipeline.gateway.webhooks import Webhooks
from pipeline.observe import AsgiApp, Pages, observe_app
from pipeline.shops.registry import PLATFORMS
from pipeline.status.page.app import StatusPage
from pipeline.sync.worker import SyncWorker
from pipeline.translate.worker import Translator
from tests.stubengine import StubEngine
from tests.unit.gateway_app import RecordingKeeper
from tests.webhooks import STORES

TOKEN = SecretStr("the-token-of-this-test")
#: Every process has these where operators are answered; they say nothing of persons.
OPEN = {"/healthz", "/readyz", "/metrics"}
#: The pages of the workers, and what they do when they are asked: a new one is to be thought about here.
WORKERS = {
    "translate": ({"/state/entity"}, set[str]()),
    "deliver": ({"/explain", "/state/account", "/state/record"}, set[str]()),
    "sync": ({"/sync/store", "/sync/trial"}, {"/sync/orders"}),
}
#: Everybody may see these pages of the status page.
SIGNING_IN = {("GET", "/signin"), ("POST", "/signin"), ("POST", "/signout")}
#: Where applications that answer HTTP are made: a new place is to be thought about here.
PLACES = {
    "archive/run.py",
    "engine/worker.py",
    "erase/serve.py",
    "gateway/run.py",
    "observe.py",
    "reconcile/daily/worker.py",
    "sandbox/connectif/http/app.py",
    "status/page/app.py",
    "status/page/serve.py",
}
_MAKERS = {"observe_app", "observed", "served", "Starlette"}


async def status(
    app: AsgiApp,
    path: str,
    client: str = "203.0.113.9",
    method: str = "GET",
    **headers: str,
) -> int:
    """The status that a caller gets."""
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "root_path": "",
        "raw_path": path.encode(),
        "query_string": b"",
        "client": (client, 5_000),
        "server": ("127.0.0.1", 8080),
        "headers": [(b"host", b"127.0.0.1:8080")]
        + [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    found: list[int] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        found.append(message.get("status", 0))

    await app(scope, receive, send)
    return found[0]


def settings_in(tmp_path: Path) -> Settings:
    tree = {**STORES, "data_dir": str(tmp_path), "kafka": {"bootstrap": "127.0.0.1:1"}}
    return config.parse(tree, {}).model_copy(update={"http_token": TOKEN})


class Declared(StubEngine):
    """Keeps what a stage declares."""

    complaint = not_ready = None
    directory = Path("none")

    def fatal(self, error: BaseException) -> None:
        raise error


async def routes_of(stage: str, tmp_path: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The pages and actions that a worker declares, by their paths."""
    stub = Declared(settings_in(tmp_path))
    engine = stub.as_engine()
    if stage == "translate":
        Translator(engine, PLATFORMS)
    elif stage == "deliver":
        DeliverWorker(engine, "w1")
    else:
        SyncWorker(engine, PLATFORMS)
    return stub.pages, {**stub.actions, COMPACT: None}


@pytest.mark.parametrize("stage", WORKERS)
async def test_each_page_of_a_worker_is_for_this_machine_and_for_whoever_has_the_token(
    stage: str, tmp_path: Path
) -> None:
    pages, actions = await routes_of(stage, tmp_path)
    known, acting = WORKERS[stage]
    assert set(pages) == known
    assert set(actions) - {COMPACT} == acting

    async def answered(_: Mapping[str, str]) -> tuple[int, bytes]:
        return 200, orjson.dumps({})

    for token, refusal in ((None, 403), (TOKEN, 401)):
        app = observe_app(
            "deliver",
            lambda: None,
            Pages(dict.fromkeys(pages, answered), token, dict.fromkeys(actions, answered)),
        )
        for method, paths in (("GET", pages), ("POST", actions)):
            for path in paths:
                assert await status(app, path, method=method) == refusal, path
                assert await status(app, path, method=method, authorization="Bearer wrong") == refusal, path
                here: dict[str, Any] = {"client": "127.0.0.1", "method": method}
                assert await status(app, path, **here, x_forwarded_for="127.0.0.1") == refusal, path
                assert await status(app, path, **here, x_pipeline_action="1") == 200, path
                if token is not None:
                    right = f"Bearer {TOKEN.get_secret_value()}"
                    assert (
                        await status(app, path, method=method, authorization=right, x_pipeline_action="1")
                        == 200
                    )
                if method == "POST":
                    assert await status(app, path, **here) == 403, path
                    assert await status(app, path, client="127.0.0.1", x_pipeline_action="1") == 405, path
        for path in OPEN:
            assert await status(app, path) == 200


async def test_where_shops_reach_the_gateway_it_shows_nothing_to_anybody(tmp_path: Path) -> None:
    settings, keeper = settings_in(tmp_path), RecordingKeeper()
    webhooks = Webhooks(settings, PLATFORMS, keeper)
    app = Gateway(webhooks, lambda: None, Callbacks(settings, keeper, webhooks))
    right = f"Bearer {TOKEN.get_secret_value()}"
    for path in ("/healthz", "/readyz"):
        assert await status(app, path) == 200
    for path in ("/metrics", "/state/entity", "/explain", "/state/compact", "/_sandbox/ledger", "/signin"):
        for client in ("203.0.113.9", "10.1.2.3", "127.0.0.1", "::1", ""):
            for method in ("GET", "POST"):
                assert await status(app, path, client, method, authorization=right) == 404, path


async def test_each_page_of_the_status_page_is_for_this_machine_and_for_whoever_has_signed_in(
    tmp_path: Path,
) -> None:
    async def beside(*_: Any) -> None:
        raise AssertionError("no route of the status page")

    def gather() -> Any:
        raise AssertionError("it was answered")

    for token, refusal in ((None, 403), (TOKEN, 401)):
        settings = settings_in(tmp_path).model_copy(update={"http_token": token})
        app = StatusPage(settings, tmp_path / "none.toml", gather, beside).app
        routes = [route for route in app.routes if isinstance(route, Route)]
        assert len(routes) >= 8
        for route in routes:
            path = route.path.replace("{name}", "acme")
            for method in (route.methods or set()) - {"HEAD"}:
                if (method, path) not in SIGNING_IN:
                    assert await status(app, path, method=method) == refusal, (method, path)
                    assert await status(app, path, "127.0.0.1", method, x_real_ip="127.0.0.1") == refusal


def test_every_place_that_answers_http_is_among_those_that_are_looked_at_here() -> None:
    root = Path(pipeline.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = node.func if isinstance(node, ast.Call) else None
            if getattr(named, "id", getattr(named, "attr", "")) in _MAKERS:
                found.add(path.relative_to(root).as_posix())
    assert found == PLACES
