"""The pipeline's inside: gateway, workers, Kafka, disk and processor, whatever the stores."""

from __future__ import annotations

from grafana.source.panels import Ask, Panel, dashboard, how_many, lines, rows, runbooks, to_store
from grafana.source.queries import RATED, counted, or_none, quantile, top_lines

_SLOW = f"sum by (store, kind) ({counted('pipeline_translate_slow_events_total', RATED)})"

_PROCESSES: list[Panel] = [
    lines(
        "Ready",
        "1 while a process takes traffic or processes events.",
        Ask("min by (process) (pipeline_ready)", "{{process}}"),
        unit="none",
        between=(0, 1),
    ),
    lines(
        "How late processes come to what is due, 99 %",
        "Above 0.1 s for long: a process computes too much at a time, or the machine has no processor for "
        "it.",
        Ask(quantile(0.99, "pipeline_loop_late_seconds", "process"), "{{process}}"),
        unit="s",
    ),
    lines(
        "Processor",
        "How many processors each process keeps busy. At 1 for long: it can do no more.",
        Ask(f"sum by (process) (rate(process_cpu_seconds_total[{RATED}]))", "{{process}}"),
    ),
    lines(
        "Memory",
        "What each process holds of the machine's memory. Rising for hours: a leak.",
        Ask("sum by (process) (process_resident_memory_bytes)", "{{process}}"),
        unit="bytes",
    ),
    lines(
        "Open files",
        "Of the most that each process may have.",
        Ask("max by (process) (process_open_fds / process_max_fds)", "{{process}}"),
        unit="percentunit",
        between=(0, 1),
    ),
    lines(
        "Room on the disk",
        "The share of the disk of each process's data_dir that is free. Towards 0 the spool and the state "
        "end there.",
        Ask("min by (process) (pipeline_disk_free_bytes / pipeline_disk_bytes)", "{{process}}"),
        unit="percentunit",
        between=(0, 1),
    ),
    lines(
        "Certificate of the public address",
        "For how long shops accept it yet; most are renewed 30 days before. Empty: the gateway has no https "
        "address in gateway.public_url, or cannot reach it.",
        Ask(
            "max by (host) (pipeline_gateway_certificate_end_timestamp_seconds) - time() "
            "unless max by (host) (pipeline_gateway_certificate_refused) == 1",
            "{{host}}",
        ),
        unit="s",
    ),
    rows(
        "What runs",
        "The version of each process, and its Python. Two versions for long: an upgrade was not finished.",
        ("process", "version", "python"),
        {"processes": "sum by (process, version, python) (pipeline_build_info)"},
        width=8,
    ),
    rows(
        "Settings that are refused",
        "Stores and accounts that a process leaves out. `pipeline validate` says why. Empty: none.",
        ("process", "table", "name"),
        {"refused": "topk($top, max by (process, table, name) (pipeline_settings_refused) > 0)"},
        width=8,
    ),
    lines(
        "Reloads that were refused",
        "1 from a reload whose settings were not taken over until one is; the log says why.",
        Ask("max by (process) (pipeline_settings_reload_refused)", "{{process}}"),
        width=8,
        between=(0, 1),
    ),
]

_GATEWAY: list[Panel] = [
    lines(
        "Answers a second",
        "confirmed: in Kafka. spooled: on disk. unauthorized of a known store: its secret is wrong here or "
        "there.",
        Ask(f"sum by (outcome) (rate(pipeline_gateway_requests_total[{RATED}]))", "{{outcome}}"),
        unit="reqps",
        width=6,
    ),
    lines(
        "Time to answer",
        "Of webhooks that were kept. Shops give up after 5 s.",
        Ask(quantile(0.5, "pipeline_gateway_request_seconds"), "50 %"),
        Ask(quantile(0.99, "pipeline_gateway_request_seconds"), "99 %"),
        unit="s",
        width=6,
    ),
    lines(
        "Webhooks answered late, of all",
        "The share that took more than half a second in five minutes. 0.001 is what is aimed at.",
        Ask("pipeline:webhooks_late:ratio_rate5m", "late"),
        unit="percentunit",
        width=6,
    ),
    lines(
        "Connections",
        "At the limit new ones get 503.",
        Ask("sum(pipeline_gateway_connections)", "open"),
        Ask("sum(pipeline_gateway_connections_max)", "limit"),
        width=6,
    ),
    lines(
        "Bodies in memory",
        "Being read, or not kept yet.",
        Ask("sum(pipeline_gateway_held_bytes)", "held"),
        unit="bytes",
    ),
    lines(
        "What the gateway cannot keep or pass on",
        "refused: Kafka never takes them, they are kept on disk. damaged: places in the spool that cannot "
        "be read; lost: events known to have been there.",
        Ask("sum by (topic) (pipeline_gateway_refused_events)", "refused {{topic}}"),
        Ask("sum(pipeline_gateway_spool_damaged_total)", "damaged"),
        Ask("sum(pipeline_gateway_spool_lost_total)", "lost"),
        Ask("1 - min(pipeline_gateway_spool_writable)", "disk takes nothing"),
    ),
    lines(
        "Newsletter callbacks",
        "Of all stores, between two points of the graph. unauthorized of a known store: the address in "
        "Connectif has another token.",
        Ask(f"sum by (outcome) ({counted('pipeline_gateway_callbacks_total', RATED)})", "{{outcome}}"),
    ),
]

