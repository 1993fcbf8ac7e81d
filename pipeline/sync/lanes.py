"""How urgent a request to a shop is."""

from __future__ import annotations

import enum


class ShopLane(enum.IntEnum):
    """Of the requests that wait, the first of the lowest number goes next."""

    WITHDRAWAL = 0  # a person's consent, to be written at the shop
    LIVE = 1  # what a notification of now named
    DAILY = 2  # a pull of what changed
    FULL = 3  # a pull of everything

    @property
    def is_urgent(self) -> bool:
        """Whether it may use what is kept free of the shop's limit."""
        return self is ShopLane.WITHDRAWAL

    @property
    def is_paced(self) -> bool:
        """Whether its requests are spread over the limit's time, so that no urgent one waits for long."""
        return self >= ShopLane.DAILY
