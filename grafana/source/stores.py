"""All stores and accounts: who is behind, who is in trouble, and what is given up; worst first."""

from __future__ import annotations

from grafana.source.panels import (
    Ask,
    Panel,
    chosen,
    dashboard,
    how_many,
    lines,
    number,
    ranking,
    rows,
    runbooks,
    to_account,
    to_store,
)
from grafana.source.queries import (
    NOT_FOUND,
    OF_EVENTS,
    OF_RECORDS,
    RATED,
    SHOWN,
    counted,
    named,
    newly,
    or_none,
    quantile,
    top,
    top_lines,
)

_ACCOUNT, _STORE = 'account=~"$account"', 'store=~"$store"'


def _records(outcome: str) -> str:
    return f'pipeline_account_records{{{_ACCOUNT},outcome="{outcome}"}}'


def _events(outcome: str) -> str:
    return f'pipeline_account_events{{{_STORE},outcome="{outcome}"}}'


# The accounts, by how bad it is: stopped before failing before waiting.

_FAILING = f"max by (account) (pipeline_account_failing_seconds{{{_ACCOUNT}}})"
_STOPPED = f"max by (account) (pipeline_account_stopped{{{_ACCOUNT}}})"
_EVERY = f"({_FAILING} or {_STOPPED})"


def _oldest(lane: str) -> str:
    return f'max by (account) (pipeline_pending_oldest_seconds{{{_ACCOUNT},kind!="coupon",lane="{lane}"}})'


def _at_least(expression: str) -> str:
    return f"({expression} or 0 * {_EVERY})"


_RANK = (
    f"1e12 * {_at_least(_STOPPED)} + on (account) 1e6 * {_at_least(_FAILING)} "
    f"+ on (account) {_at_least(_oldest('live'))}"
)
_WORST = f"topk($top, {_RANK})"


def _of_worst(expression: str) -> str:
    return f"{expression} and on (account) {_WORST}"


# What is wrong with a store, from when on alerts say it: each with the store as its only label.

_REJECTED_EVENTS = f"sum by (store) ({_events('rejected')})"
_FORGED = f'pipeline_gateway_requests_total{{{_STORE},outcome="unauthorized"}}'
_MISDIRECTED = f'pipeline_gateway_callbacks_total{{{_STORE},outcome="unauthorized"}}'
_REFUSED = 'pipeline_settings_refused{table="stores"} == 1'
_LEFT_OUT = f'max by (store) (label_replace({_REFUSED}, "store", "$1", "name", "(.*)"))'
_WRONG = {
    "its settings are refused": _LEFT_OUT,
    "its API is not asked": f"max by (store) (pipeline_sync_stopped{{{_STORE}}}) > 0",
    "its API fails": f"max by (store) (pipeline_sync_failing_seconds{{{_STORE}}}) > 1800",
    "its feed is not read": f"max by (store) (pipeline_sync_feed_age_seconds{{{_STORE}}}) > 900",
    "orders are missing": f'max by (store) (pipeline_reconcile_orders{{{_STORE},result="missing"}}) > 0',
    "its reconcile fails": f"max by (store) (pipeline_reconcile_failed_runs{{{_STORE}}}) > 0",
    "events are rejected": f"{newly(_REJECTED_EVENTS, SHOWN)} > 0",
    "webhooks have a wrong signature": f"sum by (store) ({counted(_FORGED, SHOWN)}) > 0",
    "callbacks have a wrong token": f"sum by (store) ({counted(_MISDIRECTED, SHOWN)}) > 0",
    "fetches are late": f"max by (store) (pipeline_sync_oldest_seconds{{{_STORE}}}) > 900",
    "deletions are held back": f"sum by (store) (pipeline_sync_held_deletions{{{_STORE}}}) > 0",
    "its whole sync is overdue": f"max by (store) (pipeline_sync_age_seconds{{{_STORE}}}) > 129600",
    "an erasure is overdue": f"sum by (store) (pipeline_erase_requests_overdue{{{_STORE}}}) > 0",
    "consents do not reach it": f"max by (store) (pipeline_sync_consents_oldest_seconds{{{_STORE}}}) > 900",
}
#: Of the accounts that a store feeds, the one that got most of its records.
_FEEDS = "topk by (store) (1, sum by (store, account) (pipeline_account_translated))"
_KNOWN = "max by (store) (pipeline_gateway_last_event_timestamp_seconds)"
_TROUBLES = named(_WRONG, "what")


