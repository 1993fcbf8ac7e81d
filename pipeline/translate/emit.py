"""An event's drafts -> records, for every id and account that needs them and does not have them already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import NamedTuple

import orjson

from pipeline.events import Kind, RawEvent
from pipeline.records import Contact, CouponUse, Op, Origin, Product, Purchase, RecordKind, Source
from pipeline.shops.base import Draft, Rejected
from pipeline.shops.catalogue import hidden
from pipeline.shops.probe import is_trial
from pipeline.translate.coupon_use import CouponUseSource, codes_of, uses_of
from pipeline.translate.earlier import (
    LEFT,
    Heard,
    at_addresses,
    given_up,
    left_account,
    left_drafts,
    was_sold,
)
from pipeline.translate.feed import EventPosition, Feed
from pipeline.translate.looks import compared
from pipeline.translate.routing import Addressed
from pipeline.translate.state import EmittedMark, EmittedMarks, EntityState, digest

#: What the records of one event may make together: each variant of a product repeats what all have in common.
MAX_BYTES = 32_000_000
#: Records remembered of one entity (an order of a thousand lines, edited often), and bytes of them: its state
#: must fit into a message.
MAX_TOLD, MAX_TOLD_BYTES = 20_000, 900_000
#: Bytes of a record's mark beside its id: kind, digest, offset.
_MARK = 45
#: So few fit, whatever their ids.
_FEW = 500
#: Whose the contact of an order without a customer is.
GUEST = "guest"


class Emission(NamedTuple):
    """One record to be sent: `value` is the JSON of a record of pipeline/records.py."""

    account: str
    kind: RecordKind
    id: str
    notes: tuple[str, ...]
    value: bytes


class Version(NamedTuple):
    """The version of an event's records.

    Attributes:
        shop: by the shop's clock; 0 where it has none.
        ties: how many of the same came before.
        newer: whether none of the same came before.
    """

    shop: int
    ties: int
    newer: bool


class Again(NamedTuple):
    """How an event is told that was told before.

    Attributes:
        resend: deliver sends it whatever it sent before.
        run_workflows: its purchases may start workflows, though they are no news.
    """

    resend: bool = False
    run_workflows: bool = False


class Emitted(NamedTuple):
    """What an event says.

    Attributes:
        emissions: the records, in this order.
        unchanged: kinds of the records that say what was said before.
        uses: what is new of the discount codes an order was made with.
        moved_from: the account that had the entity before, if no account of the store ever had it.
        unchanged_in: the account of each of `unchanged`.
    """

    emissions: tuple[Emission, ...]
    unchanged: tuple[RecordKind, ...]
    uses: tuple[CouponUse, ...]
    moved_from: str
    unchanged_in: tuple[str, ...] = ()


def emit(  # noqa: PLR0917 - positional: once per event
    event: RawEvent,
    source: EventPosition,
    state: EntityState,
    feed: Feed,
    meant: Sequence[Addressed],
    version: Version,
    again: Again | None = None,
) -> Emitted:
    """Make the records of an event's drafts; the state remembers what was emitted.

    With `again`, what says nothing new is told, too: only deliver knows what became of it.

    Args:
        event: the event.
        source: its position.
        state: its entity's.
        feed: its store.
        meant: its drafts, for each of the store's accounts.
        version: of its records.
        again: given where it is repeated.

    Raises:
        Rejected: `too_many_records`; the state must not be used then.
    """
    teller = _Emitter(event, source, feed, version, again)
    moved_from = _moved_from(state, feed)
    moment = 0
    if event.kind is Kind.CUSTOMER:
        looked = partial(compared, state=state, offset=source.offset, looked_ms=event.received_ms)
        meant = [one._replace(drafts=looked(one.drafts)) for one in meant]
        moment = max(teller.clock, *(mark.version + mark.ties for mark in state.newest.values()), 0)
    heard = Heard(source.offset, event.triggered_ms or teller.clock, moment)
    everywhere: tuple[Draft, ...] = meant[0].drafts
    if len(meant) > 1:
        everywhere = tuple(draft for one in meant for draft in one.drafts)
    for one in meant:
        _tell_account(teller, one, everywhere if len(meant) > 1 else (), heard, state)
    own = {one.account for one in meant} | set(feed.own_accounts)
    if len(state.emitted) > len(own):
        _tell_former(teller, everywhere, feed.accounts - own, heard, state)
    for account, records in list(state.emitted.items()):
        if not records and len(own) > 1:
            del state.emitted[account]
        elif len(records) > _FEW:
            state.emitted[account] = _most_recent(records)
    unchanged = tuple(teller.unchanged)
    return Emitted(
        tuple(teller.emissions), unchanged, tuple(teller.uses), moved_from, tuple(teller.in_accounts)
    )


def _tell_former(
    teller: _Emitter,
    everywhere: tuple[Draft, ...],
    accounts: frozenset[str],
    heard: Heard,
    state: EntityState,
) -> None:
    """The records of accounts that the store fed before."""
    for account, emitted in state.emitted.items():
        if account in accounts:
            for draft, record_id in _taken_back(everywhere, emitted, heard.moment, heard.offset):
                teller.tell(draft, record_id, account, emitted, quietly=True)


def _tell_account(
    teller: _Emitter, meant: Addressed, everywhere: tuple[Draft, ...], heard: Heard, state: EntityState
) -> None:
    """The records of one account; `everywhere` are the drafts of all accounts, where there are several."""
    account, drafts = meant
    emitted = state.emitted_to(account)
    here = at_addresses(drafts, heard, state, emitted) if teller.event.kind is Kind.CUSTOMER else drafts
    quiet = given_up(teller.event, here, emitted, heard.offset, deletes=teller.deletes)
    if everywhere:
        quiet += left_account(drafts, everywhere, heard, emitted)
    for draft in quiet:
        teller.tell(draft, str(draft.id), account, emitted, quietly=True)
    for draft, record_id in _named(here, emitted, heard.offset):
        teller.tell(draft, record_id, account, emitted, quietly=False)


def _most_recent(records: EmittedMarks) -> EmittedMarks:
    """The records that are remembered: the most recent ones, where there are too many."""
    size = sum(len(orjson.dumps(record_id)) for _, record_id in records) + _MARK * len(records)
    if len(records) <= MAX_TOLD and size <= MAX_TOLD_BYTES:
        return records
    kept: EmittedMarks = {}
    room = MAX_TOLD_BYTES
    for key, was in sorted(records.items(), key=lambda item: item[1].offset, reverse=True)[:MAX_TOLD]:
        room -= len(orjson.dumps(key[1])) + _MARK
        if room < 0:
            break
        kept[key] = was
    return dict(reversed(kept.items()))


def _moved_from(state: EntityState, feed: Feed) -> str:
    """The account that had the entity before, if none of the store's ever had it: the store has moved."""
    if not state.emitted or feed.account in state.emitted or "" in state.emitted:
        return ""
    if any(account in state.emitted for account in feed.own_accounts):
        return ""
    return next(iter(state.emitted), "")


