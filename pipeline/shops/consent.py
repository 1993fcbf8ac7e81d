"""How a person's newsletter consent is written at a shop, as its platform declares it.

Pure: the requests are made by `pipeline/sync`. The shop is read first, written only where it says something
else, and read again: an answer of 200 does not prove that it took what it was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from pipeline.records import Subscription
from pipeline.shops.api import ApiRequest
from pipeline.shops.settings import StoreSettings

SettingsT = TypeVar("SettingsT", bound=StoreSettings)

#: What a shop shows of an account. `pending`: the person was asked to confirm. `none`: neither was ever said.
#: A shop that only knows yes and no shows `unsubscribed` for no.
Shown = Literal["subscribed", "unsubscribed", "pending", "none"]
#: Why a statement cannot be written, ever: reasons of dead letters.
Reason = Literal[
    "no_write_back",
    "unknown_at_shop",
    "guest_at_shop",
    "no_consent_field",
    "write_refused",
    "write_failed",
]


class Impossible(Exception):  # noqa: N818 - about a statement, not a failure of ours
    """A statement that this shop cannot hold.

    Args:
        reason: of a dead letter.
        detail: a sentence for the operator, without personal data.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail


class Wanted(NamedTuple):
    """What a shop is to hold.

    Attributes:
        address: the person's.
        state: what they said.
        at_ms: when, epoch ms.
    """

    address: str
    state: Subscription
    at_ms: int


class Account(NamedTuple):
    """One account of the person at the shop.

    Attributes:
        id: the shop's own.
        state: what it shows.
        at_ms: since when, by the shop; None where it does not say.
        document: what else of it a write needs.
    """

    id: str
    state: Shown
    at_ms: int | None = None
    document: Any = None


@dataclass(frozen=True, slots=True)
class ShopConsent(Generic[SettingsT]):
    """A platform's way to write consent. Its functions are pure.

    Attributes:
        unsupported: why a store of these settings cannot; "" where it can.
        find: the request that shows the person's accounts, given the address.
        read: the accounts in its answer; none: the shop does not know the person.

            Raises `Impossible` where what it shows cannot be written, as guests cannot,
            `pipeline.shops.base.Rejected` where it is no such answer.
        write: the request that writes one account.
        refusal: why an answer of 200 to it says that nothing was written; "" where it says no such thing.
        instead: a request to make instead, where the shop refused `write` with this status; None: none.
        look: the request that shows one account after the write, where `find` may lag; `read` reads it.
        create: the request that makes a person the shop does not know; None: that is not done.
        looked_by: the topic of a notification that names an account, for shops that keep no time of consent:
            behind each write the account is looked at, so that a change of the person's own shows as one even
            where the shop's webhook about the write never comes; "" where the shop says since when.
        rights: what credentials need beside `ShopApi.scopes`, for the documentation.
    """

    unsupported: Callable[[SettingsT], str]
    find: Callable[[SettingsT, str], ApiRequest]
    read: Callable[[SettingsT, str, Any], Sequence[Account]]
    write: Callable[[SettingsT, Account, Wanted], ApiRequest]
    refusal: Callable[[Any], str] = lambda _: ""
    instead: Callable[[SettingsT, Account, Wanted, int], ApiRequest | None] = lambda *_: None
    look: Callable[[SettingsT, Account], ApiRequest] | None = None
    create: Callable[[SettingsT, Wanted], ApiRequest | None] = lambda *_: None
    looked_by: str = ""
    rights: tuple[str, ...] = ()
