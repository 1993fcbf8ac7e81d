"""Every series this program exports, in one place: its meaning, and what a bad value means.

Counters start at 0 with each process: use `rate()`. The account of records (`pipeline_account_*`) is read
from the stages' tables instead, so it survives crashes and is exact; sum it over instances.
Labels are bounded: stores and accounts come from the settings, reasons from the code.

A process exports the series of its own stage only (`exposition.py`): a series of another stage would be 0
there, as if it had been measured.
"""

from __future__ import annotations

from prometheus_client import disable_created_metrics

from pipeline.kept_series import Counter, Gauge, Histogram

#: No `_created` series: they would double the counters' series, and nothing reads them.
disable_created_metrics()  # type: ignore[no-untyped-call]

LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

BUILD_INFO = Gauge(
    "pipeline_build_info", "1: which version runs, and on which Python.", ["version", "python"]
)
SETTINGS_REFUSED = Gauge(
    "pipeline_settings_refused",
    "1 for a store or an account whose settings this process cannot use, so that it is left out: its log and "
    "`pipeline validate` say why.",
    ["table", "name"],
)
SETTINGS_RELOAD_REFUSED = Gauge(
    "pipeline_settings_reload_refused",
    "1 after a reload whose settings were not taken over, until one is: the log says why; all goes on with "
    "those before.",
)
DISK_FREE = Gauge(
    "pipeline_disk_free_bytes",
    "Bytes that may still be written on the disk of this process's data_dir; NaN where it does not say. "
    "Towards 0: the gateway's spool, the workers' state and an embedded broker end there.",
)
DISK_SIZE = Gauge("pipeline_disk_bytes", "Size of that disk, as pipeline_disk_free_bytes counts.")
LOOP_LATE_SECONDS = Histogram(
    "pipeline_loop_late_seconds",
    "How late the process comes back to what is due, measured twice a second. Above 0.1 s for long: it "
    "computes too much at a time, or the machine has no processor for it.",
    buckets=LATENCY,
)
READY = Gauge("pipeline_ready", "1 while the process takes traffic or processes events.", ["process"])

GATEWAY_REQUESTS = Counter(
    "pipeline_gateway_requests_total",
    "Answers by outcome. confirmed, spooled: kept. unauthorized of a known store: its secret is wrong here "
    "or there. overloaded: nothing could keep the event, the shop must send again. store -: unknown.",
    ["store", "outcome"],
)
GATEWAY_CALLBACKS = Counter(
    "pipeline_gateway_callbacks_total",
    "Connectif's newsletter callbacks by outcome. confirmed, spooled: kept. unauthorized of a known store: "
    "the address in Connectif has another token. unreadable: no person is named. Connectif repeats none.",
    ["store", "callback", "outcome"],
)
GATEWAY_BODY_BYTES = Counter("pipeline_gateway_body_bytes_total", "Bytes of the bodies kept.", ["store"])
GATEWAY_SECONDS = Histogram(
    "pipeline_gateway_request_seconds",
    "From a request's last byte to its answer, events kept only. Shops give up after 5 s.",
    buckets=LATENCY,
)
GATEWAY_PRODUCE_SECONDS = Histogram(
    "pipeline_gateway_produce_seconds",
    "From handing an event to the producer to Kafka's confirmation. Near the time-out: the cluster is slow.",
    buckets=LATENCY,
)
GATEWAY_HELD_BYTES = Gauge("pipeline_gateway_held_bytes", "Bodies in memory, being read or not yet kept.")
GATEWAY_LAST_EVENT = Gauge(
    "pipeline_gateway_last_event_timestamp_seconds",
    "When the gateway last kept an event of a store, epoch seconds; 0: none yet. Long ago for a store that "
    "usually sends: its webhooks are switched off, or do not arrive here.",
    ["store"],
)
GATEWAY_KAFKA_UP = Gauge(
    "pipeline_gateway_kafka_up", "1 while events of every topic go to Kafka directly, 0: some to the spool."
)
GATEWAY_TOPIC_UP = Gauge(
    "pipeline_gateway_topic_up",
    "1 while events of the topic go to Kafka directly. 0 for one alone: Kafka refuses that topic.",
    ["topic"],
)
GATEWAY_SPOOL_EVENTS = Gauge(
    "pipeline_gateway_spool_events", "Events on disk that Kafka has not confirmed.", ["topic"]
)
GATEWAY_SPOOL_BYTES = Gauge("pipeline_gateway_spool_bytes", "Their size; at gateway.spool_max_bytes: 503.")
GATEWAY_SPOOL_FAILURES = Counter(
    "pipeline_gateway_spool_failures_total", "Writes to the spool that failed: disk full or broken."
)
GATEWAY_SPOOL_WRITABLE = Gauge(
    "pipeline_gateway_spool_writable",
    "0 while the spool's disk takes nothing: what Kafka does not confirm is answered 503.",
)
GATEWAY_SPOOL_DAMAGED = Counter(
    "pipeline_gateway_spool_damaged_total",
    "Places in spool files that cannot be read. The files are kept as *.damaged.",
)
GATEWAY_SPOOL_LOST = Counter(
    "pipeline_gateway_spool_lost_total",
    "Events known to have been in damaged places: answered 2xx, and lost.",
)
GATEWAY_REFUSED_EVENTS = Gauge(
    "pipeline_gateway_refused_events",
    "Events kept on disk as Kafka never takes them (too large): raise the topic's max.message.bytes and "
    "start the gateway again.",
    ["topic"],
)
GATEWAY_CONNECTIONS = Gauge(
    "pipeline_gateway_connections", "Open connections. At pipeline_gateway_connections_max: new ones get 503."
)
GATEWAY_CONNECTIONS_MAX = Gauge(
    "pipeline_gateway_connections_max", "Most connections at once, by the limit on open files."
)
GATEWAY_CERTIFICATE_END = Gauge(
    "pipeline_gateway_certificate_end_timestamp_seconds",
    "When the certificate of gateway.public_url ends, epoch seconds. Near: it was not renewed.",
    ["host"],
)
GATEWAY_CERTIFICATE_REFUSED = Gauge(
    "pipeline_gateway_certificate_refused",
    "1: the certificate of gateway.public_url has ended, is another host's, or nobody vouches for it.",
    ["host"],
)
GATEWAY_DRAINED = Counter("pipeline_gateway_drained_total", "Events brought from the spool to Kafka.")

