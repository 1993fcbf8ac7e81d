"""What `pipeline check page` shows: script, what is sent, what is wrong, steps; or all of it as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.text import in_a_line, masked_addresses

MASK = "***"
#: Characters of one value, and rows of values and of findings in a table.
VALUE_MAX = 1_000
CELL_MAX = 160
ROWS = 200
#: Of a contact, what says nothing of the person.
_HARMLESS = frozenset({"_newsletter_subscription_status"})
_COLOURS = {"error": "red", "warning": "yellow", "note": "dim"}


def shown(found: Mapping[str, Any], *, show_personal: bool) -> dict[str, Any]:
    """The report as it is printed: bounded in length, and without values of persons unless asked for."""
    tree: dict[str, Any] = _short(found)
    if show_personal:
        return tree
    for row in tree["values"]:
        if row["about"].startswith(("client_info.", "newsletter")):
            _mask_field(row)
        elif row["about"].endswith("cart_recovery_url"):
            row["text"], row["read"] = without_query(row["text"]), without_query(row["read"])
    for finding in tree["findings"]:
        if finding["personal"]:
            finding["text"] = MASK
        if "cart_recovery_url" in finding["about"] and finding["text"]:
            finding["what"] = finding["what"].replace(finding["text"], without_query(finding["text"]))
            finding["text"] = without_query(finding["text"])
    tree["page"]["url"] = without_query(tree["page"]["url"])
    if tree["sent"] is not None:
        _mask_sent(tree["sent"])
    masked: dict[str, Any] = _masked(tree)
    return masked


def _mask_field(row: dict[str, Any]) -> None:
    if row["about"].rpartition(".")[2] in _HARMLESS:
        return
    for name in ("text", "read"):
        row[name] = masked_value(row[name])


def _mask_sent(tree: dict[str, Any]) -> None:
    tree["primaryKey"] = masked_value(tree["primaryKey"])
    tree["contact"] = {
        name: text if name in _HARMLESS else masked_value(text) for name, text in tree["contact"].items()
    }
    tree["events"] = [{name: masked_value(text) for name, text in event.items()} for event in tree["events"]]
    if tree["cart"] and tree["cart"].get("cartRecoveryUrl"):
        tree["cart"]["cartRecoveryUrl"] = without_query(tree["cart"]["cartRecoveryUrl"])


def masked_value(text: Any) -> Any:
    """An address by its first letters; anything else of a person not at all."""
    if not isinstance(text, str) or not text:
        return text
    masked = masked_addresses(text)
    return masked if masked != text and " " not in text else MASK


def without_query(url: Any) -> Any:
    """A web address without what may open an order or a cart, or name a person."""
    if not isinstance(url, str) or not url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    host = parts.netloc.rpartition("@")[2]
    begin = f"{parts.scheme}://{host}" if parts.scheme else host
    return f"{begin}{parts.path}{'?…' if parts.query or parts.fragment else ''}"


def _masked(value: Any) -> Any:
    match value:
        case str():
            return masked_addresses(value)
        case Mapping():
            return {masked_addresses(name): _masked(below) for name, below in value.items()}
        case list() | tuple():
            return [_masked(below) for below in value]
    return value


def _short(value: Any) -> Any:
    match value:
        case str() if len(value) > VALUE_MAX:
            return f"{value[:VALUE_MAX]}…"
        case Mapping():
            return {name[:VALUE_MAX]: _short(below) for name, below in value.items()}
        case list() | tuple():
            return [_short(below) for below in value]
    return value


def show(tree: Mapping[str, Any], console: Console, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        console.print_json(json.dumps(tree), ensure_ascii=True)
        return
    for line in _head(tree):
        console.print(line, highlight=False, soft_wrap=True)
    if tree["values"]:
        console.print(_values(tree["values"][:ROWS]))
        _rest(console, len(tree["values"]) - ROWS, "values")
    if tree["findings"]:
        console.print(_findings(tree["findings"][:ROWS]))
        _rest(console, len(tree["findings"]) - ROWS + tree["findings_left_out"], "findings")
    console.print(_steps(tree["steps"]))
    for note in tree["notes"]:
        console.print(f"note: {note}", style="dim", markup=False, highlight=False)
    counts = tree["counts"]
    parts = (f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}" for level in counts)
    console.print(", ".join(parts), style="red" if counts["error"] else "green", highlight=False)


def _rest(console: Console, count: int, what: str) -> None:
    if count > 0:
        console.print(f"{count:,} more {what}; --json has those that are kept", style="dim", highlight=False)


def _head(tree: Mapping[str, Any]) -> Iterator[str]:
    page, script = tree["page"], tree["script"]
    yield escape(
        f"page: {page['url'] or 'a file'}, {page['bytes']:,} bytes, "
        f"{page['encoding']} (by {page['encoding_by']}); taken for: {page['kind']} (by {page['kind_by']})"
    )
    if script is None:
        others = f"; seen: {', '.join(tree['managers'])}" if tree["managers"] else ""
        yield escape(f"script: not in the page{others}")
    else:
        yield escape(
            f"script: {script['form']}, environment {script['environment'] or 'not said'}, "
            f"client id {script['client_id'] or 'not said'}"
        )
        yield from _configuration(script["configuration"])
    if tree["javascript_events"]:
        yield escape(f"events by JavaScript: {', '.join(tree['javascript_events'])}")
    yield escape(f"sent: {_sent(tree['sent'])}")


def _configuration(configuration: Mapping[str, Any] | None) -> Iterator[str]:
    if configuration is None:
        return
    parts = (
        f"{name} {json.dumps(value, ensure_ascii=False)}"
        for name, value in configuration.items()
        if value not in (None, [], "", 0)
    )
    yield escape(f"settings in Connectif: {', '.join(parts)}")


def _sent(sent: Mapping[str, Any] | None) -> str:
    if sent is None:
        return "nothing"
    parts = [
        f"purchase {one['purchaseId']} of {one['totalPrice']} with {_lines(one)}" for one in sent["purchases"]
    ]
    if sent["cart"]:
        parts.append(f"cart {sent['cart']['cartId']} with {_lines(sent['cart'])}")
    parts += (f"product {one['productId']} visited" for one in sent["visited"])
    parts += (f"product {one['productId']} searched" for one in sent["searched"])
    parts += (next(iter(event)) for event in sent["events"])
    parts.append(f"contact {sent['primaryKey']}" if sent["primaryKey"] else "no contact")
    return ", ".join(parts)


def _lines(order: Mapping[str, Any]) -> str:
    count = len(order["lines"])
    return f"{count} line{'' if count == 1 else 's'}"


def _plain(*headings: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading in {"value", "how bad", "where"})
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "·"
    text = in_a_line(f"{value:.15g}" if isinstance(value, float) else str(value))
    return escape(text if len(text) <= CELL_MAX else f"{text[:CELL_MAX]}…")


def _values(rows: list[dict[str, Any]]) -> Table:
    table = _plain("value", "in the page", "read as")
    for row in rows:
        text = "missing" if row["text"] is None else row["text"]
        table.add_row(_cell(row["about"]), _cell(text), _cell(row["read"]))
    return table


def _findings(rows: list[dict[str, Any]]) -> Table:
    table = _plain("how bad", "where", "what")
    for row in rows:
        own = f" ({_cell(row['text'])})" if row["personal"] and row["text"] else ""
        more = "; ".join(part for part in (row["effect"], row["hint"]) if part)
        below = f"\n[dim]{escape(in_a_line(more))}[/]" if more else ""
        colour = _COLOURS[row["severity"]]
        what = f"{escape(in_a_line(row['what']))}{own}{below}"
        table.add_row(f"[{colour}]{row['severity']}[/]", _cell(row["about"]), what)
    return table


def _steps(rows: list[dict[str, Any]]) -> Table:
    table = _plain("in a browser", "look for")
    for row in rows:
        table.add_row(_cell(row["do"]), escape(in_a_line(row["look_for"])))
    return table
