"""docs/reference/http.md: every path that a process answers, from the code that answers it."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator

from pipeline.deliver.explain.explain_report import EXPLAIN
from pipeline.deliver.explain.record_page import ACCOUNT_PAGE, RECORD_PAGE
from pipeline.engine.compaction import COMPACT
from pipeline.exposition import ROOMS
from pipeline.gateway import answers, callbacks, webhooks
from pipeline.gateway.answers import HttpAnswer
from pipeline.markdown import table
from pipeline.shops.registry import PLATFORMS
from pipeline.status.page import app as status_page
from pipeline.sync.consent.trials import PAGE as TRIAL_PAGE
from pipeline.sync.listing import ORDERS_PATH
from pipeline.sync.pull.stage import PAGE as STORE_PAGE
from pipeline.translate.entity_page import ENTITY_PAGE

_HEAD = """\
# HTTP

Made by `python -m documentation` from the code. Every process answers on its own port,
the gateway at the one for operators ([which](../runbooks/README.md)); what may be asked from elsewhere,
and with which token, is in [security](../security.md).
"""
_EVERY = (
    ("GET", "`/healthz`", "200 while the process is alive"),
    (
        "GET",
        "`/readyz`",
        "200 while it takes traffic or processes events; 503 with the reason while it does not",
    ),
    ("GET", "`/metrics`", "[all series](../metrics.md), for Prometheus"),
)
#: A route of the status page, in its code.
_ROUTE = re.compile(
    r'(?:self\._route|\bRoute)\("(?P<path>/[^"]*)", [\w.]+(?:, (?:methods=\[)?"(?P<method>[A-Z]+)"\]?)?\)'
)
#: Of the workers: the paths that the code names, what each is for, and who asks.
_PAGES = (
    ("GET", "deliver", EXPLAIN, "an account's next calls, and why: `pipeline deliver explain`"),
    ("GET", "deliver", ACCOUNT_PAGE, "the same, for `pipeline trace`, `top` and the status page"),
    ("GET", "deliver", RECORD_PAGE, "what is pending of a record, and what was last sent: `pipeline trace`"),
    (
        "GET",
        "translate",
        ENTITY_PAGE,
        "what is remembered of an order, customer or product: `pipeline trace`",
    ),
    ("POST", "every worker", COMPACT, "rows that were removed leave the files: `pipeline erase`"),
    ("GET", "sync", STORE_PAGE, "how far the lists of a store are read: `pipeline sync status`"),
    ("POST", "sync", ORDERS_PATH, "a page of a shop's list of orders: `pipeline reconcile`"),
    ("GET", "sync", TRIAL_PAGE, "what came of a test contact's consent at the shop: `pipeline check`"),
)


def text() -> str:
    """The page."""
    return _HEAD + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from ("", "## Every process", "")
    yield from table(("method", "path", "answer"), _EVERY)
    yield from ("", f"Processes: {', '.join(ROOMS)}.", "", "## Gateway", "")
    yield "What it answers where shops are; everything else is 404 there, for everybody."
    yield ""
    yield from table(("method", "path", "what it is"), _of_gateway())
    yield from ("", "Its answers to them; the body is JSON, with `error` and `hint`:", "")
    yield from table(("status", "error", "hint"), _answers())
    yield from ("", "## Workers", "")
    yield "Answered to their own machine; elsewhere to whoever sends `http_token` as a bearer token."
    yield ""
    rows = [(method, of, f"`{path}`", said) for method, of, path, said in _PAGES]
    yield from table(("method", "process", "path", "what it is"), rows)
    yield from ("", "## Status page", "")
    yield "From elsewhere one signs in with `http_token`; redrives, replays and personal data always need it."
    yield ""
    yield from table(("method", "path"), sorted(_of_status_page()))


def _answers() -> Iterator[tuple[str, str, str]]:
    """Each answer of the gateway, with what it says."""
    found = {
        (one.start["status"], one.outcome): json.loads(one.body["body"])
        for one in vars(answers).values()
        if isinstance(one, HttpAnswer)
    }
    yield "200", "", "the event is kept: in Kafka, or in the spool"
    for (status, outcome), said in sorted(found.items()):
        if "hint" in said:
            yield str(status), f"`{outcome}`", said["hint"]


def _of_gateway() -> Iterator[tuple[str, str, str]]:
    for name, platform in PLATFORMS.items():
        yield "POST", f"`{webhooks.PREFIX.decode()}{name}/STORE`", f"webhooks of {platform.title}"
    yield (
        "GET",
        "`/healthz`, `/readyz`",
        "a word, for load balancers; the reason is at the port for operators",
    )
    prefix = callbacks.PREFIX.decode()
    for name, method in callbacks.METHODS.items():
        yield method, f"`{prefix}STORE/TOKEN/{name}`", "Connectif's newsletter callbacks"


def _of_status_page() -> Iterator[tuple[str, str]]:
    for found in _ROUTE.finditer(inspect.getsource(status_page)):
        yield found["method"] or "GET", f"`{found['path']}`"
