"""A record against what Connectif was told: what of it is news, and what was told once it is delivered."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from pipeline.deliver.contact_state import Consent, consent_of, newest, statement_of, word_of
from pipeline.deliver.merge import (
    OWN,
    Claim,
    ContactState,
    CouponState,
    ProductState,
    PurchaseState,
    State,
)
from pipeline.deliver.owners import UNNAMED
from pipeline.deliver.product_state import is_anothers
from pipeline.deliver.told import (
    RETRACTED,
    ContactTold,
    CouponTold,
    ProductTold,
    PurchaseTold,
    Told,
    digest,
)
from pipeline.deliver.verdicts import (
    AddCoupon,
    CreatePurchase,
    DeleteProduct,
    DeletePurchase,
    PutContact,
    PutProduct,
    ReplacePurchase,
    Unchanged,
    Verdict,
)


def judge(told: Told | None, state: State, *, trigger: bool = True, maybe_sent: bool = False) -> Verdict:
    """What of a state is news, and how it is told.

    Args:
        told: what Connectif was told of this key, if anything.
        state: what it is to hold.
        trigger: whether a purchase told for the first time may start workflows.
        maybe_sent: whether another version may have reached Connectif without our knowing: then it may hold
            something else than it was told, and what looks the same is told again.
    """
    match state, told:
        case ContactState(), ContactTold() | None:
            return _judge_contact(told, state, maybe_sent)
        case ProductState(), ProductTold() | None:
            return _judge_product(told, state, maybe_sent)
        case PurchaseState(), PurchaseTold() | None:
            return _judge_purchase(told, state, trigger, maybe_sent)
        case CouponState(), _:
            return Unchanged("same") if told is not None else AddCoupon()
    raise TypeError(f"a {state.kind} was never told as that")


def apply(told: Told | None, state: State, *, delivered: bool = True) -> Told | None:
    """What Connectif has been told once the state is delivered, or found to be no news."""
    match state, told:
        case ContactState(), ContactTold() | None:
            return _apply_contact(told or ContactTold(), state)
        case ProductState(), ProductTold() | None:
            return _apply_product(told, state)
        case PurchaseState(), PurchaseTold() | None:
            return _apply_purchase(told, state, delivered)
        case CouponState(), _:
            return CouponTold()
    raise TypeError(f"a {state.kind} was never told as that")


def fingerprint_of(state: State) -> str:
    """What stands for a state on its receipt."""
    if isinstance(state, PurchaseState):
        return RETRACTED if state.body is None else digest(state.body)
    return digest(state.to_json())


def _judge_contact(told: ContactTold | None, state: ContactState, maybe_sent: bool) -> PutContact | Unchanged:
    known = told or ContactTold()
    owners = known.owners.merge(state.owners)
    retracted = owners.retracted
    delete = retracted > known.retracted
    if delete:
        known = ContactTold()
    fields = {
        name: value
        for name, (version, _, value) in state.fields.items()
        if version > retracted and known.is_news(name, version, value, maybe_sent=maybe_sent)
    }
    after = consent_of(newest(known.consent, state.consent), owners)
    unsure = maybe_sent and bool(state.consent or state.owners.left)
    word = word_of(after)
    if word is not None and (unsure or _is_newer_consent(known, after)):
        fields["newsletter"] = word
    if delete:
        return PutContact(fields or None, delete_first=True)
    if fields:
        return PutContact(fields)
    if told is not None:
        return Unchanged("another_owner" if _speaks_of_another(state) else "same")
    return Unchanged("another_owner") if _speaks_of_another(state) else PutContact(fields)


def _speaks_of_another(state: ContactState) -> bool:
    """Whether all that was said is of somebody who has left the address, or is gone."""
    owners = state.owners
    return bool(owners.left or owners.gone) and not (state.fields or state.consent or owners.claims)


def _is_newer_consent(known: ContactTold, after: Consent) -> bool:
    """Whether Connectif may hold something else: who subscribes again may have left there in between."""
    if known.newsletter != word_of(after):
        return True
    before, counts = statement_of(known.consent), statement_of(after)
    if before is None or counts is None:
        return before is not counts
    return not counts[2] and counts[1] > before[1]


def _apply_contact(told: ContactTold, state: ContactState) -> ContactTold:
    owners = told.owners.merge(state.owners)
    retracted = owners.retracted
    fields = dict(told.fields)
    for name, (version, _, value) in state.fields.items():
        if version >= fields.get(name, (0, ""))[0]:
            fields[name] = (version, digest(value))
    return ContactTold(
        {name: known for name, known in fields.items() if known[0] > retracted},
        consent_of(newest(told.consent, state.consent), owners),
        max(told.retracted, retracted),
        owners,
        told.withdrew if retracted == told.retracted else None,
    )


def _judge_product(
    told: ProductTold | None, state: ProductState, maybe_sent: bool
) -> PutProduct | DeleteProduct | Unchanged:
    if told is None or told.gone:
        return _judge_unknown_product(told, state)
    base = state.base
    taken = base if base is not None and told.takes(base) else None
    changed = state.changes(told.is_anothers if taken is None else partial(is_anothers, base=taken))
    news = {
        name: change[1]
        for name, change in changed.items()
        if _overlay_is_news(told, name, change, maybe_sent)
    }
    if base is None or taken is None:
        return PutProduct(news) if news else Unchanged(_why_not(told, state))
    if base.fields is None:
        return DeleteProduct()
    changed_before = any(version <= base.version for version, _ in told.overlay.values())
    if digest(base.fields) == told.fingerprint and not changed_before and not maybe_sent:
        return PutProduct(news) if news else Unchanged("same")
    newer = {name for name, (version, _) in told.overlay.items() if version > base.version}
    kept = {name: value for name, value in base.fields.items() if name not in newer}
    changes = {
        name: value
        for name, (version, value) in changed.items()
        if version >= told.overlay.get(name, (0, ""))[0]
    }
    return PutProduct(kept | changes)


def _why_not(told: ProductTold, state: ProductState) -> str:
    """The reason of a statement about a known product that is no news."""
    said = [owner for _, owner in state.overlay]
    if state.base is not None and state.base.fields is None:
        said.append(state.base.owner)
    if any(map(told.is_anothers, said)):
        return "another_owner"
    return "older" if state.base and state.base.rank == OWN else "known"


def _judge_unknown_product(
    told: ProductTold | None, state: ProductState
) -> PutProduct | DeleteProduct | Unchanged:
    """For a product that Connectif was never told of, or told to delete."""
    if state.base is None:
        return Unchanged("unknown_product")
    if told is not None and not told.takes(state.base):
        return Unchanged("older")
    if state.base.fields is None:
        return DeleteProduct() if told is None else Unchanged("same")
    return PutProduct(state.fields)


def _overlay_is_news(told: ProductTold, name: str, change: tuple[int, Any], maybe_sent: bool) -> bool:
    return _counts(told, name, change) and (
        maybe_sent or digest(change[1]) != told.overlay.get(name, (0, ""))[1]
    )


def _counts(told: ProductTold, name: str, change: tuple[int, Any]) -> bool:
    """Whether a single field is newer than what was told."""
    version, _ = change
    return version >= told.overlay.get(name, (0, ""))[0] and (told.rank != OWN or version > told.version)


def _apply_product(told: ProductTold | None, state: ProductState) -> ProductTold | None:
    base = state.base
    if base is not None and (told is None or told.takes(base)):
        overlay = told.overlay if told is not None and not told.gone else {}
        if base.rank == OWN:
            overlay = {name: change for name, change in overlay.items() if change[0] > base.version}
        whole = RETRACTED if base.fields is None else digest(base.fields)
        told = ProductTold(base.rank, base.version, whole, overlay, base.owner)
    if told is None or told.gone:
        return told
    news = {
        name: (change[0], digest(change[1]))
        for name, change in state.changes(told.is_anothers).items()
        if _counts(told, name, change)
    }
    return replace(told, overlay=told.overlay | news)


def _judge_purchase(
    told: PurchaseTold | None, state: PurchaseState, trigger: bool, maybe_sent: bool
) -> CreatePurchase | ReplacePurchase | DeletePurchase | Unchanged:
    counts = _counting(told, state)
    if isinstance(counts, str):
        return Unchanged(counts)
    owner, claim = counts
    gone = told is None or told.fingerprint == RETRACTED
    if claim.body is None:
        nothing = Unchanged("never_sent" if told is None else "same")
        return nothing if gone and not maybe_sent else DeletePurchase()
    if gone:
        # Sold again after it was retracted: its workflows have run before, and "exists" may mean "existed".
        # Another order under the same id was never sold before.
        first = told is None or not _is_owner(told, owner)
        return CreatePurchase(
            trigger=trigger and first and claim.trigger, compare=maybe_sent or told is not None
        )
    if maybe_sent or told is None or told.fingerprint != digest(claim.body):
        return ReplacePurchase(verify=maybe_sent)
    return Unchanged("same")


def _apply_purchase(told: PurchaseTold | None, state: PurchaseState, delivered: bool) -> PurchaseTold | None:
    counts = _counting(told, state)
    if isinstance(counts, str):
        return told
    owner, claim = counts
    if claim.body is None:
        # Deleted though never told for certain: an answer was lost, and its workflows may have run.
        known = told is not None or delivered
        return PurchaseTold(claim.version, RETRACTED, owner, claim.heard) if known else None
    return PurchaseTold(claim.version, digest(claim.body), owner, claim.heard)


def _counting(told: PurchaseTold | None, state: PurchaseState) -> tuple[str, Claim] | str:
    """The order that counts and what it says; or why nothing that was said does."""
    owner, claim = state.owner, state.claim
    if told is None:
        return owner, claim
    if not _is_owner(told, owner) and claim.body is None:
        # Only the order that has the id takes it back.
        if told.owner not in state.claims:
            return "another_owner"
        owner, claim = told.owner, state.claims[told.owner]
    if _is_owner(told, owner):
        return (owner, claim) if claim.version >= told.version else "older"
    if told.fingerprint == RETRACTED:
        return owner, claim
    left = state.claims.get(told.owner)
    has_left = left is not None and left.body is None and left.version >= told.version
    return (owner, claim) if has_left or claim.heard >= told.heard else "another_owner"


def _is_owner(told: PurchaseTold, owner: str) -> bool:
    """Whether what was told is this order's; releases before named none."""
    return UNNAMED in {told.owner, owner} or told.owner == owner
