"""The check of one store, or of all at once: the steps in their order, each bounded, none in vain."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from pipeline.check.store import (
    access,
    browser,
    callbacks,
    domains,
    gateway,
    orders,
    passage,
    tracking,
    webhooks,
)
from pipeline.check.store.context import StoreCheck
from pipeline.check.store.result import Step, StoreReport, fault, skipped
from pipeline.config import Settings
from pipeline.errors import SettingsError

log = logging.getLogger(__name__)

#: Seconds for one step, and stores at once.
STEP_SECONDS, AT_ONCE = 60.0, 4
Say = Callable[[str, str], None]
StepCall = Callable[[StoreCheck], Awaitable[list[Step]]]


async def check_stores(
    settings: Settings,
    names: Sequence[str],
    *,
    address: str,
    repair: bool = False,
    wait: float = 45.0,
    say: Say = lambda _store, _step: None,
) -> list[StoreReport]:
    """Check stores; those of one account one after the other, for they share its calls.

    Args:
        settings: the program's.
        names: of the stores.
        address: where the gateway answers on this machine.
        repair: make and repair webhooks.
        wait: seconds for the test sale to reach Connectif.
        say: told which step of which store begins.

    Raises:
        SettingsError: there is no such store.
    """
    for name in names:
        if name not in settings.stores:
            known = ", ".join(sorted(settings.stores)) or "none"
            raise SettingsError(f"there is no store {name}", hint=f"the settings have {known}")
    locks = {account: asyncio.Lock() for account in settings.accounts}
    room = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> StoreReport:
        async with AsyncExitStack() as held:
            for account in sorted(settings.stores[name].accounts):
                await held.enter_async_context(locks[account])
            await held.enter_async_context(room)
            return await check_store(StoreCheck(settings, name, address, repair, wait), say)

    return list(await asyncio.gather(*(one(name) for name in names)))


async def check_store(check: StoreCheck, say: Say = lambda _store, _step: None) -> StoreReport:
    """All steps; what another step's fault makes pointless is skipped, and says so."""
    report = StoreReport(check.name, check.store.platform)
    began = time.monotonic()

    async def done(name: str, step: StepCall, seconds: float = STEP_SECONDS) -> bool:
        say(check.name, name)
        return report.add(await _bounded(check, name, step, seconds))

    def not_tried(name: str, why: str) -> None:
        report.add([skipped(name, f"not tried: {why}")])

    async with check:
        connectif = await done(access.CONNECTIF, access.connectif)
        shop = await done(access.SHOP, access.shop)
        if shop or check.shop is None:
            await done(webhooks.NAME, webhooks.webhooks)
        else:
            not_tried(webhooks.NAME, "see the shop's credentials")
        signed = await done(gateway.NAME, gateway.signature)
        if shop:
            await done(orders.NAME, orders.orders)
        if connectif:
            allowed = await done(domains.NAME, domains.domains)
            if shop or check.shop is None:
                await done(tracking.PURCHASES, tracking.tracking)
            else:
                not_tried(tracking.PURCHASES, "see the shop's credentials")
        else:
            allowed = False
            not_tried(domains.NAME, "see Connectif's key")
            not_tried(tracking.PURCHASES, "see Connectif's key")
        check.called_back = await done(callbacks.NAME, callbacks.callbacks)
        if connectif and signed and allowed:
            await done(passage.NAME, passage.passage, 6 * check.wait + STEP_SECONDS)
        else:
            why = "it needs the key, the signature and the authorised domain"
            not_tried(passage.NAME, why)
            not_tried(callbacks.CONSENT, why)
        report.add(browser.browser(check.name, check.store))
        report.calls = {name: account.made for name, account in check.accounts.items()}
    report.seconds = time.monotonic() - began
    return report


async def _bounded(check: StoreCheck, name: str, step: StepCall, seconds: float) -> list[Step]:
    """A step's result; one that takes too long, or fails in a way nobody thought of, is a fault by itself."""
    try:
        async with asyncio.timeout(seconds):
            return await step(check)
    except TimeoutError:
        todo = "the shop, Connectif or the account's calls are busy: try again later"
        return [fault(name, f"not done within {seconds:g} s", todo)]
    except Exception as error:
        # Without its text, which may repeat an answer.
        log.debug("store %s: step %s failed", check.name, name, exc_info=True)
        todo = "report it, with what the shop or Connectif answered"
        return [fault(name, f"an answer that the check cannot read ({type(error).__name__})", todo)]
