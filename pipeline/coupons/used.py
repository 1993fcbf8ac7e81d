"""`pipeline coupons used`: which codes an account's orders used, from `coupons.used`."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable
from datetime import date

from pydantic import ValidationError
from rich.progress import Progress
from rich.table import Table

from pipeline.config import Settings
from pipeline.console import Console
from pipeline.coupons.add import account_of
from pipeline.kafka import topics
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from pipeline.records import CouponUse
from pipeline.text import in_a_cell

FIELDS = ("code", "purchase_id", "store", "purchase_date")


def used(uses: Iterable[CouponUse], account: str, since: date | None = None) -> list[CouponUse]:
    """What an account's orders use now, each code once an order; the oldest order first.

    Args:
        uses: in any order, and some of them twice; the newest message of each counts.
        account: its name.
        since: leaves out orders placed before it, by the day in UTC.
    """
    newest: dict[tuple[str, str, str], CouponUse] = {}
    for use in uses:
        if use.account == account:
            key = (use.store, use.purchase_id, use.code)
            was = newest.get(key)
            if was is None or (use.version, use.source.offset) >= (was.version, was.source.offset):
                newest[key] = use
    first = "" if since is None else since.isoformat()
    found = [use for use in newest.values() if use.used and (use.purchase_date or first) >= first]
    return sorted(found, key=lambda use: (use.purchase_date or "", use.store, use.purchase_id, use.code))


def export(
    settings: Settings, account: str, since: date | None, *, as_csv: bool, as_json: bool, console: Console
) -> None:
    """Read the topic to its end and print what was used.

    Raises:
        PipelineError: the topic is missing.
        BrokerError: the cluster does not answer.
    """
    account_of(settings, account)
    found = used(_read(settings, console), account, since)
    rows = [{name: getattr(use, name) for name in FIELDS} for use in found]
    if as_json:
        print(json.dumps(rows))  # noqa: T201 - its output
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, FIELDS)
        writer.writeheader()
        writer.writerows({name: in_a_cell(value) for name, value in row.items()} for row in rows)
    else:
        table = Table(title=f"{len(rows)} codes used, account {account}", title_justify="left")
        for name in FIELDS:
            table.add_column(name.replace("_", " "), overflow="fold")
        for row in rows:
            table.add_row(*(row[name] or "" for name in FIELDS))
        Console().print(table)


def _read(settings: Settings, console: Console) -> list[CouponUse]:
    topic = topics.full_name(settings, topics.COUPONS_USED)
    found: list[CouponUse] = []
    foreign, place = 0, ""
    with (
        RangeReader(client_config(settings)) as reader,
        Progress(console=console, disable=not console.is_terminal, transient=True) as progress,
    ):
        ranges = reader.ranges(topic)
        task = progress.add_task(f"reading {topic}", total=sum(map(len, ranges)))
        batches = reader.read(ranges, progress=lambda done, _: progress.update(task, completed=done))
        for message in (message for batch in batches for message in batch.messages()):
            try:
                found.append(CouponUse.model_validate_json(message.value or b""))
            except ValidationError:
                foreign += 1
                place = f"partition {message.partition} offset {message.offset}"
    if foreign:
        console.print(
            f"{topic}: {foreign} messages are not uses of a code and are left out, the last at {place}"
        )
    return found
