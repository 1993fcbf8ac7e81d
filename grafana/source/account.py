"""One account: why it is behind, what its calls are used for, and how fresh its records arrive."""

from __future__ import annotations

from grafana.source.panels import Ask, Panel, chosen, dashboard, lines, number, rows, runbooks
from grafana.source.queries import OF_RECORDS, RATED, SHOWN, counted, newly, or_none, or_zero

_OF = 'account="$account"'
_CALLS = f"pipeline_deliver_calls_total{{{_OF}}}"
_BUDGET = f"pipeline_budget_calls_total{{{_OF}}}"
_WASTED = f'pipeline_budget_calls_total{{{_OF},use="wasted"}}'
_LIMITED = f'pipeline_deliver_calls_total{{{_OF},status="429"}}'
_BOUGHT = f'pipeline_deliver_records_total{{{_OF},kind="purchase",outcome="delivered"}}'
_ENDED = f"pipeline_deliver_records_total{{{_OF}}}"
_DEAD = f'pipeline_deliver_records_total{{{_OF},outcome="dead"}}'
_IMPORTED = f"pipeline_deliver_import_rows_total{{{_OF}}}"
_LEFT_OUT = f"pipeline_deliver_notes_total{{{_OF}}}"
_REPAIRED = f"pipeline_deliver_repairs_total{{{_OF}}}"
_LIVE = f"pipeline_deliver_live_records_total{{{_OF}}}"
_LATE = f'pipeline_deliver_live_records_total{{{_OF},late="yes"}}'
_TOOK = f"pipeline_deliver_live_seconds_total{{{_OF}}}"


def _records(outcome: str) -> str:
    return f'pipeline_account_records{{{_OF},outcome="{outcome}"}}'


def _oldest(lane: str) -> str:
    return f'max(pipeline_pending_oldest_seconds{{{_OF},kind!="coupon",lane="{lane}"}})'


_NOW: list[Panel] = [
    number(
        "Stopped",
        "1: nothing is delivered to the account. The reason is below it; `pipeline deliver explain` says "
        "what to do.",
        or_zero(f"max by (reason) (pipeline_account_stopped{{{_OF}}})"),
        red_at=1,
        legend="{{reason}}",
    ),
    number(
        "Failing for",
        "For how long calls to Connectif have failed, with the cause of the last one.",
        or_zero(f"max by (cause) (pipeline_account_failing_seconds{{{_OF}}})"),
        unit="s",
        red_at=120,
        legend="{{cause}}",
    ),
    number(
        "Oldest live record",
        "How long the oldest record from a webhook has waited. Codes for coupon sets do not count.",
        or_none(_oldest("live")),
        unit="s",
        red_at=1_800,
    ),
    number("Waiting", "Records that wait for a call.", or_none(f"sum({_records('pending')})")),
    number(
        "Calls left of the minute",
        "What the limit still allows now: the limit less the calls that are used up.",
        f"max(pipeline_budget_limit_calls{{{_OF}}}) - sum(pipeline_budget_used_calls{{{_OF}}})",
    ),
    number(
        "Given up in the time shown",
        "Records that Connectif refused for good. `pipeline dead list` shows them with the answer.",
        or_none(newly(f"sum({_records('dead')})", SHOWN)),
        red_at=1,
    ),
]

_SPENT: list[Panel] = [
    lines(
        "Calls of the minute used up",
        "As the worker counts them against calls_per_minute, and the limit.",
        Ask(f"sum by (account) (pipeline_budget_used_calls{{{_OF}}})", "used"),
        Ask(f"max by (account) (pipeline_budget_limit_calls{{{_OF}}})", "limit"),
    ),
    lines(
        "Calls of the minute, by lane",
        "What they were made for. live: webhooks. backfill: replays and syncs. upkeep: polls of imports and "
        "checks of coupon sets.",
        Ask(f"sum by (lane) ({counted(_BUDGET, '1m')})", "{{lane}}"),
    ),
    lines(
        "Calls of the minute that were wasted, by lane",
        "Answered by 429 or an error, refused for the key, or not answered: each has to be made again.",
        Ask(f"sum by (lane) ({counted(_WASTED, '1m')})", "{{lane}}"),
    ),
    lines(
        "Calls of the minute, by purpose",
        "tell: a record is sent. without: again, without refused fields. look: imports are polled. compare, "
        "consent, repair, stock: what sending needs.",
        Ask(f"sum by (purpose) ({counted(_CALLS, '1m')})", "{{purpose}}"),
    ),
    lines(
        "Calls of the minute, by answer",
        "The first of each counts. 429: another program uses the same limit. 401, 403: the account is "
        "stopped until its key is right.",
        Ask(f"sum by (status) ({counted(_CALLS, '1m')})", "{{status}}"),
    ),
    number(
        "Wasted in the time shown",
        "The share of all calls that has to be made again.",
        f"(sum({counted(_WASTED, SHOWN)}) or vector(0)) / sum({counted(_BUDGET, SHOWN)})",
        unit="percentunit",
        decimals=1,
        height=8,
        width=3,
        red_at=0.1,
    ),
    number(
        "Refused with 429",
        "In the time shown. Should be 0.",
        or_none(f"sum({counted(_LIMITED, SHOWN)})"),
        height=8,
        width=2,
        red_at=1,
    ),
    number(
        "Calls per purchase",
        "All calls over purchases delivered, in the time shown. 1 is the least there can be.",
        f"sum({counted(_CALLS, SHOWN)}) / sum({counted(_BOUGHT, SHOWN)})",
        decimals=2,
        height=8,
        width=3,
    ),
]