STATE_REBUILT = Counter(
    "pipeline_state_rebuilt_total",
    "State stores whose files were damaged: kept as copies, restored from the changelog. Check the disk.",
    ["table"],
)
STATE_LATE_WRITES = Counter(
    "pipeline_state_late_writes_total",
    "Keys another process wrote into the changelog of a partition held here, written again as they are. A "
    "worker stood still for longer than its session, or another program writes to the topic.",
    ["table"],
)
STATE_FOREIGN = Counter(
    "pipeline_state_foreign_total",
    "Rows of a changelog or a table that no worker wrote, left out. Another program writes to the topic.",
    ["table"],
)

TRANSLATE_EVENTS = Counter(
    "pipeline_translate_events_total",
    "Events by outcome: for rates; `pipeline_account_events` has the exact counts.",
    ["store", "kind", "outcome"],
)
TRANSLATE_REPLAYED = Counter(
    "pipeline_translate_replayed_total",
    "Events repeated by replays, by what became of them; none of them is in pipeline_translate_events_total.",
    ["store", "kind", "outcome"],
)
REDRIVEN_REJECTED = Counter(
    "pipeline_redriven_rejected_total",
    "Dead letters that were sent again and refused again. What kept them is not mended: look at the reason "
    "before the next redrive.",
    ["stage", "account", "store", "kind", "reason"],
)
TRANSLATE_HELD = Gauge(
    "pipeline_translate_held_partitions",
    "Partitions that are paused: the next event is of a store that this worker's settings do not have.",
)
TRANSLATE_SLOW = Counter(
    "pipeline_translate_slow_events_total",
    "Events that took more than a second to compute; those behind them waited for it.",
    ["store", "kind"],
)
TRANSLATE_NOTES = Counter(
    "pipeline_translate_notes_total",
    "Departures from a shop's body (left out, rounded, guessed) in records. A jump: the shop changed.",
    ["store", "kind", "note"],
)
TRANSLATE_AGE_SECONDS = Histogram(
    "pipeline_translate_age_seconds",
    "From the gateway's receipt to translation, of each batch's oldest live event. Rising: falling behind.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400),
)
TRANSLATE_ROUND_SECONDS = Histogram(
    "pipeline_translate_round_seconds", "Computing time of one round of events.", buckets=LATENCY
)
COUPONS_USED = Counter(
    "pipeline_coupons_used_total",
    "Discount codes that sold orders used, each once an order. Not rising while codes are given out: no "
    "customer uses them, or the shop's orders do not name them.",
    ["account", "store"],
)

