"""How many digits the amounts of a currency have after the point (ISO 4217)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"
_DIGITS = {code: digits for codes, digits in ((_NONE, 0), (_THREE, 3), (_FOUR, 4)) for code in codes.split()}
_STEPS = tuple(Decimal(1).scaleb(-digits) for digits in range(5))
_UNKNOWN = 4


def digits_of(currency: str) -> int:
    """The digits after the point; 4, the most that any has, where no currency is named."""
    return _DIGITS.get(currency, 2) if currency else _UNKNOWN


def rounded(amount: Decimal, currency: str, notes: list[str]) -> Decimal:
    """The amount in whole units of the currency, half up; `amount_rounded` is noted where it was none."""
    found = amount.quantize(_STEPS[digits_of(currency)], ROUND_HALF_UP)
    if found != amount:
        notes.append("amount_rounded")
        return found
    return amount
