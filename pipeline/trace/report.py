"""What `pipeline trace` shows: the answer, the life in time and what waits now; or all of it as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.text import masked_addresses, moment, span
from pipeline.trace.answer import answer
from pipeline.trace.life import EntityLife

#: Rows of a table; the others are in the JSON.
ROWS = 200
_COLOURS = {
    "delivered": "green",
    "accepted": "green",
    "rejected": "red",
    "dead": "red",
    "held": "red",
    "pending": "yellow",
}


def masked(value: Any) -> Any:
    """JSON values with every e-mail address made unreadable but for its first letters."""
    match value:
        case str():
            return masked_addresses(value)
        case Mapping():
            return {masked(name): masked(item) for name, item in value.items()}
        case list() | tuple():
            return [masked(item) for item in value]
    return value


def tree(lives: Sequence[EntityLife], notes: Sequence[str], *, reveal: bool) -> dict[str, Any]:
    """All that was found, as JSON values."""
    found = {
        "entities": [{"answer": answer(life), **life.as_json()} for life in lives],
        "notes": list(notes),
    }
    shown: dict[str, Any] = found if reveal else masked(found)
    return shown


def show(found: Mapping[str, Any], console: Console, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        console.print_json(json.dumps(found), ensure_ascii=True)
        return
    for life in found["entities"]:
        for line in _head(life):
            console.print(line, highlight=False, soft_wrap=False)
        found_rows = sorted(rows(life), key=lambda row: row[0])
        if found_rows:
            console.print(_table(found_rows[-ROWS:]))
        for line in now_lines(life):
            console.print(line, markup=False, highlight=False)
        for line in gaps(life, len(found_rows)):
            console.print(line, style="dim", markup=False, highlight=False)
        console.print()
    for note in found["notes"]:
        console.print(f"note: {note}", style="yellow", markup=False, highlight=False)


def _head(life: Mapping[str, Any]) -> Iterator[str]:
    name = f"{life['kind']} {life['id']} of store {life['store']}"
    yield f"[bold]{escape(name)}[/]"
    yield escape(str(life["answer"]))


#: When, what, how it ended, where it lies, more of it.
Row = tuple[int, str, str, str, str]


def rows(life: Mapping[str, Any]) -> Iterator[Row]:
    """The life of an entity, of `tree`: what was received, emitted, confirmed and refused."""
    for event in life["events"]:
        outcome = "waits" if event["waiting"] else event["outcome"]
        yield event["at_ms"], f"received {event['topic']}", outcome, _place(event), _of_event(event)
    for record in life["records"]:
        what = f"{record['kind']} {record['id']}"
        more = f"{record['op']}, {record['account']}, {record['lane']}, from @{record['source']}"
        yield record["at_ms"], f"emitted {what}", "", _place(record), _with(more, record["notes"])
    for receipt in life["receipts"]:
        what = f"{receipt['kind']} {receipt['id']}"
        yield receipt["at_ms"], f"receipt {what}", receipt["outcome"], _place(receipt), _of_receipt(receipt)
    for letter in life["dead_letters"]:
        more = ": ".join(filter(None, (letter["reason"], letter["field"], letter["detail"])))
        yield letter["at_ms"], f"dead letter of {letter['stage']}", "dead", _place(letter), more


def _of_event(event: Mapping[str, Any]) -> str:
    parts = [event["reason"], event["detail"], f"delivery {event['delivery']}"]
    if event.get("trace"):
        parts.append(f"trace {event['trace']}")
    if event["version"]:
        parts.append(f"version {moment(event['version'] / 1_000)}")
    if event["emits"]:
        parts.append(
            "says " + ", ".join(name.partition("|")[2].replace("|", " ", 1) for name in event["emits"])
        )
    if event["unchanged"]:
        parts.append(f"nothing new of {', '.join(event['unchanged'])}")
    return "; ".join(filter(None, parts))


def _of_receipt(receipt: Mapping[str, Any]) -> str:
    status = f"status {receipt['status']}" if receipt["status"] is not None else ""
    calls = f"{receipt['calls']} call{'' if receipt['calls'] == 1 else 's'}"
    took = f"{span(receipt['seconds'])} after it came"
    parts = [receipt["reason"], status, receipt["detail"], calls, took, f"of @{receipt['record']}"]
    if receipt["repaired"]:
        parts.append("made again " + ", ".join(name.replace("|", " ", 1) for name in receipt["repaired"]))
    return _with("; ".join(filter(None, parts)), receipt["notes"])


def _with(text: str, notes: Sequence[str]) -> str:
    return f"{text}; notes {', '.join(notes)}" if notes else text


def _place(row: Mapping[str, Any]) -> str:
    place = row["place"]
    return f"{place['topic']} {place['partition']} @{place['offset']}"


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("at", "end", "what"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "what")
    for at_ms, what, end, place, more in rows:
        colour = _COLOURS.get(end)
        shown = f"[{colour}]{end}[/]" if colour else escape(end)
        below = escape("; ".join(filter(None, (place, more))))
        table.add_row(moment(at_ms / 1_000)[:19], shown, f"{escape(what)}\n[dim]{below}[/]")
    return table


def now_lines(life: Mapping[str, Any]) -> Iterator[str]:
    """What the workers remember of it, and what waits, in sentences."""
    memory = life["memory"]
    if memory is not None and memory["known"]:
        told = len({row["account"] for row in memory["emitted"]})
        yield (
            f"translate remembers {memory['emitted_in_all']} records of it for {told} account"
            f"{'' if told == 1 else 's'}, and {len(memory['deliveries'])} deliveries"
        )
    if memory is not None and memory["held"]:
        yield f"translate: {memory['held']}"
    for row in life["now"]:
        name = f"{row['kind']} {row['id']} of account {row['account']}"
        if row["pending"]:
            parts = ", ".join(
                f"{part['place']} @{part['offset']} ({part['lane']}, from {part['source']['topic']} "
                f"@{part['source']['offset']})"
                for part in row["versions"]
            )
            yield f"waits: {name}: {parts}. {row['why']}"
        sent = row["last_sent"]
        if sent:
            version = f"version {moment(sent['version'] / 1_000)}" if sent["version"] else "no version"
            mark = f", fingerprint {sent['fingerprint']}" if sent["fingerprint"] else ""
            yield f"last sent: {name}: {version}{mark}"


def gaps(life: Mapping[str, Any], shown: int) -> Iterator[str]:
    """What may be missing from so many rows, and why."""
    if not life["whole"]:
        yield (
            "Its first events may be missing: what was older than the topic keeps, or than --since, was not "
            "read. Verdicts are those of today's rules on the events read."
        )
    for stage, why in life["silent"].items():
        yield f"{stage} did not answer: {why}"
    if shown > ROWS:
        yield f"{shown - ROWS:,} older rows are left out here; --json has them"
    for what, count in life["left_out"].items():
        yield f"{count:,} older {what} rows were counted and not kept"