_KAFKA: list[Panel] = [
    lines(
        "Kafka seen from the gateway",
        "1 while events go to Kafka directly, by topic; 0 for one alone: Kafka refuses that topic. And the "
        "time until it confirms.",
        Ask("min by (topic) (pipeline_gateway_topic_up)", "{{topic}}"),
        Ask(quantile(0.99, "pipeline_gateway_produce_seconds"), "99 % confirmed in, s"),
    ),
    lines(
        "Spool",
        "Events on disk because Kafka did not confirm them in time.",
        Ask("sum by (topic) (pipeline_gateway_spool_events)", "{{topic}}"),
        Ask(f"sum(rate(pipeline_gateway_drained_total[{RATED}]))", "drained a second"),
    ),
    lines(
        "Size of the spool",
        "At gateway.spool_max_bytes webhooks get 503. Failures: writes that the disk refused.",
        Ask("sum(pipeline_gateway_spool_bytes)", "bytes"),
        Ask(f"sum(increase(pipeline_gateway_spool_failures_total[{RATED}]))", "failures"),
    ),
    lines(
        "Lag",
        "Messages not processed yet. Rising for minutes: the worker is too slow or stuck.",
        Ask("sum by (topic) (pipeline_lag_messages)", "{{topic}}"),
        width=12,
    ),
    lines(
        "Lag in seconds",
        "For how long the first message of a topic has waited that is not processed.",
        Ask("max by (topic) (pipeline_lag_seconds)", "{{topic}}"),
        unit="s",
        width=12,
    ),
]

_WORKERS: list[Panel] = [
    lines(
        "Age of events when they are translated, 95 %",
        "Of each batch's oldest live event, since the gateway received it. Rising: translate falls behind.",
        Ask(quantile(0.95, "pipeline_translate_age_seconds"), "95 %"),
        unit="s",
    ),
    lines(
        "Computing time of a round of events",
        "Of translate. Long rounds hold up its answers to others.",
        Ask(quantile(0.5, "pipeline_translate_round_seconds"), "50 %"),
        Ask(quantile(0.99, "pipeline_translate_round_seconds"), "99 %"),
        unit="s",
    ),
    lines(
        "Events that wait or hold up others",
        "held: partitions whose next event is of a store that translate's settings do not have. slow: "
        "events that took more than a second, of the stores with most.",
        Ask("sum(pipeline_translate_held_partitions)", "held partitions"),
        Ask(top_lines(_SLOW, "store, kind"), "slow {{store}} {{kind}}"),
        links=[to_store()],
    ),
    lines(
        "Connectif's answers, 95 %",
        "Seconds to an answer, by route. Near deliver.call_timeout: Connectif is slow.",
        Ask(quantile(0.95, "pipeline_deliver_call_seconds", "route"), "{{route}}"),
        unit="s",
    ),
    lines(
        "Records delivered late, of all",
        "The share of live records that took more than five minutes, in five minutes. 0.01 is what is aimed "
        "at.",
        Ask("pipeline:records_late:ratio_rate5m", "late"),
        unit="percentunit",
    ),
    lines(
        "From a notification to its documents, 95 %",
        "Of stores whose webhooks only name what happened.",
        Ask(quantile(0.95, "pipeline_sync_seconds", "lane"), "{{lane}}"),
        unit="s",
    ),
    lines(
        "From a callback to the shop, 95 %",
        "Until a newsletter statement of Connectif is written at the shop, and read back.",
        Ask(quantile(0.95, "pipeline_sync_consent_seconds", "state"), "{{state}}"),
        unit="s",
    ),
    lines(
        "Partitions whose state cannot be used yet",
        "After a start, or when a worker joins or leaves, for seconds: nothing of them is read or sent until "
        "then. For long: a large one is built, or its worker is slow.",
        Ask('sum by (process) (pipeline_state_partitions{state="building"})', "{{process}}"),
        Ask("max by (process) (pipeline_state_building_seconds)", "longest of {{process}}, s"),
        Ask("sum by (process) (pipeline_state_partitions)", "held by {{process}}"),
    ),
    lines(
        "State that was not as it was left",
        "rebuilt: files were damaged, check the disk. Others: another program writes to the pipeline's "
        "topics, or a worker stood still for longer than its session.",
        Ask(or_none("sum(pipeline_state_rebuilt_total)"), "rebuilt"),
        Ask(or_none("sum(pipeline_state_foreign_total)"), "foreign"),
        Ask(or_none("sum(pipeline_state_late_writes_total)"), "late writes"),
    ),
    lines(
        "Messages and receipts that do not fit",
        "invalid: on connectif.*, and not written by this pipeline; foreign: on sync.*, likewise. "
        "uncounted: counted only when the receipt came.",
        Ask("sum(pipeline_deliver_invalid_total)", "invalid"),
        Ask(or_none("sum(pipeline_deliver_uncounted_total)"), "uncounted"),
        Ask(or_none("sum(pipeline_sync_foreign_messages_total)"), "foreign"),
    ),
    lines(
        "Dead letters that were sent again and refused again",
        "What kept them is not mended: look at the reason before the next redrive.",
        Ask(
            f"sum by (stage, reason) ({counted('pipeline_redriven_rejected_total', RATED)})",
            "{{stage}} {{reason}}",
        ),
    ),
]

