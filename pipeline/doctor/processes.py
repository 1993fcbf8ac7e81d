"""Every process that is known: whether it answers, what it complains of, and which version it runs."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline import config, config_needs
from pipeline.doctor import versions
from pipeline.doctor.context import Context
from pipeline.doctor.findings import Finding, named, ok, problem, warning
from pipeline.status.facts import Snapshot
from pipeline.status.gather import Gatherer

#: Longer than a page that is renewed every other second may wait: who is only slow is not accused.
ASK_SECONDS, KAFKA_SECONDS = 6.0, 8.0
PROCESSES, WORK = "processes", "accounts and stores"


def examine(context: Context) -> list[Finding]:
    """Ask all of them, as the status page does."""
    # As `pipeline top` reads them: a secret that is missing here alone stops nobody.
    settings = config.load(context.path, secrets=config_needs.KAFKA_ONLY, isolate=True)
    with Gatherer(
        settings, context.processes, ask_seconds=ASK_SECONDS, kafka_seconds=KAFKA_SECONDS
    ) as gatherer:
        found = gatherer.gather()
    return [*judged(found), *versions.of_processes(found.processes)]


def judged(found: Snapshot) -> Iterator[Finding]:
    """What they said."""
    for process in found.processes:
        where = f" at {process.url}" if process.url else ""
        if not process.ready:
            todo = "start it, or see its log; docs/runbooks/ProcessDown.md"
            yield problem(PROCESSES, f"{process.name}{where} is not ready: {process.why}", todo)
        elif process.why:
            yield warning(PROCESSES, f"{process.name}{where}: {process.why}", "see `pipeline top`")
    for note in found.notes:
        yield warning(PROCESSES, note, "see docs/status.md")
    if not found.notes and all(process.ready and not process.why for process in found.processes):
        yield ok(PROCESSES, f"ready: {', '.join(process.name for process in found.processes)}")
    yield from _work(found)


def _work(found: Snapshot) -> Iterator[Finding]:
    """Accounts and stores: that some are in trouble is said here, why and since when by `pipeline top`."""
    accounts = [f"{one.name} ({one.state}: {one.reason})" for one in found.accounts if one.state.is_trouble]
    stores = [f"{one.name} ({one.state}: {one.reason})" for one in found.stores if one.state.is_trouble]
    for kind, troubled in (("accounts", accounts), ("stores", stores)):
        if troubled:
            said = f"{kind} in trouble: {named(troubled)}"
            yield problem(WORK, said, "`pipeline top` says since when, and what to type")
    if not accounts and not stores:
        yield ok(WORK, f"none of {len(found.accounts)} and {len(found.stores)} is stopped or failing")
