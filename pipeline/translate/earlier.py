"""What an event means for the ids that its entity had before: numbers given up, addresses left. Pure.

An order has one purchase, whatever its number was before, and a product the ids it has now. A customer has
one address; Connectif cannot rename a contact, so the old one stays, and is unsubscribed. What was emitted is
remembered with the offset of its event, and counts only for later ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pipeline.events import Kind, RawEvent
from pipeline.records import Contact, Op, Origin, RecordKind
from pipeline.shops.base import Draft
from pipeline.shops.catalogue import PARTIAL, hide_draft
from pipeline.shops.orders import retract_draft
from pipeline.translate.state import Address, EmittedMarks, EntityState, digest

#: The digest of what was emitted for an address that its customer has left.
LEFT = digest(b"left")


def given_up(
    event: RawEvent, drafts: Iterable[Draft], emitted: EmittedMarks, offset: int, *, deletes: bool
) -> list[Draft]:
    """The drafts that take back ids that an order or a product had before and has no more.

    Args:
        event: the event.
        drafts: what it means.
        emitted: what was emitted to the account.
        offset: the event's.
        deletes: whether it says that the entity was deleted.
    """
    if event.kind is Kind.ORDER:
        return [
            retract_draft(record_id, ("renumbered",))
            for record_id in _other_ids(RecordKind.PURCHASE, drafts, emitted, offset)
        ]
    if event.kind is Kind.PRODUCT and emitted and not deletes:
        return _products_given_up(tuple(drafts), emitted, offset)
    return []


def _products_given_up(drafts: Sequence[Draft], emitted: EmittedMarks, offset: int) -> list[Draft]:
    """A product or variant with another SKU now, a variant taken out, or ids of another setting.

    None for a body that does not list all variants. A deletion is handled as one.
    """
    if any(note in PARTIAL for draft in drafts if draft.op is not Op.HIDE for note in draft.notes):
        return []
    ids = _other_ids(RecordKind.PRODUCT, drafts, emitted, offset)
    return [hide_draft(record_id, ("id_given_up",)) for record_id in ids]


def _other_ids(kind: RecordKind, drafts: Iterable[Draft], emitted: EmittedMarks, offset: int) -> list[str]:
    """Ids that were emitted before and that no draft has, if any draft has one."""
    now = {draft.id for draft in drafts if draft.kind is kind and draft.id is not None}
    if not now:
        return []
    return [
        record_id
        for (of, record_id), was in emitted.items()
        if of is kind and record_id not in now and was.offset <= offset
    ]


def left_account(
    drafts: Sequence[Draft], everywhere: Sequence[Draft], heard: Heard, emitted: EmittedMarks
) -> list[Draft]:
    """What an account gets of an entity that other accounts of the store have now: another language, say.

    The purchase is taken back there, the product hidden. The contact stays, as one of an address that was
    left does, and is unsubscribed; and a withdrawal reaches every account, also where only an order had
    named the person.

    Args:
        drafts: what the event means for the account.
        everywhere: what it means for all accounts of the store.
        heard: the event.
        emitted: what was emitted to the account.
    """
    has = {draft.kind for draft in drafts if _says_something(draft)}
    gone = {draft.kind for draft in everywhere if _says_something(draft)} - has
    known = [key for key, was in emitted.items() if was.offset <= heard.offset]
    found: list[Draft] = []
    if RecordKind.PURCHASE in gone:
        purchases = (record_id for kind, record_id in known if kind is RecordKind.PURCHASE)
        found += [retract_draft(one, ("account_left",)) for one in purchases]
    elif RecordKind.PRODUCT in gone and RecordKind.CONTACT not in gone:
        products = (record_id for kind, record_id in known if kind is RecordKind.PRODUCT)
        found += [hide_draft(one, ("account_left",)) for one in products]
    if RecordKind.CONTACT in gone and heard.moment:
        withdrawn = {one.id: one for one in everywhere if _withdraws(one)}
        found += (one._replace(op=Op.PATCH, notes=("account_left",)) for one in withdrawn.values())
        left = left_drafts(emitted, heard.offset, heard.moment, but="")
        found += (one for one in left if one.id not in withdrawn)
    return found


def _says_something(draft: Draft) -> bool:
    return draft.op in {Op.UPSERT, Op.PATCH} and not draft.if_emitted


def _withdraws(draft: Draft) -> bool:
    return isinstance(draft.body, Contact) and draft.body.newsletter == "unsubscribed"


def was_sold(record_id: str, emitted: EmittedMarks, offset: int) -> bool:
    """Whether the order was emitted as a purchase of another id before: its workflows have run."""
    return any(
        kind is RecordKind.PURCHASE and other != record_id and was.offset <= offset
        for (kind, other), was in emitted.items()
    )


class Heard(NamedTuple):
    """An event of a customer.

    Attributes:
        offset: its own.
        when: the customer had the address that the event names, epoch ms.
        moment: the customer's newest version on any clock, epoch ms.
    """

    offset: int
    when: int
    moment: int


def at_addresses(
    drafts: tuple[Draft, ...], heard: Heard, state: EntityState, emitted: EmittedMarks
) -> tuple[Draft, ...]:
    """A customer's drafts, with what they mean for the customer's other addresses.

    A statement about an address that the customer has left since subscribes no one there. A withdrawal is the
    person's: it goes to the address of today as well, and addresses that were left are unsubscribed.

    Args:
        drafts: of the event.
        heard: the event.
        state: the customer's; its address is brought up to date.
        emitted: what was emitted to the account.
    """
    found: list[Draft] = []
    for draft in drafts:
        if draft.kind is RecordKind.CONTACT and draft.op is Op.UPSERT and draft.id is not None:
            found += _at_address(draft, draft.id, heard, state, emitted)
        else:
            found.append(draft)
    return tuple(found)


def _at_address(
    draft: Draft, address: str, heard: Heard, state: EntityState, emitted: EmittedMarks
) -> Iterator[Draft]:
    known = state.address
    if known is None or known.offset <= heard.offset:
        if known is not None and known.id != address and known.since > heard.when:
            yield from _of_address_left(draft, known.id)
            return
        if known is None or known.id != address or heard.when > known.since:
            state.address = Address(address, heard.when, heard.offset)
    yield draft
    yield from left_drafts(emitted, heard.offset, heard.moment, but=address)


def _of_address_left(draft: Draft, today: str) -> Iterator[Draft]:
    """A late statement about an address that the customer has left: it subscribes no one."""
    body = draft.body
    if not isinstance(body, Contact):
        return
    if body.newsletter == "unsubscribed":
        yield draft
        consent = Contact(email=today, newsletter="unsubscribed", newsletter_ms=body.newsletter_ms)
        yield draft._replace(id=today, body=consent)
        return
    silent = body.model_copy(update={"newsletter": None, "newsletter_ms": None})
    if silent != Contact(email=body.email):
        yield draft._replace(body=silent, notes=(*draft.notes, "address_left"))


def left_drafts(emitted: EmittedMarks, offset: int, moment: int, *, but: str) -> Iterator[Draft]:
    """Unsubscribe the customer's addresses but for one; each once."""
    if len(emitted) == 1 and (RecordKind.CONTACT, but) in emitted:
        return
    for (kind, address), was in emitted.items():
        if kind is not RecordKind.CONTACT or address == but or "@" not in address:
            continue
        if was.offset <= offset and was.digest != LEFT:
            consent = Contact(email=address, newsletter="unsubscribed", newsletter_ms=moment)
            yield Draft(
                RecordKind.CONTACT, address, Origin.CUSTOMER, consent, Op.PATCH, notes=("address_left",)
            )
