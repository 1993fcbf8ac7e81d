"""A list of what happened that a platform keeps, and that is asked for instead of or beside its webhooks.

Pure: `pipeline/sync` asks, writes what was found to `shop.*` as the platform's webhooks would have brought
it, and lets the platform go on only once Kafka has that: read again after a crash, it is the same deliveries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import orjson

from pipeline.shops.api import ApiRequest, ShopApi
from pipeline.shops.base import Rejected
from pipeline.shops.settings import StoreSettings

SettingsT = TypeVar("SettingsT", bound=StoreSettings)

#: Entries of one answer; more are no answer to our question.
MAX_ENTRIES = 1_000
#: Stands for an entry that cannot be written as JSON: the dead letter says so.
UNWRITABLE = b"(an entry that cannot be written as JSON: nested too deeply)"


class FeedAnswer(NamedTuple):
    """What was answered.

    Attributes:
        value: what the JSON says; None where nothing was there.
        headers: of the answer, names in lower case.
    """

    value: Any
    headers: Mapping[str, str]


class FeedPage(NamedTuple):
    """What an answer says.

    Attributes:
        bodies: of the requests with which the platform's webhooks would have told each entry, oldest first.
        acknowledge: to be sent once Kafka has these, where the platform keeps the place; else None.
        position: to be remembered once Kafka has these, where we keep the place; "" where the platform does.
        wait: seconds until the next question; 0: there may be more now.
    """

    bodies: Sequence[bytes]
    acknowledge: ApiRequest | None = None
    position: str = ""
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class ShopFeed(Generic[SettingsT]):
    """A platform's feed. Its functions are pure.

    Attributes:
        title: what people call it, in logs.
        chosen: whether a store's settings choose it.
        source: what a position belongs to: one that was remembered for another source is not used.
        request: the question for what follows a position; "" asks for the oldest that is kept.
        read: the page in an answer to the question at a position.

            Raises `pipeline.shops.base.Rejected` where the answer is no such page.
        api: the API that it is read from, where that is not the shop's own: of its own credentials and limit.
        kept_for: seconds for which what was not read is surely kept: a position that has expired although all
            was read within them expired because nothing happened, and nothing is missing.
        advice: what a person can do, by the word for which it cannot be read.
    """

    title: str
    chosen: Callable[[SettingsT], bool]
    source: Callable[[SettingsT], str]
    request: Callable[[SettingsT, str], ApiRequest]
    read: Callable[[SettingsT, str, FeedAnswer], FeedPage]
    api: ShopApi[SettingsT] | None = None
    kept_for: float = 0.0
    advice: Mapping[str, str] = field(default_factory=dict)


def entries_of(value: object, what: str) -> list[Any]:
    """The entries of an answer.

    Raises:
        Rejected: `not_a_feed`: no list, or one of more entries than are ever asked for.
    """
    if not isinstance(value, list):
        raise Rejected("not_a_feed", what, f"a {type(value).__name__}, not a list")
    if len(value) > MAX_ENTRIES:
        raise Rejected("not_a_feed", what, f"{len(value):,} entries")
    return value


def body_of(entry: object) -> bytes:
    """An entry as the body of a request. What is nested too deeply is a body that nobody can read."""
    try:
        return orjson.dumps(entry)
    except orjson.JSONEncodeError:
        return UNWRITABLE
