"""What is to be done so that Connectif holds a record: the answers of `diff`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing is to be sent; `reason` goes on the receipt."""

    reason: str


@dataclass(frozen=True, slots=True)
class PutContact:
    """Delete the contact first where asked, then write the fields; None: there is nothing to write."""

    fields: dict[str, str] | None
    delete_first: bool = False


@dataclass(frozen=True, slots=True)
class PutProduct:
    """Create or change the product."""

    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteProduct:
    """Delete the product."""


@dataclass(frozen=True, slots=True)
class CreatePurchase:
    """POST the purchase.

    `compare`: where it exists already, an older version of it may be what exists. `sent`: it was sent before,
    and if it exists already, that is it.
    """

    trigger: bool
    compare: bool
    sent: bool = False


@dataclass(frozen=True, slots=True)
class ReplacePurchase:
    """DELETE and POST the purchase. `verify`: read it first, as Connectif may hold any version, or none."""

    verify: bool


@dataclass(frozen=True, slots=True)
class DeletePurchase:
    """DELETE the purchase."""


@dataclass(frozen=True, slots=True)
class AddCoupon:
    """Import the code into its set."""


Command = (
    Unchanged
    | PutContact
    | PutProduct
    | DeleteProduct
    | CreatePurchase
    | ReplacePurchase
    | DeletePurchase
    | AddCoupon
)
