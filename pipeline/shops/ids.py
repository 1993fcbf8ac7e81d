"""The prefix of a store's ids in Connectif, and whether the ids of two stores could be the same. Pure."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.records import Contact, Product, Purchase, RecordKind
from pipeline.shops.base import Draft, Translation
from pipeline.shops.platform import AnyPlatform, IdForm
from pipeline.shops.settings import StoreSettings

_EXAMPLE = "1001"


def prefixed(translation: Translation, prefix: str) -> Translation:
    """The translation with the prefix before every id but addresses."""
    if not prefix:
        return translation
    return translation._replace(drafts=tuple(_prefixed(draft, prefix) for draft in translation.drafts))


def _prefixed(draft: Draft, prefix: str) -> Draft:
    body = draft.body
    if isinstance(body, Purchase):
        is_own_cart = body.cart_id == body.purchase_id
        external_id = body.contact_external_id
        lines = tuple(line.model_copy(update={"product_id": prefix + line.product_id}) for line in body.lines)
        changes = {
            "purchase_id": prefix + body.purchase_id,
            "cart_id": prefix + body.cart_id if is_own_cart else body.cart_id,
            "contact_external_id": None if external_id is None else prefix + external_id,
            "lines": lines,
        }
        return draft._replace(id=prefix + body.purchase_id, body=body.model_copy(update=changes))
    if isinstance(body, Product):
        told = body.model_copy(update={"product_id": prefix + body.product_id})
        return draft._replace(id=told.product_id, body=told)
    if isinstance(body, Contact):
        external_id = None if body.external_id is None else prefix + body.external_id
        told_id = draft.id if body.email else external_id
        return draft._replace(id=told_id, body=body.model_copy(update={"external_id": external_id}))
    is_plain = draft.id is None or (draft.kind is RecordKind.CONTACT and "@" in draft.id)
    return draft if is_plain else draft._replace(id=prefix + str(draft.id))


class FedStore(NamedTuple):
    """A store that shares an account."""

    name: str
    settings: StoreSettings
    platform: AnyPlatform


def meeting(one: FedStore, other: FedStore) -> tuple[str, str] | None:
    """An id of each of two stores that would be one in Connectif; None where there are none.

    Returns:
        What the shops themselves call them, first `one`'s.
    """
    first, second = sorted((one, other), key=lambda store: len(store.settings.id_prefix))
    short, long = first.settings.id_prefix, second.settings.id_prefix
    if not long.startswith(short):
        return None
    rest = long[len(short) :]
    if rest and _numbers(first) and not rest.isdigit():
        return None
    are_unique = one.platform.ids is IdForm.UNIQUE_NUMBER and one.platform.name == other.platform.name
    if not rest and are_unique and _numbers(one) and _numbers(other):
        return None
    examples = {first.name: rest + _EXAMPLE, second.name: _EXAMPLE}
    return examples[one.name], examples[other.name]


def _numbers(store: FedStore) -> bool:
    """Whether all that the store's ids are made of is digits."""
    by_id = store.settings.purchase_id == "id" and store.settings.product_id != "sku"
    return by_id and store.platform.ids is not IdForm.TEXT and store.settings.placeholder_product is None