_BESIDE: list[Panel] = [
    lines(
        "Waiting for the archive",
        "How long ago the oldest event came that is not archived, and how long topics keep events. Nothing "
        "where there is no archive.",
        Ask("max by (topic) (pipeline_archive_lag_seconds)", "{{topic}}"),
        Ask("max(pipeline_archive_retention_seconds)", "kept in the topics"),
        Ask(f"sum by (part) (increase(pipeline_archive_failures_total[{RATED}]))", "failures: {{part}}"),
        unit="s",
    ),
    lines(
        "Events written to the archive",
        "By topic, between two points of the graph. Nothing where there is no archive.",
        Ask(f"sum by (topic) ({counted('pipeline_archive_events_total', RATED)})", "{{topic}}"),
    ),
    lines(
        "Events that the archive does not have",
        "waiting: not archived yet. lost: deleted from the topic before; a replay cannot have them.",
        Ask("max by (topic) (pipeline_archive_lag_offsets)", "waiting {{topic}}"),
        Ask("max by (topic) (pipeline_archive_lost_offsets)", "lost {{topic}}"),
    ),
    lines(
        "Looks at the status page",
        "Asking all processes for one look, 99 %. Near 3 s: one of them does not answer.",
        Ask(quantile(0.99, "pipeline_status_gather_seconds"), "99 %"),
        unit="s",
    ),
    lines(
        "Pages of the status page",
        "By their status; and what was asked for there, with its outcome. 500: an error of this program.",
        Ask(f"sum by (status) ({counted('pipeline_status_pages_total', RATED)})", "{{status}}"),
        Ask(
            f"sum by (action, outcome) ({counted('pipeline_status_actions_total', RATED)})",
            "{{action}} {{outcome}}",
        ),
    ),
    lines(
        "Tokens given at the status page",
        "wrong, limited: rising, somebody tries others.",
        Ask(f"sum by (outcome) ({counted('pipeline_status_sign_ins_total', RATED)})", "{{outcome}}"),
    ),
    lines(
        "Requests about persons",
        "To erase or to show one: those that are not done, and those whose days are over.",
        Ask("sum by (wanted) (pipeline_erase_requests_open)", "open: {{wanted}}"),
        Ask("sum by (wanted) (pipeline_erase_requests_overdue)", "overdue: {{wanted}}"),
    ),
]

DASHBOARD = dashboard(
    "pipeline-inside",
    "The pipeline's inside",
    "Gateway, workers, Kafka, disk and processor, whatever the stores.",
    [how_many(), runbooks()],
    {
        "Processes": _PROCESSES,
        "Gateway": _GATEWAY,
        "Kafka": _KAFKA,
        "Workers": _WORKERS,
        "Beside them": _BESIDE,
    },
)
