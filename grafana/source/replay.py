"""Replays: how far one is, what holds it up, and what became of what it repeated."""

from __future__ import annotations

from grafana.source.panels import Ask, Panel, chosen, dashboard, lines, number, rows, runbooks
from grafana.source.queries import RATED, counted, or_none

_OF = 'run="$run"'
_COMMA = f"{_OF},"
_STATUS = "max by (run, status) (pipeline_replay_status)"


def _events(what: str, of: str = _COMMA) -> str:
    return f'max by (run) (pipeline_replay_events{{{of}what="{what}"}})'


def _share(of: str) -> str:
    return f"{_events('delivered', of)} / ({_events('total', of)} > 0)"


_ALL: list[Panel] = [
    rows(
        "Replays",
        "Those that run, and those that ended within a day. A click on one shows it below.",
        ("run", "status"),
        {
            "there": _STATUS,
            "of its events": f"({_share('')}) * on (run) group_right () {_STATUS}",
        },
        units={"of its events": "percentunit"},
        width=16,
    ),
    lines(
        "Replays that do not get on",
        "Failed, interrupted, stopped or stalled: `pipeline replay show` says why, and what to do.",
        Ask("max by (run, trouble) (pipeline_replay_trouble) > 0", "{{run}} {{trouble}}"),
        Ask("max(pipeline_replay_runs_unread)", "replay.runs cannot be read"),
    ),
]

_ONE: list[Panel] = [
    number(
        "Dealt with",
        "Of the events to be repeated. Nothing while it is not known how many there are.",
        _share(_COMMA),
        unit="percentunit",
        decimals=1,
    ),
    number(
        "Time left",
        "At the rate of the last part, beside the live traffic.",
        f"max(pipeline_replay_seconds_left{{{_OF}}})",
        unit="s",
    ),
    number("To be repeated", "Events, if that is known.", _events("total")),
    number("Read", "Events that it looked at.", _events("read")),
    number("Repeated", "Events that were put on shop.replay.", _events("repeated")),
    number(
        "Refused by Connectif",
        "Records of the backfill's lane since it began that are dead letters.",
        or_none(f'max(pipeline_replay_records{{{_OF},outcome="dead"}})'),
        red_at=1,
    ),
    lines(
        "How far replays are",
        "Of the events to be repeated, those that are dealt with. Level for minutes: `pipeline replay show` "
        "says what holds it up.",
        Ask(_share(_COMMA), "{{run}}"),
        unit="percentunit",
        between=(0, 1),
    ),
    lines(
        "Time left of replays",
        "At the rate of the last part, beside the live traffic. Rising: live orders take the calls.",
        Ask(f"max by (run) (pipeline_replay_seconds_left{{{_OF}}})", "{{run}}"),
        unit="s",
    ),
    lines(
        "Under way, of the most there may be",
        "Events not translated, records that have not ended, and the window of the two. Events that stay: "
        "translate stands still. Records that stay: deliver does.",
        Ask(_events("waiting"), "events"),
        Ask(f'max by (run) (pipeline_replay_records{{{_OF},outcome="pending"}})', "records"),
        Ask(f"max by (run) (pipeline_replay_window{{{_OF}}})", "window"),
    ),
    lines(
        "Its events",
        "total: to be repeated. read: looked at. repeated: put on shop.replay. waiting: not translated. "
        "delivered: dealt with.",
        Ask(f"max by (what) (pipeline_replay_events{{{_OF}}})", "{{what}}"),
        width=12,
    ),
    lines(
        "Its records",
        "Records of the backfill's lane since it began: pending, and by how they ended.",
        Ask(f"max by (outcome) (pipeline_replay_records{{{_OF}}})", "{{outcome}}"),
        width=12,
    ),
]

_BECAME: list[Panel] = [
    rows(
        "What became of all repeated events",
        "Of all replays, over all time, of the stores with most. None of them is counted as received.",
        ("store", "kind", "outcome", "reason"),
        {
            "events": "topk(100, sum by (store, kind, outcome, reason) (pipeline_account_replayed) > 0)",
        },
        sort="events",
        width=16,
    ),
    lines(
        "Repeated events, by outcome",
        "Of all stores, as translate counts them: how many between two points of the graph.",
        Ask(f"sum by (outcome) ({counted('pipeline_translate_replayed_total', RATED)})", "{{outcome}}"),
    ),
]

DASHBOARD = dashboard(
    "pipeline-replay",
    "Replays",
    "How far a replay is, what holds it up, and what became of what it repeated.",
    [chosen("run", "pipeline_replay_status"), runbooks()],
    {"All of them": _ALL, "The chosen one": _ONE, "What became of their events": _BECAME},
    shown="now-6h",
)
