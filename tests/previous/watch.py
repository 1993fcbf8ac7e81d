"""The account and the rest of a site, from its processes' metrics and its sandbox's ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.integration.operating import Site
from tests.local_http import http
from tests.processes import wait_until

KINDS = ("contacts", "products", "purchases")
ACCOUNTS = ("acme", "woo")
_EVENTS, _RECORDS = "pipeline_account_events", "pipeline_account_records"
_LABELS = ("account", "store", "kind", "outcome")

#: How many, by labels with blanks in between; what is 0 is left out.
Counts = Counter[str]


def samples(site: Site, stage: str) -> Iterator[Sample]:
    """All that a stage's metrics say."""
    page = http.get(f"{site.urls[stage]}/metrics", timeout=10).raise_for_status().text
    for family in text_string_to_metric_families(page):
        yield from family.samples


def counts(site: Site, stage: str, series: str) -> Counts:
    """A series of one stage."""
    found: Counts = Counter()
    for sample in samples(site, stage):
        if sample.name == series:
            words = [sample.labels[label] for label in _LABELS if label in sample.labels]
            found[" ".join(words)] += int(sample.value)
    return +found


def account(site: Site) -> dict[str, Counts]:
    """Events and records by outcome."""
    return {"events": counts(site, "translate", _EVENTS), "records": counts(site, "deliver", _RECORDS)}


def outcome(rows: Counts, wanted: str) -> int:
    """How many have it, over all stores and kinds."""
    return sum(count for row, count in rows.items() if row.endswith(f" {wanted}"))


def unbalanced(records: Counts) -> list[str]:
    """The rows whose records are not as many as what became of them."""
    parts: Counts = Counter()
    for row, count in records.items():
        name, _, ended = row.rpartition(" ")
        parts[name] += -count if ended == "accepted" else count
    return [name for name, count in parts.items() if count]


def wait_for(site: Site, posted: int, *, pending: bool, seconds: float = 60) -> None:
    """Wait until all that was posted is translated and has come to deliver, and, unless `pending`, ended.

    Raises:
        AssertionError: it does not come to that; with the account as it is.
    """
    try:
        wait_until(lambda: _is_at_rest(site, posted, pending=pending), seconds, every=0.2)
    except TimeoutError:
        raise AssertionError(f"{posted} posted, at rest never: {account(site)}") from None


def _is_at_rest(site: Site, posted: int, *, pending: bool) -> bool:
    events = counts(site, "translate", _EVENTS).total()
    emitted = counts(site, "translate", "pipeline_account_translated")
    records = counts(site, "deliver", _RECORDS)
    lag = sum(counts(site, stage, "pipeline_lag_messages").total() for stage in ("translate", "deliver"))
    arrived = events == posted and outcome(records, "accepted") >= outcome(emitted, "emitted") and not lag
    return arrived and (pending or not outcome(records, "pending"))


def ledger(site: Site) -> dict[str, dict[str, dict[str, Any]]]:
    """What the sandbox holds or held: account -> kind -> key -> element."""
    return {
        account: {
            kind: {item["key"]: item for item in site.connectif.ledger(account, kind)} for kind in KINDS
        }
        for account in ACCOUNTS
    }
