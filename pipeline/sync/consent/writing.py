"""One statement brought to the shop: found, compared, written, and read again."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.callbacks import SUBSCRIBED, UNSUBSCRIBED, Statement
from pipeline.shops.consent import Account, Impossible, ShopConsent, Wanted
from pipeline.shops.settings import StoreSettings
from pipeline.sync.answers import Answer, Empty, Failed, Found, Missing, Refused

#: Makes a request within the shop's limit.
Ask = Callable[[ApiRequest], Awaitable[Answer]]
_UNKNOWN = Impossible("unknown_at_shop", "the shop has no account with this address")


class Outcome(enum.StrEnum):
    """What became of a statement at the shop: a metric's label."""

    WRITTEN = "written"  # and read back
    SAME = "same"  # the shop says it already
    OLDER = "older"  # the shop has a newer one
    AWAITS = "awaits"  # the shop has asked the person to confirm
    ECHO = "echo"  # our own import came back
    DEAD = "dead"  # it cannot be written: a dead letter


class Verdict(enum.Enum):
    """What is to be done about one account."""

    WRITE = enum.auto()
    SAME = enum.auto()
    OLDER = enum.auto()
    AWAITS = enum.auto()


@dataclass(frozen=True, slots=True)
class Halted:
    """An answer that stands in the way: it is tried again."""

    answer: Answer


def verdict(wanted: Wanted, account: Account, shop_said: Statement | None, now_ms: int) -> Verdict:
    """Whether a statement is written at an account; of two at once the withdrawal counts.

    Args:
        wanted: the statement.
        account: as the shop shows it.
        shop_said: the newest that the shop said by itself: says when, where the account does not.
        now_ms: no clock of a shop's counts beyond it.
    """
    if account.state == wanted.state:
        return Verdict.SAME
    if account.state == "pending" and wanted.state == SUBSCRIBED:
        return Verdict.AWAITS
    at_ms = account.at_ms
    if at_ms is None and shop_said is not None and shop_said.state == account.state:
        at_ms = shop_said.at_ms
    if at_ms is None or account.state not in {SUBSCRIBED, UNSUBSCRIBED}:
        return Verdict.WRITE
    # Shops' clocks are of whole seconds.
    shop, own = min(at_ms, now_ms) // 1_000, wanted.at_ms // 1_000
    loses = shop > own or (shop == own and wanted.state == SUBSCRIBED)
    return Verdict.OLDER if loses else Verdict.WRITE


class Writing:
    """Brings statements to one store's shop.

    Args:
        consent: its platform's way.
        settings: the store's.
        clock: seconds since the epoch.
    """

    def __init__(
        self, consent: ShopConsent[StoreSettings], settings: StoreSettings, clock: Callable[[], float]
    ) -> None:
        self._consent = consent
        self._settings = settings
        self._clock = clock

    async def bring(
        self, wanted: Wanted, shop_said: Statement | None, ask: Ask, wrote: list[str] | None = None
    ) -> Outcome | Halted | Impossible:
        """Let the shop hold a statement, unless it holds that or a newer one.

        Args:
            wanted: the statement.
            shop_said: see `verdict`.
            ask: makes a request.
            wrote: gets the ids of the accounts that were written, whether or not all went well; also of those
                that hold the statement already, as an earlier try that was cut off may have written them.
        """
        if why := self._consent.unsupported(self._settings):
            return Impossible("no_write_back", why)
        try:
            return await self._bring(wanted, shop_said, ask, [] if wrote is None else wrote)
        except Impossible as impossible:
            return impossible
        except _Halt as halt:
            return Halted(halt.answer)
        except Rejected:  # it is JSON, and no answer of this API
            return Halted(Failed("unreadable"))

    async def _bring(
        self, wanted: Wanted, shop_said: Statement | None, ask: Ask, wrote: list[str]
    ) -> Outcome | Impossible:
        accounts = await self._accounts(wanted, ask)
        if not accounts:
            return await self._create(wanted, ask)
        verdicts = [verdict(wanted, one, shop_said, int(self._clock() * 1_000)) for one in accounts]
        to_write = [one for one, said in zip(accounts, verdicts, strict=True) if said is Verdict.WRITE]
        wrote += [one.id for one, said in zip(accounts, verdicts, strict=True) if said is Verdict.SAME]
        for account in to_write:
            wrote.append(account.id)
            await self._write(wanted, account, ask)
        if to_write:
            return await self._read_back(wanted, to_write, ask)
        for said, outcome in ((Verdict.OLDER, Outcome.OLDER), (Verdict.AWAITS, Outcome.AWAITS)):
            if said in verdicts:
                return outcome
        return Outcome.SAME

    async def _accounts(self, wanted: Wanted, ask: Ask) -> Sequence[Account]:
        answer = await ask(self._consent.find(self._settings, wanted.address))
        if isinstance(answer, Missing):
            return ()
        return self._consent.read(self._settings, wanted.address, _found(answer))

    async def _write(self, wanted: Wanted, account: Account, ask: Ask) -> None:
        answer = await ask(self._consent.write(self._settings, account, wanted))
        if isinstance(answer, Refused):
            other = self._consent.instead(self._settings, account, wanted, answer.status)
            answer = answer if other is None else await ask(other)
        _refused_or(self._consent.refusal(_found(answer)))

    async def _create(self, wanted: Wanted, ask: Ask) -> Outcome | Impossible:
        request = self._consent.create(self._settings, wanted)
        if request is None:
            return _UNKNOWN
        _refused_or(self._consent.refusal(_found(await ask(request))))
        return Outcome.WRITTEN

    async def _read_back(self, wanted: Wanted, written: Sequence[Account], ask: Ask) -> Outcome | Impossible:
        """What the shop shows now: 200 does not prove that it took what it was sent."""
        shown = {one.id: one.state for one in await self._again(wanted, written, ask)}
        states = [shown.get(one.id, "none") for one in written]
        if all(state == wanted.state for state in states):
            return Outcome.WRITTEN
        if wanted.state == SUBSCRIBED:
            return Outcome.AWAITS
        raise _Halt(Failed("not_taken"))

    async def _again(self, wanted: Wanted, written: Sequence[Account], ask: Ask) -> list[Account]:
        if self._consent.look is None:
            return list(await self._accounts(wanted, ask))
        found: list[Account] = []
        for account in written:
            answer = await ask(self._consent.look(self._settings, account))
            found += self._consent.read(self._settings, wanted.address, _found(answer))
        return found


class _Halt(Exception):  # noqa: N818 - ends a try, not the program
    def __init__(self, answer: Answer) -> None:
        super().__init__(type(answer).__name__)
        self.answer = answer


def _found(answer: Answer) -> object:
    """What an answer says.

    Raises:
        _Halt: it is none.
    """
    if isinstance(answer, Found):
        return answer.value
    if isinstance(answer, Empty):
        return None
    raise _Halt(answer)


def _refused_or(why: str) -> None:
    if why:
        raise Impossible("write_refused", why)
