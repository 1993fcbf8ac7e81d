"""What each panel has to show after the scripted run of test_prometheus.py."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integration.operating import SHOPIFY, WOO
from tests.integration.showing import Shown
from tests.integration.truths import (
    Truth,
    all_within,
    among,
    anything,
    both,
    by,
    named,
    nothing,
    one_within,
    only,
    rising,
    rows,
)
from tests.integration.watching import Values, labelled

GOOD, REPEATED, FORGED, WOO_GOOD = 5, 2, 3, 4
CODES, BATCH = 40, 10
ORDERS, CUSTOMERS, WOO_ORDERS = (SHOPIFY, "order"), (SHOPIFY, "customer"), (WOO, "order")
#: Alerts that fire at once, and those that may after their time on a slow or full machine.
FIRING = ("WrongSecret", "EventsRejected", "DeadLetters", "CallsFail", "DiskFillsUp")
STAGES = ("gateway", "translate", "deliver", "erase")

#: Compared with what Connectif itself has, in tests of their own.
RECORDS: list[Truth] = [anything] * 6

STORES: dict[str, list[Truth]] = {
    "Records the sums do not explain": [only(0)],
    "On the way between the stages": [only(0)],
    "Pending": [only(1 + CODES - BATCH)],
    "Given up in the time shown": [only(2)],
    "Accounts stopped": [only(0)],
    "Connectif fails for": [one_within(0.01, 120)],
    "Critical alerts that fire": [among("alertname", "DiskFillsUp")],
    "Warnings that fire": [both(among("alertname", *FIRING), all_within(0, 120, "WrongSecret"))],
    "Accounts, worst first": [
        lambda values: (
            [dict(labels)["account"] for labels in values] == ["woo", "acme"]
            and 1e3 < values[labelled(account="woo")] < 1e9
            and values[labelled(account="acme")] == 0
        ),
        nothing,
        lambda values: 0 == values[labelled(account="acme")] < values[labelled(account="woo")] < 120,
        among("account", "woo"),
        among("account", "woo"),
        nothing,
        by({("acme",): CODES - BATCH, ("woo",): 1}, "account"),
        all_within(0, 100, "acme", "woo"),
        by({("acme",): 100, ("woo",): 100}, "account"),
        by({("acme",): 1}, "account"),
    ],
    "What is wrong, by store": [
        by(
            {
                (SHOPIFY, "acme", "events are rejected"): 1,
                (SHOPIFY, "acme", "webhooks have a wrong signature"): FORGED,
            },
            "store",
            "account",
            "what",
        )
    ],
    "Since a store's last webhook": [all_within(0, 120, SHOPIFY, WOO)],
    "Events: received = accepted + duplicate + stale + ignored + rejected": [
        rows({ORDERS: GOOD + REPEATED + 2, CUSTOMERS: 1, WOO_ORDERS: WOO_GOOD + 1}),
        rows({ORDERS: GOOD + 1, WOO_ORDERS: WOO_GOOD + 1}),
        rows({ORDERS: REPEATED}),
        rows({}),
        rows({CUSTOMERS: 1}),
        rows({ORDERS: 1}),
    ],
    "Records: accepted = delivered + unchanged + superseded + pending + dead": RECORDS,
    "Pending records": [
        by({("acme", "coupon"): CODES - BATCH, ("woo", "purchase"): 1}, "account", "kind"),
    ],
    "Age of the oldest pending record": [all_within(0, 120, "woo", "purchase", "acme", "coupon")],
    "From webhook to Connectif, 95 %": [all_within(0, 30, "contact", "product", "purchase")],
    "Share of the minute's calls that is used up": [all_within(0, 1, "acme", "woo")],
    "Calls of the minute by answer": [all_within(0, 600, "400", "500")],
    "Calls refused with 429": [only(0)],
    "Calls per purchase delivered": [anything],
    "Events rejected, by reason": [by({(SHOPIFY, "invalid_json"): 1}, "store", "reason")],
    "Records refused, by reason": [
        lambda values: (
            [(dict(labels)["account"], dict(labels)["kind"], value) for labels, value in values.items()]
            == [("acme", "purchase", 1)]
        )
    ],
    "Departures from the shops' bodies": [nothing],
    # No store of this run asks to be reconciled.
    "Orders missing, different or unknown": [nothing],
    "Since a store's last reconcile": [nothing],
    "Reconciles overdue or failed": [nothing, nothing],
}


_ALL_IN_TIME: dict[str, list[Truth]] = {
    "From webhook to Connectif, on average": [one_within(0.001, 60)],
    "Within five minutes": [only(1)],
}


def _purchase(values: Values) -> bool:
    """One, and it is a purchase."""
    return [(dict(labels)["kind"], value) for labels, value in values.items()] == [("purchase", 1)]


def _waiting(wanted: Mapping[str, int]) -> Truth:
    """By kind, whatever the lanes; nothing else waits."""
    return lambda values: {dict(labels)["kind"]: value for labels, value in values.items() if value} == wanted


def _ended(others: int, purchases: int, codes: int) -> dict[tuple[str, ...], float]:
    """Records of acme: of contacts and products, of purchases, and codes, which come from no store."""
    of_store = {"contact": others, "product": others, "purchase": purchases}
    counts: dict[tuple[str, ...], float] = {(SHOPIFY, kind): count for kind, count in of_store.items()}
    return counts | {("coupons", "coupon"): codes}


def _of_account(waiting: dict[str, list[Truth]], spent: dict[str, list[Truth]]) -> dict[str, list[Truth]]:
    """What is the same of both accounts, and what is not."""
    return {
        "Stopped": [only(0)],
        **waiting,
        "Calls of the minute used up": [
            one_within(0, 100),
            lambda values: set(values.values()) == {100},
        ],
        **spent,
    }


ACME = _of_account(
    {
        "Failing for": [only(0)],
        "Oldest live record": [only(0)],
        "Waiting": [only(CODES - BATCH)],
        "Calls left of the minute": [one_within(0, 100)],
        "Given up in the time shown": [only(1)],
    },
    {
        "Calls of the minute, by lane": [all_within(0, 600, "live", "upkeep")],
        "Calls of the minute that were wasted, by lane": [nothing],
        "Calls of the minute, by purpose": [all_within(0, 600, "tell", "stock")],
        "Calls of the minute, by answer": [all_within(0, 600, "400")],
        "Wasted in the time shown": [only(0)],
        "Refused with 429": [only(0)],
        "Calls per purchase": [one_within(1, 50)],
        "Waiting, by kind and lane": [_waiting({"coupon": CODES - BATCH})],
        "Age of the oldest, by lane": [nothing],
        "Records that ended": [by({("delivered",): 3 * GOOD + 2 + BATCH, ("dead",): 1}, "outcome")],
        **_ALL_IN_TIME,
        "Records of its stores": [
            by(_ended(GOOD + 1, GOOD + 1, CODES), "store", "kind"),
            by(_ended(GOOD + 1, GOOD, BATCH), "store", "kind"),
            by({}, "store", "kind"),
            by({}, "store", "kind"),
            by({("coupons", "coupon"): CODES - BATCH}, "store", "kind"),
            by({(SHOPIFY, "purchase"): 1}, "store", "kind"),
        ],
        "Refused, by reason": [_purchase],
        "Rows delivered by imports": [by({("coupon",): BATCH}, "kind")],
        "Left out when sent": [nothing],
        "Made again": [nothing],
        "Codes of coupon sets": [
            both(named("set", "spring"), one_within(0, CODES)),
            by({("spring",): CODES - BATCH}, "set"),
        ],
        "Coupon sets that are not topped up": [nothing],
    },
)
WOO_ACCOUNT = _of_account(
    {
        "Failing for": [one_within(0.01, 120)],
        "Oldest live record": [one_within(0, 120)],
        "Waiting": [only(1)],
        "Calls left of the minute": [one_within(0, 100)],
        "Given up in the time shown": [only(0)],
    },
    {
        "Calls of the minute, by lane": [all_within(0, 600, "live")],
        "Calls of the minute that were wasted, by lane": [
            both(among("lane", "live", "retry"), all_within(1, 600))
        ],
        "Calls of the minute, by purpose": [all_within(0, 600, "tell")],
        "Calls of the minute, by answer": [all_within(0, 600, "500")],
        "Wasted in the time shown": [one_within(0.01, 0.99)],
        "Refused with 429": [only(0)],
        "Calls per purchase": [one_within(1, 50)],
        "Waiting, by kind and lane": [_waiting({"purchase": 1})],
        "Age of the oldest, by lane": [one_within(0, 120)],
        "Records that ended": [by({("delivered",): 3 * WOO_GOOD + 2}, "outcome")],
        **_ALL_IN_TIME,
        "Records of its stores": [
            by({(WOO, "contact"): 5, (WOO, "product"): 5, (WOO, "purchase"): 5}, "store", "kind"),
            by({(WOO, "contact"): 5, (WOO, "product"): 5, (WOO, "purchase"): 4}, "store", "kind"),
            by({}, "store", "kind"),
            by({}, "store", "kind"),
            by({(WOO, "purchase"): 1}, "store", "kind"),
            by({}, "store", "kind"),
        ],
        "Refused, by reason": [nothing],
        "Rows delivered by imports": [nothing],
        "Left out when sent": [nothing],
        "Made again": [nothing],
        "Codes of coupon sets": [nothing, nothing],
        "Coupon sets that are not topped up": [nothing],
    },
)

#: No store of this run has an API that is read, a feed, a newsletter or a daily reconcile.
_NOT_ASKED: dict[str, list[Truth]] = {
    "Requests to its API, by answer": [nothing],
    "Notifications that are not fetched": [nothing, nothing],
    "Its API cannot be asked, or fails": [nothing, nothing],
    "Rows that were pulled, in the time shown": [nothing],
    "Since the last whole sync began": [nothing],
    "Syncs, and what they held back": [nothing, nothing, nothing],
    "Its feed": [nothing, nothing, nothing],
    "Since its feed's position expired": [nothing],
    "Newsletter callbacks, by outcome": [nothing],
    "Statements that are not at the shop": [nothing, nothing],
    "What became of statements, in the time shown": [nothing],
    "Orders, by the last daily reconcile": [nothing],
    "Since the last reconcile, and how long it is overdue": [nothing, nothing],
    "Reconciles that failed, or run": [nothing, nothing],
}
SHOPIFY_STORE: dict[str, list[Truth]] = {
    "Since its last event": [one_within(0, 120)],
    "Rejected in the time shown": [only(1)],
    "Wrong signature in the time shown": [only(FORGED)],
    "Not fetched yet": [only(0)],
    "Orders missing": [nothing],
    "Erasures overdue": [only(0)],
    "Events, by kind and outcome": [
        by({("order",): GOOD + REPEATED + 2, ("customer",): 1}, "kind"),
        by({("order",): GOOD + 1}, "kind"),
        by({("order",): REPEATED}, "kind"),
        by({}, "kind"),
        by({("customer",): 1}, "kind"),
        by({("order",): 1}, "kind"),
    ],
    "Records, by account, kind and outcome": [
        by({("acme", kind): GOOD + 1 for kind in ("contact", "product", "purchase")}, "account", "kind"),
        by(
            {("acme", "contact"): GOOD + 1, ("acme", "product"): GOOD + 1, ("acme", "purchase"): GOOD},
            "account",
            "kind",
        ),
        by({}, "account", "kind"),
        by({}, "account", "kind"),
        by({}, "account", "kind"),
        by({("acme", "purchase"): 1}, "account", "kind"),
    ],
    "Ignored and rejected, by reason": [
        by(
            {("customer", "ignored", "erasure_request"): 1, ("order", "rejected", "invalid_json"): 1},
            "kind",
            "outcome",
            "reason",
        )
    ],
    "Events, by outcome": [
        by(
            {("accepted",): GOOD + 1, ("duplicate",): REPEATED, ("ignored",): 1, ("rejected",): 1},
            "outcome",
        )
    ],
    "Departures from its bodies": [nothing],
    "Records refused, by reason": [_purchase],
    "Webhooks, by answer": [by({("confirmed",): GOOD + REPEATED + 3, ("unauthorized",): FORGED}, "outcome")],
    "Bytes of its webhooks a second": [one_within(1, 100_000)],
    "Codes that its orders used": [only(GOOD + 1)],
    **_NOT_ASKED,
    "Requests about persons": [
        by({("customer",): 1}, "wanted"),
        by({}, "wanted"),
    ],
    "When requests about persons are due": [all_within(86_400, 40 * 86_400, "customer")],
    "Alerts of this store": [both(among("alertname", *FIRING), all_within(0, 120, "WrongSecret"))],
}

INSIDE: dict[str, list[Truth]] = {
    "Ready": [all_within(1, 1, *STAGES)],
    "How late processes come to what is due, 99 %": [all_within(0, 10, *STAGES)],
    "Processor": [both(all_within(0, 2, *STAGES), rising("process", *STAGES))],
    "Memory": [all_within(1e7, 1e10, *STAGES)],
    "Open files": [both(all_within(0, 1, *STAGES), rising("process", *STAGES))],
    "Room on the disk": [all_within(0, 1, *STAGES)],
    "Certificate of the public address": [nothing],
    "What runs": [both(all_within(1, 1, *STAGES), named("process", *STAGES))],
    "Settings that are refused": [nothing],
    "Reloads that were refused": [all_within(0, 0, *STAGES)],
    "Answers a second": [rising("outcome", "confirmed", "unauthorized")],
    "Time to answer": [one_within(0, 5), one_within(0, 5)],
    "Webhooks answered late, of all": [one_within(0, 1)],
    "Connections": [one_within(0, 1_000), one_within(100, 10_000_000)],
    "Bodies in memory": [only(0)],
    "What the gateway cannot keep or pass on": [all_within(0, 0), only(0), only(0), only(0)],
    "Newsletter callbacks": [nothing],
    "Kafka seen from the gateway": [all_within(1, 1), one_within(0, 5)],
    "Spool": [all_within(0, 0), only(0)],
    "Size of the spool": [one_within(0, 100_000_000), only(0)],
    "Lag": [all_within(0, 0)],
    "Lag in seconds": [all_within(0, 0)],
    "Age of events when they are translated, 95 %": [one_within(0, 30)],
    "Computing time of a round of events": [one_within(0, 1), one_within(0, 10)],
    "Events that wait or hold up others": [only(0), all_within(0, 0)],
    "Connectif's answers, 95 %": [all_within(0, 5, "contacts", "products", "purchases", "imports")],
    "Records delivered late, of all": [only(0)],
    "From a notification to its documents, 95 %": [nothing],
    "From a callback to the shop, 95 %": [nothing],
    "Partitions whose state cannot be used yet": [all_within(0, 0), all_within(0, 0), all_within(1, 64)],
    "State that was not as it was left": [only(0), only(0), only(0)],
    "Messages and receipts that do not fit": [only(0), only(0), only(0)],
    "Dead letters that were sent again and refused again": [nothing],
    # There is no archive, and nobody looks at the status page, which is not scraped here.
    "Waiting for the archive": [nothing, nothing, nothing],
    "Events written to the archive": [nothing],
    "Events that the archive does not have": [nothing, nothing],
    "Looks at the status page": [nothing],
    "Pages of the status page": [nothing, nothing],
    "Tokens given at the status page": [nothing],
    "Requests about persons": [by({("customer",): 1}, "wanted"), by({}, "wanted")],
}

#: No replay ran: test_prometheus_replay.py has one.
REPLAY: dict[str, list[Truth]] = {
    "Replays": [nothing, nothing],
    "Replays that do not get on": [nothing, only(0)],
    "Dealt with": [nothing],
    "Time left": [nothing],
    "To be repeated": [nothing],
    "Read": [nothing],
    "Repeated": [nothing],
    "Refused by Connectif": [only(0)],
    "How far replays are": [nothing],
    "Time left of replays": [nothing],
    "Under way, of the most there may be": [nothing, nothing, nothing],
    "Its events": [nothing],
    "Its records": [nothing],
    "What became of all repeated events": [nothing],
    "Repeated events, by outcome": [nothing],
}

SHOWN = [
    Shown("all stores", "stores", STORES),
    Shown("account acme", "account", ACME, {"account": "acme"}),
    Shown("account woo", "account", WOO_ACCOUNT, {"account": "woo"}),
    Shown("store acme-es", "store", SHOPIFY_STORE, {"store": SHOPIFY}),
    Shown("the inside", "inside", INSIDE),
    Shown("replays", "replay", REPLAY, {"run": "none"}),
]
