"""Magento's two sets of amounts: the website's own currency (`base_...`), and the one the buyer saw.

One set is read for all of an order: total, lines, discounts, refunds, credits. Amounts of one set with the
code of the other are the commonest error of modules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from pipeline.shops.base import Rejected, StoreContext
from pipeline.shops.currencies import rounded
from pipeline.shops.orders import require_currency
from pipeline.shops.values import money, text

_BASE = "base_"
_ZERO = Decimal(0)


class AmountSet(NamedTuple):
    """Which fields hold the amounts.

    Attributes:
        prefixes: of the fields' names, best first; two where both sets are in one currency.
        currency: that they are in; "" where it is not known.
    """

    prefixes: tuple[str, ...]
    currency: str = ""

    def find(self, parent: Mapping[str, Any], key: str, path: str = "") -> Decimal | None:
        """An amount, which may be below zero; None where the field is absent or empty.

        Raises:
            Rejected: `invalid_money`.
        """
        for prefix in self.prefixes:
            value = parent.get(prefix + key)
            if value is not None and value != "":
                return signed(value, path + prefix + key)
        return None

    def get(self, parent: Mapping[str, Any], key: str, path: str = "") -> Decimal:
        """As `find`, with zero where there is none.

        Raises:
            Rejected: `invalid_money`.
        """
        found = self.find(parent, key, path)
        return _ZERO if found is None else found

    def whole(self, amount: Decimal, notes: list[str]) -> Decimal:
        """The amount in whole units of the currency: Magento computes with four decimals, PHP with dust."""
        return rounded(amount, self.currency, notes)

    def name(self, key: str) -> str:
        """The field that should hold it."""
        return self.prefixes[0] + key


_SHOWN = ""


def set_of(body: Mapping[str, Any], store: StoreContext, notes: list[str]) -> AmountSet:
    """The set whose currency is the account's: the website's where that is it, else the buyer's.

    Raises:
        Rejected: `currency_mismatch`, `missing_field`.
    """
    base, shown = _base_and_shown(body)
    if store.currency not in {None, base} and store.currency == shown:
        return AmountSet((_SHOWN,), store.currency)
    currency = require_currency(base or shown, store, f"{'base' if base else 'order'}_currency_code", notes)
    if shown is None or base == shown:
        return AmountSet((_SHOWN, _BASE) if base == shown else (_BASE, _SHOWN), currency)
    return AmountSet((_SHOWN, _BASE) if base is None else (_BASE,), currency)


def codes_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The currencies that an order has amounts in."""
    return tuple(dict.fromkeys(code for code in _base_and_shown(body) if code is not None))


def _base_and_shown(body: Mapping[str, Any]) -> tuple[str | None, str | None]:
    return _code(body.get("base_currency_code")), _code(body.get("order_currency_code"))


def _code(value: object) -> str | None:
    """A currency's code; None for what is none."""
    found = (text(value, 10) or "").upper()
    return found if re.fullmatch(r"[A-Z]{3}", found) else None


def signed(value: object, field: str) -> Decimal:
    """An amount that may be below zero.

    Raises:
        Rejected: `invalid_money`.
    """
    if isinstance(value, str):
        written = value.strip()
        return -money(written[1:], field) if written.startswith("-") else money(written, field)
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        return -money(-value, field)
    return money(value, field)


def number(value: object, field: str) -> Decimal:
    """A count, which may have decimals; nothing is zero.

    Raises:
        Rejected: `invalid_quantity`.
    """
    try:
        return _ZERO if value is None or value == "" else signed(value, field)
    except Rejected:
        raise Rejected("invalid_quantity", field, "not a plausible number") from None
