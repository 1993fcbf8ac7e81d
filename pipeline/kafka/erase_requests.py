"""What lies on `erase.requests`: who asked that a person be erased or shown, and what was done about it.

A request has a row for what is asked, one for how far it is, and while it is worked on a few for what was
found of the person. Once it is done, no row holds anything of a person.
"""

from __future__ import annotations

import enum

from pydantic import Field

from pipeline.kafka.topics import ERASE_REQUESTS
from pipeline.records import Frozen, Int, Source

DAY_MS = 86_400_000
#: Days that the law and the shops' platforms give for a request.
DUE_DAYS = 30
TOPIC, PARTITION = ERASE_REQUESTS, 0


class Wanted(enum.StrEnum):
    """What is asked for."""

    CUSTOMER = "customer"  # a person of a store is to be erased
    SHOP = "shop"  # everybody of a store
    DATA = "data"  # a person is to be shown what is kept of them


class RequestStatus(enum.StrEnum):
    """How far a request is."""

    OPEN = "open"  # nothing was done, or it was tried and has to be tried again
    WORKING = "working"  # what is kept of the person was found, and is being removed
    DONE = "done"  # nothing of the person is left that can be reached, or the data were given out
    DROPPED = "dropped"  # an operator said that nothing is to be done


class Asked(Frozen):
    """What is asked for; the row `<id>|asked`.

    Webhooks are named by where they lie: the row holds nothing of a person.
    """

    id: str
    store: str
    wanted: Wanted
    source: Source | None = Field(
        default=None, description="the shop's webhook; None: an operator asked at the command line"
    )
    email: str = Field(default="", description="whom an operator named; empty again once it is done")
    customer: str = Field(default="", description="the shop's id of them, where an operator named it")
    reference: str = Field(default="", description="the operator's own name of the request, such as a ticket")
    by: str = Field(default="", description="which operator; empty for a webhook")
    asked_ms: Int
    due_ms: Int


class Progress(Frozen):
    """How far it is, and in the end the proof; the row `<id>|progress`. It holds nothing of a person."""

    id: str
    status: RequestStatus = RequestStatus.OPEN
    why: str = Field(default="", description="why it is not done yet, or was dropped")
    tries: int = 0
    changed_ms: Int = 0
    done_ms: Int = 0
    removed: dict[str, int] = Field(
        default_factory=dict, description="messages of each topic, rows of each table, contacts in Connectif"
    )
    checked: dict[str, int] = Field(
        default_factory=dict, description="messages of each topic read once more that still name the person"
    )
    workers: tuple[str, ...] = Field(default=(), description="workers that rewrote their files")
    lost_earlier: tuple[str, ...] = Field(
        default=(),
        description="topics in which of messages of version 0.2 and before, which shared keys, the newest of "
        "each key alone was kept, as an operator allowed",
    )
    not_reached: tuple[str, ...] = Field(default=(), description="what may hold the person still, in words")


def key_of(request: str, row: str) -> bytes:
    """The key of one of a request's rows: `asked`, `progress`, or `found-<try>-<number>`."""
    return f"{request}|{row}".encode()


def id_of_webhook(store: str, source: Source) -> str:
    """The id of a request that a shop made by webhook: the same whenever the webhook is read again."""
    return f"{store}-{source.topic.removeprefix('shop.')}-{source.partition}-{source.offset}"