def _taken_back(
    drafts: Iterable[Draft], emitted: EmittedMarks, moment: int, offset: int
) -> Iterator[tuple[Draft, str]]:
    """What an account that the store fed before still gets: deletions, and withdrawals of consent."""
    for draft in drafts:
        body = draft.body
        if draft.op in {Op.RETRACT, Op.HIDE}:
            # A purchase may have had another id there.
            record_id = draft.id if draft.kind is RecordKind.PRODUCT else None
            yield from _named((draft._replace(id=record_id, if_emitted=True),), emitted, offset)
        elif moment and isinstance(body, Contact) and body.newsletter == "unsubscribed":
            yield from ((left, str(left.id)) for left in left_drafts(emitted, offset, moment, but=""))


def _is_shared(draft: Draft, record_id: str, event: RawEvent, feed: Feed) -> bool:
    """Whether another entity's event may have changed the record since this one's said the same.

    Then only deliver can compare it with what was last sent; that costs no call.
    """
    if draft.kind is RecordKind.CONTACT:
        return draft.origin is Origin.CUSTOMER
    if draft.kind is not RecordKind.PRODUCT or draft.origin is not Origin.CATALOGUE:
        return False
    by_variant = feed.context.settings.product_id != "product"
    own = feed.context.settings.id_prefix + event.entity
    return by_variant or (draft.op in {Op.PATCH, Op.HIDE} and record_id != own)