def _with_account(expression: str) -> str:
    feeds = f"(0 * {_FEEDS} or on (store) 0 * {_KNOWN} or on (store) 0 * ({_LEFT_OUT}))"
    return f"({expression}) + on (store) group_left (account) {feeds}"


def _alerts(severity: str) -> str:
    """Since when they have been true, of those that fire."""
    fires = f'ALERTS{{alertstate="firing",severity{severity}"critical"}}'
    since = f"(time() - ALERTS_FOR_STATE) and ignoring (alertstate) {fires}"
    return top(f"max by (alertname, store, account, process) ({since})")


_SILENT = f"time() - (max by (store) (pipeline_gateway_last_event_timestamp_seconds{{{_STORE}}}) > 0)"
_RECEIVED = f"sum by (store, kind) (pipeline_account_events{{{_STORE}}})"
_MOST_EVENTS = f"topk($top, {_RECEIVED})"
_ACCEPTED = f"pipeline_account_records{{{_ACCOUNT},{_STORE}"
_MOST_RECORDS = f'topk($top, sum by (account, store, kind) ({_ACCEPTED},outcome="accepted"}}))'
_CALLS = f"pipeline_deliver_calls_total{{{_ACCOUNT}}}"
_REFUSED_CALLS = f'pipeline_deliver_calls_total{{{_ACCOUNT},status="429"}}'
_BOUGHT = f'pipeline_deliver_records_total{{{_ACCOUNT},kind="purchase",outcome="delivered"}}'
_DEAD = f'pipeline_deliver_records_total{{{_ACCOUNT},outcome="dead"}}'
_REJECTED = f'sum by (store, reason) (pipeline_account_reasons{{{_STORE},outcome="rejected"}})'
_PENDING = f"sum by (account, kind) ({_records('pending')})"
_OLDEST = f"max by (account, kind, lane) (pipeline_pending_oldest_seconds{{{_ACCOUNT}}})"
_USED = f"sum by (account) (pipeline_budget_used_calls{{{_ACCOUNT}}})"
_LIMIT = f"max by (account) (pipeline_budget_limit_calls{{{_ACCOUNT}}})"
_NOTED = f"pipeline_translate_notes_total{{{_STORE}}}"
_NOTES = f"sum by (store, note) ({counted(_NOTED, RATED)})"
_FOUND = f'max by (store, result) (pipeline_reconcile_orders{{{_STORE},result=~"{NOT_FOUND}"}})'
_LAST_RUN = f"max by (store) (pipeline_reconcile_last_run_timestamp_seconds{{{_STORE}}})"

_ALL_REJECTED, _ALL_DEAD = f"sum({_events('rejected')})", f"sum({_records('dead')})"

_NOW: list[Panel] = [
    number(
        "Records the sums do not explain",
        "accepted less delivered, unchanged, superseded, pending and dead. Anything but 0 for longer than a "
        "scrape is a bug.",
        'abs(sum(pipeline_account_records{outcome="accepted"}) '
        '- sum(pipeline_account_records{outcome!="accepted"}))',
        red_at=1,
    ),
    number(
        "On the way between the stages",
        "Records translate has written and deliver has not read yet. Coupon codes do not come from "
        "translate and are not counted.",
        '(sum(pipeline_account_translated{outcome="emitted"}) or vector(0)) - '
        '(sum(pipeline_account_records{kind!="coupon",outcome="accepted"}) or vector(0))',
    ),
    number("Pending", "Records that wait for a call.", or_none(f"sum({_records('pending')})")),
    number(
        "Given up in the time shown",
        "Events that cannot be translated, and records Connectif refused. They are in deadletters. What was "
        "given up before is in the tables below.",
        f"({or_none(newly(_ALL_REJECTED, SHOWN))}) + ({or_none(newly(_ALL_DEAD, SHOWN))})",
        red_at=1,
    ),
    number(
        "Accounts stopped",
        "Nothing is delivered to them: the key is refused, or too many records in a row were.",
        or_none(f"sum(pipeline_account_stopped{{{_ACCOUNT}}})"),
        red_at=1,
    ),
    number(
        "Connectif fails for",
        "The longest of the accounts. `pipeline deliver explain --account NAME` gives the cause.",
        or_none(f"max(pipeline_account_failing_seconds{{{_ACCOUNT}}})"),
        unit="s",
        red_at=120,
    ),
    rows(
        "Critical alerts that fire",
        "The longest first. A click on the alert opens its page, with what to type.",
        ("alertname", "store", "account", "process"),
        {"for": _alerts("=")},
        units={"for": "s"},
        sort="for",
        width=12,
    ),
    rows(
        "Warnings that fire",
        "The longest first. A click on the alert opens its page, with what to type.",
        ("alertname", "store", "account", "process"),
        {"for": _alerts("!=")},
        units={"for": "s"},
        sort="for",
        width=12,
    ),
]

