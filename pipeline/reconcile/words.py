"""Each result in words for a person: why, and the way out."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.reasons import OTHER, explained
from pipeline.reconcile.rules import Category, OrderStage, OrderVerdict


class Words(NamedTuple):
    """Why it is so, and what to do about it."""

    why: str
    way_out: str


#: The stage of the pipeline that gave an order up.
_GAVE_UP = {OrderStage.REJECTED: "translate", OrderStage.DEAD: "deliver"}
_NOTHING = "nothing to do"
#: What only the shop says; with a list of its API, `--repair` has it read.
_READ = "`pipeline sync STORE --since` reads it from the shop's API, and so does --repair with its list"
_REPLAY = "once the cause is mended, --repair sends it again"
#: (stage, reason) -> words; a reason of "" stands for every other one of the stage.
_TEXTS: dict[tuple[OrderStage, str], Words] = {
    (OrderStage.IN_CONNECTIF, ""): Words("it is there", _NOTHING),
    (OrderStage.IN_CONNECTIF, "total"): Words(
        "the totals disagree",
        "a refund or an edit that the shop's list or Connectif does not have: compare both",
    ),
    (OrderStage.IN_CONNECTIF, "unsold"): Words(
        "the shop says that it is not sold (any more), and no event said so", _READ
    ),
    (OrderStage.IN_CONNECTIF, "told_by_us"): Words(
        "the pipeline told it, and the shop's list does not have it",
        "deleted in the shop without a webhook, or filtered out of the list",
    ),
    (OrderStage.IN_CONNECTIF, "told_by_others"): Words(
        "Connectif has it, and the pipeline never told it as far as is kept",
        "web tracking or another script sent it; if its id is another form of an order's, set `purchase_id`",
    ),
    (OrderStage.NEVER_RECEIVED, ""): Words(
        "no event of it ever came to the gateway",
        f"look for failed deliveries of the shop's webhooks; {_READ}; or save the order in the shop",
    ),
    (OrderStage.NEVER_RECEIVED, "sold_since"): Words(
        "the shop says that it is sold, and its last event said that it is not",
        f"look for failed deliveries of the shop's webhooks; {_READ}",
    ),
    (OrderStage.NEVER_RECEIVED, "not_sold"): Words("no event of it came, and it is not sold", _NOTHING),
    (OrderStage.NOT_TRANSLATED, ""): Words(
        "its event waits for translate", "see pipeline_lag_messages, and whether translate runs"
    ),
    (OrderStage.REJECTED, ""): Words(
        "its event cannot be used; it lies in dead letters", "correct the order or the settings; " + _REPLAY
    ),
    (OrderStage.IGNORED, ""): Words("it is no purchase", _NOTHING),
    (OrderStage.IGNORED, "not_sold"): Words("it is not paid", "nothing, until it is paid"),
    (OrderStage.IGNORED, "partially_paid"): Words("it is paid in part", "nothing, until it is paid"),
    (OrderStage.IGNORED, "test_order"): Words("it is a test order", "accept_test_orders, if it is to count"),
    (OrderStage.IGNORED, "too_old"): Words(
        "it was placed before the account's purchases_since", "an earlier purchases_since, if it is to count"
    ),
    (OrderStage.IGNORED, "sub_order"): Words("it is a vendor's part of another order", _NOTHING),
    (OrderStage.IGNORED, "anonymised"): Words("the shop erased its person", _NOTHING),
    (OrderStage.TAKEN_BACK, ""): Words(
        "it is cancelled, refunded, deleted or not sold in the shop", _NOTHING
    ),
    (OrderStage.TAKEN_BACK, "still_there"): Words(
        "it was taken back, and Connectif still has it", "delete the purchase in Connectif"
    ),
    (OrderStage.PENDING, ""): Words("it waits for its turn", "`pipeline deliver explain` says why it waits"),
    (OrderStage.PENDING, "is_taken_back"): Words(
        "it is about to be taken back", "`pipeline deliver explain`"
    ),
    (OrderStage.PENDING, "older_version_there"): Words(
        "an older version is there, a newer one waits", "`pipeline deliver explain` says why it waits"
    ),
    (OrderStage.DEAD, ""): Words("Connectif refused it; it lies in dead letters", "correct it; " + _REPLAY),
    (OrderStage.LOST, ""): Words(
        "a receipt says that it was delivered, and Connectif does not have it",
        "it was deleted there; --repair sends it again",
    ),
    (OrderStage.LOST, "not_in_export"): Words(
        "a receipt says that it was delivered, and Connectif's export does not have it",
        "--verify asks Connectif itself; --repair sends it again",
    ),
    (OrderStage.NOT_KEPT, ""): Words(
        "its event came, and what became of it is not kept any more", "--verify asks Connectif"
    ),
    (OrderStage.NOT_KEPT, "before_log"): Words(
        "it was placed before the log of events begins", "--verify asks Connectif; a replay does not reach it"
    ),
}


def _of_a_dead_letter(verdict: OrderVerdict) -> Words | None:
    """As `pipeline dead` says it; what is sent again there can be sent again by --repair as well."""
    stage = _GAVE_UP.get(verdict.stage)
    said = None if stage is None else explained(stage, verdict.reason)
    if said is None or said is OTHER:
        return None
    more = " --repair sends it again, too." if "redrive" in said.way_out.lower() else ""
    return Words(said.words, said.way_out + more)


def in_words(verdict: OrderVerdict) -> Words:
    """Why the order is where it is, and the way out."""
    words = _of_a_dead_letter(verdict) or _TEXTS.get((verdict.stage, verdict.reason))
    words = words or _TEXTS[verdict.stage, ""]
    if verdict.category is Category.MISSING and verdict.stage is OrderStage.NOT_KEPT:
        way = "save the order in the shop" if verdict.reason == "before_log" else "--repair sends it again"
        return Words(f"{words.why}; Connectif, asked, does not have it", way)
    return words
