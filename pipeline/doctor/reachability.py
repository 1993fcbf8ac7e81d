"""Whether Connectif and the shops' APIs answer from here, and what time it is there.

Whether keys are right, `pipeline check` tries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.config import Settings
from pipeline.doctor import clock
from pipeline.doctor.context import Context
from pipeline.doctor.findings import Finding, named, ok, problem
from pipeline.doctor.web import Looked, look_at
from pipeline.local import addresses
from pipeline.shops.registry import PLATFORMS

CONNECTIF, SHOPS = "connectif", "shops"
_SERVER_ERROR = 500


def examine(context: Context) -> list[Finding]:
    """Ask each address once, without credentials: any answer will do."""
    connectif, shops = places(context.settings)
    known = (*addresses.read(context.settings.data_dir).values(), *context.processes)
    processes = [f"{url.rstrip('/')}/healthz" for url in known]
    found = {looked.url: looked for looked in look_at([*connectif, *shops, *processes])}
    return [
        *judged(CONNECTIF, connectif, found),
        *judged(SHOPS, shops, found),
        *clock.judged(found.values()),
    ]


def places(settings: Settings) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The addresses of Connectif and of the shops' APIs, and the accounts and stores that need each."""
    connectif: dict[str, list[str]] = {}
    shops: dict[str, list[str]] = {}
    for name, account in settings.accounts.items():
        connectif.setdefault(account.base_url.rstrip("/"), []).append(name)
    for name, store in settings.stores.items():
        platform = PLATFORMS[store.platform]
        if platform.api is not None and platform.asks(store):
            shops.setdefault(platform.api.base_url(store).rstrip("/"), []).append(name)
    return connectif, shops


def judged(subject: str, users: Mapping[str, list[str]], found: Mapping[str, Looked]) -> Iterator[Finding]:
    """What came of asking."""
    answering = []
    for url, names in users.items():
        looked = found[url]
        if looked.status is None:
            said = f"{url} does not answer ({looked.why}); it is of {named(names)}"
            yield problem(
                subject, said, "try it with curl from here: name, network, firewall, proxy, certificate"
            )
        elif looked.status >= _SERVER_ERROR:
            said = f"{url} answers {looked.status}; it is of {named(names)}"
            yield problem(subject, said, "it is in trouble itself: what waits is sent once it is back")
        else:
            answering.append(url)
    if answering and len(answering) == len(users):
        yield ok(subject, f"answering: {named(sorted(answering))}")
