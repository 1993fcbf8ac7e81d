"""One store: what came of its events, and each way by which it and the pipeline speak."""

from __future__ import annotations

from grafana.source.panels import Ask, Panel, chosen, dashboard, lines, number, rows, runbooks
from grafana.source.queries import NOT_FOUND, OF_EVENTS, OF_RECORDS, RATED, SHOWN, counted, newly, or_none

_OF = 'store="$store"'
_WEBHOOKS = f"pipeline_gateway_requests_total{{{_OF}}}"
_CALLBACKS = f"pipeline_gateway_callbacks_total{{{_OF}}}"
_CONSENTS = f"pipeline_sync_consents_total{{{_OF}}}"
_ROWS = f"pipeline_sync_rows_total{{{_OF}}}"
_RUNS = f"pipeline_sync_runs_total{{{_OF}}}"
_ASKED = f"pipeline_sync_requests_total{{{_OF}}}"
_FEED = f"pipeline_sync_feed_events_total{{{_OF}}}"
_EVENTS = f"pipeline_translate_events_total{{{_OF}}}"
_NOTES = f"pipeline_translate_notes_total{{{_OF}}}"
_USED = f"pipeline_coupons_used_total{{{_OF}}}"
_REJECTED = f'sum(pipeline_account_events{{{_OF},outcome="rejected"}})'
_FORGED = f'pipeline_gateway_requests_total{{{_OF},outcome="unauthorized"}}'
_DEAD = f'pipeline_deliver_records_total{{{_OF},outcome="dead"}}'


def _events(outcome: str) -> str:
    return f'sum by (kind) (pipeline_account_events{{{_OF},outcome="{outcome}"}})'


def _records(outcome: str) -> str:
    return f'sum by (account, kind) (pipeline_account_records{{{_OF},outcome="{outcome}"}})'


def _since(timestamp: str) -> str:
    return f"time() - (max({timestamp}{{{_OF}}}) > 0)"


_NOW: list[Panel] = [
    number(
        "Since its last event",
        "Since the gateway last kept a webhook of it. Nothing: none yet. Long for a store that usually "
        "sends: its webhooks are switched off, or do not get here.",
        _since("pipeline_gateway_last_event_timestamp_seconds"),
        unit="s",
    ),
    number(
        "Rejected in the time shown",
        "Events that cannot be used: dead letters of translate. `pipeline dead list --store NAME` shows "
        "them.",
        or_none(newly(_REJECTED, SHOWN)),
        red_at=1,
    ),
    number(
        "Wrong signature in the time shown",
        "Webhooks that were answered 401: its secret is wrong here or there, or somebody guesses.",
        or_none(f"sum({counted(_FORGED, SHOWN)})"),
        red_at=1,
    ),
    number(
        "Not fetched yet",
        "Notifications whose documents the shop's API has not given yet.",
        or_none(f"sum(pipeline_sync_waiting{{{_OF}}})"),
    ),
    number(
        "Orders missing",
        "By the last daily reconcile: Connectif ought to have them and does not. Nothing: it was not "
        "reconciled.",
        f'max(pipeline_reconcile_orders{{{_OF},result="missing"}})',
        red_at=1,
    ),
    number(
        "Erasures overdue",
        "Requests to erase or show a person whose days are over: the law is being broken.",
        or_none(f"sum(pipeline_erase_requests_overdue{{{_OF}}})"),
        red_at=1,
    ),
]