class _Emitter:
    """Makes the records of one event, each unless it says what was said last."""

    def __init__(
        self,
        event: RawEvent,
        source: EventPosition,
        feed: Feed,
        version: Version,
        again: Again | None,
    ) -> None:
        self.clock = _clock(event, version)
        self.emissions: list[Emission] = []
        self.unchanged: list[RecordKind] = []
        self.in_accounts: list[str] = []
        self.uses: list[CouponUse] = []
        self.deletes = feed.platform.topics.is_deletion(event.topic)
        self.event = event
        self._source = source
        self._feed = feed
        self._newer = version.newer
        self._again = again
        self._owner = f"{event.kind}|{event.entity}"
        self._heads: dict[tuple[str, int], bytes] = {}
        self._size = 0

    def tell(
        self, draft: Draft, record_id: str, account: str, emitted: EmittedMarks, *, quietly: bool
    ) -> None:
        """Emit a record; one without a change counts as unchanged, unless it is emitted `quietly`.

        Raises:
            Rejected: `too_many_records`.
        """
        offset = self._source.offset
        if draft.kind is RecordKind.PURCHASE and (codes := codes_of(draft, emitted, offset)):
            self.uses += uses_of(draft, codes, self._use_source(account, record_id), emitted)
        what, body = _WHAT[draft.kind, draft.origin, draft.op], b"null"
        if draft.body is not None:
            body = draft.body.__pydantic_serializer__.to_json(draft.body, exclude_none=True)
            self._size += len(body)
            if self._size > MAX_BYTES:
                raise Rejected("too_many_records", detail=f"they have more than {MAX_BYTES:,} bytes")
        is_left = draft.kind is RecordKind.CONTACT and draft.op is Op.PATCH
        # With the moment of a consent, which is not sent to Connectif: a repeat can matter in a tie.
        said = LEFT if is_left else digest(what + body)
        key = (draft.kind, record_id)
        was = emitted.get(key)
        if was is not None and was.offset < offset and was.digest == said:
            if quietly:
                return
            shared = self._newer and _is_shared(draft, record_id, self.event, self._feed)
            if not shared and self._again is None:
                self.unchanged.append(draft.kind)
                self.in_accounts.append(account)
                return
        if isinstance(draft.body, Purchase) and (
            was_sold(record_id, emitted, offset) or is_trial(draft.body.contact_email)
        ):
            what += b'"trigger":false,'
        if draft.heard:
            what += b'"heard":true,'
        if self._again is not None:
            what += _told_again(draft, self._again)
        emitted[key] = EmittedMark(said, offset)
        notes = orjson.dumps(draft.notes) if draft.notes else b"[]"
        value = b'%b%b"owner":%b,"id":%b,"notes":%b,"body":%b}' % (
            self._head(account, draft.said_ms),
            what,
            orjson.dumps(self._owner_of(draft)),
            orjson.dumps(record_id),
            notes,
            body,
        )
        self.emissions.append(Emission(account, draft.kind, record_id, draft.notes, value))

    def _owner_of(self, draft: Draft) -> str:
        if draft.owner:
            return draft.owner
        # A guest is known by the address alone, whatever the orders.
        is_guest = draft.kind is RecordKind.CONTACT and self.event.kind is Kind.ORDER
        return GUEST if is_guest else self._owner

    def _use_source(self, account: str, record_id: str) -> CouponUseSource:
        place = Source(**self._source._asdict())
        return CouponUseSource(
            account, self.event.store, record_id, self.clock, place, self.event.received_ms
        )

    def _head(self, account: str, said_ms: int) -> bytes:
        head = self._heads.get((account, said_ms))
        if head is None:
            head = _head(self.event, self._source, account, said_ms or self.clock)
            self._heads[account, said_ms] = head
        return head


def _named(drafts: Iterable[Draft], known: EmittedMarks, offset: int) -> Iterator[tuple[Draft, str]]:
    """Each draft with its id, or with every id this entity's records had; without those not to be sent."""
    for draft in drafts:
        if draft.id is not None:
            emitted = known.get((draft.kind, draft.id)) if draft.if_emitted else None
            if not draft.if_emitted or (emitted is not None and emitted.offset <= offset):
                yield draft, draft.id
            continue
        ids = [
            record_id
            for (kind, record_id), emitted in known.items()
            if kind is draft.kind and emitted.offset <= offset
        ]
        for record_id in ids:
            yield draft._replace(body=_smallest(draft, record_id)), record_id


def _smallest(draft: Draft, record_id: str) -> Contact | Product | None:
    """The body of a record of which only the id is known."""
    if draft.kind is RecordKind.CONTACT:
        return Contact(email=record_id) if "@" in record_id else Contact(email="", external_id=record_id)
    if draft.kind is RecordKind.PRODUCT:
        return hidden(record_id) if draft.op is Op.HIDE else Product(product_id=record_id)
    return None


# A record of pipeline/records.py is put together from pieces of JSON: what is the same for all records of an
# event, what is the same for all of a sort, and its body, which was checked when it was made.


def _head(event: RawEvent, source: EventPosition, account: str, version: int) -> bytes:
    same = {
        "account": account,
        "store": event.store,
        "version": version,
        "source": {"topic": source.topic, "partition": source.partition, "offset": source.offset},
        "lane": event.lane,
        "received_ms": event.received_ms,
    }
    return orjson.dumps(same)[:-1]


def _clock(event: RawEvent, version: Version) -> int:
    """The version that stands on what an event says: of what has none, when it was said.

    The shop's clocks are of whole seconds: two versions within one differ by milliseconds.
    """
    return version.shop + version.ties if version.shop else event.triggered_ms or event.received_ms


def _told_again(draft: Draft, again: Again) -> bytes:
    resend = b'"resend":true,' if again.resend else b""
    runs = again.run_workflows and draft.kind is RecordKind.PURCHASE
    return resend + (b'"run_workflows":true,' if runs else b"")


_WHAT = {
    (kind, origin, op): f',"kind":"{kind}","origin":"{origin}","op":"{op}",'.encode()
    for kind, origin, op in product(RecordKind, Origin, Op)
}
