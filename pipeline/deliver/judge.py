"""A record against what Connectif was told: what of it is news, and what was told once it is delivered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.deliver.merge import (
    OWN,
    ContactState,
    CouponState,
    ProductState,
    PurchaseState,
    State,
)
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
    delete = state.retracted > known.retracted
    if delete:
        known = ContactTold(retracted=state.retracted)
    fields = {
        name: value
        for name, (version, _, value) in state.fields.items()
        if known.is_news(name, version, value, maybe_sent=maybe_sent)
    }
    after = known.with_consent(state)
    unsure = maybe_sent and bool(state.consent)
    if after.word is not None and (unsure or _is_newer_consent(known, after)):
        fields["newsletter"] = after.word
    if delete:
        return PutContact(fields or None, delete_first=True)
    return PutContact(fields) if fields or told is None else Unchanged("same")


def _is_newer_consent(known: ContactTold, after: ContactState) -> bool:
    """Whether Connectif may hold something else: who subscribes again may have left there in between."""
    if known.newsletter != after.word:
        return True
    before, counts = known.with_consent(ContactState(after.by_email)).newsletter, after.newsletter
    if before is None or counts is None:
        return before is not counts
    return not counts[2] and counts[1] > before[1]


def _apply_contact(told: ContactTold, state: ContactState) -> ContactTold:
    retracted = max(told.retracted, state.retracted)
    fields = dict(told.fields)
    for name, (version, _, value) in state.fields.items():
        if version >= fields.get(name, (0, ""))[0]:
            fields[name] = (version, digest(value))
    return ContactTold(
        {name: known for name, known in fields.items() if known[0] > retracted},
        {r: said for r, said in told.with_consent(state).consent.items() if said[0] > retracted},
        retracted,
        told.withdrew if retracted == told.retracted else None,
    )


def _judge_product(
    told: ProductTold | None, state: ProductState, maybe_sent: bool
) -> PutProduct | DeleteProduct | Unchanged:
    if told is None or told.gone:
        return _judge_unknown_product(told, state)
    base = state.base
    news = {
        name: value
        for name, (version, value) in state.overlay.items()
        if _overlay_is_news(told, name, version, value, maybe_sent)
    }
    if base is None or not told.takes(base):
        return PutProduct(news) if news else Unchanged("older" if base and base.rank == OWN else "known")
    if base.fields is None:
        return DeleteProduct()
    changed_before = any(version <= base.version for version, _ in told.overlay.values())
    if digest(base.fields) == told.fingerprint and not changed_before and not maybe_sent:
        return PutProduct(news) if news else Unchanged("same")
    newer = {name for name, (version, _) in told.overlay.items() if version > base.version}
    kept = {name: value for name, value in base.fields.items() if name not in newer}
    changes = {
        name: value
        for name, (version, value) in state.overlay.items()
        if version >= told.overlay.get(name, (0, ""))[0]
    }
    return PutProduct(kept | changes)


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


def _overlay_is_news(told: ProductTold, name: str, version: int, value: Any, maybe_sent: bool) -> bool:
    told_version, told_digest = told.overlay.get(name, (0, ""))
    newest = version >= told_version and (told.rank != OWN or version > told.version)
    return newest and (maybe_sent or digest(value) != told_digest)


def _apply_product(told: ProductTold | None, state: ProductState) -> ProductTold | None:
    base = state.base
    if base is not None and (told is None or told.takes(base)):
        overlay = told.overlay if told is not None and not told.gone else {}
        if base.rank == OWN:
            overlay = {name: change for name, change in overlay.items() if change[0] > base.version}
        whole = RETRACTED if base.fields is None else digest(base.fields)
        told = ProductTold(base.rank, base.version, whole, overlay)
    if told is None or told.gone:
        return told
    news = {
        name: (version, digest(value))
        for name, (version, value) in state.overlay.items()
        if version >= told.overlay.get(name, (0, ""))[0] and (told.rank != OWN or version > told.version)
    }
    return replace(told, overlay=told.overlay | news)


def _judge_purchase(
    told: PurchaseTold | None, state: PurchaseState, trigger: bool, maybe_sent: bool
) -> CreatePurchase | ReplacePurchase | DeletePurchase | Unchanged:
    if told is not None and state.version < told.version:
        return Unchanged("older")
    gone = told is None or told.fingerprint == RETRACTED
    if state.body is None:
        nothing = Unchanged("never_sent" if told is None else "same")
        return nothing if gone and not maybe_sent else DeletePurchase()
    if gone:
        # Sold again after it was retracted: its workflows have run before, and "exists" may mean "existed".
        return CreatePurchase(trigger=trigger and told is None, compare=maybe_sent or told is not None)
    if maybe_sent or told is None or told.fingerprint != digest(state.body):
        return ReplacePurchase(verify=maybe_sent)
    return Unchanged("same")


def _apply_purchase(told: PurchaseTold | None, state: PurchaseState, delivered: bool) -> PurchaseTold | None:
    if told is not None and state.version < told.version:
        return told
    if state.body is None:
        # Deleted though never told for certain: an answer was lost, and its workflows may have run.
        return PurchaseTold(state.version, RETRACTED) if told is not None or delivered else None
    return PurchaseTold(state.version, digest(state.body))