SANDBOX_CALLS = Counter(
    "pipeline_sandbox_calls_total",
    "Calls the simulated Connectif got, by route and status sent; 429: a client went over the limit, or a "
    "fault says so; 0: the connection was broken on purpose.",
    ["account", "route", "status"],
)

DELIVER_CALLS = Counter(
    "pipeline_deliver_calls_total",
    "Calls of Connectif's API by HTTP status (none: no answer; foreign: not in a form of Connectif's, as of "
    "a proxy). 429: others share the limit, or it is set too high. 401, 403: the account is stopped. "
    "purpose: tell, sends a record; without, sends it again without refused fields; consent, asks who has "
    "withdrawn; look, polls imports; compare, reads a purchase; repair; stock, checks coupon sets.",
    ["account", "route", "purpose", "status"],
)
BUDGET_CALLS = Counter(
    "pipeline_budget_calls_total",
    "Calls of an account's limit by the lane they were made for (upkeep: polls of imports, coupon sets) and "
    "by their use. told: a record was sent. asked: what sending it needs, such as polls, comparisons and "
    "repairs. wasted: 429, an error of Connectif's, a refused key or no answer.",
    ["account", "lane", "use"],
)
DELIVER_CALL_SECONDS = Histogram(
    "pipeline_deliver_call_seconds",
    "Seconds to an answer. Near deliver.call_timeout: Connectif is slow.",
    ["route"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
DELIVER_RECORDS = Counter(
    "pipeline_deliver_records_total",
    "Versions of records by how they ended: for rates; `pipeline_account_records` has the exact counts.",
    ["account", "store", "kind", "outcome", "reason"],
)
DELIVER_FRESHNESS_SECONDS = Histogram(
    "pipeline_deliver_freshness_seconds",
    "From the gateway's receipt of an event to its record's delivery.",
    ["kind", "lane"],
    buckets=(0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 14_400, 86_400),
)
#: Three series an account: a histogram of each would double what a worker of 500 accounts exports.
DELIVER_LIVE_RECORDS = Counter(
    "pipeline_deliver_live_records_total",
    "Records of the live lane that were delivered, by account. late: more than five minutes after the "
    "gateway's receipt of their event, yes or no.",
    ["account", "late"],
)
DELIVER_LIVE_SECONDS = Counter(
    "pipeline_deliver_live_seconds_total",
    "The seconds these took, added up; over their number: how fresh an account's records arrive on average.",
    ["account"],
)
DELIVER_IMPORT_ROWS = Counter(
    "pipeline_deliver_import_rows_total", "Rows delivered by imports: calls saved.", ["account", "kind"]
)
DELIVER_REPAIRS = Counter(
    "pipeline_deliver_repairs_total",
    "Contacts and products Connectif said it lacked, made again. Rising: someone deletes them there.",
    ["account", "kind"],
)
DELIVER_NOTES = Counter(
    "pipeline_deliver_notes_total",
    "What was left out when a record was sent. consent_withdrawn_in_connectif: the person unsubscribed in "
    "Connectif's mails. phone_refused and the like: Connectif accepts less than the shop.",
    ["account", "kind", "note"],
)
DELIVER_INVALID = Counter(
    "pipeline_deliver_invalid_total",
    "Messages on connectif.* that this pipeline did not write; they go to dead letters.",
)
DELIVER_UNCOUNTED = Counter(
    "pipeline_deliver_uncounted_total",
    "Records that were counted only when their receipt came: the table that counts them had lost them.",
    ["account", "kind"],
)

ARCHIVE_LAG_OFFSETS = Gauge(
    "pipeline_archive_lag_offsets", "Offsets of a topic of events that are not archived yet.", ["topic"]
)
ARCHIVE_LAG_SECONDS = Gauge(
    "pipeline_archive_lag_seconds",
    "How long ago the oldest event came that is not archived. Towards pipeline_archive_retention_seconds: it "
    "is deleted before it is archived.",
    ["topic"],
)
ARCHIVE_RETENTION_SECONDS = Gauge(
    "pipeline_archive_retention_seconds",
    "How long the topics of events keep them: kafka.shop_retention_days.",
)
ARCHIVE_LOST_OFFSETS = Gauge(
    "pipeline_archive_lost_offsets",
    "Offsets that were deleted from a topic before they were archived. Above 0: a replay cannot "
    "have their events.",
    ["topic"],
)
ARCHIVE_FILES = Counter("pipeline_archive_files_total", "Files written to the archive.", ["topic"])
ARCHIVE_EVENTS = Counter("pipeline_archive_events_total", "Events written to the archive.", ["topic"])
ARCHIVE_BYTES = Counter("pipeline_archive_bytes_total", "Bytes written to the archive.", ["topic"])
ARCHIVE_FAILURES = Counter(
    "pipeline_archive_failures_total",
    "Passes of the archive that failed, and are tried again: kafka does not answer, or the archive's storage "
    "refuses. The process's log says why.",
    ["part"],
)
RECONCILE_ORDERS = Gauge(
    "pipeline_reconcile_orders",
    "Orders by the result of the last daily reconcile. missing: Connectif ought to have them and does not; "
    "different: the totals disagree; unknown: what would tell is not kept. Not there before the first run.",
    ["store", "result"],
)
RECONCILE_LAST_RUN = Gauge(
    "pipeline_reconcile_last_run_timestamp_seconds",
    "When the last daily reconcile of a store was done, epoch seconds; 0: none yet.",
    ["store"],
)
RECONCILE_OVERDUE = Gauge(
    "pipeline_reconcile_overdue_seconds",
    "Seconds since a daily reconcile became due that is not done; 0 where the last one is. Hours: it fails, "
    "or takes too long.",
    ["store"],
)
RECONCILE_FAILED = Gauge(
    "pipeline_reconcile_failed_runs",
    "Daily reconciles of a store that failed since the last that was done. Above 0: what vanishes is not "
    "noticed.",
    ["store"],
)
RECONCILE_RUNNING = Gauge("pipeline_reconcile_running", "1 while a store is reconciled.", ["store"])

SYNC_REQUESTS = Counter(
    "pipeline_sync_requests_total",
    "Requests to the shops' APIs by answer. unauthorised: credentials or rights. not_json: a maintenance "
    "page, or a wrong address.",
    ["store", "answer"],
)
SYNC_FOREIGN = Counter(
    "pipeline_sync_foreign_messages_total",
    "Messages of sync.requests and sync.consents that are none of this program's: dead letters. Somebody "
    "else writes there.",
)
SYNC_FEED_EVENTS = Counter(
    "pipeline_sync_feed_events_total",
    "Entries of the shops' feeds that were written to shop.*, repeats among them.",
    ["store"],
)
SYNC_SECONDS = Histogram(
    "pipeline_sync_seconds",
    "From a notification's arrival to its documents in Kafka.",
    ["lane"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400),
)
SYNC_PULLED = Counter(
    "pipeline_sync_rows_total",
    "Rows of the shops' APIs. sent: stored as events. unchanged: said what was stored before. deleted: gone "
    "at the shop, and told so. dropped: too large, or cut by the shop; their webhooks have them.",
    ["store", "kind", "what"],
)
SYNC_RUNS = Counter(
    "pipeline_sync_runs_total",
    "Runs of `pipeline sync` and of the day, by how they ended. failed: a list was given up; "
    "`pipeline sync status` says why.",
    ["store", "status"],
)
SYNC_CONSENTS = Counter(
    "pipeline_sync_consents_total",
    "Newsletter statements of Connectif by what became of them at the shop. written; same, older: nothing to "
    "write; awaits: the shop asked the person to confirm; echo: our own import; dead: a dead letter.",
    ["store", "state", "outcome"],
)
SYNC_CONSENT_SECONDS = Histogram(
    "pipeline_sync_consent_seconds",
    "From a callback's arrival to its statement written at the shop, and read back.",
    ["state"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400),
)

STATUS_GATHER_SECONDS = Histogram(
    "pipeline_status_gather_seconds",
    "Asking all processes for one look at the status page. Near 3 s: one of them does not answer.",
    buckets=LATENCY,
)
STATUS_PAGES = Counter(
    "pipeline_status_pages_total",
    "Pages of the status page by status. 503: too many searches at once; 500: an error of this program.",
    ["page", "status"],
)
STATUS_SIGN_INS = Counter(
    "pipeline_status_sign_ins_total",
    "Tokens given at the status page. wrong, limited: rising, somebody tries others.",
    ["outcome"],
)
STATUS_ACTIONS = Counter(
    "pipeline_status_actions_total",
    "What was asked for on the status page: redrive, replay. done, refused, failed: the log says by whom.",
    ["action", "outcome"],
)

__all__ = ["LATENCY", "READY", "Counter", "Gauge", "Histogram"]
