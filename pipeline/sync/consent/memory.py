"""What either side said last of a person's newsletter: tells an echo of our own import from news. Pure.

Connectif calls back for imports as well, without a network address: not whose import it was, nor when the
person said it. So a withdrawal without one is an echo while ours is on its way, and says nothing new where
both sides say the same already. What the person says themselves is always news.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import orjson

from pipeline.shops.callbacks import SUBSCRIBED, UNSUBSCRIBED, Statement

#: Milliseconds for which the callback of a withdrawal that Connectif is told may come: calls wait for the
#: account's limit, imports run for minutes.
ECHO_MS = 3_600_000
#: The clocks of gateway and translate may differ by this.
CLOCKS_MS = 5_000
#: Rank of a statement: when, and whether it withdraws.
Rank = tuple[int, bool]
_NEVER: Rank = (0, False)


class Memory(NamedTuple):
    """What is known of one person of one store.

    Attributes:
        shop: rank of the newest that the shop said.
        connectif: rank of the newest that Connectif said, echoes left out.
        telling_ms: when we heard the last withdrawal that Connectif may be told; 0 for none.
    """

    shop: Rank = _NEVER
    connectif: Rank = _NEVER
    telling_ms: int = 0

    def with_told(self, said: Statement, heard_ms: int) -> Memory:
        """Once the shop said something, which Connectif is being told.

        Args:
            said: the statement.
            heard_ms: when we heard it.
        """
        if said.rank <= max(self.shop, self.connectif):
            return self._replace(shop=max(self.shop, said.rank))
        known = self.connectif[1] and self.connectif > self.shop
        telling = said.state == UNSUBSCRIBED and not known
        return self._replace(shop=said.rank, telling_ms=heard_ms if telling else self.telling_ms)

    def is_echo(self, said: Statement) -> bool:
        """Whether a callback only says what we told Connectif, or what both sides say already."""
        if said.in_person or said.state == SUBSCRIBED:
            return False
        if self.telling_ms and -CLOCKS_MS <= said.at_ms - self.telling_ms <= ECHO_MS:
            return True
        newest = max(self.shop, self.connectif)
        return newest[1] and newest[0] < said.at_ms  # the same one is repeated by a redrive

    def with_callback(self, said: Statement) -> Memory:
        """Once Connectif said something that is no echo."""
        # Deliver sends it again where a call of ours may have come between, and that comes back as well.
        telling_ms = said.at_ms if said.state == UNSUBSCRIBED else self.telling_ms
        return self._replace(connectif=max(self.connectif, said.rank), telling_ms=telling_ms)

    @property
    def shop_said(self) -> Statement | None:
        """The newest that the shop said; None where nothing is known."""
        at_ms, withdraws = self.shop
        return Statement("", UNSUBSCRIBED if withdraws else SUBSCRIBED, at_ms) if at_ms else None

    def encode(self) -> bytes:
        """The row."""
        return orjson.dumps([self.shop, self.connectif, self.telling_ms])

    @classmethod
    def decode(cls, row: bytes | None) -> Self:
        """Read a row that `encode` wrote; None is nothing known."""
        if row is None:
            return cls()
        shop, connectif, telling_ms = orjson.loads(row)
        return cls((shop[0], bool(shop[1])), (connectif[0], bool(connectif[1])), telling_ms)