_CAME: list[Panel] = [
    rows(
        "Events, by kind and outcome",
        "received = accepted + duplicate + stale + ignored + rejected. Exact, over all time.",
        ("kind",),
        {
            "received": f"sum by (kind) (pipeline_account_events{{{_OF}}})",
            **{outcome: _events(outcome) for outcome in OF_EVENTS},
        },
        sums=True,
        width=12,
    ),
    rows(
        "Records, by account, kind and outcome",
        "accepted = delivered + unchanged + superseded + pending + dead. Exact, over all time. A click on "
        "the account opens its dashboard.",
        ("account", "kind"),
        {outcome: _records(outcome) for outcome in ("accepted", *OF_RECORDS)},
        sums=True,
        width=12,
    ),
    rows(
        "Ignored and rejected, by reason",
        "Exact, over all time. A new reason, or a jump: the shop or its settings changed.",
        ("kind", "outcome", "reason"),
        {"events": f"topk(50, sum by (kind, outcome, reason) (pipeline_account_reasons{{{_OF}}}) > 0)"},
        sort="events",
    ),
    lines(
        "Events, by outcome",
        "As translate counts them: how many between two points of the graph.",
        Ask(f"sum by (outcome) ({counted(_EVENTS, RATED)})", "{{outcome}}"),
    ),
    lines(
        "Departures from its bodies",
        "Left out, rounded or guessed, between two points of the graph. A jump: the shop changed something.",
        Ask(f"sum by (note) ({counted(_NOTES, RATED)})", "{{note}}"),
    ),
    lines(
        "Records refused, by reason",
        "Dead letters of deliver.",
        Ask(f"sum by (kind, reason) ({counted(_DEAD, RATED)})", "{{kind}} {{reason}}"),
    ),
]

_SAID: list[Panel] = [
    lines(
        "Webhooks, by answer",
        "confirmed: in Kafka. spooled: on disk. unauthorized: its secret is wrong here or there. "
        "overloaded: the shop must send again.",
        Ask(f"sum by (outcome) ({counted(_WEBHOOKS, RATED)})", "{{outcome}}"),
    ),
    lines(
        "Bytes of its webhooks a second",
        "Of the bodies that were kept.",
        Ask(f"sum(rate(pipeline_gateway_body_bytes_total{{{_OF}}}[{RATED}]))", "bytes"),
        unit="Bps",
    ),
    lines(
        "Codes that its orders used",
        "Discount codes of coupon sets in the time between two points, each once an order.",
        Ask(f"sum({counted(_USED, RATED)})", "used"),
    ),
]

_API: list[Panel] = [
    lines(
        "Requests to its API, by answer",
        "unauthorised: credentials or rights. not_json: a maintenance page, or a wrong address.",
        Ask(f"sum by (answer) ({counted(_ASKED, RATED)})", "{{answer}}"),
    ),
    lines(
        "Notifications that are not fetched",
        "How many wait, and for how long the oldest has.",
        Ask(f"sum(pipeline_sync_waiting{{{_OF}}})", "waiting"),
        Ask(f"max(pipeline_sync_oldest_seconds{{{_OF}}})", "oldest, s"),
    ),
    lines(
        "Its API cannot be asked, or fails",
        "stopped: 1 while it is not asked at all, by the reason. failing: seconds for which the next page "
        "has not come.",
        Ask(f"max by (reason) (pipeline_sync_stopped{{{_OF}}})", "stopped: {{reason}}"),
        Ask(f"max by (reason) (pipeline_sync_failing_seconds{{{_OF}}}) > 0", "failing: {{reason}}"),
    ),
    rows(
        "Rows that were pulled, in the time shown",
        "sent: stored as events. unchanged: said what was stored before. deleted: gone at the shop. "
        "dropped: too large, or cut by the shop.",
        ("kind", "what"),
        {"rows": f"sum by (kind, what) ({counted(_ROWS, SHOWN)}) > 0"},
        width=8,
    ),
    lines(
        "Since the last whole sync began",
        "Of a store that is read every day. More than a day and a half: changes may be missing.",
        Ask(f"max(pipeline_sync_age_seconds{{{_OF}}})", "age"),
        unit="s",
    ),
    lines(
        "Syncs, and what they held back",
        "Runs that ended, by how; where the last one is; entities missing at the shop, too many to be "
        "believed.",
        Ask(f"sum by (status) ({counted(_RUNS, RATED)})", "ended: {{status}}"),
        Ask(f"max by (status) (pipeline_sync_run{{{_OF}}})", "now: {{status}}"),
        Ask(f"max by (kind) (pipeline_sync_held_deletions{{{_OF}}})", "held: {{kind}}"),
    ),
    lines(
        "Its feed",
        "Seconds since it was last read to Kafka, and events read between two points. stopped: it cannot be "
        "read, by the reason.",
        Ask(f"max(pipeline_sync_feed_age_seconds{{{_OF}}})", "age, s"),
        Ask(f"sum({counted(_FEED, RATED)})", "events"),
        Ask(f"max by (reason) (pipeline_sync_feed_stopped{{{_OF}}})", "stopped: {{reason}}"),
        width=16,
    ),
    number(
        "Since its feed's position expired",
        "What came before that may be missing. Nothing: it never did.",
        _since("pipeline_sync_feed_expired_timestamp_seconds"),
        unit="s",
        width=8,
        height=8,
    ),
]

