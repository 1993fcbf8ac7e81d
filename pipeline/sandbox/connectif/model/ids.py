"""Connectif's ids: 24 hex characters, of which some say what kind of element they name."""

from __future__ import annotations

import enum
from collections.abc import Callable

#: An element's position, its creation in epoch seconds, how often it was created -> its id.
MakeId = Callable[[int, float, int], str]


class IdSpace(enum.IntEnum):
    """What has ids of its own in an account: at most 16 kinds."""

    CONTACTS = 0
    PRODUCTS = 1
    PURCHASES = 2
    COUPONS = 3
    COUPON_SETS = 4
    CONTACT_FIELDS = 5
    INTEGRATIONS = 6
    EVENT_TYPES = 7
    IMPORTS = 8
    EXPORTS = 9
    ACCOUNT = 10
    EVENTS = 11


def id_maker(space: int) -> MakeId:
    """What makes the ids of one kind of element; `space`: 20 bits that no other kind has."""

    def make(position: int, created: float, creates: int) -> str:
        return f"{int(created) & 0xFFFFFFFF:08x}{space & 0xFFFFF:05x}{creates & 0xFFF:03x}{position:08x}"

    return make


class AccountIds:
    """The ids of one account.

    Args:
        number: the account's number; no two accounts have the same ids.
        seed: makes the ids of two runs differ.
    """

    def __init__(self, number: int, seed: int) -> None:
        self._first_space = ((number + 1 + seed) & 0xFFFF) << 4

    def maker(self, space: IdSpace) -> MakeId:
        """What makes the ids of one kind of element."""
        return id_maker(self._first_space + space)
