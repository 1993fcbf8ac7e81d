"""What is known of one order -> where it is, and what to do. Pure."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import NamedTuple

from pipeline.translate.alone import Meaning

#: Amounts closer than this are the same: exports round.
CENT = Decimal("0.005")
#: Shops' words for orders that are no sale, as `status_word` writes them; a store's `sold_statuses` go first.
UNSOLD = frozenset(
    {
        *("pending", "authorized", "expired", "unpaid", "voided", "refunded", "partially_paid"),
        *("cancelled", "canceled", "failed", "on_hold", "trash", "draft", "checkout_draft"),
    }
)


class Category(enum.StrEnum):
    """What the result is, for counts."""

    THERE = "there"  # in the shop and in Connectif
    DIFFERENT = "different"  # in both, and they disagree
    MISSING = "missing"  # Connectif ought to have it
    PENDING = "pending"  # on its way
    NOT_DUE = "not_due"  # Connectif does not have it, and ought not to
    UNKNOWN = "unknown"  # what would tell is not kept any more
    ONLY_CONNECTIF = "only_connectif"  # the shop's list does not have it


class OrderStage(enum.StrEnum):
    """Where the order is, or where it stopped."""

    NEVER_RECEIVED = "never_received"
    NOT_TRANSLATED = "not_translated"
    REJECTED = "rejected"
    IGNORED = "ignored"
    TAKEN_BACK = "taken_back"
    PENDING = "pending"
    DEAD = "dead"
    LOST = "lost"
    NOT_KEPT = "not_kept"
    IN_CONNECTIF = "in_connectif"


class Held(enum.StrEnum):
    """What Connectif holds of a purchase, by the receipts."""

    THERE = "there"
    GONE = "gone"
    NOTHING_SAID = ""


class Evidence(NamedTuple):
    """All that is known of one order. None: nothing.

    Attributes:
        in_shop: whether the shop's list has it.
        status: in the shop's words.
        shop_total: by the shop's list.
        refunded: of it.
        before_log: whether it was placed before the log of events begins.
        events: how many of its events are in the log.
        translated: whether translate is beyond the newest of them.
        letter: reason of the dead letter of its newest event.
        letter_detail: field and words of that.
        meaning: of the newest event; looked at only where nothing else tells.
        meaning_reason: why it is ignored, rejected or taken back.
        record: whether a record is kept that is newer than the last receipt.
        takes_back: whether the newest record kept takes the purchase back.
        held: by the receipts.
        outcome: of the newest receipt.
        reason: of that.
        detail: of that.
        verified: whether Connectif, asked, has it; None: it was not asked, or gave no answer.
        exported: whether Connectif's export has it; None: the export does not speak of its time.
        connectif_total: by Connectif, or by what it was told last.
        listed: what the shop's API says of it now; None: the list is not the API's.
        listed_reason: why that is no purchase.
        listed_detail: field and words, where it cannot be used.
        listed_gone: whether it says that a purchase of it is to go.
    """

    in_shop: bool = True
    status: str = ""
    shop_total: Decimal | None = None
    refunded: Decimal | None = None
    before_log: bool = False
    events: int = 0
    translated: bool = True
    letter: str = ""
    letter_detail: str = ""
    meaning: Meaning | None = None
    meaning_reason: str = ""
    record: bool = False
    takes_back: bool = False
    held: Held = Held.NOTHING_SAID
    outcome: str = ""
    reason: str = ""
    detail: str = ""
    verified: bool | None = None
    exported: bool | None = None
    connectif_total: Decimal | None = None
    listed: Meaning | None = None
    listed_reason: str = ""
    listed_detail: str = ""
    listed_gone: bool = False


class OrderVerdict(NamedTuple):
    """The result; `reason` is a word of the code's, `detail` in words."""

    category: Category
    stage: OrderStage
    reason: str = ""
    detail: str = ""


def judge(known: Evidence, sold_statuses: frozenset[str] | None = None) -> OrderVerdict:
    """Where one order is.

    Args:
        known: of it.
        sold_statuses: of the store; None: the platform's own.
    """
    if not known.in_shop:
        told_by = "told_by_us" if known.held is Held.THERE else "told_by_others"
        return OrderVerdict(Category.ONLY_CONNECTIF, OrderStage.IN_CONNECTIF, told_by)
    return _by_connectif(known) or _by_receipts(known) or _by_events(known, sold_statuses)


def is_to_be_verified(known: Evidence, verdict: OrderVerdict) -> bool:
    """Whether Connectif is to be asked: where it should have the purchase, or nothing kept says so.

    What its export has is not asked for; what the export lacks is, as the export is not the last word.
    """
    if not known.in_shop or known.exported:
        return False
    refused_correction = verdict.stage is OrderStage.DEAD and known.held is Held.THERE
    unsure = {OrderStage.IN_CONNECTIF, OrderStage.NOT_KEPT, OrderStage.LOST}
    return verdict.stage in unsure or refused_correction


def is_to_be_looked_at(known: Evidence) -> bool:
    """Whether the newest event must be read to tell where the order is."""
    told = known.held is not Held.NOTHING_SAID or known.record or known.outcome == "dead"
    return bool(known.events) and known.translated and not told and not known.letter


def status_word(status: str) -> str:
    """A status as it is compared."""
    return status.strip().casefold().removeprefix("wc-").replace("-", "_").replace(" ", "_")


