"""The webhooks' registration at the shop: listed, compared, and repaired where that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.check.store.context import StoreCheck
from pipeline.check.store.result import Step, by_hand, fault, ok, skipped, warning
from pipeline.shops.base import Rejected
from pipeline.shops.registration import (
    MOST_PAGES,
    Comparison,
    Registered,
    ShopRegistration,
    compare,
    settled,
    shown,
)
from pipeline.sync import answers
from pipeline.sync.client import ShopClient

NAME, REPAIRED = "webhooks at the shop", "webhooks: repaired"
#: Of topics, named one by one.
_NAMED = 12


async def webhooks(check: StoreCheck) -> list[Step]:
    """Whether each topic that this store needs is announced to its address."""
    registration = check.platform.registration
    if check.address is None:
        return [skipped(NAME, "gateway.public_url is not in the settings", "set it: shops post there")]
    if registration is None or registration.listing(check.store) is None or check.shop is None:
        return [*_by_hand(check, check.address, registration)]
    steps: list[Step] = []
    found = await _compared(check, check.shop, registration, check.address)
    if isinstance(found, Step):
        return [found]
    if check.repair and registration.complete(check.store) and (found.missing or found.broken):
        steps += await _repair(check, check.shop, registration, found)
        again = await _compared(check, check.shop, registration, check.address)
        if isinstance(again, Step):
            return [*steps, again]
        found = again
    steps += _judged(check, registration, found)
    return [*steps, *(by_hand(NAME, one) for one in registration.by_hand(check.store))]


def _by_hand(check: StoreCheck, address: str, registration: ShopRegistration[Any] | None) -> Iterator[Step]:
    menus = ", ".join(row.menu for row in check.platform.topics.asked_for() if not row.setting)
    where = check.platform.webhooks_menu.partition(" ([docs")[0].replace("*", "")
    yield by_hand(NAME, f"{where}: {menus}, each to {address}, enabled")
    for one in registration.by_hand(check.store) if registration is not None else ():
        yield by_hand(NAME, one)


async def _compared(
    check: StoreCheck, client: ShopClient, registration: ShopRegistration[Any], address: str
) -> Comparison | Step:
    listed: list[Registered] = []
    request = registration.listing(check.store)
    for _ in range(MOST_PAGES):
        if request is None:
            break
        answer = await client.send(request)
        if not isinstance(answer, answers.Found | answers.Missing):
            return _unlisted(registration, answer)
        try:
            page = registration.read(check.store, answer.value if isinstance(answer, answers.Found) else None)
        except Rejected as error:
            return fault(
                NAME, f"the shop's list cannot be read: {error.detail}", f"allow: {registration.right}"
            )
        listed += page.webhooks
        request = page.following
    wanted = registration.wanted(check.store)
    return compare(wanted, listed, address, only_one=registration.only_one)


def _unlisted(registration: ShopRegistration[Any], answer: answers.Answer) -> Step:
    label = answers.label(answer)
    if isinstance(answer, answers.Unauthorised):
        return fault(NAME, f"webhooks cannot be listed ({answer.status})", f"allow: {registration.right}")
    return fault(NAME, f"webhooks cannot be listed ({label})", "see the shop's API above, and try again")


def _judged(check: StoreCheck, registration: ShopRegistration[Any], found: Comparison) -> Iterator[Step]:
    for one in found.foreign:
        said = f"the credentials' only webhook posts to {shown(one)}, which is not this store's"
        yield fault(NAME, said, "make credentials of the pipeline's own; the other one would be lost")
    if found.foreign:
        return
    if found.missing and registration.complete(check.store):
        said = f"missing: {_listed(found.missing)}"
        yield fault(NAME, said, "`--repair` creates them; what was announced meanwhile is to be pulled")
    elif found.missing:
        said = f"not among the app's own, so look in the shop's admin for: {_listed(found.missing)}"
        yield by_hand(NAME, f"{said}; each to {check.address}")
    for broken in found.broken:
        todo = "`--repair` mends it, once the gateway answers the shop"
        yield fault(NAME, f"{broken.webhook.topic}: {broken.why}", todo)
    for one in found.connectif:
        said = f"another webhook posts to {shown(one)}: a connector of Connectif's tells of orders, too"
        yield warning(NAME, said, "switch its orders off, or each order is told twice")
    if found.sound and not found.missing and not found.broken:
        yield ok(NAME, f"{len(found.sound)} of {len(found.sound)} topics post to {check.address}")


def _listed(topics: tuple[str, ...]) -> str:
    more = f" and {len(topics) - _NAMED} more" if len(topics) > _NAMED else ""
    return ", ".join(topics[:_NAMED]) + more


async def _repair(
    check: StoreCheck, client: ShopClient, registration: ShopRegistration[Any], found: Comparison
) -> list[Step]:
    """Make good what is lacking; what came of it the list says, which is read again."""
    assert check.address is not None  # noqa: S101 - asked before
    done: list[str] = []
    for one in settled(registration, check.store, found, check.address):
        answer = await client.send(one.request)
        refused = registration.refused(answer.value) if isinstance(answer, answers.Found) else ""
        if isinstance(answer, answers.Unauthorised):
            return [fault(REPAIRED, f"not allowed ({answer.status})", f"allow: {registration.right}")]
        if refused or isinstance(answer, answers.Refused):
            why = refused or f"the shop answers {answers.label(answer)}"
            return [fault(REPAIRED, f"{one.does}: {why}", "see that the address answers the shop")]
        done.append(one.does)
    return [ok(REPAIRED, "; ".join(dict.fromkeys(done)))] if done else []
