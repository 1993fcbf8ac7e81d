"""A record against what was last sent: the command for what differs, and what is last sent after it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from pipeline.deliver.state.commands import (
    AddCoupon,
    Command,
    CreatePurchase,
    DeleteProduct,
    DeletePurchase,
    PutContact,
    PutProduct,
    ReplacePurchase,
    Unchanged,
)
from pipeline.deliver.state.contact import Consent, consent_of, newest, statement_of, word_of
from pipeline.deliver.state.last_sent import (
    RETRACTED,
    LastSent,
    LastSentContact,
    LastSentCoupon,
    LastSentProduct,
    LastSentPurchase,
    digest,
)
from pipeline.deliver.state.owners import ERASED, UNNAMED
from pipeline.deliver.state.product import is_anothers
from pipeline.deliver.state.states import (
    OWN,
    Claim,
    ContactState,
    CouponState,
    ProductState,
    PurchaseState,
    State,
)

#: What Connectif said so soon after a contrary statement that we sent is sent again: one call, to be sure.
UNSETTLED_MS = 3_600_000


def diff(
    last_sent: LastSent | None,
    state: State,
    *,
    trigger: bool = True,
    maybe_sent: bool = False,
    resend: bool = False,
) -> Command:
    """The command that brings what was last sent to a state.

    Args:
        last_sent: what was last sent of this key, if anything.
        state: what it is to hold.
        trigger: whether a purchase sent for the first time may start workflows.
        maybe_sent: whether another version may have reached Connectif without our knowing: then what was last
            sent is uncertain, and what looks the same is sent again.
        resend: whether Connectif may have lost what it was sent: what looks the same is sent again, a
            purchase by a POST, which costs one call whether it is there or not.
    """
    match state, last_sent:
        case ContactState(), LastSentContact() | None:
            return _diff_contact(last_sent, state, maybe_sent or resend)
        case ProductState(), LastSentProduct() | None:
            return _diff_product(last_sent, state, maybe_sent or resend)
        case PurchaseState(), LastSentPurchase() | None:
            command = _diff_purchase(last_sent, state, trigger, maybe_sent)
            return _resent(command, last_sent, state, trigger) if resend else command
        case CouponState(), _:
            return Unchanged("same") if last_sent is not None else AddCoupon()
    raise TypeError(f"what was last sent is no {state.kind}")


def apply(last_sent: LastSent | None, state: State, *, delivered: bool = True) -> LastSent | None:
    """What was last sent, once the state is delivered or found to be unchanged."""
    match state, last_sent:
        case ContactState(), LastSentContact() | None:
            return _apply_contact(last_sent or LastSentContact(), state)
        case ProductState(), LastSentProduct() | None:
            return _apply_product(last_sent, state)
        case PurchaseState(), LastSentPurchase() | None:
            return _apply_purchase(last_sent, state, delivered)
        case CouponState(), _:
            return LastSentCoupon()
    raise TypeError(f"what was last sent is no {state.kind}")


def fingerprint_of(state: State) -> str:
    """The fingerprint of a state, for its receipt."""
    if isinstance(state, PurchaseState):
        body = state.body
        return RETRACTED if body is None else digest(body)
    return digest(state.to_json())


def is_repeated_subscription(last_sent: LastSent | None, command: Command) -> bool:
    """Whether a command only sends the subscription that was sent before: the person may have left since."""
    return (
        isinstance(command, PutContact)
        and isinstance(last_sent, LastSentContact)
        and not command.delete_first
        and command.fields == {"newsletter": last_sent.newsletter}
    )


def _diff_contact(
    last_sent: LastSentContact | None, state: ContactState, maybe_sent: bool
) -> PutContact | Unchanged:
    known = LastSentContact() if last_sent is None or state.erased else last_sent
    if state.heard and _is_settled(known.consent, state.heard):  # Connectif has it, as it said so
        known = replace(known, consent=newest(known.consent, state.heard))
    owners = known.owners.merge(state.owners)
    retracted = owners.retracted
    # Erased, a contact is deleted whether we ever sent it or not: web tracking makes contacts, too.
    delete = retracted > known.retracted
    if delete:
        known = LastSentContact()
    fields = {
        name: value
        for name, (version, _, value) in state.fields.items()
        if version > retracted and known.is_news(name, version, value, maybe_sent=maybe_sent)
    }
    after = consent_of(newest(known.consent, state.consent), owners)
    unsure = maybe_sent and bool(state.consent or state.owners.left)
    word = word_of(after)
    if word is not None and (unsure or _is_other_consent(known, after)):
        fields["newsletter"] = word
    if delete:
        return PutContact(fields or None, delete_first=True)
    if fields:
        return PutContact(fields)
    if last_sent is not None or _is_only_heard(state):
        return Unchanged("another_owner" if _speaks_of_another(state) else "same")
    return Unchanged("another_owner") if _speaks_of_another(state) else PutContact(fields)


def _is_settled(sent: Consent, heard: Consent) -> bool:
    """Whether Connectif still has what it said: a call of ours may have come between that and its callback.

    Only of statements sent fresh: Connectif is asked before an older `subscribed` is sent.
    """
    before, counts = statement_of(sent), statement_of(heard)
    if before is None or counts is None or before[2] == counts[2]:
        return True
    return counts[1] - before[1] > UNSETTLED_MS


def _is_only_heard(state: ContactState) -> bool:
    """Whether all in it was said by Connectif, which so has the contact."""
    return bool(state.heard) and state.heard == state.consent and not (state.fields or state.owners.claims)


def _speaks_of_another(state: ContactState) -> bool:
    """Whether the state holds only statements of owners who left the address or were deleted."""
    owners = state.owners
    return bool(owners.left or owners.gone) and not (state.fields or state.consent or owners.claims)


def _is_other_consent(known: LastSentContact, after: Consent) -> bool:
    """Whether Connectif may hold another consent: the person may have unsubscribed there in between.

    A person who subscribes again may have unsubscribed after the statement before. A customer's own
    `subscribed` that replaces an order's newer one may be older than a withdrawal that the order's was newer
    than.
    """
    if known.newsletter != word_of(after):
        return True
    before, counts = statement_of(known.consent), statement_of(after)
    if before is None or counts is None:
        return before is not counts
    return not counts[2] and counts[1] != before[1]


def _apply_contact(last_sent: LastSentContact, state: ContactState) -> LastSentContact | None:
    if state.erased:
        return _after_erasure(state)
    owners = last_sent.owners.merge(state.owners)
    retracted = owners.retracted
    fields = dict(last_sent.fields)
    for name, (version, _, value) in state.fields.items():
        if version >= fields.get(name, (0, ""))[0]:
            fields[name] = (version, digest(value))
    return LastSentContact(
        {name: known for name, known in fields.items() if known[0] > retracted},
        consent_of(newest(last_sent.consent, state.consent), owners),
        max(last_sent.retracted, retracted),
        owners,
        last_sent.withdrew if retracted == last_sent.retracted else None,
        max(last_sent.left_ms if retracted == last_sent.retracted else 0, _left_there(state)),
    )


def _left_there(state: ContactState) -> int:
    """When the person withdrew in Connectif, as it said; 0 where it did not."""
    return max((moment for moment, unsubscribed in state.heard.values() if unsubscribed), default=0)


def _after_erasure(state: ContactState) -> LastSentContact | None:
    """What is remembered of an erased contact: what was said of it since, if anything was."""
    since = state.erased
    fields = {name: (said[0], digest(said[2])) for name, said in state.fields.items() if said[0] > since}
    consent = {rank: said for rank, said in state.consent.items() if said[0] > since}
    if not fields and not consent:
        return None
    return LastSentContact(fields, consent, owners=state.owners.without(ERASED))


def _diff_product(
    last_sent: LastSentProduct | None, state: ProductState, maybe_sent: bool
) -> PutProduct | DeleteProduct | Unchanged:
    if last_sent is None or last_sent.gone:
        return _diff_unknown_product(last_sent, state)
    base = state.base
    taken = base if base is not None and last_sent.takes(base) else None
    changed = state.changes(last_sent.is_anothers if taken is None else partial(is_anothers, base=taken))
    news = {
        name: change[1]
        for name, change in changed.items()
        if _overlay_is_news(last_sent, name, change, maybe_sent)
    }
    if base is None or taken is None:
        return PutProduct(news) if news else Unchanged(_why_not(last_sent, state))
    if base.fields is None:
        return DeleteProduct()
    changed_before = any(version <= base.version for version, _ in last_sent.overlay.values())
    if digest(base.fields) == last_sent.fingerprint and not changed_before and not maybe_sent:
        return PutProduct(news) if news else Unchanged("same")
    newer = {name for name, (version, _) in last_sent.overlay.items() if version > base.version}
    kept = {name: value for name, value in base.fields.items() if name not in newer}
    changes = {
        name: value
        for name, (version, value) in changed.items()
        if version >= last_sent.overlay.get(name, (0, ""))[0]
    }
    return PutProduct(kept | changes)


def _why_not(last_sent: LastSentProduct, state: ProductState) -> str:
    """Why a statement about a known product changes nothing."""
    said = [owner for _, owner in state.overlay]
    if state.base is not None and state.base.fields is None:
        said.append(state.base.owner)
    if any(map(last_sent.is_anothers, said)):
        return "another_owner"
    return "older" if state.base and state.base.rank == OWN else "known"


def _diff_unknown_product(
    last_sent: LastSentProduct | None, state: ProductState
) -> PutProduct | DeleteProduct | Unchanged:
    """For a product that was never sent, or that was deleted."""
    if state.base is None:
        return Unchanged("unknown_product")
    if last_sent is not None and not last_sent.takes(state.base):
        return Unchanged("older")
    if state.base.fields is None:
        return DeleteProduct() if last_sent is None else Unchanged("same")
    return PutProduct(state.fields)


def _overlay_is_news(
    last_sent: LastSentProduct, name: str, change: tuple[int, Any], maybe_sent: bool
) -> bool:
    return _counts(last_sent, name, change) and (
        maybe_sent or digest(change[1]) != last_sent.overlay.get(name, (0, ""))[1]
    )


def _counts(last_sent: LastSentProduct, name: str, change: tuple[int, Any]) -> bool:
    """Whether a single field is newer than what was sent."""
    version, _ = change
    return version >= last_sent.overlay.get(name, (0, ""))[0] and (
        last_sent.rank != OWN or version > last_sent.version
    )


def _apply_product(last_sent: LastSentProduct | None, state: ProductState) -> LastSentProduct | None:
    base = state.base
    if base is not None and (last_sent is None or last_sent.takes(base)):
        overlay = last_sent.overlay if last_sent is not None and not last_sent.gone else {}
        if base.rank == OWN:
            overlay = {name: change for name, change in overlay.items() if change[0] > base.version}
        whole = RETRACTED if base.fields is None else digest(base.fields)
        last_sent = LastSentProduct(base.rank, base.version, whole, overlay, base.owner)
    if last_sent is None or last_sent.gone:
        return last_sent
    news = {
        name: (change[0], digest(change[1]))
        for name, change in state.changes(last_sent.is_anothers).items()
        if _counts(last_sent, name, change)
    }
    return replace(last_sent, overlay=last_sent.overlay | news)


def _diff_purchase(
    last_sent: LastSentPurchase | None, state: PurchaseState, trigger: bool, maybe_sent: bool
) -> CreatePurchase | ReplacePurchase | DeletePurchase | Unchanged:
    counts = _counting(last_sent, state)
    if isinstance(counts, str):
        return Unchanged(counts)
    owner, claim = counts
    gone = last_sent is None or last_sent.fingerprint == RETRACTED
    if claim.body is None:
        nothing = Unchanged("never_sent" if last_sent is None else "same")
        return nothing if gone and not maybe_sent else DeletePurchase()
    if gone:
        # Sold again after it was retracted: its workflows have run, and a 409 may be about the deleted one.
        # Another order under the same id was never sold before.
        first = last_sent is None or not _is_owner(last_sent, owner)
        return CreatePurchase(
            trigger=trigger and first and claim.trigger, compare=maybe_sent or last_sent is not None
        )
    if maybe_sent or last_sent is None or last_sent.fingerprint != digest(claim.body):
        return ReplacePurchase(verify=maybe_sent)
    return Unchanged("same")


def _resent(
    command: Command, last_sent: LastSentPurchase | None, state: PurchaseState, trigger: bool
) -> Command:
    """A purchase that is sent though it, or its deletion, was sent before; older words stay unsent."""
    if command != Unchanged("same") or last_sent is None:
        return command
    if last_sent.fingerprint == RETRACTED:
        return DeletePurchase()
    counts = _counting(last_sent, state)
    trigger = trigger and not isinstance(counts, str) and counts[1].trigger
    return CreatePurchase(trigger=trigger, compare=False, sent=True)


def _apply_purchase(
    last_sent: LastSentPurchase | None, state: PurchaseState, delivered: bool
) -> LastSentPurchase | None:
    counts = _counting(last_sent, state)
    if isinstance(counts, str):
        return last_sent
    owner, claim = counts
    if claim.body is None:
        # Deleted though it may never have been sent: an answer was lost, and its workflows may have run.
        known = last_sent is not None or delivered
        return LastSentPurchase(claim.version, RETRACTED, owner, claim.heard) if known else None
    return LastSentPurchase(claim.version, digest(claim.body), owner, claim.heard)


def _counting(last_sent: LastSentPurchase | None, state: PurchaseState) -> tuple[str, Claim] | str:
    """The order that counts and its claim; or the reason why none does."""
    owner = state.owner
    claim = state.claims[owner]
    if owner == ERASED:
        return "erased"
    if last_sent is None:
        return owner, claim
    if not _is_owner(last_sent, owner) and claim.body is None:
        # Only the order that has the id takes it back.
        if last_sent.owner not in state.claims:
            return "another_owner"
        owner, claim = last_sent.owner, state.claims[last_sent.owner]
    if _is_owner(last_sent, owner):
        return (owner, claim) if claim.version >= last_sent.version else "older"
    if last_sent.fingerprint == RETRACTED:
        return owner, claim
    left = state.claims.get(last_sent.owner)
    has_left = left is not None and left.body is None and left.version >= last_sent.version
    return (owner, claim) if has_left or claim.heard >= last_sent.heard else "another_owner"


def _is_owner(last_sent: LastSentPurchase, owner: str) -> bool:
    """Whether what was last sent is this order's; earlier releases named no owner."""
    return UNNAMED in {last_sent.owner, owner} or last_sent.owner == owner
