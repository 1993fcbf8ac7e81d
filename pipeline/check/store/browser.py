"""What only a browser proves. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.check.store.result import Step, by_hand
from pipeline.shops.settings import StoreSettings

NAME = "in a browser"
_PURCHASE = {"id": "the order's id", "number": "the order's number", "name": "the order's name"}


def browser(name: str, store: StoreSettings) -> Sequence[Step]:
    """The pages to open, and what to look for."""
    ident = f'{store.id_prefix}{_PURCHASE[store.purchase_id]} (purchase_id = "{store.purchase_id}")'
    page = f"`pipeline check page URL --store {name}` reads its tags"
    menu = "Store settings > Channels > Email: the callbacks' addresses are those of docs/newsletter.md"
    return (
        *((by_hand(NAME, f"in Connectif, {menu}"),) if store.callbacks else ()),
        by_hand(NAME, f"a product page of {store.domain}: the product appears in Connectif; {page}"),
        by_hand(NAME, "a cart with two products: both are in the contact's cart in Connectif"),
        by_hand(
            NAME, f"a test order to the end: the confirmation page's purchase tag has {ident}; once only"
        ),
        by_hand(NAME, "the shop's language and currency: the visit is in the account of both"),
    )
