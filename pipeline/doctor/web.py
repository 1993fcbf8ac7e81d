"""One GET without credentials, for whether an address answers and what its clock says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx

from pipeline.config_values import is_loopback

#: Seconds for an answer, and addresses asked at once.
ASK_SECONDS, AT_ONCE = 5.0, 100


class Looked(NamedTuple):
    """What came of it.

    Attributes:
        url: that was asked.
        status: of the answer; None where there was none.
        why: why not.
        date: of the answer, epoch seconds; None where it has none.
        began, ended: the same by this machine's clock.
    """

    url: str
    status: int | None
    why: str = ""
    date: float | None = None
    began: float = 0.0
    ended: float = 0.0


def look_at(urls: Iterable[str], wall: Callable[[], float] = time.time) -> list[Looked]:
    """Ask addresses at once, each once. Blocks."""
    return asyncio.run(_all(list(dict.fromkeys(urls)), wall))


async def _all(urls: list[str], wall: Callable[[], float]) -> list[Looked]:
    room = asyncio.Semaphore(AT_ONCE)
    # A proxy of the environment is not for this machine's addresses.
    async with (
        httpx.AsyncClient(timeout=ASK_SECONDS, trust_env=False) as here,
        httpx.AsyncClient(timeout=ASK_SECONDS) as elsewhere,
    ):

        async def one(url: str) -> Looked:
            async with room:
                return await _look(here if is_loopback(url) else elsewhere, url, wall)

        return await asyncio.gather(*(one(url) for url in urls))


async def _look(client: httpx.AsyncClient, url: str, wall: Callable[[], float]) -> Looked:
    began = wall()
    try:
        # Not the body: it may be of any size.
        async with asyncio.timeout(ASK_SECONDS), client.stream("GET", url) as answer:
            return Looked(url, answer.status_code, "", date_of(answer.headers.get("date", "")), began, wall())
    except TimeoutError:
        return Looked(url, None, f"nothing within {ASK_SECONDS:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Looked(url, None, type(error).__name__)


def date_of(text: str) -> float | None:
    """The header `Date` as epoch seconds."""
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