_CONSENT: list[Panel] = [
    lines(
        "Newsletter callbacks, by outcome",
        "Connectif says who subscribed or left. unauthorized: the address in Connectif has another token. "
        "Connectif repeats none.",
        Ask(f"sum by (callback, outcome) ({counted(_CALLBACKS, RATED)})", "{{callback}} {{outcome}}"),
    ),
    lines(
        "Statements that are not at the shop",
        "How many wait, and for how long the oldest has.",
        Ask(f"sum(pipeline_sync_consents_waiting{{{_OF}}})", "waiting"),
        Ask(f"max(pipeline_sync_consents_oldest_seconds{{{_OF}}})", "oldest, s"),
    ),
    rows(
        "What became of statements, in the time shown",
        "written: the shop has it. same, older: nothing to write. awaits: the shop asked the person to "
        "confirm. echo: our own import. dead: a dead letter.",
        ("state", "outcome"),
        {"statements": f"sum by (state, outcome) ({counted(_CONSENTS, SHOWN)}) > 0"},
        width=8,
    ),
]

_RECONCILED: list[Panel] = [
    lines(
        "Orders, by the last daily reconcile",
        "missing: Connectif ought to have them and does not. different: the totals disagree. unknown: what "
        "would tell is not kept.",
        Ask(f'max by (result) (pipeline_reconcile_orders{{{_OF},result=~"{NOT_FOUND}"}})', "{{result}}"),
    ),
    lines(
        "Since the last reconcile, and how long it is overdue",
        "A day and some hours at most; nothing for a store that does not ask for it.",
        Ask(_since("pipeline_reconcile_last_run_timestamp_seconds"), "since the last"),
        Ask(f"min(pipeline_reconcile_overdue_seconds{{{_OF}}})", "overdue"),
        unit="s",
    ),
    lines(
        "Reconciles that failed, or run",
        "Failed since the last that was done; 1 while one runs.",
        Ask(f"max(pipeline_reconcile_failed_runs{{{_OF}}})", "failed"),
        Ask(f"max(pipeline_reconcile_running{{{_OF}}})", "runs"),
    ),
    lines(
        "Requests about persons",
        "To erase or to show one: those that are not done, and those whose days are over.",
        Ask(f"sum by (wanted) (pipeline_erase_requests_open{{{_OF}}})", "open: {{wanted}}"),
        Ask(f"sum by (wanted) (pipeline_erase_requests_overdue{{{_OF}}})", "overdue: {{wanted}}"),
        width=8,
    ),
    rows(
        "When requests about persons are due",
        "The time until the first that is not done has to be; below 0 the law is being broken.",
        ("wanted",),
        {"due in": f"min by (wanted) (pipeline_erase_due_timestamp_seconds{{{_OF}}}) - time()"},
        units={"due in": "s"},
        width=8,
    ),
    rows(
        "Alerts of this store",
        "Those that fire, and for how long they have been true. A click opens the page with what to type.",
        ("alertname", "severity"),
        {
            "for": "max by (alertname, severity) ((time() - "
            f'ALERTS_FOR_STATE{{{_OF}}}) and ignoring (alertstate) ALERTS{{{_OF},alertstate="firing"}})'
        },
        units={"for": "s"},
        sort="for",
        width=8,
    ),
]

DASHBOARD = dashboard(
    "pipeline-store",
    "One store",
    "What came of its events, and each way by which it and the pipeline speak.",
    [chosen("store", "pipeline_gateway_last_event_timestamp_seconds"), runbooks()],
    {
        "Now": _NOW,
        "What came, and what became of it": _CAME,
        "Webhooks": _SAID,
        "Its API: fetches, pulls and feed": _API,
        "Newsletter": _CONSENT,
        "Reconcile, requests about persons, alerts": _RECONCILED,
    },
)
