"""What the processes said -> what is known now. Pure: no clock, no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.config import Settings
from pipeline.status.accounts import accounts
from pipeline.status.facts import ProcessFacts, ReplayFacts, Snapshot
from pipeline.status.order import accounts_worst_first, replays_worst_first, stores_worst_first
from pipeline.status.series import Series, of_all
from pipeline.status.stores import stores

#: Seconds a worker may build states, as it does when another joins, before it is worth a word.
BUILDING_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ProcessPage:
    """What came of asking a process.

    Attributes:
        name: the kind of process that is asked: gateway, translate, deliver, ...
        url: where.
        worker: its name in its group; empty where it is in none.
        series: what it exports; None where it did not answer.
        why: why it did not, or why it is not ready.
    """

    name: str
    url: str
    worker: str = ""
    series: Series | None = None
    why: str = ""


def snapshot(
    settings: Settings, pages: Sequence[ProcessPage], at: float, notes: Iterable[str] = ()
) -> Snapshot:
    """All that the processes said, put together.

    Args:
        settings: which accounts and stores there ought to be.
        pages: of all processes that were asked.
        at: epoch seconds.
        notes: what could not be asked, in sentences.
    """
    all_series = [page.series for page in pages if page.series is not None]
    refused, unread = _refused(all_series), _unread(settings)
    if not all_series:  # nobody else says anything of them
        refused, unread = refused | unread, set()
    unread -= refused
    return Snapshot(
        at=at,
        accounts=accounts_worst_first(accounts(settings, all_series, refused, _why_unknown(pages))),
        stores=stores_worst_first(stores(settings, all_series, refused, unread, at)),
        processes=tuple(sorted(map(_process, pages), key=lambda process: process.ready)),
        replays=replays_worst_first(_replays(all_series)),
        notes=(*notes, *(_unread_note(*place) for place in sorted(unread))),
    )


def _refused(all_series: Sequence[Series]) -> set[tuple[str, str]]:
    """Table and name of what a process cannot use; it does not run there, even where others have it."""
    return {
        (labels["table"], labels["name"])
        for labels, value in of_all(all_series, "pipeline_settings_refused")
        if value
    }


def _unread(settings: Settings) -> set[tuple[str, str]]:
    """The same of what cannot be used as the file is now; what runs may have read it before."""
    return {(place.partition(".")[0], place.partition(".")[2]) for place in settings.refused}


def _unread_note(table: str, name: str) -> str:
    return (
        f"{table}.{name} cannot be used as the file is now; what runs has it as it was: `pipeline validate`"
    )


def _why_unknown(pages: Iterable[ProcessPage]) -> str:
    """Why no worker says anything of an account that none speaks of."""
    workers = [page for page in pages if page.name == "deliver"]
    whys = [page.why for page in workers if page.why]
    return next(
        iter(whys), "its deliver worker has not opened it yet" if workers else "no deliver worker runs"
    )


def _process(page: ProcessPage) -> ProcessFacts:
    name = f"{page.name} {page.worker}".strip()
    if page.series is None:
        return ProcessFacts(name, page.url, ready=False, why=page.why)
    version = next((labels["version"] for labels, _ in page.series.of("pipeline_build_info")), "")
    ready = bool(page.series.value("pipeline_ready")) and not page.why
    why = page.why or ("" if ready else "it does not say why")
    if ready and page.series.value("pipeline_settings_reload_refused"):
        why = "its last reload was refused: it goes on with the settings before"
    if ready and page.series.value("pipeline_gateway_kafka_up") == 0:
        spooled = sum(count for _, count in page.series.of("pipeline_gateway_spool_events"))
        why = f"Kafka does not take events: {spooled:.0f} are kept on disk"
    if ready and not why and (page.series.value("pipeline_state_building_seconds") or 0) > BUILDING_SECONDS:
        states = page.series.of("pipeline_state_partitions")
        building = sum(count for labels, count in states if labels["state"] == "building")
        why = f"the state of {building:.0f} of its partitions cannot be used yet"
    lag = int(sum(count for _, count in page.series.of("pipeline_lag_messages")))
    return ProcessFacts(name, page.url, ready, why, version, lag)


def _replays(all_series: Sequence[Series]) -> Iterator[ReplayFacts]:
    """Every translate worker tells of all of them: the last one that is asked counts."""
    status: dict[str, str] = {}
    trouble: dict[str, str] = {}
    events: dict[tuple[str, str], float] = {}
    left: dict[str, float] = {}
    for labels, value in of_all(all_series, "pipeline_replay_status"):
        if value:
            status[labels["run"]] = labels["status"]
    for labels, value in of_all(all_series, "pipeline_replay_trouble"):
        if value:
            trouble[labels["run"]] = labels["trouble"]
    for labels, value in of_all(all_series, "pipeline_replay_events"):
        events[labels["run"], labels["what"]] = value
    for labels, value in of_all(all_series, "pipeline_replay_seconds_left"):
        left[labels["run"]] = value
    for run, where in status.items():
        done, total = (int(events.get((run, what), 0)) for what in ("delivered", "total"))
        yield ReplayFacts(run, where, trouble.get(run, ""), done, total, left.get(run))