_WAITING: list[Panel] = [
    lines(
        "Waiting, by kind and lane",
        "Keys with a record that Connectif does not have yet. Rising without end: more comes in than the "
        "limit lets out.",
        Ask(f"sum by (kind, lane) (pipeline_pending_records{{{_OF}}})", "{{kind}} {{lane}}"),
    ),
    lines(
        "Age of the oldest, by lane",
        "How long the oldest record has waited, whatever its phase: queued, delayed for a retry, held, or "
        "in flight.",
        Ask(
            f'max by (lane) (pipeline_pending_oldest_seconds{{{_OF},kind!="coupon"}})',
            "{{lane}}",
        ),
        unit="s",
    ),
    lines(
        "Records that ended",
        "delivered: Connectif has them. unchanged and superseded: no call was made. dead: refused for good. "
        "How many between two points of the graph.",
        Ask(f"sum by (outcome) ({counted(_ENDED, RATED)})", "{{outcome}}"),
    ),
    number(
        "From webhook to Connectif, on average",
        "Of the live records delivered in the time shown, from the gateway's receipt of their event.",
        f"sum({counted(_TOOK, SHOWN)}) / sum({counted(_LIVE, SHOWN)})",
        unit="s",
        width=12,
    ),
    number(
        "Within five minutes",
        "The share of the live records delivered in the time shown that were there in time. 99 % is what is "
        "aimed at.",
        f"1 - (sum({counted(_LATE, SHOWN)}) or vector(0)) / sum({counted(_LIVE, SHOWN)})",
        unit="percentunit",
        decimals=1,
        width=12,
    ),
]

_BECAME: list[Panel] = [
    rows(
        "Records of its stores",
        "accepted = delivered + unchanged + superseded + pending + dead. Exact, over all time. A click on a "
        "store opens its dashboard.",
        ("store", "kind"),
        {
            outcome: f"topk(100, sum by (store, kind) ({_records(outcome)}))"
            for outcome in ("accepted", *OF_RECORDS)
        },
        sums=True,
        sort="accepted",
        width=16,
    ),
    lines(
        "Refused, by reason",
        "Dead letters of deliver. `pipeline dead list --account NAME` shows them.",
        Ask(f"sum by (kind, reason) ({counted(_DEAD, RATED)})", "{{kind}} {{reason}}"),
    ),
    lines(
        "Rows delivered by imports",
        "Each saved a call. How many between two points of the graph.",
        Ask(f"sum by (kind) ({counted(_IMPORTED, RATED)})", "{{kind}}"),
    ),
    lines(
        "Left out when sent",
        "consent_withdrawn_in_connectif: the person unsubscribed in Connectif's mails. Others: Connectif "
        "accepts less than the shop.",
        Ask(
            f"sum by (kind, note) ({counted(_LEFT_OUT, RATED)})",
            "{{kind}} {{note}}",
        ),
    ),
    lines(
        "Made again",
        "Contacts and products that Connectif said it lacked. Rising: someone deletes them there.",
        Ask(f"sum by (kind) ({counted(_REPAIRED, RATED)})", "{{kind}}"),
    ),
    lines(
        "Codes of coupon sets",
        "available: left in Connectif, as it last said. waiting: not let into the set yet; at 0 nothing "
        "will top it up.",
        Ask(f"max by (set) (pipeline_coupons_available_codes{{{_OF}}})", "{{set}} available"),
        Ask(f"max by (set) (pipeline_coupons_stock_codes{{{_OF}}})", "{{set}} waiting"),
        width=12,
    ),
    lines(
        "Coupon sets that are not topped up",
        "1 while that is so, with the reason. Nothing: all are.",
        Ask(f"max by (set, reason) (pipeline_coupons_stopped{{{_OF}}})", "{{set}} {{reason}}"),
        width=12,
    ),
]

DASHBOARD = dashboard(
    "pipeline-account",
    "One account",
    "Why it is behind, what its calls are used for, and how fresh its records arrive.",
    [chosen("account", "pipeline_account_records"), runbooks()],
    {
        "Now": _NOW,
        "The budget": _SPENT,
        "What waits, and how fresh it arrives": _WAITING,
        "What became of its records": _BECAME,
    },
)
