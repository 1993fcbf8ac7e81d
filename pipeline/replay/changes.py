"""What a record would change in Connectif, field by field, beside what deliver sent last. Pure.

Deliver keeps hashes, no values. A value that was sent before is shown where a record that `connectif.*` still
holds has that very hash; else it is said to be not held any more.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.deliver.state.commands import (
    Command,
    DeleteProduct,
    DeletePurchase,
    PutContact,
    PutProduct,
    Unchanged,
)
from pipeline.deliver.state.diff import diff
from pipeline.deliver.state.key import Key
from pipeline.deliver.state.last_sent import (
    RETRACTED,
    LastSent,
    LastSentContact,
    LastSentProduct,
    LastSentPurchase,
    digest,
)
from pipeline.deliver.state.states import ContactState, ProductState, PurchaseState, State
from pipeline.records import RecordKind

#: Stands for a value that was sent and is not known: no record that `connectif.*` still holds says it.
NOT_HELD = "not held any more"
#: Stands for a value about a person.
MASKED = "***"
#: The field that stands for the contact, product or purchase as a whole.
ITSELF = "op"
#: Of a contact, what tells nothing of a person by itself.
_NOT_PERSONAL = frozenset({"newsletter", ITSELF})
_PERSONAL = frozenset({"contact_email", "contact_external_id"})

#: Values that were last sent, by their fields, as far as they are known.
Held = dict[str, Any]


class Difference(enum.StrEnum):
    """What a record is to Connectif."""

    NEW = "new"  # Connectif was never sent it, or it was deleted there
    CHANGED = "changed"
    SAME = "same"


class Change(NamedTuple):
    """One field; `before` and `after` are JSON values, None where there is none."""

    account: str
    kind: str
    id: str
    field: str
    before: Any
    after: Any


def held(last_sent: LastSent, said: State) -> Held:
    """The values of a record that are those last sent.

    Args:
        last_sent: of the record's key.
        said: what the record says.
    """
    match last_sent, said:
        case LastSentContact(), ContactState():
            sent = last_sent.fields
            return {
                name: value
                for name, (_, _, value) in said.fields.items()
                if name in sent and sent[name][1] == digest(value)
            }
        case LastSentProduct(), ProductState():
            return _held_of_product(last_sent, said)
        case LastSentPurchase(), PurchaseState():
            for claim in said.claims.values():
                if claim.body is not None and digest(claim.body) == last_sent.fingerprint:
                    return claim.body
    return {}


def _held_of_product(last_sent: LastSentProduct, said: ProductState) -> Held:
    found: Held = {}
    base, sent = said.base, last_sent.overlay
    if base is not None and base.fields is not None and digest(base.fields) == last_sent.fingerprint:
        found = {name: value for name, value in base.fields.items() if name not in sent}
    for (name, _), (_, value) in said.overlay.items():
        if name in sent and sent[name][1] == digest(value):
            found[name] = value
    return found


def difference(last_sent: LastSent | None, state: State) -> Difference:
    """What a state is to Connectif, beside what it was last sent."""
    command = diff(last_sent, state)
    if isinstance(command, Unchanged):
        return Difference.SAME
    if _is_absent(last_sent) and not isinstance(command, DeleteProduct | DeletePurchase):
        return Difference.NEW
    if (
        isinstance(command, PutContact)
        and not command.delete_first
        and isinstance(last_sent, LastSentContact)
    ):
        # The same subscription, sent once more as the person may have left since: it says nothing new.
        says = (command.fields or {}) != {"newsletter": last_sent.newsletter}
        return Difference.CHANGED if says else Difference.SAME
    return Difference.CHANGED


def _is_absent(last_sent: LastSent | None) -> bool:
    match last_sent:
        case LastSentProduct():
            return last_sent.gone
        case LastSentPurchase():
            return last_sent.fingerprint == RETRACTED
    return last_sent is None


def changes(
    account: str, key: Key, last_sent: LastSent | None, state: State, known: Held, *, personal: bool
) -> list[Change]:
    """The fields that differ from what was last sent, by name.

    Args:
        account: whose the record is.
        key: of the record.
        last_sent: what deliver sent last; None: nothing.
        state: what it would be told.
        known: values last sent, as `held` finds them.
        personal: whether values about people are shown.
    """
    command = diff(last_sent, state)
    if isinstance(command, Unchanged):
        return []
    before, after = _before(last_sent, known), _after(command, state)
    if after is None:
        pairs = {ITSELF: (None, "retract")} | {name: (value, None) for name, value in before.items()}
    elif not after and _is_absent(last_sent):
        pairs = {ITSELF: (None, "upsert")}
    else:
        # A field left out says nothing, but where the whole is replaced.
        names = {*after, *(before if _is_whole(command, state) else ())}
        unknown = _of_other_fields(last_sent, known)
        pairs = {name: (before.get(name, unknown), after.get(name)) for name in names}
    return [
        Change(account, key.kind.value, key.id, name, *_masked(key.kind, name, (was, now), personal))
        for name, (was, now) in sorted(pairs.items())
        if was != now
    ]


def _before(last_sent: LastSent | None, known: Held) -> dict[str, Any]:
    """What Connectif holds, by field; a field that was sent and whose value is not known is in it."""
    match last_sent:
        case LastSentContact():
            fields: dict[str, Any] = {name: known.get(name, NOT_HELD) for name in last_sent.fields}
            return fields | ({"newsletter": last_sent.newsletter} if last_sent.newsletter else {})
        case LastSentProduct() if not last_sent.gone:
            return dict.fromkeys(last_sent.overlay, NOT_HELD) | known
        case LastSentPurchase() if last_sent.fingerprint != RETRACTED:
            return known
    return {}


def _of_other_fields(last_sent: LastSent | None, known: Held) -> str | None:
    """What is known of a field that is not among those before: of a whole that is not held, nothing."""
    match last_sent:
        case LastSentProduct() if not last_sent.gone:
            return None if known.keys() - last_sent.overlay.keys() else NOT_HELD
        case LastSentPurchase() if last_sent.fingerprint != RETRACTED:
            return None if known else NOT_HELD
    return None


def _after(command: Command, state: State) -> Mapping[str, Any] | None:
    """The fields that the command sends; None where it deletes."""
    match command, state:
        case ((DeleteProduct() | DeletePurchase()), _):
            return None
        case PutContact(), _:
            if command.delete_first and not command.fields:
                return None
            return command.fields or {}
        case PutProduct(), _:
            return command.fields
        case _, PurchaseState():
            return state.body or {}
    return {}


def _is_whole(command: Command, state: State) -> bool:
    return isinstance(state, PurchaseState) or (isinstance(command, PutContact) and command.delete_first)


def _masked(kind: RecordKind, name: str, pair: tuple[Any, Any], personal: bool) -> tuple[Any, Any]:
    if personal or not (name in _PERSONAL or (kind is RecordKind.CONTACT and name not in _NOT_PERSONAL)):
        return pair
    was, now = (value if value in (None, NOT_HELD) else MASKED for value in pair)
    return was, now


__all__ = ["ITSELF", "MASKED", "NOT_HELD", "Change", "Difference", "Held", "changes", "difference", "held"]
