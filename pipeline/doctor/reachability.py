"""Whether Connectif and the shops' APIs answer from here, and what time it is there.

Whether keys are right, `pipeline check` tries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from pipeline.config import Settings
from pipeline.doctor import clock
from pipeline.doctor.context import Context
from pipeline.doctor.findings import Finding, named, ok, problem
from pipeline.doctor.web import ASK_SECONDS, AT_ONCE, Looked, look_at
from pipeline.local import addresses
from pipeline.outgoing import PrivateAddressError, looked_up, proxy_of
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
        *asyncio.run(inside(context.settings)),
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


async def inside(settings: Settings) -> list[Finding]:
    """Addresses that lead into a private network though nothing says so: the workers do not ask them."""
    accounts = [
        (CONNECTIF, f"account {name}", account.base_url, account.allow_private)
        for name, account in settings.accounts.items()
    ]
    stores = [
        (SHOPS, f"store {name}", api.base_url(store), store.allow_private)
        for name, store in settings.stores.items()
        if (api := PLATFORMS[store.platform].api) is not None and PLATFORMS[store.platform].asks(store)
    ]
    asked = [one for one in accounts + stores if not one[3]]
    room = asyncio.Semaphore(AT_ONCE)

    async def one(subject: str, whose: str, url: str) -> Finding | None:
        parts = urlsplit(url)
        if proxy_of(parts.scheme, parts.hostname or "") is not None:
            return None
        try:
            async with room, asyncio.timeout(ASK_SECONDS):
                await looked_up(parts.hostname or "", parts.port or 443, private=False)
        except PrivateAddressError:
            said = f"{url} of {whose} leads into a private network, and is not asked"
            return problem(subject, said, f"if that is meant, set allow_private = true for {whose}")
        except OSError:  # that it does not answer is said already
            return None
        return None

    found = await asyncio.gather(*(one(subject, whose, url) for subject, whose, url, _ in asked))
    return [finding for finding in found if finding is not None]


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
