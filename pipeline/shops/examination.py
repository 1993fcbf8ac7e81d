"""What a shop's API tells of a store's set-up: rights of the credentials, settings, recent orders' ids.

Pure: the requests are made by `pipeline/check`, and none of them changes anything at the shop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from pipeline.shops.api import ApiRequest
from pipeline.shops.settings import StoreSettings

SettingsT = TypeVar("SettingsT", bound=StoreSettings)


class Question(NamedTuple):
    """A request that needs a right of the credentials.

    Attributes:
        right: what must be allowed, in the shop's own words.
        request: it.
        needed: whether the store cannot do without it.
    """

    right: str
    request: ApiRequest
    needed: bool = True


class Remark(NamedTuple):
    """Something that an answer shows.

    Attributes:
        said: it.
        todo: what to do about it.
        is_fault: whether the store does not work as it is; else it is worth a look.
    """

    said: str
    todo: str
    is_fault: bool = True


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """The ids of one order of the shop's, by which web tracking may name it.

    Attributes:
        purchase: by the value of the setting `purchase_id` that sends it; the first of equal ones counts.
        others: by name: ids that no setting sends.
        products: of each line, by the value of `product_id`.
        placed: when; None where it is not said.
        by_connectif: whether the order itself says that a connector of Connectif's tells of it, too.
    """

    purchase: Mapping[str, str]
    others: Mapping[str, str] = field(default_factory=dict)
    products: Sequence[Mapping[str, str]] = ()
    placed: datetime | None = None
    by_connectif: bool = False


class OrderLines(NamedTuple):
    """How the lines of one order are asked for.

    Attributes:
        request: by the order's id.
        read: the ids of each line, as `KnownOrder.products` has them.
    """

    request: Callable[[str], ApiRequest]
    read: Callable[[Any], Sequence[Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class ShopExamination(Generic[SettingsT]):
    """What can be asked of a platform's shops. Its functions are pure.

    Attributes:
        questions: the requests that show whether the credentials may do what is needed.
        remarks: what the answers show: by `Question.right`, the JSON of each that was answered.
        recent: the request for the latest orders, as of a moment.
        orders: their ids, from the answer.
        lines: where that list names no lines: the request for an order's, and the ids in its answer.
        ready: whether the store has the credentials.
        lacking: the settings that are missing where it is not `ready`, in words.
    """

    questions: Callable[[SettingsT], Sequence[Question]]
    remarks: Callable[[SettingsT, Mapping[str, Any]], Iterable[Remark]]
    recent: Callable[[SettingsT, datetime], ApiRequest]
    orders: Callable[[SettingsT, Any], Sequence[KnownOrder]]
    lines: OrderLines | None = None
    ready: Callable[[SettingsT], bool] = lambda _: True
    lacking: str = ""


def at(value: Any, *path: str | int) -> Any:
    """What stands at a place of an answer; None where there is no such place."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def said(value: Any) -> str:
    """A number or text as the text that web tracking would send; "" for all else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()[:200]


def ids(**named: Any) -> dict[str, str]:
    """The ids that are there, by name."""
    return {name: text for name, value in named.items() if (text := said(value))}


def moment_of(value: Any) -> datetime | None:
    """An ISO date with its offset; None where it says none."""
    try:
        found = datetime.fromisoformat(said(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def foreign_currency(currency: Any, expected: str | None) -> Remark | None:
    """A remark where the shop's currency is not the account's."""
    found = said(currency)[:10]
    if not found or expected is None or found == expected:
        return None
    return Remark(
        f"the shop's currency is {found}, the account's is {expected}",
        "correct `currency` of the account, or use an account for each currency (`routes`)",
    )
