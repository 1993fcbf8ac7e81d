"""A platform's webhooks as its API has them: what lists them, what is lacking, what makes and repairs them.

Pure: the requests are made by `pipeline/check`. A webhook is ours by the path of its address, which names the
platform and the store; all others are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

from pipeline.shops.api import ApiRequest
from pipeline.shops.settings import StoreSettings

SettingsT = TypeVar("SettingsT", bound=StoreSettings)

#: What webhooks of ours are called, where a platform gives them names.
NAME = "connectif-pipeline"
#: Where Connectif's own connectors receive.
_CONNECTIF = ("connectif.cloud", "connectif.ai", "connectif.com")
#: Pages of a list that are read; no shop of ours has more.
MOST_PAGES = 20


class Registered(NamedTuple):
    """A webhook that a shop lists.

    Attributes:
        id: at the shop.
        topic: as the platform's requests name it.
        address: where it posts; "" where the list does not say.
        fault: why it delivers nothing that is of use; "" for none.
    """

    id: str
    topic: str
    address: str
    fault: str = ""


class RegisteredPage(NamedTuple):
    """A page of the list, and the request for the next one."""

    webhooks: Sequence[Registered]
    following: ApiRequest | None = None


class Broken(NamedTuple):
    """A webhook of ours that must be changed, and why."""

    webhook: Registered
    why: str


class Comparison(NamedTuple):
    """A shop's list beside what a store needs.

    Attributes:
        sound: topics that come as they should.
        missing: topics without any webhook of ours.
        broken: webhooks of ours that do not deliver here.
        connectif: addresses of others that belong to Connectif: a connector of its own.
        foreign: addresses in the place of ours, where a shop has room for one only.
    """

    sound: tuple[str, ...]
    missing: tuple[str, ...]
    broken: tuple[Broken, ...]
    connectif: tuple[str, ...]
    foreign: tuple[str, ...] = ()


class Settled(NamedTuple):
    """A request that makes or changes a webhook, and in words what it does."""

    does: str
    request: ApiRequest


@dataclass(frozen=True, slots=True)
class ShopRegistration(Generic[SettingsT]):
    """How a platform's API keeps webhooks. Its functions are pure.

    Attributes:
        listing: the request for the first page; None where this store's webhooks cannot be listed.
        read: the page in an answer.

            Raises `pipeline.shops.base.Rejected` where it is no such page.
        wanted: the topics that this store needs.
        create: the request that makes a webhook of a topic at an address.
        mend: the requests that make a broken one deliver to an address.
        refused: why an answer with status 200 says that nothing was done; "" where it does not.
        right: what the credentials must be allowed to.
        complete: whether the list has all webhooks of the shop; else what is not in it may have been made in
            another way, and is for a person to look at.
        only_one: whether there is one webhook for each credential, so that creating one takes the place of
            another.
        by_hand: what its API does not make, as steps.
    """

    listing: Callable[[SettingsT], ApiRequest | None]
    read: Callable[[SettingsT, Any], RegisteredPage]
    wanted: Callable[[SettingsT], Sequence[str]]
    create: Callable[[SettingsT, str, str], ApiRequest]
    mend: Callable[[SettingsT, Registered, str], Sequence[ApiRequest]]
    refused: Callable[[Any], str] = lambda _: ""
    right: str = "read and write webhooks"
    complete: Callable[[SettingsT], bool] = lambda _: True
    only_one: bool = False
    by_hand: Callable[[SettingsT], Sequence[str]] = lambda _: ()


def is_connectif(address: str) -> bool:
    """Whether an address is one of Connectif's."""
    try:
        host = (urlsplit(address).hostname or "").lower()
    except ValueError:
        return False
    return any(host == own or host.endswith(f".{own}") for own in _CONNECTIF)


def compare(
    wanted: Sequence[str], listed: Sequence[Registered], address: str, *, only_one: bool = False
) -> Comparison:
    """What a shop's list lacks.

    Args:
        wanted: the topics that the store needs.
        listed: what the shop has.
        address: where the store's webhooks must post.
        only_one: see `ShopRegistration`.
    """
    sound: list[str] = []
    missing: list[str] = []
    broken: list[Broken] = []
    for topic in wanted:
        ours = [one for one in listed if one.topic == topic and _is_ours(one.address, address)]
        whole = [one for one in ours if not _fault(one, address)]
        if whole:
            sound.append(topic)
        elif ours:
            broken.append(Broken(ours[0], _fault(ours[0], address)))
        else:
            missing.append(topic)
    others = [one.address for one in listed if one.address and not _is_ours(one.address, address)]
    return Comparison(
        tuple(sound),
        tuple(missing),
        tuple(broken),
        tuple(sorted({one for one in others if is_connectif(one)})),
        tuple(dict.fromkeys(others)) if only_one else (),
    )


def _fault(webhook: Registered, address: str) -> str:
    if webhook.fault:
        return webhook.fault
    return "" if webhook.address in {"", address} else f"it posts to {shown(webhook.address)}"


def _is_ours(given: str, address: str) -> bool:
    """Whether an address names this store: the host may be one that was given up."""
    return not given or _path(given) == _path(address)


def _path(address: str) -> str:
    try:
        return urlsplit(address).path.rstrip("/")
    except ValueError:
        return ""


def shown(address: str) -> str:
    """An address without what may be secret in it: its query, and a name and password."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{host}{port}{parts.path}"[:200]


def settled(
    registration: ShopRegistration[Any], settings: StoreSettings, found: Comparison, address: str
) -> list[Settled]:
    """The requests that make good what a shop's list lacks, in their order.

    Nothing is done to a webhook that is not ours, and none is made where another one would be lost by it.
    """
    if found.foreign:
        return []
    done = [
        Settled(f"repair {one.webhook.topic}: {one.why}", request)
        for one in found.broken
        for request in registration.mend(settings, one.webhook, address)
    ]
    return done + [
        Settled(f"create {topic}", registration.create(settings, topic, address)) for topic in found.missing
    ]


def rows_of(value: Any, *path: str) -> list[Mapping[str, Any]]:
    """The objects of a list in an answer; none where there is no list."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
