"""`pipeline coupons add`: codes into `connectif.coupons`, from where the deliver stage takes them.

A code's key is its set and itself, and deliver sends a key once: the command may be repeated, or killed.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.config import Settings
from pipeline.config_accounts import AccountSettings
from pipeline.coupons.codes import Checked, CodeFinding, Given, check, read_file, read_message
from pipeline.errors import BrokerError, PipelineError, SettingsError
from pipeline.events import Lane
from pipeline.kafka import topic_check, topics
from pipeline.kafka.keys import unique_key
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.reader import MessageBatch, RangeReader
from pipeline.kafka.settings import client_config
from pipeline.records import Coupon, CouponRecord, Origin, RecordKind, Source, partition_of, record_key

#: The store of codes that belong to none.
STORE = "coupons"
#: Findings that are shown one by one.
SHOWN = 20
_SET_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class CouponTarget:
    """Where codes go; `name` is the settings' where the set is kept filled."""

    account: str
    set_id: str
    name: str | None = None


def target(settings: Settings, account: str, coupon_set: str) -> CouponTarget:
    """The coupon set that a name of the settings, or an id of Connectif's, means.

    Raises:
        SettingsError: there is no such account, or it can be neither.
    """
    sets = account_of(settings, account).coupons
    if coupon_set in sets:
        return CouponTarget(account, sets[coupon_set].set_id, coupon_set)
    if not _SET_ID.fullmatch(coupon_set):
        known = ", ".join(sets) or "none"
        raise SettingsError(
            f"{coupon_set!r} is neither a set of the settings ({known}) nor the id of one",
            store=account,
            field="--set",
        )
    name = next((name for name, found in sets.items() if found.set_id == coupon_set), None)
    return CouponTarget(account, coupon_set, name)


def account_of(settings: Settings, name: str) -> AccountSettings:
    """An account of the settings.

    Raises:
        SettingsError: there is none of that name.
    """
    if name not in settings.accounts:
        raise SettingsError(
            f"there is no account {name!r} in the settings",
            field="--account",
            hint=f"there are: {', '.join(sorted(settings.accounts)) or 'none'}",
        )
    return settings.accounts[name]


def add_file(
    settings: Settings,
    to: CouponTarget,
    file: Path | None,
    *,
    skip_bad: bool,
    as_json: bool,
    console: Console,
) -> int:
    """Add the codes of a file, or of standard input; returns the exit code.

    Raises:
        PipelineError: the file cannot be read, or Kafka does not take the codes.
    """
    try:
        data = sys.stdin.buffer.read() if file is None else file.read_bytes()
    except OSError as error:
        raise PipelineError(f"cannot read {file}: {error.strerror}") from error
    checked = read_file(data)
    if _may_go(checked, skip_bad=skip_bad):
        _send(settings, to, checked.codes, console)
    return _report(to, checked, console, skip_bad=skip_bad, as_json=as_json)


def add_topic(
    settings: Settings, to: CouponTarget, topic: str, *, skip_bad: bool, as_json: bool, console: Console
) -> int:
    """Add the codes that came to a topic since the last time; returns the exit code.

    Raises:
        PipelineError: there is no such topic, or Kafka does not take the codes.
    """
    group = topics.full_name(settings, f"pipeline-coupons-{to.account}-{to.set_id}")
    with RangeReader(client_config(settings), group=group) as reader, _progress(console) as progress:
        ranges = reader.ranges(topic, start=reader.committed(reader.offsets.partitions(topic)))
        task = progress.add_task(f"reading {topic}", total=sum(map(len, ranges)))
        bad: list[CodeFinding] = []
        batches = reader.read(ranges, progress=lambda done, _: progress.update(task, completed=done))
        checked = check(list(_given(batches, bad)), bad)
        if _may_go(checked, skip_bad=skip_bad):
            progress.stop()
            _send(settings, to, checked.codes, console)
            reader.commit({read.place: read.end for read in ranges})
    return _report(to, checked, console, skip_bad=skip_bad, as_json=as_json)


def _given(batches: Iterable[MessageBatch], bad: list[CodeFinding]) -> Iterator[Given]:
    for message in (message for batch in batches for message in batch.messages()):
        place = f"partition {message.partition}, offset {message.offset}"
        text = read_message(message.value or b"")
        if text is None:
            bad.append(CodeFinding(place, "is neither text nor a JSON object with a text as `code`"))
        else:
            yield Given(place, text)


def _may_go(checked: Checked, *, skip_bad: bool) -> bool:
    return skip_bad or not checked.bad


def _send(settings: Settings, to: CouponTarget, codes: tuple[str, ...], console: Console) -> None:
    """Send every code, and return once Kafka has confirmed all."""
    topic_check.verify(settings)
    producer = Producer(client_config(settings), max_message_bytes=settings.kafka.max_message_bytes)
    topic = topics.full_name(settings, RecordKind.COUPON.topic)
    partition = partition_of(to.account, settings.kafka.account_partitions)
    messages = (
        Outgoing(
            topic=topic,
            value=record.model_dump_json().encode(),
            key=unique_key(record_key(to.account, record.kind, record.id)),
            partition=partition,
        )
        for record in records(to, codes, now_ms=int(time.time() * 1_000))
    )
    with _progress(console) as progress:
        task = progress.add_task("adding codes", total=len(codes))
        try:
            producer.send_all(messages, lambda count: progress.advance(task, count))
        except BrokerError as error:
            error.hint = error.hint or "run the command again; no code goes twice"
            raise


def records(to: CouponTarget, codes: Iterable[str], now_ms: int) -> Iterator[CouponRecord]:
    """The codes as deliver takes them. Beside live orders they can wait."""
    for number, code in enumerate(codes):
        yield CouponRecord(
            account=to.account,
            store=STORE,
            id=f"{to.set_id}/{code}",
            version=now_ms,
            source=Source(topic=STORE, partition=0, offset=number),
            origin=Origin.CATALOGUE,
            lane=Lane.BACKFILL,
            received_ms=now_ms,
            body=Coupon(coupon_set_id=to.set_id, code=code),
        )


def _progress(console: Console) -> Progress:
    """On standard error, and only for a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def _report(to: CouponTarget, checked: Checked, console: Console, *, skip_bad: bool, as_json: bool) -> int:
    sent = len(checked.codes) if _may_go(checked, skip_bad=skip_bad) else 0
    if as_json:
        tree = {
            "account": to.account,
            "set_id": to.set_id,
            "kept_as_stock": to.name is not None,
            "added": sent,
            "left_out": [finding._asdict() for finding in checked.left_out],
            "bad": [finding._asdict() for finding in checked.bad],
        }
        print(json.dumps(tree))  # noqa: T201 - its output
        return 1 if checked.bad else 0
    _show("not a code", checked.bad, console, "red")
    _show("left out", checked.left_out, console, "yellow")
    goes = "when it runs low" if to.name else "as soon as calls allow"
    if checked.bad and not sent:
        said = "nothing was added; correct these, or leave them out with --skip-bad"
    else:
        said = f"{sent} codes added to set {to.name or to.set_id}: those that are new are imported {goes}"
    console.print(said, markup=False, highlight=False, soft_wrap=True)
    return 1 if checked.bad else 0


def _show(what: str, findings: tuple[CodeFinding, ...], console: Console, colour: str) -> None:
    for place, why in findings[:SHOWN]:
        console.print(f"{what}: {place}: {why}", style=colour, markup=False, highlight=False, soft_wrap=True)
    if len(findings) > SHOWN:
        console.print(f"... and {len(findings) - SHOWN} more; --json names all", style=colour)
