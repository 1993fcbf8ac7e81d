"""What `pipeline dead` shows: tables for a person, JSON for everything else."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.dead import masking
from pipeline.dead.acting import ActionCounts
from pipeline.dead.groups import LetterGroups
from pipeline.dead.resend import Refusal, ResendTarget, held_back, sending
from pipeline.dead.selection import LetterFilter, is_wanted
from pipeline.dead.state import DeadLetterState, LetterState, LetterStatus
from pipeline.dead.store import DeadLetterReader, Found
from pipeline.kafka.keys import entity_key
from pipeline.reasons import explained
from pipeline.text import moment

#: Characters of a body that a terminal is shown.
MOST_SHOWN = 20_000


def groups(found: Iterable[Found], wanted: LetterFilter, console: Console, *, as_json: bool) -> None:
    """Letters by what they have in common."""
    counted = LetterGroups()
    others = 0
    for one in found:
        if is_wanted(wanted, one.status):
            counted.add(one.letter, one.status)
        else:
            others += 1
    rows = counted.rows()
    if as_json:
        tree = {"count": counted.states.total(), "others": others, "groups": [row.tree() for row in rows]}
        print(json.dumps(tree))  # noqa: T201 - its output
        return
    named = "dead letters" if wanted is LetterFilter.ALL else f"{wanted} dead letters"
    beside = f"; {others:,} others of the same kind are not {wanted} (--state all)" if others else ""
    table = Table(title=f"{counted.states.total():,} {named}{beside}", title_justify="left")
    for name in ("account", "store", "stage", "kind", "reason"):
        table.add_column(name, overflow="fold")
    if wanted is LetterFilter.ALL:
        table.add_column("state")
    for name in ("count", "came back"):
        table.add_column(name, justify="right")
    for name in ("oldest", "newest"):
        table.add_column(name)
    for row in rows:
        key = row.key
        cells = [key.account, key.store, key.stage, key.kind, key.reason]
        cells += [key.state] if wanted is LetterFilter.ALL else []
        cells += [f"{row.count:,}", f"{row.came_back:,}" if row.came_back else ""]
        cells += [moment(row.oldest_ms / 1_000), moment(row.newest_ms / 1_000)]
        table.add_row(*map(escape, cells))
    console.print(table)


def each(
    found: Iterable[Found], wanted: LetterFilter, console: Console, *, limit: int, as_json: bool
) -> None:
    """Single letters: the newest `limit` as a table; as JSON each as one line, as they are read."""
    chosen = (one for one in found if is_wanted(wanted, one.status))
    if as_json:
        for number, one in enumerate(chosen, 1):
            print(json.dumps(_tree(one)))  # noqa: T201 - its output
            if number == limit:
                return
        return
    newest: list[tuple[int, Any, dict[str, Any]]] = []
    count = 0
    for one in chosen:
        count += 1
        row = (one.letter.at_ms, one.letter.id, _tree(one))
        if not limit or len(newest) < limit:
            heapq.heappush(newest, row)
        elif row[:2] > newest[0][:2]:
            heapq.heapreplace(newest, row)
    rest = count - len(newest)
    older = f"; {rest:,} older ones are not shown (--limit, --until)" if rest else ""
    table = Table(title=f"{count:,} dead letters{older}", title_justify="left")
    for name in ("id", "at", "account", "store", "stage", "kind", "reason", "state"):
        table.add_column(name, overflow="fold")
    for at_ms, _, tree in sorted(newest, key=lambda row: row[:2], reverse=True):
        cells = [tree[name] for name in ("account", "store", "stage", "kind", "reason")]
        cells = [str(tree["id"]), moment(at_ms / 1_000), *cells, tree["standing"]]
        table.add_row(*map(escape, cells))
    console.print(table)


def show(
    found: Found,
    row: DeadLetterState | None,
    target: ResendTarget,
    console: Console,
    *,
    reveal: bool,
    as_json: bool,
) -> None:
    """One letter: why, the way out, what was done about it, and what it holds."""
    letter, message, status = found.letter, found.message, found.status
    explanation = explained(letter.stage, letter.reason)
    decided = sending(target, letter, message.key, message.value, message.headers)
    again = decided if isinstance(decided, Refusal) else held_back(status, again=False)
    key = entity_key(message.key or b"").decode(errors="replace")
    headers = {name: (text or b"").decode(errors="replace") for name, text in message.headers}
    if not reveal:
        key = masking.masked_key(key)
        headers = {masking.masked_text(name): masking.masked_text(text) for name, text in headers.items()}
    body = masking.revealed_body(message.value) if reveal else masking.masked_body(message.value)
    tree = {
        **_tree(found),
        "field": letter.field,
        "detail": letter.detail,
        "origin": letter.origin._asdict(),
        "in_words": explanation.words,
        "way_out": explanation.way_out,
        "redrive": "goes" if again is None else again.why,
        "redrive_in_words": _redrive(again, None if isinstance(decided, Refusal) else decided.topic),
        "last_done": None if row is None else row.model_dump(mode="json"),
        "key": key,
        "headers": headers,
        "masked": not reveal,
        "body": body,
    }
    if as_json:
        print(json.dumps(tree))  # noqa: T201 - its output
        return
    _say(console, f"dead letter {letter.id}, {tree['standing']}")
    for name in ("account", "store", "stage", "kind", "reason", "field", "detail"):
        if tree[name]:
            _say(console, f"{name}: {tree[name]}")
    _say(
        console,
        f"from: {letter.origin.topic} partition {letter.origin.partition} offset {letter.origin.offset}",
    )
    _say(console, f"given up: {moment(letter.at_ms / 1_000)}")
    _say(console, f"why: {explanation.words}.")
    _say(console, f"way out: {explanation.way_out}")
    _say(console, f"redrive: {tree['redrive_in_words']}")
    if row is not None:
        why = f": {row.why}" if row.why else ""
        _say(console, f"last done: {row.state} at {moment(row.at_ms / 1_000)} by {row.by}{why}")
    _say(console, f"key: {key}")
    for name, text in headers.items():
        if not name.startswith("dead-"):
            _say(console, f"header {name}: {text}")
    text = body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
    cut = (
        f"\n... {len(text) - MOST_SHOWN:,} characters more; --json shows all"
        if len(text) > MOST_SHOWN
        else ""
    )
    _say(console, text[:MOST_SHOWN] + cut)
    if not reveal:
        _say(console, "What may be of a person is masked (***); --reveal shows it.")


def counted(tally: ActionCounts, verb: str, console: Console) -> None:
    """What is done or would be, and what stays as it is."""
    to = ", ".join(f"{count:,} to {topic}" for topic, count in sorted(tally.going.items()))
    _say(console, f"{tally.count:,} {verb}" + (f": {to}" if to and verb != "dropped" else ""))
    for why, count in tally.left.most_common():
        examples = ", ".join(tally.examples[why])
        _say(console, f"{count:,} are left ({why}): {tally.refusals[why]}. Among them: {examples}")


def lost(reader: DeadLetterReader, console: Console) -> None:
    """Letters that were deleted by their retention while they were read."""
    if reader.lost:
        gone = sum(one.end - one.start for one in reader.lost)
        _say(
            console,
            f"{gone:,} letters were deleted while they were read: they were older than their retention",
        )
    if reader.states.foreign:
        _say(
            console, f"{reader.states.foreign:,} messages beside the letters are no states of ours: left out"
        )


def _tree(found: Found) -> dict[str, Any]:
    letter, status = found.letter, found.status
    return {
        "id": str(letter.id),
        "at_ms": letter.at_ms,
        "account": letter.account,
        "store": letter.store,
        "stage": letter.stage,
        "kind": letter.kind,
        "reason": letter.reason,
        "state": status.state.value,
        "came_back": status.came_back,
        "standing": _standing(status),
    }


def _standing(status: LetterStatus) -> str:
    if status.state is LetterState.OPEN and status.came_back:
        return f"came back x{status.came_back}"
    return status.state.value


def _redrive(refusal: Refusal | None, topic: str | None) -> str:
    return f"it goes to {topic}" if refusal is None else f"refused: {refusal.sentence}"


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