_WORST_FIRST: list[Panel] = [
    rows(
        "Accounts, worst first",
        "Stopped before failing before waiting. Oldest: how long the oldest record of a lane has waited. A "
        "click on an account opens its dashboard.",
        ("account",),
        {
            "stopped": _of_worst(_STOPPED),
            "failing for": _of_worst(_FAILING),
            "oldest live": _of_worst(_oldest("live")),
            "oldest retry": _of_worst(_oldest("retry")),
            "oldest backfill": _of_worst(_oldest("backfill")),
            "pending": _of_worst(f"sum by (account) (pipeline_pending_records{{{_ACCOUNT}}})"),
            "calls used": _of_worst(_USED),
            "of": _of_worst(_LIMIT),
            "dead in the time shown": _of_worst(newly(f"sum by (account) ({_records('dead')})", SHOWN)),
        },
        ranked_by=f"sort_desc({_WORST})",
        units=dict.fromkeys(("failing for", "oldest live", "oldest retry", "oldest backfill"), "s"),
        height=10,
    ),
    rows(
        "What is wrong, by store",
        "Each store with each trouble there is now or was in the time shown, and the account that it feeds. "
        "Empty: none. A click on a store opens its dashboard.",
        ("store", "account", "what"),
        {"figure": f"topk($top, {_with_account(_TROUBLES)})"},
        width=12,
        height=10,
        sort="figure",
    ),
    ranking(
        "Since a store's last webhook",
        "Since the gateway last kept an event of a store. Long for one that usually sends: its webhooks are "
        "switched off, or do not get here.",
        Ask(top(_SILENT), "{{store}}"),
        unit="s",
        width=12,
        links=[to_store()],
    ),
    rows(
        "Events: received = accepted + duplicate + stale + ignored + rejected",
        "Exact, over all time: read from the stage's table. Of the stores that sent most.",
        ("store", "kind"),
        {
            "received": _MOST_EVENTS,
            **{
                outcome: f"sum by (store, kind) ({_events(outcome)}) and on (store, kind) {_MOST_EVENTS}"
                for outcome in OF_EVENTS
            },
        },
        sums=True,
        sort="received",
    ),
    rows(
        "Records: accepted = delivered + unchanged + superseded + pending + dead",
        "Exact, over all time: read from the stage's table. Of the stores with most records.",
        ("account", "store", "kind"),
        {
            "accepted": _MOST_RECORDS,
            **{
                outcome: f'sum by (account, store, kind) ({_ACCEPTED},outcome="{outcome}"}}) '
                f"and on (account, store, kind) {_MOST_RECORDS}"
                for outcome in OF_RECORDS
            },
        },
        sums=True,
        sort="accepted",
    ),
]

_WAITING: list[Panel] = [
    lines(
        "Pending records",
        "Rising without end: more comes in than the limit of calls lets out. Of the accounts with most.",
        Ask(top_lines(_PENDING, "account, kind"), "{{account}} {{kind}}"),
        links=[to_account()],
    ),
    lines(
        "Age of the oldest pending record",
        "How long the oldest has waited since the gateway received its event, whatever its phase: queued, "
        "delayed for a retry, held, or in flight. Of the accounts with the oldest.",
        Ask(top_lines(_OLDEST, "account, kind, lane"), "{{account}} {{kind}} {{lane}}"),
        unit="s",
        links=[to_account()],
    ),
    lines(
        "From webhook to Connectif, 95 %",
        "From the gateway's receipt to the delivery.",
        Ask(quantile(0.95, "pipeline_deliver_freshness_seconds", "kind"), "{{kind}}"),
        unit="s",
    ),
]