def is_sold(status: str, sold_statuses: frozenset[str] | None) -> bool:
    """Whether an order of this status is a sale as far as the list of the shop tells; in doubt it is."""
    word = status_word(status)
    if sold_statuses is not None and word:
        return word in {status_word(sold) for sold in sold_statuses}
    return word not in UNSOLD


def totals_agree(known: Evidence) -> bool:
    """Whether both sides name the same amount; where one does not say, they do."""
    if known.shop_total is None or known.connectif_total is None:
        return True
    possible = [known.shop_total]
    if known.refunded:
        possible.append(known.shop_total - abs(known.refunded))
    return any(abs(total - known.connectif_total) < CENT for total in possible)


def _by_connectif(known: Evidence) -> OrderVerdict | None:
    """What Connectif itself says: asked, or else by its export."""
    has = known.exported if known.verified is None else known.verified
    if has:
        return _there(known)
    if has is False and known.held is Held.THERE and not known.record:
        how = "not_in_export" if known.verified is None else "not_found"
        return OrderVerdict(Category.MISSING, OrderStage.LOST, how)
    return None


def _by_receipts(known: Evidence) -> OrderVerdict | None:
    """What became of its records."""
    if known.record:
        return _on_its_way(known)
    if known.outcome == "dead":
        # The version before the one refused may well be there.
        category = Category.DIFFERENT if known.held is Held.THERE else Category.MISSING
        return OrderVerdict(category, OrderStage.DEAD, known.reason, known.detail)
    if known.held is Held.THERE:
        return _there(known)
    if known.held is Held.GONE and _sold_since(known):
        return OrderVerdict(Category.MISSING, OrderStage.NEVER_RECEIVED, "sold_since")
    if known.held is Held.GONE:
        return OrderVerdict(Category.NOT_DUE, OrderStage.TAKEN_BACK, known.meaning_reason or known.reason)
    return None


def _by_events(known: Evidence, sold_statuses: frozenset[str] | None) -> OrderVerdict:
    """Nothing was told of it as far as is kept; the events say why."""
    if not known.events and not known.letter:
        return _never_came(known, sold_statuses)
    if not known.translated:
        return OrderVerdict(Category.PENDING, OrderStage.NOT_TRANSLATED)
    if known.letter:
        return OrderVerdict(Category.MISSING, OrderStage.REJECTED, known.letter, known.letter_detail)
    return _by_meaning(known)


def _by_meaning(known: Evidence) -> OrderVerdict:
    """What its newest event says, where no more is kept."""
    if known.meaning is None or known.meaning is Meaning.TELLS:
        return _not_kept(known, "receipt_not_kept")
    if known.meaning is Meaning.REJECTED:
        return OrderVerdict(Category.MISSING, OrderStage.REJECTED, known.meaning_reason, known.letter_detail)
    if _sold_since(known):
        return OrderVerdict(Category.MISSING, OrderStage.NEVER_RECEIVED, "sold_since")
    return OrderVerdict(Category.NOT_DUE, OrderStage.IGNORED, known.meaning_reason)


def _sold_since(known: Evidence) -> bool:
    """Whether the shop says that it is sold, and what it was told before said that it is not."""
    return known.translated and known.listed is Meaning.TELLS


def _never_came(known: Evidence, sold_statuses: frozenset[str] | None) -> OrderVerdict:
    if known.listed is Meaning.IGNORED:
        return OrderVerdict(Category.NOT_DUE, OrderStage.NEVER_RECEIVED, known.listed_reason)
    if known.before_log:
        return _not_kept(known, "before_log")
    if known.listed is Meaning.REJECTED:
        why = known.listed_reason, known.listed_detail
        return OrderVerdict(Category.MISSING, OrderStage.NEVER_RECEIVED, *why)
    if not is_sold(known.status, sold_statuses):
        return OrderVerdict(Category.NOT_DUE, OrderStage.NEVER_RECEIVED, "not_sold")
    return OrderVerdict(Category.MISSING, OrderStage.NEVER_RECEIVED)


def _there(known: Evidence) -> OrderVerdict:
    # An older version is there while a newer one waits: nothing is compared yet.
    if not known.record and known.outcome == "dead":
        return OrderVerdict(Category.DIFFERENT, OrderStage.DEAD, known.reason, known.detail)
    if not known.record and known.held is Held.GONE:
        return OrderVerdict(Category.DIFFERENT, OrderStage.TAKEN_BACK, "still_there")
    if not known.record and known.translated and known.listed_gone:
        return OrderVerdict(Category.DIFFERENT, OrderStage.IN_CONNECTIF, "unsold", known.listed_reason)
    if not known.record and not totals_agree(known):
        totals = f"shop {known.shop_total}, Connectif {known.connectif_total}"
        return OrderVerdict(Category.DIFFERENT, OrderStage.IN_CONNECTIF, "total", totals)
    return OrderVerdict(Category.THERE, OrderStage.IN_CONNECTIF)


def _on_its_way(known: Evidence) -> OrderVerdict:
    older = known.held is Held.THERE and known.verified is not False
    reason = "is_taken_back" if known.takes_back else "older_version_there" if older else "waits"
    return OrderVerdict(Category.PENDING, OrderStage.PENDING, reason)


def _not_kept(known: Evidence, why: str) -> OrderVerdict:
    absent = known.verified is False
    return OrderVerdict(Category.MISSING if absent else Category.UNKNOWN, OrderStage.NOT_KEPT, why)
