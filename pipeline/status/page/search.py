"""The search box: whatever an operator has in hand -> the traces that `pipeline trace` gives."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pipeline.config import Settings
from pipeline.console import Console
from pipeline.errors import PipelineError
from pipeline.events import Kind
from pipeline.trace import now
from pipeline.trace.life import EntityKey, EntityLife
from pipeline.trace.run import Asked, NothingKnown, look
from pipeline.workers.client import WorkerClient

#: Characters of what is searched for.
LONGEST = 300
#: Seconds for asking the workers which store has an id, and entities of that id that are traced.
FIND_SECONDS, MOST = 5.0, 5


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a search.

    Attributes:
        entities: as `pipeline trace --json` gives them.
        notes: what is to be known besides, in sentences.
    """

    entities: list[dict[str, Any]]
    notes: list[str]


def search(settings: Settings, text: str, store: str, *, reveal: bool, stop: Callable[[], bool]) -> Found:
    """Look for an id of an order, product or customer, a purchase, an order's number, or an address.

    Args:
        settings: the program's.
        text: what was typed.
        store: where; empty: in all of them, which only ids can be looked for in.
        reveal: with personal data.
        stop: whether to stop.

    Raises:
        NothingKnown: of that.
        PipelineError: it cannot be looked for so.
        Stopped: `stop` said so.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise PipelineError(f"what is searched for has 1 to {LONGEST} characters")
    if not store and len(settings.stores) == 1:
        [store] = settings.stores
    if store:
        return _in_store(settings, text, store, reveal=reveal, stop=stop)
    if "@" in text:
        raise PipelineError("an address is looked for in one store: choose it")
    keys, unasked = _knowing(settings, text, stop)
    notes = [f"{unasked:,} stores were not asked in the time there is: choose one"] if unasked else []
    if not keys:
        raise NothingKnown(
            f"no worker remembers an order, product or customer {text} of any store",
            hint="; ".join(
                [*notes, "choose the store: then topics are read, and purchases and numbers are found, too"]
            ),
        )
    if len(keys) > MOST:
        notes.append(f"{len(keys) - MOST:,} more are called {text}: choose the store")
    found = Found([], notes)
    for key in keys[:MOST]:
        _add(found, settings, Asked(key.store, key.kind, key.id), reveal=reveal, stop=stop)
    return found


def _in_store(settings: Settings, text: str, store: str, *, reveal: bool, stop: Callable[[], bool]) -> Found:
    found = Found([], [])
    asked = Asked(store)
    if "@" in text:
        _add(found, settings, replace(asked, email=text), reveal=reveal, stop=stop)
        return found
    for kind in Kind:
        try:
            _add(found, settings, replace(asked, kind=kind, id=text), reveal=reveal, stop=stop)
        except NothingKnown:
            continue
    for other in (replace(asked, purchase=text), replace(asked, number=text)):
        if not found.entities:
            try:
                _add(found, settings, other, reveal=reveal, stop=stop)
            except NothingKnown:
                continue
    if not found.entities:
        raise NothingKnown(
            f"nothing is known of {text} in store {store}: no order, product, customer, purchase or number",
            hint="see whether the shop lists its webhook as sent",
        )
    return found


def _add(found: Found, settings: Settings, asked: Asked, *, reveal: bool, stop: Callable[[], bool]) -> None:
    tree = look(settings, asked, Console(quiet=True), reveal=reveal, stop=stop)
    found.entities.extend(tree["entities"])
    found.notes.extend(tree["notes"])


def _knowing(settings: Settings, text: str, stop: Callable[[], bool]) -> tuple[list[EntityKey], int]:
    """The entities of that id which translate's workers remember; and how many stores were not asked."""
    until = time.monotonic() + FIND_SECONDS
    found: list[EntityKey] = []
    client = WorkerClient(settings)
    try:
        for asked, store in enumerate(settings.stores):
            if stop() or time.monotonic() > until:
                return found, len(settings.stores) - asked
            for kind in Kind:
                life = EntityLife(EntityKey(store, kind, text))
                now.ask_translate(life, client, settings)
                if (life.memory or {}).get("known"):
                    found.append(life.key)
    finally:
        client.close()
    return found, 0