_BUDGET: list[Panel] = [
    ranking(
        "Share of the minute's calls that is used up",
        "As the worker counts them against the limit. At 100 % for long: more comes in than goes out.",
        Ask(top(f"{_USED} / {_LIMIT}"), "{{account}}"),
        unit="percentunit",
        red_at=1,
        links=[to_account()],
        height=8,
    ),
    lines(
        "Calls of the minute by answer",
        "The first of each counts. 429: another program uses the same limit. 401, 403: the account is "
        "stopped until its key is right.",
        Ask(f"sum by (status) ({counted(_CALLS, '1m')})", "{{status}}"),
    ),
    number(
        "Calls refused with 429",
        "In the time shown. Should be 0.",
        or_none(f"sum({counted(_REFUSED_CALLS, SHOWN)})"),
        red_at=1,
        height=8,
    ),
    number(
        "Calls per purchase delivered",
        "All calls over purchases, in the time shown. 1 is the least there can be.",
        f"sum({counted(_CALLS, SHOWN)}) / sum({counted(_BOUGHT, SHOWN)})",
        decimals=2,
        height=8,
    ),
]

_GIVEN_UP: list[Panel] = [
    lines(
        "Events rejected, by reason",
        "Dead letters of translate. Of the stores with most.",
        Ask(top_lines(newly(_REJECTED, RATED), "store, reason"), "{{store}} {{reason}}"),
        links=[to_store()],
    ),
    lines(
        "Records refused, by reason",
        "Dead letters of deliver. Of the accounts with most.",
        Ask(
            top_lines(f"sum by (account, kind, reason) ({counted(_DEAD, RATED)})", "account, kind, reason"),
            "{{account}} {{kind}} {{reason}}",
        ),
        links=[to_account()],
    ),
    lines(
        "Departures from the shops' bodies",
        "Left out, rounded or guessed. A jump: the shop changed something. Of the stores with most.",
        Ask(top_lines(_NOTES, "store, note"), "{{store}} {{note}}"),
        links=[to_store()],
    ),
]

_RECONCILED: list[Panel] = [
    lines(
        "Orders missing, different or unknown",
        "By the last daily reconcile of a store. Missing: Connectif ought to have them and does not. The "
        "run's report names each, with the way out. Of the stores with most.",
        Ask(top_lines(_FOUND, "store, result"), "{{store}} {{result}}"),
        links=[to_store()],
    ),
    lines(
        "Since a store's last reconcile",
        "A day and some hours at most; nothing for a store that does not ask for it, or has none yet. Of "
        "the stores for which it is longest.",
        Ask(top_lines(f"time() - ({_LAST_RUN} > 0)", "store"), "{{store}}"),
        unit="s",
        links=[to_store()],
    ),
    lines(
        "Reconciles overdue or failed",
        "Overdue: seconds since a run that is due and not done. Failed: runs since the last that was done. "
        "Of the stores with most.",
        Ask(
            top_lines(f"min by (store) (pipeline_reconcile_overdue_seconds{{{_STORE}}})", "store"),
            "{{store}} overdue, s",
        ),
        Ask(
            top_lines(f"max by (store) (pipeline_reconcile_failed_runs{{{_STORE}}})", "store"),
            "{{store}} failed",
        ),
        links=[to_store()],
    ),
]

DASHBOARD = dashboard(
    "pipeline-stores",
    "All stores",
    "Who is behind, who is in trouble and what is given up: worst first, as many as are chosen.",
    [
        chosen("account", "pipeline_account_records", several=True),
        chosen("store", "pipeline_account_events", several=True),
        how_many(),
        runbooks(),
    ],
    {
        "What is wrong now": _NOW,
        "Worst first": _WORST_FIRST,
        "What waits": _WAITING,
        "The budget": _BUDGET,
        "What was given up, and why": _GIVEN_UP,
        "What the daily reconcile found": _RECONCILED,
    },
)
